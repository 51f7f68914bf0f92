/**
 * The softmax over one axis, and its way back.
 *
 *     x, y [O, K, I]    m     = max over k of x[k]
 *                       y[k]  = exp(x[k] - m) / sum over j of exp(x[j] - m)
 *                       dx[k] = y[k] (dy[k] - sum over j of dy[j] y[j])          with y as it was before it was rounded
 *
 * Differences, exponentials and sums, k and j ascending, are float64 whatever the accumulation; the result is rounded once, when
 * it is stored. A row is the K elements for one index before the axis and one behind it, which lie I elements apart: where the
 * axis is the last, side by side. A tile is some of the rows.
 *
 * @module
 */
import { exp } from "../arithmetic/exp.js";
import type { Job } from "../parallel/job.js";
import { doublesInScope } from "../tensor/arena.js";
import type { FloatArray } from "../tensor/dtype.js";
import { type Shape, sizeOf } from "../tensor/shape.js";
import { contiguous, empty, type Tensor } from "../tensor/tensor.js";
import { rowsPerTile } from "./element-tiles.js";
import { type Execution, runTiles } from "./execution.js";

/** A softmax. */
export interface Probabilities {
  readonly y: Tensor;
  /** y before it was rounded. */
  readonly probabilities: Float64Array;
}

/** The softmax over the axis of `x` that has this number, from 0. */
export function softmaxOver(x: Tensor, axis: number, execution: Execution): Probabilities {
  const y = empty(x.shape, x);
  const probabilities = doublesInScope(x.size);
  runRows(softmaxJob, [contiguous(x).data], [probabilities, y.data], x.shape, axis, execution);
  return { y, probabilities };
}

/** Runs `job` over all rows along `axis` of tensors of `shape`. */
function runRows(
  job: Job,
  reads: readonly FloatArray[],
  writes: readonly FloatArray[],
  shape: Shape,
  axis: number,
  execution: Execution,
): void {
  const width = shape[axis];
  const rows = sizeOf(shape.with(axis, 1));
  const most = rowsPerTile(rows, width, execution);
  const step = sizeOf(shape.slice(axis + 1));
  const tiles = width === 0 ? 0 : Math.ceil(rows / most);
  runTiles(execution, { job, reads, writes, numbers: [width, step, rows, most], tiles });
}

/** A job of rows: `compute` has `width` elements from `start` on, each `step` behind the one before. */
function rowsJob(
  name: string,
  compute: (arrays: readonly FloatArray[], start: number, width: number, step: number) => void,
): Job {
  return {
    name,
    prepare:
      (arrays, [width, step, rows, most]) =>
      (tile) => {
        const to = Math.min((tile + 1) * most, rows);
        for (let row = tile * most; row < to; row++) {
          const outer = Math.floor(row / step);
          compute(arrays, outer * width * step + row - outer * step, width, step);
        }
      },
  };
}

/** Some of the rows. */
export const softmaxJob: Job = rowsJob("softmax", ([x, probabilities, y], start, width, step) => {
  softmaxOfRow(x, start, width, probabilities, step);
  for (let k = 0, i = start; k < width; k++, i += step) y[i] = probabilities[i];
});

/** The gradient for the input of {@link softmaxOver}, given what it computed. */
export function softmaxGradient(dy: Tensor, probabilities: FloatArray, axis: number, execution: Execution): Tensor {
  const dx = empty(dy.shape, dy);
  runRows(softmaxGradientJob, [contiguous(dy).data, probabilities], [dx.data], dy.shape, axis, execution);
  return dx;
}

/** Some of the rows. */
export const softmaxGradientJob: Job = rowsJob("softmaxGradient", ([dy, p, dx], start, width, step) => {
  let dot = 0;
  for (let k = 0, i = start; k < width; k++, i += step) dot += dy[i] * p[i];
  for (let k = 0, i = start; k < width; k++, i += step) dx[i] = p[i] * (dy[i] - dot);
});

/**
 * Writes the softmax of the row of `z` that begins at `start` to the same place of `target`; returns the largest logit
 * and the sum of exp(z - max). Elements of the row lie `step` apart.
 */
export function softmaxOfRow(
  z: ArrayLike<number>,
  start: number,
  classes: number,
  target: FloatArray,
  step = 1,
): { max: number; sum: number } {
  const end = start + classes * step;
  let max = Number.NEGATIVE_INFINITY;
  for (let i = start; i < end; i += step) max = Math.max(max, z[i]);
  let sum = 0;
  for (let i = start; i < end; i += step) {
    target[i] = exp(z[i] - max);
    sum += target[i];
  }
  for (let i = start; i < end; i += step) target[i] /= sum;
  return { max, sum };
}
