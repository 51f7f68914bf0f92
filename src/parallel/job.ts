/**
 * Jobs: work that is cut into tiles which may run in any order, on any thread.
 *
 * @module
 */
import type { FloatArray } from "../tensor/dtype.js";

/** Computes one tile. */
export type ComputeTile = (tile: number) => void;

/** Gives what computes the tiles of a job, given its arrays. */
export type PrepareTiles = (arrays: readonly FloatArray[]) => ComputeTile;

/** Work in tiles. A tile writes outputs that no other tile touches, so neither order nor thread can change a bit. */
export interface Job {
  /** The name by which a worker finds the job in its own copy of the job table. */
  readonly name: string;
  /**
   * Works out, once on each thread, what all tiles have in common. What it returns computes the tile of a number.
   * `arrays` are what the job reads, then what it writes.
   */
  readonly prepare: (arrays: readonly FloatArray[], numbers: readonly number[]) => ComputeTile;
  /** The same in two steps, for numbers that come again: what it gives prepares the job as often as it is asked to. */
  readonly prepareFor?: (numbers: readonly number[]) => PrepareTiles;
}

/** One run of a job. */
export interface JobRun {
  readonly job: Job;
  readonly reads: readonly FloatArray[];
  /** Every element of these is written by some tile; where they are in the heap already, no tile need write all. */
  readonly writes: readonly FloatArray[];
  /** Whatever else the tiles must know: sizes, strides, flags. */
  readonly numbers: readonly number[];
  /** How many tiles there are. */
  readonly tiles: number;
  /** Whether all arrays are known to lie in the heap: then nobody looks again. */
  readonly inHeap?: boolean;
}

/**
 * The tiles of several jobs, numbered one job after the other. Where there are several, a thread makes a job ready when it
 * claims the first tile of it.
 */
export function tilesOf(jobs: readonly { readonly tiles: number; readonly prepare: () => ComputeTile }[]): ComputeTile {
  if (jobs.length === 1) return jobs[0].prepare();
  const ready: (ComputeTile | undefined)[] = [];
  return (tile) => {
    let i = 0;
    for (; tile >= jobs[i].tiles; i++) tile -= jobs[i].tiles;
    const compute = ready[i] ?? jobs[i].prepare();
    ready[i] = compute;
    compute(tile);
  };
}

/** Work that need not be done now: whoever runs a job that does not depend on it may take it along. */
export class Beside {
  #run: JobRun | undefined;

  constructor(run: JobRun) {
    this.#run = run;
  }

  /** The work, if nobody has taken it yet. */
  take(): readonly JobRun[] {
    const run = this.#run;
    this.#run = undefined;
    return run === undefined ? [] : [run];
  }
}

/** What the module of a job table exports. */
export interface JobModule {
  /** All jobs; workers find them by name. */
  readonly jobs: readonly Job[];
  /** Called once in every worker, before its first job. */
  readonly prepareWorker?: (context: WorkerContext) => void;
}

/** What a worker knows of its pool. */
export interface WorkerContext {
  /** Whatever the owner of the pool wants its workers to have: anything that can be posted. */
  readonly payload: unknown;
  /** The memory of the shared heap. */
  readonly heap: WebAssembly.Memory | ArrayBufferLike;
  /** The number of this thread in its pool, from 1 on; 0 is the calling thread. */
  readonly thread: number;
}
