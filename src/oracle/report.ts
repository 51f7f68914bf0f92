/**
 * Reports: verdicts as a person reads them in one look, and as JSON for machines. Neither ever holds a whole array.
 *
 * @module
 */
import { formatShape } from "../tensor/shape.js";
import type { Judgement } from "./judgement.js";
import { describeDiagnosis } from "./diagnosis.js";
import { short } from "./short-number.js";
import type { TensorVerdict, TraceJudgement } from "./trace-verdict.js";

/** What each test that may break says. */
const BROKEN: Readonly<Record<Judgement["broken"][number], (judgement: Judgement) => string>> = {
  shape: ({ shapes }) => `its shape must be ${shapes?.[0]}, and is ${shapes?.[1]}`,
  bound: ({ beyond, elements }) => `${beyond} of ${elements} elements beyond their bound`,
  special: () => "NaN or infinity where the reference has none, or none where it has",
  variance: ({ variance }) =>
    `errors too large as a whole: mean square ${short(variance)} of what is likely (at most 4)`,
  bias: ({ bias }) => `errors lean to one side: mean ${short(bias)} of what is likely`,
};

/** The judgement of one tensor in a few lines, the first of which is the verdict. */
export function describeJudgement(
  what: string,
  judgement: Judgement,
  { hint, region }: { readonly hint?: string | undefined; readonly region?: string | undefined } = {},
): readonly string[] {
  const { holds, broken, elements, worst, worstRatio, effectiveBits, variance, bias } = judgement;
  const lines = [`${what}: ${holds ? "holds" : "BROKEN"}`];
  for (const test of broken) lines.push(`  ${BROKEN[test](judgement)}`);
  if (hint !== undefined) lines.push(`  ${hint}`);
  if (worst !== undefined) {
    const { index, candidate, truth, bound } = worst;
    const error = Math.abs(candidate - truth);
    lines.push(
      `  worst |error| / bound  ${short(worstRatio)}  at ${formatShape(index)}` +
        (region === undefined ? "" : `, made of input ${region}`),
      `  candidate ${candidate}, reference ${truth}`,
      `  |error| ${short(error)}, bound ${short(bound)}`,
    );
  }
  if (!broken.includes("shape")) {
    const statistics = `variance ${short(variance)}, bias ${short(bias)} of what is likely`;
    lines.push(`  ${elements} elements, effective bits ${effectiveBits}, ${statistics}`);
  }
  return lines;
}

/** The verdict on a trace: the first broken layer, and the table of all tensors where `all` says so. */
export function describeTrace(judgement: TraceJudgement, all: boolean): readonly string[] {
  const { holds, first, tensors, judged, notJudged, unknown, arithmetic } = judgement;
  const broken = tensors.filter(({ status }) => status === "broken");
  const lines = [
    `${holds ? "holds" : "BROKEN"}: ${judged - broken.length} of ${judged} tensors within ${arithmetic}` +
      (notJudged === 0 ? "" : `; ${notJudged} not judged`),
  ];
  if (first?.judgement !== undefined) {
    lines.push("", `the first that is not right: ${placeOf(first)}`);
    lines.push(...describeJudgement(first.key, first.judgement, first));
    if (first.diagnosis !== undefined) lines.push(...describeDiagnosis(first.diagnosis).map((line) => `  ${line}`));
    if (broken.length > 1) {
      lines.push("", `also broken: ${listed(broken.slice(1).map(({ key }) => key))}`);
    }
  }
  if (notJudged > 0) lines.push("", ...notJudgedLines(tensors));
  if (unknown.length > 0) lines.push("", `of no layer here: ${listed(unknown)}`);
  if (all) lines.push("", ...table(tensors));
  return lines;
}

/** Whose code computed a tensor, in words. */
function placeOf({ key, layers, className }: TensorVerdict): string {
  const names = layers.map((name) => `\`${name}\``).join(" and ");
  if (key === "loss") return "the loss";
  if (key.startsWith("output/")) {
    const fused = layers.map((name) => `\`${name}\``).join(", ");
    return layers.length > 1 ? `one of ${fused}` : `${names} (${className})`;
  }
  if (key.startsWith("moving/")) return `a moving statistic of ${names} (${className})`;
  if (layers.length === 0 || className === "loss") return "the derivative of the loss";
  if (layers.length > 1) return `the sum of the gradients of ${names}`;
  return `the backward pass of ${names} (${className})`;
}

/** How many were not judged for each reason; most often they are just not there. */
function notJudgedLines(tensors: readonly TensorVerdict[]): readonly string[] {
  const byReason = new Map<string, string[]>();
  for (const { status, reason, key } of tensors) {
    if (status === "not judged") byReason.set(reason ?? "", [...(byReason.get(reason ?? "") ?? []), key]);
  }
  return [...byReason].map(([reason, keys]) => `not judged: ${listed(keys)}: ${reason}`);
}

/** The first few of a list. */
function listed(names: readonly string[]): string {
  const shown = names.slice(0, 4).join(", ");
  return names.length <= 4 ? shown : `${shown} and ${names.length - 4} more`;
}

function table(tensors: readonly TensorVerdict[]): readonly string[] {
  const width = Math.max(...tensors.map(({ key }) => key.length));
  const row = (key: string, ...columns: readonly string[]): string =>
    `${key.padEnd(width)} ${columns.map((column, i) => (i < 4 ? column.padStart([14, 7, 10, 10][i]) : ` ${column}`)).join("")}`;
  const rows = tensors.map(({ key, status, judgement, className }) => {
    if (judgement === undefined) return row(key, "", "", "", "", status);
    const { worstRatio, effectiveBits, variance, bias } = judgement;
    const verdict = status === "broken" ? `BROKEN (${judgement.broken.join(", ")})` : status;
    return row(key, short(worstRatio), String(effectiveBits), short(variance), short(bias), `${verdict} ${className}`);
  });
  return [
    row("tensor", "error / bound", "bits", "variance", "bias", "verdict").trimEnd(),
    ...rows.map((line) => line.trimEnd()),
  ];
}

/** One line of JSON; it has no NaN and no infinities, so they become strings. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === "number" && !Number.isFinite(part) ? String(part) : part,
  );
}
