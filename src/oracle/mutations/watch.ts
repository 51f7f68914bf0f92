/**
 * The watch over the oracle: what the conformance kit says of every mutant, and of honest candidates.
 *
 * @module
 */
import type { Backend } from "../conformance/backend.js";
import { checkBackend } from "../conformance/check-backend.js";
import type { Failures, OperationReport } from "../conformance/report.js";
import { type Mutant, mutantBackend } from "./mutant.js";

/** What the kit says of a mutant. */
export interface Watched {
  readonly mutant: Mutant;
  readonly cases: number;
  /** How often it failed, by data set and fault. */
  readonly failures: readonly Failures[];
  /** Whether a mistake was found, or a control passed. */
  readonly right: boolean;
}

/** Runs the kit on `mutant`, without shrinking. */
export async function watchMutant(mutant: Mutant, cases: number, seed = 0): Promise<Watched> {
  const { operation, control } = mutant;
  const report = await checkBackend(mutantBackend(mutant), { cases, seed, operations: [operation], shrinkBudget: 0 });
  const [{ failures, finding }] = report.operations;
  return { mutant, cases, failures, right: (finding !== undefined) !== control };
}

/** What the kit says of an honest candidate. */
export interface Honest {
  readonly backend: string;
  readonly cases: number;
  /** Operations with false alarms. */
  readonly alarms: readonly OperationReport[];
}

/** Runs the kit on an honest candidate, `cases` an operation. */
export async function watchHonest(backend: Backend, cases: number, seed = 0): Promise<Honest> {
  const names = Object.keys(backend.operations);
  const { operations } = await checkBackend(backend, { cases, seed, operations: names, shrinkBudget: 0 });
  return {
    backend: backend.name,
    cases: operations.reduce((sum, operation) => sum + operation.cases, 0),
    alarms: operations.filter(({ finding }) => finding !== undefined),
  };
}

/** Both tables as Markdown. */
export function formatWatch(mutants: readonly Watched[], honest: readonly Honest[]): string {
  const mistakes = mutants.filter(({ mutant }) => !mutant.control);
  const controls = mutants.filter(({ mutant }) => mutant.control);
  const cases = honest.reduce((sum, candidate) => sum + candidate.cases, 0);
  const alarms = honest.reduce(
    (sum, candidate) => sum + candidate.alarms.reduce((total, alarm) => total + alarm.cases - alarm.held, 0),
    0,
  );
  const found = mistakes.filter(({ right }) => right).length;
  return [
    "## Mistakes",
    "",
    `${found} of ${mistakes.length} found.`,
    "",
    "| operation | mistake | cases that fail | caught by |",
    "|---|---|---|---|",
    ...mistakes.map(mistakeRow),
    "",
    "## Controls",
    "",
    "Different from the reference, and not wrong: these must pass.",
    "",
    "| operation | difference | cases that fail |",
    "|---|---|---|",
    ...controls.map(
      ({ mutant, failures, cases: all }) =>
        `| ${mutant.operation} | ${mutant.mistake} | ${count(failures)} of ${all} |`,
    ),
    "",
    "## Honest candidates",
    "",
    `${alarms} false alarms in ${cases} cases.`,
    "",
    "| candidate | cases | false alarms |",
    "|---|---|---|",
    ...honest.map(
      (candidate) =>
        `| ${candidate.backend} | ${candidate.cases} | ${
          candidate.alarms.map(({ operation, cases: all, held }) => `${operation}: ${all - held}`).join(", ") || "0"
        } |`,
    ),
    "",
  ].join("\n");
}

function count(failures: readonly Failures[]): number {
  return failures.reduce((sum, { cases }) => sum + cases, 0);
}

function mistakeRow({ mutant, failures, cases, right }: Watched): string {
  const by = right ? caughtBy(failures) : "**missed**";
  return `| ${mutant.operation} | ${mutant.mistake} | ${count(failures)} of ${cases} | ${by} |`;
}

/** Tests, each with the data sets on which it fails: the first two of them by name. */
function caughtBy(failures: readonly Failures[]): string {
  const faults = [...new Set(failures.map(({ fault }) => fault))];
  return faults
    .map((fault) => {
      const sets = failures.filter((failure) => failure.fault === fault).map(({ dataSet }) => dataSet);
      const more = sets.length > 2 ? ` and ${sets.length - 2} more` : "";
      return `${fault}: ${sets.slice(0, 2).join("; ")}${more}`;
    })
    .join(". ");
}
