/**
 * Reports of the conformance kit: plain JSON, to be merged where several machines did a share each, and a table for people.
 *
 * @module
 */
import { kindOf } from "../../serialization/config.js";
import { formatShape } from "../../tensor/shape.js";
import { fromPlain, type PlainNumber, toPlain } from "./plain-numbers.js";
import type { Reproduction } from "./reproduction.js";
import { FAULTS, type Fault, short } from "./trial.js";

/** The smallest failing case of an operation. */
export interface Finding {
  /** In one line. */
  readonly line: string;
  /** What kind of thing is wrong. */
  readonly fault: Fault;
  /** The index of the case that failed, before it was shrunk. */
  readonly caseIndex: number;
  /** Its data set. */
  readonly dataSet: string;
  /** The case, shrunk. */
  readonly reproduction: Reproduction;
  /** The reproduction as a JavaScript module. */
  readonly snippet: string;
}

/** How many cases of a data set have a fault. */
export interface Failures {
  /** The name of the data set. */
  readonly dataSet: string;
  /** The worst that is wrong with the case. */
  readonly fault: Fault;
  /** How many. */
  readonly cases: number;
}

/** What was found of one operation. */
export interface OperationReport {
  /** Its name. */
  readonly operation: string;
  /** Whether the backend has it. */
  readonly offered: boolean;
  /** That were asked: fewer than the report's where one gave no result in time. */
  readonly cases: number;
  /** In which nothing was wrong. */
  readonly held: number;
  /** Results that the backend does not give. */
  readonly missing: readonly string[];
  /** The largest |error| / bound. */
  readonly worstRatio: PlainNumber;
  /** Significant bits that all elements have, of cases with normal data. */
  readonly effectiveBits: number;
  /** The others, by data set and fault. */
  readonly failures: readonly Failures[];
  /** Of the first case that failed. */
  readonly finding?: Finding;
}

/** What was found of a backend. */
export interface Report {
  /** The backend's name. */
  readonly backend: string;
  /** Its version, where it says one. */
  readonly version?: string;
  /** The arithmetic that it claims. */
  readonly arithmetic: string;
  /** What the cases grew from. */
  readonly seed: number;
  /** Cases an operation, over all shards. */
  readonly cases: number;
  /** Which shares of them are in this report: `1/3`. */
  readonly shards: readonly string[];
  /** Of every operation that was asked for, offered or not. */
  readonly operations: readonly OperationReport[];
}

/** @throws TypeError when the argument of the function `caller` is no report, as the promise of one is not. */
function checkReport(caller: string, report: Report): void {
  if (Array.isArray(report?.operations)) return;
  throw new TypeError(`${caller}: \`report\` must be what \`checkBackend\` resolves to. Received ${kindOf(report)}.`);
}

/** Whether a report has no finding. @throws TypeError when it is none. */
export function conforms(report: Report): boolean {
  checkReport("conforms", report);
  return report.operations.every(({ finding }) => finding === undefined);
}

/** The shares of the whole that a report does not have. */
export function missingShards({ shards }: Report): readonly string[] {
  const parts = Number(shards[0].split("/")[1]);
  return Array.from({ length: parts }, (_, i) => `${i + 1}/${parts}`).filter((shard) => !shards.includes(shard));
}

/**
 * One report of the shares that several machines did.
 *
 * @throws TypeError when there are none, or one is no report; RangeError when they are not of one backend with the same
 *   options, or a share is there twice.
 */
export function mergeReports(reports: readonly Report[]): Report {
  const given: unknown = reports; // isArray would make it an array of anything
  if (!Array.isArray(given)) {
    throw new TypeError(`mergeReports: \`reports\` must be an array. Received ${kindOf(given)}.`);
  }
  for (const report of reports) checkReport("mergeReports", report);
  const [first, ...others] = reports;
  if (first === undefined) throw new TypeError("mergeReports: `reports` must not be empty. Received none.");
  for (const key of ["backend", "version", "arithmetic", "seed", "cases"] as const) {
    const other = others.find((report) => report[key] !== first[key]);
    if (other !== undefined) {
      throw new RangeError(
        `mergeReports: \`reports\` must have the same ${key}. Received ${first[key]} and ${other[key]}.`,
      );
    }
  }
  const shards = reports.flatMap((report) => report.shards);
  const twice = shards.find((shard, i) => shards.indexOf(shard) !== i);
  if (twice !== undefined || new Set(shards.map((shard) => shard.split("/")[1])).size > 1) {
    throw new RangeError(
      `mergeReports: \`reports\` must be different shares of one whole. Received shards ${shards.join(", ")}.`,
    );
  }
  const names = new Set(reports.flatMap(({ operations }) => operations.map(({ operation }) => operation)));
  const operations = [...names].map((name) =>
    reports
      .flatMap((report) => report.operations.filter(({ operation }) => operation === name))
      .reduce(mergeOperations),
  );
  return { ...first, shards: shards.toSorted((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10)), operations };
}

