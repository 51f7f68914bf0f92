/**
 * The conformance kit: a backend is asked for adversarial cases of every operation, each judged by derived bounds, and the first
 * failing case of every operation is shrunk to a minimal reproduction.
 *
 * Case i belongs to share `((i mod n) + 1)/n`; it is the same case whatever else is run, so that any number of machines do
 * the work of one.
 *
 * @module
 */
import { describe, type KerasConfig } from "../../serialization/config.js";
import { expectOptions } from "../../serialization/options.js";
import { type ArithmeticModel, checkArithmetic, FLOAT32 } from "../arithmetic-model.js";
import { NORMAL } from "../data-sets.js";
import { OPERATIONS, operationNamed } from "../operations/table.js";
import { type Backend, operationsOf } from "./backend.js";
import { caseAt } from "./case.js";
import { toPlain } from "./plain-numbers.js";
import { type Failures, type OperationReport, type Report, sumFailures } from "./report.js";
import { reproductionOf, reproductionSnippet } from "./reproduction.js";
import { type Failing, shrink } from "./shrink.js";
import { type Question, tryCase } from "./trial.js";

/** Options of {@link checkBackend}. */
export interface CheckOptions {
  /** The arithmetic that the backend claims. @defaultValue FLOAT32 */
  readonly arithmetic?: ArithmeticModel;
  /** Cases an operation, over all shards. @defaultValue 120 */
  readonly cases?: number;
  /** What the cases grow from. @defaultValue 0 */
  readonly seed?: number;
  /** Which operations. @defaultValue all */
  readonly operations?: readonly string[];
  /** The share `i/n` of the cases, from `1/n` to `n/n`. @defaultValue "1/1" */
  readonly shard?: string;
  /** How the backend computes, by operation, for its bounds: `{ "batch-normalization-training": { variance: "one-pass" } }`. */
  readonly assume?: Readonly<Record<string, KerasConfig>>;
  /** How many cases shrinking may try for one operation; 0 leaves cases as they are. @defaultValue 1000 */
  readonly shrinkBudget?: number;
  /**
   * Seconds that one call of the backend may take, of what it promises. An operation that once takes longer is given up: its
   * other cases are not asked.
   *
   * @defaultValue 60
   */
  readonly timeout?: number;
  /** Hears how many of all cases are done. */
  readonly onProgress?: (done: number, total: number) => void;
}

const OPTIONS = [
  "arithmetic",
  "cases",
  "seed",
  "operations",
  "shard",
  "assume",
  "shrinkBudget",
  "timeout",
  "onProgress",
];
const DEFAULT_CASES = 120;
const DEFAULT_BUDGET = 1000;
const DEFAULT_TIMEOUT = 60;
/** Timers count milliseconds in 31 bits. */
const MOST_TIMEOUT = (2 ** 31 - 1) / 1000;

/**
 * Checks `backend`.
 *
 * @throws TypeError when it is no backend, or has an operation that there is not, or an option is none of {@link CheckOptions}.
 * @throws RangeError when an option has no meaning, or the backend has none of the operations.
 */
