/**
 * Trials: one case, computed by a backend and judged.
 *
 * @module
 */
import type { KerasConfig } from "../../serialization/config.js";
import type { Tensor } from "../../tensor/tensor.js";
import type { ArithmeticModel } from "../arithmetic-model.js";
import type { Expectation } from "../expectation.js";
import { type Judgement, judgeTensor } from "../judgement.js";
import type { Operands } from "../operation.js";
import { operationNamed } from "../operations/table.js";
import { ask, type BackendOperation } from "./backend.js";

/** The tests of {@link judgeTensor}, the worst to fail first. */
const TESTS = ["shape", "special", "bound", "bias", "variance"] as const;
/** What can be wrong with a case: no result in time, no usable one, or a test of {@link judgeTensor}. */
export type Fault = "timeout" | "failure" | (typeof TESTS)[number];
/** All of them, the worst first. */
export const FAULTS: readonly Fault[] = ["timeout", "failure", ...TESTS];

/** One result of a case that is wrong. */
export interface Wrong {
  readonly fault: Fault;
  /** In words. */
  readonly what: string;
  /** Which result; none for a failure. */
  readonly output?: string;
  readonly received?: Tensor;
  readonly expectation?: Expectation;
  readonly judgement?: Judgement;
}

/** A judged case. */
export interface Trial {
  /** The worst of what is wrong. */
  readonly wrong: Wrong | undefined;
  readonly judgements: readonly Judgement[];
  /** Results that the backend did not give. */
  readonly missing: readonly string[];
}

/** What is asked, of whom. */
export interface Question {
  readonly operation: string;
  readonly run: BackendOperation;
  readonly model: ArithmeticModel;
  /** Arguments of the expectation only: how the candidate computes. */
  readonly assume: KerasConfig;
  /** Seconds that the backend has for a case. */
  readonly timeout: number;
}

/**
 * Asks and judges.
 *
 * @throws RangeError, TypeError when operands and arguments do not fit: the case is impossible.
 */
export async function tryCase(
  { operation: name, run, model, assume, timeout }: Question,
  operands: Operands,
  args: KerasConfig,
): Promise<Trial> {
  const operation = operationNamed(name);
  const expectations = operation.expect(operands, { ...args, ...assume }, model);
  const given = await ask(run, operation, operands, args, timeout);
  if ("failure" in given) {
    return { wrong: { fault: given.fault, what: given.failure }, judgements: [], missing: [] };
  }
  const judgements: Judgement[] = [];
  const wrongs: Wrong[] = [];
  const missing: string[] = [];
  for (const [output, expectation] of Object.entries(expectations)) {
    const received = given.results[output];
    if (received === undefined) {
      missing.push(output);
      continue;
    }
    const judgement = judgeTensor(received, expectation);
    judgements.push(judgement);
    const fault = TESTS.find((test) => judgement.broken.includes(test));
    if (fault !== undefined) {
      wrongs.push({ fault, what: describeWrong(fault, output, judgement), output, received, expectation, judgement });
    }
  }
  const wrong = FAULTS.flatMap((fault) => wrongs.filter((found) => found.fault === fault))[0];
  return { wrong, judgements, missing };
}

function describeWrong(fault: (typeof TESTS)[number], output: string, judgement: Judgement): string {
  const { worst, worstRatio, shapes, beyond, elements, variance, bias } = judgement;
  const at = worst === undefined ? "" : ` at [${worst.index.join(", ")}]: ${worst.candidate}, not ${worst.truth}`;
  switch (fault) {
    case "shape":
      return `\`${output}\` has shape ${shapes?.[1]}, not ${shapes?.[0]}`;
    case "special":
      return `\`${output}\` has NaN or infinities where there are none, or none where there are`;
    case "bound":
      return `\`${output}\`${at}; ${times(worstRatio)}, ${beyond} of ${elements} beyond their bounds`;
    case "variance":
      return `\`${output}\`: errors too large as a whole, mean square ${short(variance)} of what roundings make`;
    case "bias":
      return `\`${output}\`: errors lean to one side, by ${short(bias)} of what roundings make`;
  }
}

function times(ratio: number): string {
  return Number.isFinite(ratio) ? `error ${short(ratio)} times the bound` : "it must be exact";
}

/** A number for people. */
export function short(value: number): string {
  return value !== 0 && Math.abs(value) < 0.01 ? value.toExponential(1) : String(Number(value.toPrecision(3)));
}
