/**
 * Zeros, written by all threads.
 *
 * @module
 */
import type { Job } from "../parallel/job.js";
import type { FloatArray } from "../tensor/dtype.js";
import { elementsPerTile, passRunsSimd, runPass } from "./element-tiles.js";
import type { Execution } from "./execution.js";
import { zeroFunction } from "./simd/copy-kernel.js";
import { singles } from "./simd/lanes.js";

/** Sets all of `target` to +0. */
export function fillZeros(target: FloatArray, execution: Execution): void {
  const most = elementsPerTile(target.length, execution);
  const tiles = Math.ceil(target.length / most);
  const simd = passRunsSimd(execution, { data: target, size: target.length });
  runPass(execution, simd, { job: fillZerosJob, reads: [], writes: [target], numbers: [most], tiles });
}

/** Some of the elements. */
export const fillZerosJob: Job = {
  name: "fillZeros",
  prepare:
    ([target], [most, simd]) =>
    (tile) => {
      const from = tile * most;
      const to = Math.min(from + most, target.length);
      if (simd === 1) zeroFunction(singles)(target.byteOffset + 4 * from, to - from);
      else target.fill(0, from, to);
    },
};