export async function checkBackend(backend: Backend, options: CheckOptions = {}): Promise<Report> {
  expectOptions("checkBackend", options, OPTIONS);
  const { arithmetic = FLOAT32, cases = DEFAULT_CASES, seed = 0, shard = "1/1", assume = {} } = options;
  const { timeout = DEFAULT_TIMEOUT, shrinkBudget = DEFAULT_BUDGET } = options;
  const offered = operationsOf(backend);
  checkArithmetic("checkBackend", "arithmetic", arithmetic);
  if (options.operations !== undefined && !Array.isArray(options.operations)) {
    throw new TypeError(
      `checkBackend: \`operations\` must be an array of names. Received ${describe(options.operations)}.`,
    );
  }
  for (const name of Object.keys(assume)) operationNamed(name); // of another nothing would be assumed
  const names = (options.operations ?? [...OPERATIONS.keys()]).map((name) => operationNamed(name).name);
  if (!Number.isSafeInteger(cases) || cases < 1) {
    throw new RangeError(`checkBackend: \`cases\` must be a whole number of at least 1. Received ${describe(cases)}.`);
  }
  if (!Number.isSafeInteger(shrinkBudget) || shrinkBudget < 0) {
    throw new RangeError(
      `checkBackend: \`shrinkBudget\` must be a whole number of at least 0. Received ${describe(shrinkBudget)}.`,
    );
  }
  if (!(timeout > 0 && timeout <= MOST_TIMEOUT)) {
    throw new RangeError(
      `checkBackend: \`timeout\` must be a number of seconds above 0, at most ${MOST_TIMEOUT}. Received ${describe(timeout)}.`,
    );
  }
  if (!names.some((name) => offered.has(name))) {
    throw new RangeError(
      `checkBackend: \`operations\` must offer one of those that are asked for: ${names.join(", ")}. ` +
        `Received ${[...offered.keys()].join(", ") || "none"}.`,
    );
  }
  const indices = sharedIndices(shard, cases);
  const total = names.filter((name) => offered.has(name)).length * indices.length;
  let done = 0;
  const operations: OperationReport[] = [];
  for (const operation of names) {
    const run = offered.get(operation);
    operations.push(
      run === undefined
        ? notOffered(operation)
        : await checkOperation(
            { operation, run, model: arithmetic, assume: assume[operation] ?? {}, timeout },
            indices,
            seed,
            {
              budget: shrinkBudget,
              onCase: () => options.onProgress?.(++done, total),
            },
          ),
    );
  }
  const { name, version } = backend;
  return {
    backend: name,
    ...(version !== undefined && { version }),
    arithmetic: arithmetic.name,
    seed,
    cases,
    shards: [shard],
    operations,
  };
}

/** The indices below `cases` of the share `i/n`. */
function sharedIndices(shard: string, cases: number): readonly number[] {
  const [, part, parts] = /^([1-9]\d*)\/([1-9]\d*)$/.exec(shard)?.map(Number) ?? [];
  if (part === undefined || parts === undefined || part > parts) {
    throw new RangeError(`checkBackend: \`shard\` must be i/n with i from 1 to n. Received ${describe(shard)}.`);
  }
  if (part > cases) {
    throw new RangeError(
      `checkBackend: \`shard\` must have a case: there must be as many cases as shares. Received ${shard} of ${cases} cases.`,
    );
  }
  return Array.from({ length: cases }, (_, index) => index).filter((index) => index % parts === part - 1);
}

function notOffered(operation: string): OperationReport {
  return {
    operation,
    offered: false,
    cases: 0,
    held: 0,
    missing: [],
    worstRatio: 0,
    effectiveBits: 53,
    failures: [],
  };
}

async function checkOperation(
  question: Question,
  indices: readonly number[],
  seed: number,
  { budget, onCase }: { readonly budget: number; readonly onCase: () => void },
): Promise<OperationReport> {
  const failures: Failures[] = [];
  const missing = new Set<string>();
  let [worstRatio, effectiveBits] = [0, 53];
  let first: (Failing & { readonly index: number }) | undefined;
  let cases = 0;
  for (const index of indices) {
    const failing = caseAt(question.operation, index, seed);
    const trial = await tryCase(question, failing.operands, failing.args);
    cases++;
    for (const judgement of trial.judgements) {
      worstRatio = Math.max(worstRatio, judgement.worstRatio);
      // where sums cancel on purpose no bits remain
      if (failing.dataSet === NORMAL.name) effectiveBits = Math.min(effectiveBits, judgement.effectiveBits);
    }
    for (const output of trial.missing) missing.add(output);
    const { wrong } = trial;
    if (wrong !== undefined) {
      failures.push({ dataSet: failing.dataSet, fault: wrong.fault, cases: 1 });
      first ??= { failing, wrong, index };
    }
    onCase();
    if (wrong?.fault === "timeout") break;
  }
  const report = {
    ...notOffered(question.operation),
    offered: true,
    cases,
    held: cases - failures.length,
    missing: [...missing],
    worstRatio: toPlain(worstRatio),
    effectiveBits,
    failures: sumFailures(failures),
  };
  if (first === undefined) return report;
  const smallest = await shrink(question, first, budget);
  const reproduction = reproductionOf(smallest);
  const { fault, what } = smallest.wrong;
  const { index, failing } = first;
  const snippet = reproductionSnippet(reproduction);
  return {
    ...report,
    finding: { line: what, fault, caseIndex: index, dataSet: failing.dataSet, reproduction, snippet },
  };
}
