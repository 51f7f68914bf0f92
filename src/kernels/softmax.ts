/**
 * The softmax of every row of a matrix.
 *
 *     x, y [..., K]    m    = max over k of x[k]
 *                      y[k] = exp(x[k] - m) / sum over j of exp(x[j] - m)
 *
 * Differences, exponentials and their sum, k ascending, are float64 whatever the accumulation; the quotient is rounded once, when
 * it is stored.
 *
 * @module
 */
import { exp } from "../arithmetic/exp.js";
import type { Job } from "../parallel/job.js";
import { doublesInScope } from "../tensor/arena.js";
import type { FloatArray } from "../tensor/dtype.js";
import { contiguous, empty, type Tensor } from "../tensor/tensor.js";
import { rowsPerTile } from "./element-tiles.js";
import { type Execution, runTiles } from "./execution.js";

/** A softmax. */
export interface Probabilities {
  readonly y: Tensor;
  /** y before it was rounded. */
  readonly probabilities: Float64Array;
}

/** The softmax over the last axis of `x`. */
export function softmaxOfRows(x: Tensor, execution: Execution): Probabilities {
  const y = empty(x.shape, x);
  const probabilities = doublesInScope(x.size);
  const width = x.shape[x.dimension - 1];
  const most = rowsPerTile(x.size / Math.max(1, width), width, execution);
  runTiles(execution, {
    job: softmaxJob,
    reads: [contiguous(x).data],
    writes: [probabilities, y.data],
    numbers: [width, most],
    tiles: Math.ceil(x.size / Math.max(1, width) / most),
  });
  return { y, probabilities };
}

/** Some of the rows. */
export const softmaxJob: Job = {
  name: "softmax",
  prepare:
    ([x, probabilities, y], [width, most]) =>
    (tile) => {
      const end = Math.min(x.length, (tile + 1) * most * width);
      for (let row = tile * most * width; row < end; row += width) {
        softmaxOfRow(x, row, width, probabilities);
        for (let k = row; k < row + width; k++) y[k] = probabilities[k];
      }
    },
};

/**
 * Writes the softmax of the row of `z` that begins at `start` to the same place of `target`; returns the largest logit
 * and the sum of exp(z - max).
 */
export function softmaxOfRow(
  z: ArrayLike<number>,
  start: number,
  classes: number,
  target: FloatArray,
): { max: number; sum: number } {
  let max = Number.NEGATIVE_INFINITY;
  for (let i = start; i < start + classes; i++) max = Math.max(max, z[i]);
  let sum = 0;
  for (let i = start; i < start + classes; i++) {
    target[i] = exp(z[i] - max);
    sum += target[i];
  }
  for (let i = start; i < start + classes; i++) target[i] /= sum;
  return { max, sum };
}
