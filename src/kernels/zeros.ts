/**
 * Zeros, written by all threads.
 *
 * @module
 */
import type { Job } from "../parallel/job.js";
import type { FloatArray } from "../tensor/dtype.js";
import { elementsPerTile } from "./element-tiles.js";
import { type Execution, runTiles } from "./execution.js";

/** Sets all of `target` to +0. */
export function fillZeros(target: FloatArray, execution: Execution): void {
  const most = elementsPerTile(target.length, execution);
  const tiles = Math.ceil(target.length / most);
  runTiles(execution, { job: fillZerosJob, reads: [], writes: [target], numbers: [most], tiles });
}

/** Some of the elements. */
export const fillZerosJob: Job = {
  name: "fillZeros",
  prepare:
    ([target], [most]) =>
    (tile) =>
      target.fill(0, tile * most, (tile + 1) * most),
};
