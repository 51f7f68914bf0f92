/**
 * Records of jobs: what ran, so that it can run once more without anybody's working out again what it is.
 *
 * Between jobs the calling thread computes, too: loops over a number or two for each channel, for which a job would be too much
 * ({@link computeHere}); and it decides by what it finds in an array what runs next ({@link decideHere}). Both are a part of the
 * record.
 *
 * @module
 */
import type { FloatArray } from "../tensor/dtype.js";
import type { JobRun } from "./job.js";

/** The record that is being made, if any. Passes are synchronous, so there is one at most. */
let current: Recording | undefined;

/** Runs jobs by `run`, which may copy what they read and write elsewhere and back, as it may when they run again. */
export function runJobs(runs: readonly JobRun[], run: Dispatch["run"]): void {
  current?.add(runs, run);
  unrecorded(() => run(...runs));
}

/** What `use` returns, of which nothing is put down. */
function unrecorded<Result>(use: () => Result): Result {
  const recording = current;
  if (recording === undefined) return use();
  current = undefined;
  try {
    return use();
  } finally {
    current = recording;
  }
}

/**
 * Computes on the calling thread what a job would be too much for: `compute` reads `reads` and writes `writes`, goes by no other
 * numbers that change, and does nothing else.
 */
export function computeHere(reads: readonly FloatArray[], writes: readonly FloatArray[], compute: () => void): void {
  current?.addHere(reads, writes, compute);
  compute();
}

/** Runs `make`, which makes something of what does not change: once for all, where a record takes that for granted. */
export function makeOnce(make: () => void): void {
  if (current?.hasConstants === true) unrecorded(make);
  else make();
}

/** What `decide` finds in `data`. What is done then differs: where it finds the other, a record does not hold. */
export function decideHere(data: FloatArray, decide: () => boolean): boolean {
  const found = unrecorded(decide);
  current?.addDecision(data, decide, found);
  return found;
}

/** What has been recorded cannot run again: an array holds something else than it took for granted. */
export class DepartedError extends Error {
  override readonly name = "DepartedError";

  constructor() {
    super("internal: recording: what was decided by the values of an array is decided otherwise now.");
  }
}

/** Jobs that ran together, and what runs them so. */
export interface Dispatch {
  readonly runs: readonly JobRun[];
  readonly run: (...runs: readonly JobRun[]) => void;
}

/** What is run again: jobs; or what the calling thread does itself. */
export type RecordedStep = Dispatch | (() => void);

/** Whether `step` is jobs. */
export function isDispatch(step: RecordedStep): step is Dispatch {
  return typeof step !== "function";
}

/** Runs `steps` again, in their order. @throws DepartedError where what was decided is decided otherwise. */
export function runAgain(steps: readonly RecordedStep[]): void {
  for (const step of steps) {
    if (isDispatch(step)) step.run(...step.runs);
    else step();
  }
}

/** How many jobs there are in `steps`. */
export function countRecordedJobs(steps: readonly RecordedStep[]): number {
  return steps.reduce((sum, step) => sum + (isDispatch(step) ? step.runs.length : 0), 0);
}

/** The jobs that ran while it was being made, in their order, and what the calling thread did between them. */
export class Recording {
  /** What is to run so that all has run again. */
  readonly steps: RecordedStep[] = [];
  readonly #known: Set<FloatArray>;
  readonly #keep: ((data: FloatArray) => FloatArray) | undefined;
  #isWhole = true;

  /**
   * A record of what reads arrays which are `known`, to which those that are written are added; or others, which were written
   * before and by nobody else. `keep` gives what a job reads of these in their place when it runs again; without it there should
   * be none, and the record is not whole where there is.
   */
  constructor(known: Set<FloatArray>, keep?: (data: FloatArray) => FloatArray) {
    this.#known = known;
    this.#keep = keep;
  }

  /** Whether it takes for granted that some arrays stay as they are. */
  get hasConstants(): boolean {
    return this.#keep !== undefined;
  }

  /** What `use` returns; the jobs that run meanwhile are put down. */
  during<Result>(use: () => Result): Result {
    const outer = current;
    current = this;
    try {
      return use();
    } finally {
      current = outer;
    }
  }

  /** Puts down jobs that are about to run together, by `run`. */
  add(runs: readonly JobRun[], run: Dispatch["run"]): void {
    const again = runs.map((each) => ({ ...each, reads: each.reads.map((data) => this.#readAgain(data)) }));
    this.steps.push({ runs: again, run });
    for (const { writes } of runs) this.#know(writes);
  }

  /** What a job reads when it runs again that has read `data`. An empty array stands for what is not there. */
  #readAgain(data: FloatArray): FloatArray {
    if (this.#known.has(data) || data.length === 0) return data;
    if (this.#keep !== undefined) return this.#keep(data);
    this.#isWhole = false;
    return data;
  }

  #know(written: readonly FloatArray[]): void {
    for (const data of written) this.#known.add(data);
  }

  /** Puts down what the calling thread is about to compute. What is made of nothing but what stays as it is stays, too. */
  addHere(reads: readonly FloatArray[], writes: readonly FloatArray[], compute: () => void): void {
    const given = reads.filter((data) => data.length > 0);
    if (this.#keep !== undefined && !given.some((data) => this.#known.has(data))) return;
    if (!given.every((data) => this.#known.has(data))) this.#isWhole = false;
    this.steps.push(compute);
    this.#know(writes);
  }

  /** Puts down that `decide` has `found` something in `data`. */
  addDecision(data: FloatArray, decide: () => boolean, found: boolean): void {
    if (!this.#known.has(data)) {
      if (this.#keep === undefined) this.#isWhole = false;
      return; // it stays as it is
    }
    this.steps.push(() => {
      if (decide() !== found) throw new DepartedError();
    });
  }

  /** Whether to run all that was put down again is all that was done. */
  get isWhole(): boolean {
    return this.#isWhole;
  }
}
