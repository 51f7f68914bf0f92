/**
 * Whether something that was read from a file is a report: every field, since an incomplete one would pass for a good one.
 *
 * @module
 */
import { isKerasConfig } from "../../serialization/config.js";
import type { Report } from "./report.js";
import { FAULTS } from "./trial.js";

/** A field that is not what it should be, and what is there. */
export interface Odd {
  /** From the whole: `operations[0].cases`; empty for the whole. */
  readonly path: string;
  readonly found: unknown;
}

/** What is odd about the value at `path`, if anything. */
type Check = (value: unknown, path: string) => Odd | undefined;

const holds =
  (rule: (value: unknown) => boolean): Check =>
  (value, path) =>
    rule(value) ? undefined : { path, found: value };

const text: Check = holds((value) => typeof value === "string");
const flag: Check = holds((value) => typeof value === "boolean");
const number: Check = holds((value) => typeof value === "number");
const count: Check = holds((value) => Number.isSafeInteger(value) && Number(value) >= 0);
const plainNumber: Check = holds(
  (value) => typeof value === "number" || ["NaN", "Infinity", "-Infinity", "-0"].includes(String(value)),
);
const share: Check = holds((value) => /^[1-9]\d*\/[1-9]\d*$/.test(String(value)));
const fault: Check = holds((value) => FAULTS.some((known) => known === value));
const object: Check = holds(isKerasConfig);

const optional =
  (check: Check): Check =>
  (value, path) =>
    value === undefined ? undefined : check(value, path);

const list =
  (check: Check, least = 0): Check =>
  (value, path) =>
    Array.isArray(value) && value.length >= least
      ? firstOf(value.map((item, i) => check(item, `${path}[${i}]`)))
      : { path, found: value };

const fields =
  (checks: Readonly<Record<string, Check>>): Check =>
  (value, path) =>
    isKerasConfig(value)
      ? firstOf(Object.entries(checks).map(([key, check]) => check(value[key], path === "" ? key : `${path}.${key}`)))
      : { path, found: value };

const valuesOf =
  (check: Check): Check =>
  (value, path) =>
    isKerasConfig(value)
      ? firstOf(Object.entries(value).map(([key, item]) => check(item, `${path}.${key}`)))
      : { path, found: value };

function firstOf(odds: readonly (Odd | undefined)[]): Odd | undefined {
  return odds.find((odd) => odd !== undefined);
}

const tensor: Check = fields({ shape: list(count), values: list(plainNumber) });
const failures: Check = fields({ dataSet: text, fault, cases: count });
const finding: Check = fields({
  line: text,
  fault,
  caseIndex: count,
  dataSet: text,
  snippet: text,
  reproduction: fields({
    operation: text,
    args: object,
    operands: valuesOf(tensor),
    output: optional(text),
    expected: optional(tensor),
    received: optional(tensor),
    bound: optional(tensor),
  }),
});
const operation: Check = fields({
  operation: text,
  offered: flag,
  cases: count,
  held: count,
  missing: list(text),
  worstRatio: plainNumber,
  effectiveBits: number,
  failures: list(failures),
  finding: optional(finding),
});
const report: Check = fields({
  backend: text,
  version: optional(text),
  arithmetic: text,
  seed: count,
  cases: count,
  shards: list(share, 1),
  operations: list(operation, 1),
});

/** `value` as a report, or what in it is none: its first odd field. */
export function asReport(value: unknown): { readonly report: Report } | { readonly odd: Odd } {
  if (isReport(value)) return { report: value };
  return { odd: report(value, "") ?? { path: "", found: value } };
}

function isReport(value: unknown): value is Report {
  return report(value, "") === undefined;
}
