/**
 * What batch normalization does backward to the rows of a matrix [M, C], channel by channel, given dy.
 *
 *     dySum[c] = sum over m of dy[m, c]                              m ascending, one flat sum for every channel
 *     dyDot[c] = sum over m of dy[m, c] (x[m, c] - mean[c])          the same
 *     dx[m, c] = scale[c] (dy[m, c] - shift[c] - (x[m, c] - mean[c]) slope[c])
 *
 * Where a ReLU follows the normalization, `rectified` takes dy for the gradient of max(y, 0): the gradient of y is dy
 * where y > 0 and +0 elsewhere. y itself is computed again from x, rounded as it was when it was stored; that is cheaper
 * than keeping it, or than writing and reading its gradient.
 *
 * @module
 */
import type { Job } from "../parallel/job.js";
import { contiguous, dtypeOf, empty, type Tensor } from "../tensor/tensor.js";
import { expectSameType, expectShape } from "./check.js";
import { columnsPerTile, LEAST_COLUMNS, rowsPerTile } from "./element-tiles.js";
import { type Execution, runTiles } from "./execution.js";
import { type ChannelMap, normalizeNaive, packed, unpacked } from "./normalize.js";
import { type Accumulate, roundingOf, roundsToFloat32 } from "./rounding.js";
import { blockOf, splitEvenly } from "./split.js";

/** What the gradients of scale and offset are made of, [C] each, not yet rounded to the type of x. */
export interface NormalizationSums {
  /** sum of dy. */
  readonly dySum: Float64Array;
  /** sum of dy (x - mean). */
  readonly dyDot: Float64Array;
}

/** How dx depends on dy and x, [C] each. */
export interface GradientMap extends ChannelMap {
  /** What is subtracted from dy: the share of the mean in the loss. */
  readonly shift: Float64Array;
  /** What is subtracted for each unit of x - mean: the share of the variance. */
  readonly slope: Float64Array;
}

/**
 * Both sums over the rows of `dy` and `x` [..., C].
 *
 * @throws Error when shapes or element types disagree.
 */
export function normalizationSums(
  dy: Tensor,
  x: Tensor,
  map: ChannelMap,
  rectified: boolean,
  execution: Execution,
): NormalizationSums {
  if (execution.kernel === "naive") return normalizationSumsNaive(dy, x, map, rectified, execution.accumulate);
  expectShape("normalizationSums", "dy", dy, x.shape);
  expectSameType("normalizationSums", dy, x);
  const channels = map.mean.length;
  const dySum = new Float64Array(channels);
  const dyDot = new Float64Array(channels);
  const most = columnsPerTile(channels, execution);
  const single = roundsToFloat32(execution.accumulate, dtypeOf(x));
  runTiles(execution, {
    job: normalizationSumsJob,
    reads: [contiguous(dy).data, contiguous(x).data, packed(map)],
    writes: [dySum, dyDot],
    numbers: [channels, most, Number(single), Number(rectified)],
    tiles: splitEvenly(channels, most, LEAST_COLUMNS).count,
  });
  return { dySum, dyDot };
}

/** The sums of some of the columns. */
export const normalizationSumsJob: Job = {
  name: "normalizationSums",
  run([dy, x, map, dySum, dyDot], [channels, most, single, rectified], tile) {
    const { from, to } = blockOf(splitEvenly(channels, most, LEAST_COLUMNS), tile);
    const columns = to - from;
    const { mean, scale, offset } = unpacked(map);
    const sums = new Float64Array(columns); // apart from those of other threads
    const dots = new Float64Array(columns);
    const y = new (x instanceof Float64Array ? Float64Array : Float32Array)(1); // rounds as memory does
    for (let row = from; row < x.length; row += channels) {
      for (let c = 0; c < columns; c++) {
        const deviation = x[row + c] - mean[from + c];
        y[0] = deviation * scale[from + c] + offset[from + c];
        const gradient = rectified === 0 || y[0] > 0 ? dy[row + c] : 0;
        if (single === 1) {
          sums[c] = Math.fround(sums[c] + gradient);
          dots[c] = Math.fround(dots[c] + Math.fround(gradient * deviation));
        } else {
          sums[c] += gradient;
          dots[c] += gradient * deviation;
        }
      }
    }
    dySum.set(sums, from);
    dyDot.set(dots, from);
  },
};