function mergeOperations(a: OperationReport, b: OperationReport): OperationReport {
  const [finding] = [a.finding, b.finding]
    .filter((found) => found !== undefined)
    .toSorted((x, y) => x.caseIndex - y.caseIndex);
  const { finding: _finding, ...rest } = a;
  return {
    ...rest,
    offered: a.offered || b.offered,
    cases: a.cases + b.cases,
    held: a.held + b.held,
    missing: [...new Set([...a.missing, ...b.missing])],
    worstRatio: toPlain(Math.max(fromPlain(a.worstRatio), fromPlain(b.worstRatio))),
    effectiveBits: Math.min(a.effectiveBits, b.effectiveBits),
    failures: sumFailures([...a.failures, ...b.failures]),
    ...(finding && { finding }),
  };
}

/** One entry a data set and fault; the worst faults first, then the most frequent. */
export function sumFailures(failures: readonly Failures[]): readonly Failures[] {
  const sums = new Map<string, Failures>();
  for (const failure of failures) {
    const key = `${failure.fault}/${failure.dataSet}`;
    sums.set(key, { ...failure, cases: failure.cases + (sums.get(key)?.cases ?? 0) });
  }
  return [...sums.values()].toSorted(
    (a, b) =>
      FAULTS.indexOf(a.fault) - FAULTS.indexOf(b.fault) || b.cases - a.cases || (a.dataSet < b.dataSet ? -1 : 1),
  );
}

/** The report as a table: one line an operation that the backend has. @throws TypeError when it is no report. */
export function formatReport(report: Report): string {
  checkReport("formatReport", report);
  const { backend, version, arithmetic, seed, cases, shards, operations } = report;
  const offered = operations.filter((operation) => operation.offered);
  const absent = operations.filter((operation) => !operation.offered).map(({ operation }) => operation);
  const rows = offered.map(rowOf);
  const head = ["operation", "cases", "held", "worst", "bits", "finding"];
  const width = (column: number): number => Math.max(...[head, ...rows].map((row) => row[column].length));
  const widths = head.slice(0, -1).map((_, column) => width(column));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[0]) : i < widths.length ? cell.padStart(widths[i]) : cell))
      .join("  ")
      .trimEnd();
  const found = operations.filter(({ finding }) => finding !== undefined).length;
  const share = shards.length === 1 && shards[0] === "1/1" ? "" : `, shares ${shards.join(" ")}`;
  return [
    `${backend}${version === undefined ? "" : ` ${version}`} as ${arithmetic}: ${cases} cases an operation, seed ${seed}${share}`,
    "",
    line(head),
    ...rows.map(line),
    ...(absent.length > 0 ? ["", `not offered: ${absent.join(", ")}`] : []),
    "",
    `${found === 0 ? "no findings in" : `findings in ${found} of`} ${counted(offered.length, "operation")}`,
    "",
  ].join("\n");
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function rowOf(report: OperationReport): readonly string[] {
  const { operation, cases, held, worstRatio, effectiveBits, missing, finding } = report;
  const notes = missing.length > 0 ? [`not offered: ${missing.join(", ")}`] : [];
  if (finding !== undefined) notes.unshift(`${finding.line} (${sizesOf(finding.reproduction)}; ${finding.dataSet})`);
  return [
    operation,
    String(cases),
    String(held),
    short(fromPlain(worstRatio)),
    effectiveBits === 53 ? "all" : String(effectiveBits),
    notes.join("; "),
  ];
}

/** The shapes of a small case. */
function sizesOf({ operands }: Reproduction): string {
  return Object.entries(operands)
    .map(([name, { shape }]) => `${name} ${formatShape(shape)}`)
    .join(", ");
}
