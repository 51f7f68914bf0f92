/**
 * The worker pool: a synchronous fork-join over threads that share the heap.
 *
 * `run` opens a job, computes tiles on the calling thread like any worker, and returns when all are done. Tiles are
 * claimed one by one, so a fast thread takes more of them, and a worker that is still starting simply takes none: a new
 * pool can be used at once. `control.ts` tells how they agree.
 *
 * @module
 */
import type { FloatArray } from "../tensor/dtype.js";
import { sharedHeap } from "../tensor/heap.js";
import { withArraysInHeap } from "./borrow.js";
import { ACTIVE, CLOSED, Control, GENERATION } from "./control.js";
import { type ComputeTile, type JobRun, tilesOf } from "./job.js";
import { type StartedWorker, startWorker } from "./start-worker.js";

/** How long the caller sleeps before it counts one more second without an answer. */
const SLICE_MILLISECONDS = 1000;

/** How a pool may be set up. */
export interface WorkerPoolOptions {
  /** Seconds that a worker may need for a tile; then it is taken for dead. @defaultValue 60 */
  readonly patience?: number;
  /** What every worker is given before its first job; see `JobModule`. */
  readonly payload?: unknown;
}

/** Threads that share the tiles of a job. */
export class WorkerPool {
  /** Threads that compute, the calling one included. */
  readonly threads: number;
  readonly #patience: number;
  readonly #workers: StartedWorker[] = [];
  readonly #control: Control | undefined;
  #failure: string | undefined;

  /**
   * Starts `threads - 1` workers that load the job table from `jobsUrl`: a module whose exports
   * are a `JobModule`.
   * Where there is no shared memory or there are no workers, the calling thread does all the work.
   */
  constructor(threads: number, jobsUrl: URL, { patience = 60, payload }: WorkerPoolOptions = {}) {
    this.threads = threads;
    this.#patience = patience;
    const heap = sharedHeap();
    if (!heap.isShared || threads < 2) return;
    this.#control = new Control(threads);
    const shared = { threads, control: this.#control.buffer, heap: heap.handle, jobsUrl: jobsUrl.href, payload };
    for (let thread = 1; thread < threads; thread++) {
      const setup = { ...shared, thread };
      const worker = startWorker(new URL("./worker.js", import.meta.url), setup, (message) => {
        this.#failure ??= message;
      });
      if (worker !== undefined) this.#workers.push(worker);
    }
  }

  /**
   * Computes every tile of at most `MAX_JOBS` jobs that do not depend on each other, and returns when all are done. Each
   * thread begins with its share of the first.
   *
   * @throws Error what a tile threw on the calling thread; or, with its message, what went wrong in a worker.
   */
  run(...runs: readonly JobRun[]): void {
    const control = this.#control;
    const tiles = runs.reduce((sum, run) => sum + run.tiles, 0);
    if (control === undefined || this.#workers.length === 0 || tiles < 2) {
      for (const run of runs) runAlone(run);
      return;
    }
    withRunsInHeap(runs, (arraysOf) => {
      const jobs = runs.map(({ job, numbers, tiles }, i) => {
        const arrays = arraysOf[i];
        return { name: job.name, arrays, numbers, tiles, prepare: () => job.prepare(arrays, numbers) };
      });
      control.describe(jobs);
      this.#forkJoin(control, () => tilesOf(jobs));
    });
  }

  /** Ends the workers. Jobs that are run afterwards are computed by the calling thread alone. */
  close(): void {
    if (this.#control !== undefined) {
      Atomics.store(this.#control.words, CLOSED, 1);
      // two steps: the generation is even again, and differs from what every sleeping worker has seen
      this.#control.addAndNotify(GENERATION, 2);
    }
    for (const worker of this.#workers.splice(0)) worker.terminate();
  }

  #forkJoin(control: Control, prepare: () => ComputeTile): void {
    control.addAndNotify(GENERATION, 1); // opens the job
    let failure: string | undefined;
    try {
      control.claimTiles(0, prepare()); // while the workers do the same
    } finally {
      control.cancelTiles();
      control.addAndNotify(GENERATION, 1); // closes it: who comes now is too late
      this.#join(control);
      // taken where the caller's own tile has thrown, too: the next run must not find it
      failure = control.takeFailure() ?? this.#failure;
      this.#failure = undefined;
    }
    if (failure !== undefined) throw new Error(failure);
  }

  /** Waits until no worker is active. */
  #join(control: Control): void {
    let active = Atomics.load(control.words, ACTIVE);
    for (let seconds = 0; active > 0; seconds++) {
      if (seconds >= this.#patience) {
        this.close();
        throw new Error(
          `internal: worker pool: ${active} of ${this.threads - 1} workers did not finish a tile within ` +
            `${this.#patience} seconds. The pool now computes on the calling thread.`,
        );
      }
      const before = active;
      active = control.waitWhile(ACTIVE, active, SLICE_MILLISECONDS);
      if (active !== before) seconds = 0;
    }
  }
}

/** Computes every tile of a job on this thread. */
export function runAlone({ job, reads, writes, numbers, tiles }: JobRun): void {
  const compute = job.prepare([...reads, ...writes], numbers);
  for (let tile = 0; tile < tiles; tile++) compute(tile);
}

/** Calls `use` with the arrays of every run where they lie in the heap; `before` are those of the first ones. */
function withRunsInHeap(
  runs: readonly JobRun[],
  use: (arraysOf: readonly (readonly FloatArray[])[]) => void,
  before: (readonly FloatArray[])[] = [],
): void {
  if (before.length === runs.length) return use(before);
  const { reads, writes, inHeap } = runs[before.length];
  const useWith = (reads: readonly FloatArray[], writes: readonly FloatArray[]): void => {
    before.push([...reads, ...writes]);
    withRunsInHeap(runs, use, before);
  };
  if (inHeap === true) useWith(reads, writes);
  else withArraysInHeap(reads, writes, useWith);
}