/** `dy`, or with `rectified` +0 instead where the output is not positive. */
function gradientOfOutput(dy: Tensor, x: Tensor, map: ChannelMap, rectified: boolean): Tensor {
  if (!rectified) return contiguous(dy);
  const y = normalizeNaive(x, map, {});
  const dys = contiguous(dy).data;
  for (let i = 0; i < y.size; i++) y.data[i] = y.data[i] > 0 ? dys[i] : 0;
  return y;
}

/** The loops that define the bits of {@link normalizationSums}. */
export function normalizationSumsNaive(
  dy: Tensor,
  x: Tensor,
  map: ChannelMap,
  rectified: boolean,
  accumulate: Accumulate,
): NormalizationSums {
  const round = roundingOf(accumulate, dtypeOf(x));
  const gradients = gradientOfOutput(dy, x, map, rectified).data;
  const xs = contiguous(x).data;
  const { mean } = map;
  const dySum = new Float64Array(mean.length);
  const dyDot = new Float64Array(mean.length);
  for (let c = 0; c < mean.length; c++) {
    for (let i = c; i < xs.length; i += mean.length) {
      dySum[c] = round(dySum[c] + gradients[i]);
      dyDot[c] = round(dyDot[c] + round(gradients[i] * (xs[i] - mean[c])));
    }
  }
  return { dySum, dyDot };
}

/**
 * The gradient for `x` [..., C].
 *
 * @throws Error when shapes or element types disagree.
 */
export function normalizationGradient(
  dy: Tensor,
  x: Tensor,
  map: GradientMap,
  rectified: boolean,
  execution: Execution,
): Tensor {
  if (execution.kernel === "naive") return normalizationGradientNaive(dy, x, map, rectified);
  expectShape("normalizationGradient", "dy", dy, x.shape);
  expectSameType("normalizationGradient", dy, x);
  const channels = map.mean.length;
  const dx = empty(x.shape, x);
  const most = rowsPerTile(x.size / channels, channels, execution);
  runTiles(execution, {
    job: normalizationGradientJob,
    reads: [contiguous(dy).data, contiguous(x).data, packed(map), map.shift, map.slope],
    writes: [dx.data],
    numbers: [channels, most, Number(rectified)],
    tiles: Math.ceil(x.size / (most * channels)),
  });
  return dx;
}

/** Some of the rows. */
export const normalizationGradientJob: Job = {
  name: "normalizationGradient",
  run([dy, x, map, shift, slope, dx], [channels, most, rectified], tile) {
    const { mean, scale, offset } = unpacked(map);
    const from = tile * most * channels;
    const to = Math.min(from + most * channels, x.length);
    for (let i = from; i < to; ) {
      for (let c = 0; c < channels; c++, i++) {
        const deviation = x[i] - mean[c];
        let gradient = dy[i];
        if (rectified === 1) {
          dx[i] = deviation * scale[c] + offset[c]; // y, rounded as it was
          if (!(dx[i] > 0)) gradient = 0;
        }
        dx[i] = scale[c] * (gradient - shift[c] - deviation * slope[c]);
      }
    }
  },
};

/** The loops that define the bits of {@link normalizationGradient}. */
export function normalizationGradientNaive(dy: Tensor, x: Tensor, map: GradientMap, rectified: boolean): Tensor {
  const gradients = gradientOfOutput(dy, x, map, rectified).data;
  const xs = contiguous(x).data;
  const { mean, scale, shift, slope } = map;
  const dx = empty(x.shape, x);
  for (let i = 0; i < dx.size; i++) {
    const c = i % mean.length;
    dx.data[i] = scale[c] * (gradients[i] - shift[c] - (xs[i] - mean[c]) * slope[c]);
  }
  return dx;
}
