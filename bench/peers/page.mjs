/**
 * The page of the peers: a table of operations by peer, the findings with their causes, and what was not offered.
 *
 * @module
 */
import { writeReproduction } from "../../build/src/oracle/conformance/reproduction.js";
import { positionOf } from "../../build/src/oracle/judgement.js";
import { CAUSES, KNOWN_BUGS } from "./causes.mjs";

const KINDS = {
  bug: "Wrong results",
  refused: "Refused though documented",
  accuracy: "Less accurate than float32 allows",
  subnormal: "Only below 2^-126",
  unexplained: "Not yet explained",
};

const number = (value) => (typeof value === "number" ? String(Number(value.toPrecision(3))) : String(value));
const shapeOf = (shape) => `[${shape.join(", ")}]`;
const table = (head, rows) =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

/** All findings, those with one cause together, the gravest first. */
function findingsOf(checked) {
  const byCause = new Map();
  for (const { report, lenient } of checked) {
    for (const row of report.operations) {
      if (row.finding === undefined) continue;
      const again = lenient?.operations.find(({ operation }) => operation === row.operation);
      const known = CAUSES[report.backend]?.[row.operation];
      const cause = known ?? {
        kind: "unexplained",
        cause: `${report.backend}, ${row.operation}: not yet explained.`,
        seen: [],
      };
      // where flushed subnormals do not explain it, the finding is the one that they leave
      const finding = again?.finding ?? row.finding;
      const entries = byCause.get(cause) ?? [];
      byCause.set(cause, [...entries, { peer: report, operation: row.operation, row, again, finding }]);
    }
  }
  const order = Object.keys(KINDS);
  return [...byCause]
    .sort(([a], [b]) => order.indexOf(a.kind) - order.indexOf(b.kind))
    .map(([cause, entries], i) => ({ ...cause, label: `F${i + 1}`, entries }));
}

const MOST_NUMBERS = 12;

/** `tensor` in a line: all of it if it is small, else what it holds at the places `at`. */
function valuesOf({ shape, values }, at = values.flatMap((value, i) => (Number(value) === 0 ? [] : [i]))) {
  if (values.length <= MOST_NUMBERS) return `${shapeOf(shape)}: ${values.join(", ")}`;
  const shown = at.slice(0, MOST_NUMBERS).map((i) => `${values[i]} at ${shapeOf(positionOf(i, shape))}`);
  return `${shapeOf(shape)}: ${shown.length === 0 ? "zeros" : shown.join(", ")}`;
}

/** A finding as text. Of large operands what is not 0 is shown, of large results what is beyond its bound. */
function reproductionText({ operation, args, operands, output, expected, received, bound }, line) {
  const given = Object.entries(operands).map(([name, x]) => `${name} ${valuesOf(x)}`);
  const lines = [`${operation} ${JSON.stringify(args)}`, ...given];
  if (output === undefined || expected === undefined) return ["```", ...lines, line, "```"].join("\n");
  const beyond = bound.values.flatMap((limit, i) => {
    return Math.abs(Number(received.values[i]) - Number(expected.values[i])) <= Number(limit) ? [] : [i];
  });
  for (const [name, tensor] of Object.entries({ expected, received, bound })) {
    lines.push(`${output} ${name.padEnd(8)} ${valuesOf(tensor, beyond)}`);
  }
  return ["```", ...lines, "```"].join("\n");
}

