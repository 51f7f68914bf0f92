/**
 * Running jobs whose tiles call assembled kernels: all arrays lie in the heap, and every thread has scratch memory.
 *
 * @module
 */
import { withArraysInHeap } from "../../parallel/borrow.js";
import type { Beside, JobRun } from "../../parallel/job.js";
import type { FloatArray } from "../../tensor/dtype.js";
import { sharedHeap, wholeLines } from "../../tensor/heap.js";
import { type Execution, runTiles, threadsOf } from "../execution.js";
import { countJobs } from "./module.js";
import { threadNumber } from "./thread.js";

/** A job that needs scratch memory. */
export interface SimdRun extends JobRun {
  /** Bytes of scratch memory for each thread. A tile finds them with {@link scratchAddress}; they hold anything. */
  readonly scratch: number;
}

/**
 * Computes all tiles of a job on the threads of `execution`, and of those that wait `beside` it. The job is given what it
 * reads, then the scratch memory, then what it writes; and one number more, the bytes of scratch memory of a thread.
 */
export function runSimd(execution: Execution, run: SimdRun, beside?: Beside): void {
  withScratch(execution, run, (ready) => runTiles(execution, ...(beside?.take() ?? []), ready));
}

/** What `use` returns for `run` as {@link runSimd} runs it. Its memory lasts until then. */
export function withScratch<Result>(
  execution: Execution,
  { job, reads, writes, numbers, tiles, scratch }: SimdRun,
  use: (run: JobRun) => Result,
): Result {
  countJobs(1);
  const heap = sharedHeap();
  const each = wholeLines(scratch); // threads that write share none
  const threads = threadsOf(execution);
  const offset = heap.allocate(each * threads);
  try {
    const scratchArray = heap.view("float32", offset, (each / 4) * threads);
    return withArraysInHeap(reads, [scratchArray, ...writes], (shared, written) =>
      use({ job, reads: shared, writes: written, numbers: [...numbers, each], tiles, inHeap: true }),
    );
  } finally {
    heap.free(offset);
  }
}

/** The address of this thread's share of the `scratch` memory of a job, where `numbers` are what the job was given. */
export function scratchAddress(scratch: FloatArray, numbers: readonly number[]): number {
  return scratch.byteOffset + numbers[numbers.length - 1] * threadNumber();
}
