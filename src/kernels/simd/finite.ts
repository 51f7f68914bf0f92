/**
 * Whether all values of an array are finite.
 *
 * @module
 */
import type { Job } from "../../parallel/job.js";
import type { FloatArray } from "../../tensor/dtype.js";
import { withArraysInHeap } from "../../parallel/borrow.js";
import { allocateInScope } from "../../tensor/arena.js";
import { sharedHeap } from "../../tensor/heap.js";
import { type Pass, runPasses } from "../element-tiles.js";
import type { Execution } from "../execution.js";
import { blockOf } from "../split.js";
import { sumOfNothing } from "./finite-kernel.js";
import { runKernel } from "./thread.js";

/** Values that a tile looks at. */
const TILE = 65_536;

/** Whether all float32 values of `data` are finite. A few of them in the heap are looked at without a job, which takes longer. */
export function areFinite(data: FloatArray, execution: Execution): boolean {
  if (data.length > TILE || !sharedHeap().owns(data)) return areAllFinite([data], execution)[0];
  return withArraysInHeap([], [allocateInScope("float32", 1)], (_, [sum]) => {
    runKernel(sumOfNothing, { from: data.byteOffset, end: data.byteOffset + data.byteLength, to: sum.byteOffset });
    return sum[0] === 0;
  });
}

/** Whether all float32 values of an array are finite, of each of `arrays`. */
export function areAllFinite(arrays: readonly FloatArray[], execution: Execution): boolean[] {
  const passes = arrays.map((data): Pass => {
    const tiles = Math.ceil(data.length / TILE);
    const run = { job: finiteJob, reads: [data], writes: [allocateInScope("float32", tiles)], numbers: [], tiles };
    return { run, simd: true };
  });
  runPasses(execution, passes);
  return passes.map(({ run: { writes } }) => writes[0].every((sum) => sum === 0));
}

/** {@link areFinite} of a kernel, which is looked at once where it does not change. */
export function isKernelFinite(kernel: FloatArray, execution: Execution): boolean {
  const look = (): boolean => areFinite(kernel, execution);
  return execution.constants?.isFinite(kernel, look) ?? look();
}

/** Writes 0 for a tile whose values are finite, else NaN. */
export const finiteJob: Job = {
  name: "finite",
  prepare:
    ([data, sums]) =>
    (tile) => {
      const { from, to } = blockOf({ total: data.length, size: TILE, count: sums.length }, tile);
      runKernel(sumOfNothing, {
        from: data.byteOffset + 4 * from,
        end: data.byteOffset + 4 * to,
        to: sums.byteOffset + 4 * tile,
      });
    },
};