function findingText({ label, kind, cause, seen, entries }, files) {
  const where = entries.map(({ peer, operation, row, again }) => {
    const flushed = again === undefined ? "" : `, ${again.held} if subnormals may be flushed`;
    return `- ${peer.backend} ${peer.version}, \`${operation}\`: ${row.held} of ${row.cases} cases held${flushed}. ${row.finding.line}.`;
  });
  const links = entries.map(({ peer, operation, finding }) => {
    const name = `${peer.backend}-${operation}.npz`;
    files.set(name, writeReproduction(finding.reproduction));
    return `[${name}](peers/${name})`;
  });
  const [{ finding }] = entries;
  return [
    `### ${label}. ${KINDS[kind]}: ${[...new Set(entries.map(({ operation }) => `\`${operation}\``))].join(", ")}`,
    cause,
    where.join("\n"),
    "The smallest case found:",
    reproductionText(finding.reproduction, finding.line),
    `Files: ${links.join(", ")}.${seen.length > 0 ? ` Seen by others: ${seen.join(", ")}.` : ""}`,
  ].join("\n\n");
}

function matrix(checked, findings) {
  const labels = new Map(
    findings.flatMap(({ label, entries }) =>
      entries.map(({ peer, operation }) => [`${peer.backend} ${operation}`, label]),
    ),
  );
  const operations = [...new Set(checked.flatMap(({ report }) => report.operations.map(({ operation }) => operation)))];
  const cell = ({ report, skipped }, operation) => {
    const row = report.operations.find((other) => other.operation === operation);
    if (row === undefined || !row.offered) return "";
    const skips = Object.values(skipped[operation] ?? {}).reduce((sum, n) => sum + n, 0);
    const [held, cases] = [row.held - skips, row.cases - skips];
    const label = labels.get(`${report.backend} ${operation}`);
    return label === undefined ? String(held) : `**${held} of ${cases}** ${label}`;
  };
  return table(
    ["operation", ...checked.map(({ report }) => report.backend)],
    operations.map((operation) => [operation, ...checked.map((peer) => cell(peer, operation))]),
  );
}

function details({ report, skipped, large }) {
  const rows = report.operations
    .filter(({ offered }) => offered)
    .map(({ operation, cases, held, worstRatio, effectiveBits, missing }) => {
      const reasons = Object.entries(skipped[operation] ?? {}).map(([why, count]) => `${count} not offered: ${why}`);
      const skips = Object.values(skipped[operation] ?? {}).reduce((sum, n) => sum + n, 0);
      const notes = [...reasons, ...missing.map((name) => `no \`${name}\``)].join("; ");
      return [operation, cases - skips, held - skips, number(worstRatio), effectiveBits, notes];
    });
  const largeRows = large.map(
    ({ operation, output = "", shapes, holds, broken, failure, worstRatio, variance, bias }) => {
      const sizes = Object.values(shapes).slice(0, 2).map(shapeOf).join(" ");
      if (failure !== undefined) return [operation, sizes, output, failure, "", "", ""];
      const verdict = holds ? "holds" : `**${broken.join(", ")}**`;
      return [operation, sizes, output, verdict, number(worstRatio), number(variance), number(bias)];
    },
  );
  return [
    `### ${report.backend} ${report.version}`,
    table(["operation", "cases", "held", "worst error / bound", "bits", "notes"], rows),
    `Layers of ResNet's size, standard normal numbers:`,
    table(["operation", "shapes", "result", "verdict", "worst error / bound", "mean z^2", "mean z"], largeRows),
  ].join("\n\n");
}

/** The text of the page, and the files of the reproductions by name. */
export function peersPage({ checked, absent, command, machine }) {
  const files = new Map();
  const findings = findingsOf(checked);
  const notOffered = checked.flatMap(({ report, notOffered: reasons }) =>
    Object.entries(reasons).map(([operation, why]) => `- ${report.backend}, \`${operation}\`: ${why}.`),
  );
  const text = [
    "# Peers",
    "Other implementations of the same operations, held to bounds that are derived, never tuned (the oracle's: see " +
      "`src/oracle`). A case has sizes that are all different or, one in three, those of networks: square windows, wide channels, " +
      "long sums. Its numbers are from a set that is hard on sums: cancellation, large exponents, one-hot, zeros of both signs, " +
      "subnormals and others.",
    `Written by \`${command}\` on ${machine}. How to install the peers: \`bench/peers/README.md\`.`,
    table(
      ["peer", "version", "runs on", "arithmetic that it is held to", "operations with a finding"],
      checked.map(({ report, runsOn }) => [
        report.backend,
        report.version,
        runsOn,
        report.arithmetic,
        report.operations.filter(({ finding }) => finding !== undefined).length,
      ]),
    ),
    ...absent.map(({ name, why }) => `Not run: ${name} (${why}).`),
    "## Cases that held",
    "A bare number: all of so many cases held; empty: not offered. Cases with arguments that the peer does not offer are not " +
      "counted. F: the finding below.",
    matrix(checked, findings),
    "## Findings",
    "A finding is one only if the bound is derived and the peer documents the operation. Each has the smallest case that still " +
      "fails; the `.npz` holds its operands, and what was expected, received and allowed.",
    ...findings.map((finding) => findingText(finding, files)),
    "## Known bugs of others",
    "What of the kit catches bugs that others reported:",
    KNOWN_BUGS.map(({ bug, caughtBy }) => `- ${bug}. ${caughtBy}`).join("\n"),
    "## Not offered",
    notOffered.join("\n"),
    "## Details",
    '"bits" are the significant bits that every element of every case has; they are few wherever terms cancel, which is why no ' +
      "bound is relative to the result. z is the error over the spread that independent roundings make.",
    ...checked.map(details),
    "",
  ].join("\n\n");
  return { text: `${text.trimEnd()}\n`, files };
}
