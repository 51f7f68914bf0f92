/**
 * Records of jobs: what ran, so that it can run once more without anybody's working out again what it is.
 *
 * @module
 */
import type { FloatArray } from "../tensor/dtype.js";
import type { JobRun } from "./job.js";

/** The record that is being made, if any. Passes are synchronous, so there is one at most. */
let current: Recording | undefined;

/** The record that is being made. */
export function currentRecording(): Recording | undefined {
  return current;
}

/** Jobs that ran together, and what runs them so. */
export interface Dispatch {
  readonly runs: readonly JobRun[];
  readonly run: (...runs: readonly JobRun[]) => void;
}

/** The jobs that ran while it was being made, in their order. */
export class Recording {
  /** What is to run so that the jobs have run again. */
  readonly dispatches: Dispatch[] = [];
  readonly #known: Set<FloatArray>;
  readonly #keep: (data: FloatArray) => FloatArray;
  #isWhole = true;

  /**
   * A record of jobs that read arrays which are `known`, to which those that they write are added; or others, which were written
   * before the job and by nobody else: `keep` gives what is read of these in their place when the job runs again.
   */
  constructor(known: Set<FloatArray>, keep: (data: FloatArray) => FloatArray) {
    this.#known = known;
    this.#keep = keep;
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
    const again = runs.map((each) => ({
      ...each,
      reads: each.reads.map((data) => (this.#known.has(data) ? data : this.#keep(data))),
    }));
    this.dispatches.push({ runs: again, run });
    for (const { writes } of runs) for (const data of writes) this.#known.add(data);
  }

  /** Says that what a job wrote was copied elsewhere, which is not done once more when the job runs again. */
  spoil(): void {
    this.#isWhole = false;
  }

  /** Whether to run the jobs again is all that was done. */
  get isWhole(): boolean {
    return this.#isWhole;
  }
}
