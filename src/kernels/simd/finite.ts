/**
 * Whether all values of an array are finite.
 *
 * @module
 */
import type { Job } from "../../parallel/job.js";
import type { FloatArray } from "../../tensor/dtype.js";
import { withArraysInHeap } from "../../parallel/borrow.js";
import { decideHere } from "../../parallel/recording.js";
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
  return decideHere(data, () => lookAt(data, execution));
}

function lookAt(data: FloatArray, execution: Execution): boolean {
  if (data.length > TILE || !sharedHeap().owns(data)) return areAllFinite([data], execution)[0];
  return withArraysInHeap([], [allocateInScope("float32", 1)], (_, [sum]) => {
    runKernel(sumOfNothing, { from: data.byteOffset, end: data.byteOffset + data.byteLength, to: sum.byteOffset });
    return sum[0] === 0;
  });
}

/** Whether all float32 values of an array are finite, of each of `arrays`. */
export function areAllFinite(arrays: readonly FloatArray[], execution: Execution): boolean[] {
  const all = arrays.map((data) => allocateInScope("float32", tilesOf(data)));
  runPasses(
    execution,
    arrays.map((data, i) => look(data, all[i])),
  );
  return all.map(areZero);
}

function tilesOf(data: FloatArray): number {
  return Math.ceil(data.length / TILE);
}

/** What finds out about each tile of `data`: 0 in `sums` where its values are finite, else NaN. */
function look(data: FloatArray, sums: FloatArray): Pass {
  return { run: { job: finiteJob, reads: [data], writes: [sums], numbers: [], tiles: sums.length }, simd: true };
}

function areZero(sums: FloatArray): boolean {
  return sums.every((sum) => sum === 0);
}

/** Among the copies of a kernel that does not change: what is left of it when it has been looked at. */
const LOOKED_AT = [-1];

/** {@link areFinite} of a kernel, which is looked at once where it does not change. */
export function isKernelFinite(kernel: FloatArray, execution: Execution): boolean {
  const sums = execution.constants?.find(kernel, LOOKED_AT, tilesOf(kernel), (to) => {
    runPasses(execution, [look(kernel, to)]);
  });
  return sums === undefined ? areFinite(kernel, execution) : decideHere(sums, () => areZero(sums));
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
