/**
 * What batch normalization does backward to the rows of a matrix [M, C], channel by channel, given dy.
 *
 *     dySum[c] = sum over m of dy[m, c]                              m ascending, one flat sum for every channel
 *     dyDot[c] = sum over m of dy[m, c] (x[m, c] - mean[c])          the same
 *     dx[m, c] = scale[c] ((dy[m, c] - shift[c]) - (x[m, c] - mean[c]) slope[c])
 *
 * rounded as forward (`normalize.ts`): in float64 once, with float32 accumulation at every step.
 *
 * Where a ReLU follows the normalization, dy may be the gradient of the ReLU's output: it counts where that output is positive,
 * and elsewhere it is +0. That spares writing the gradient of y to memory and reading it again. And y itself is not read either,
 * but computed again of x, which is read anyway: two operations in a register take less time than a number from memory.
 *
 * @module
 */
import type { Job } from "../parallel/job.js";
import { doublesInScope } from "../tensor/arena.js";
import type { FloatArray } from "../tensor/dtype.js";
import { contiguous, dtypeOf, empty, type Tensor } from "../tensor/tensor.js";
import { expectSameType, expectShape } from "./check.js";
import { columnsPerTile, LEAST_COLUMNS, passRunsSimd, rowsPerTile, runPass } from "./element-tiles.js";
import { type Execution, NO_VALUES } from "./execution.js";
import { type ChannelMap, normalizeNaive, packed, unpacked } from "./normalize.js";
import { type Accumulate, exactly, roundingOf, roundsToFloat32 } from "./rounding.js";
import { forEachStrip, normalizationSumsKernels } from "./simd/column-kernels.js";
import { interleaved, normalizationGradientKernels } from "./simd/normalize-kernels.js";
import { runKernel } from "./simd/thread.js";
import { blockOf, splitEvenly } from "./split.js";

/** What the gradients of scale and offset are made of, [C] each, not yet rounded to the type of x. */
export interface NormalizationSums {
  /** sum of dy. */
  readonly dySum: Float64Array;
  /** sum of dy (x - mean). */
  readonly dyDot: Float64Array;
}

/** How y was made of x, and how dx depends on dy and x, [C] each. */
export interface GradientMap extends ChannelMap {
  /** What is subtracted from dy: the share of the mean in the loss. */
  readonly shift: Float64Array;
  /** What is subtracted for each unit of x - mean: the share of the variance. */
  readonly slope: Float64Array;
}

/** What else there is to the gradients of a normalization. */
export interface GradientOptions {
  /** Whether dy is the gradient of what a ReLU made of y. @defaultValue false */
  readonly rectified?: boolean | undefined;
  /** Another term of the gradient for x. */
  readonly addend?: Tensor | undefined;
}

/**
 * Both sums over the rows of `dy` and `x` [..., C], of which `map` made y; and if `rectified`, a ReLU what dy is the gradient of.
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
  const dySum = doublesInScope(channels);
  const dyDot = doublesInScope(channels);
  const most = columnsPerTile(channels, execution);
  const single = roundsToFloat32(execution.accumulate, dtypeOf(x));
  runPass(execution, passRunsSimd(execution, x, channels), {
    job: normalizationSumsJob,
    reads: [
      contiguous(dy).data,
      contiguous(x).data,
      packed(rectified ? [map.mean, map.scale, map.offset] : [map.mean], single),
    ],
    writes: [dySum, dyDot],
    numbers: [channels, most, Number(single), Number(rectified)],
    tiles: splitEvenly(channels, most, LEAST_COLUMNS).count,
  });
  return { dySum, dyDot };
}

/** The sums of some of the columns. */
export const normalizationSumsJob: Job = {
  name: "normalizationSums",
  prepare:
    ([dy, x, map, dySum, dyDot], [channels, most, single, rectified, simd]) =>
    (tile) => {
      const { from, to } = blockOf(splitEvenly(channels, most, LEAST_COLUMNS), tile);
      if (simd === 1) {
        const kernels = normalizationSumsKernels[rectified === 1 ? "rectified" : "plain"];
        const { [single === 1 ? "single" : "double"]: strips } = kernels;
        dySum.fill(0, from, to);
        dyDot.fill(0, from, to);
        forEachStrip(strips, { rows: x.length / channels, channels, from, to }, ({ kernel, column, at, rows }) => {
          const numbersAt = (which: number): number =>
            map.byteOffset + map.BYTES_PER_ELEMENT * (which * channels + column);
          runKernel(kernel, {
            dy: dy.byteOffset + 4 * at,
            x: x.byteOffset + 4 * at,
            stride: 4 * channels,
            rows,
            mean: numbersAt(0),
            scale: numbersAt(1),
            offset: numbersAt(2),
            dySum: dySum.byteOffset + 8 * column,
            dyDot: dyDot.byteOffset + 8 * column,
          });
        });
        return;
      }
      const sums = new Float64Array(to - from); // apart from those of other threads
      const dots = new Float64Array(to - from);
      const [mean, scale, offset] = unpacked(map, channels);
      const round = single === 1 ? Math.fround : exactly;
      const stored = storedIn(x);
      for (let row = 0; row < x.length; row += channels) {
        for (let c = from; c < to; c++) {
          const deviation = round(x[row + c] - mean[c]);
          const counts = rectified === 0 || stored(round(deviation * scale[c]) + offset[c]) > 0;
          const gradient = counts ? dy[row + c] : 0;
          sums[c - from] = round(sums[c - from] + gradient);
          dots[c - from] = round(dots[c - from] + round(gradient * deviation));
        }
      }
      dySum.set(sums, from);
      dyDot.set(dots, from);
    },
};

/** How a number is rounded when it is stored in an array like `x`. */
function storedIn(x: FloatArray): (value: number) => number {
  return x instanceof Float32Array ? Math.fround : exactly;
}

/** The gradient of y: `dy`, or behind a ReLU +0 instead where y is not positive. */
function gradientOfY(dy: Tensor, x: Tensor, map: ChannelMap, rectified: boolean, accumulate: Accumulate): FloatArray {
  const dys = contiguous(dy).data;
  if (!rectified) return dys;
  const y = normalizeNaive(x, map, {}, accumulate).data;
  return dys.map((value, i) => (y[i] > 0 ? value : 0));
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
  const gradients = gradientOfY(dy, x, map, rectified, accumulate);
  const { mean } = map;
  const xs = contiguous(x).data;
  const dySum = new Float64Array(mean.length);
  const dyDot = new Float64Array(mean.length);
  for (let c = 0; c < mean.length; c++) {
    for (let i = c; i < xs.length; i += mean.length) {
      dySum[c] = round(dySum[c] + gradients[i]);
      dyDot[c] = round(dyDot[c] + round(gradients[i] * round(xs[i] - round(mean[c]))));
    }
  }
  return { dySum, dyDot };
}

/**
 * The gradient for `x` [..., C]; with an `addend`, the sum 0 + dx + addend of the rounded dx and what another reader of x
 * gave.
 *
 * @throws Error when shapes or element types disagree.
 */
export function normalizationGradient(
  dy: Tensor,
  x: Tensor,
  map: GradientMap,
  { rectified = false, addend }: GradientOptions,
  execution: Execution,
): Tensor {
  if (execution.kernel === "naive")
    return normalizationGradientNaive(dy, x, map, { rectified, addend }, execution.accumulate);
  expectShape("normalizationGradient", "dy", dy, x.shape);
  if (addend !== undefined) expectShape("normalizationGradient", "addend", addend, x.shape);
  expectSameType("normalizationGradient", dy, x, addend);
  const channels = map.mean.length;
  const dx = empty(x.shape, x);
  const most = rowsPerTile(x.size / channels, channels, execution);
  const simd = passRunsSimd(execution, x, channels);
  const single = roundsToFloat32(execution.accumulate, dtypeOf(x));
  const values = [map.mean, map.scale, map.shift, map.slope, ...(rectified ? [map.offset] : [])];
  runPass(execution, simd, {
    job: normalizationGradientJob,
    reads: [
      contiguous(dy).data,
      contiguous(x).data,
      (simd ? interleaved : packed)(values, single),
      addend === undefined ? NO_VALUES : contiguous(addend).data,
    ],
    writes: [dx.data],
    numbers: [channels, most, Number(rectified)],
    tiles: Math.ceil(x.size / (most * channels)),
  });
  return dx;
}

/** Some of the rows. */
export const normalizationGradientJob: Job = {
  name: "normalizationGradient",
  prepare:
    ([dy, x, map, addend, dx], [channels, most, rectified, simd]) =>
    (tile) => {
      const adds = addend.length > 0;
      const from = tile * most * channels;
      const to = Math.min(from + most * channels, x.length);
      if (simd === 1) {
        const kernels = normalizationGradientKernels[map instanceof Float32Array ? "single" : "double"];
        runKernel(kernels[`${rectified === 1 ? "rectified" : "plain"}${adds ? "Sum" : ""}`], {
          dy: dy.byteOffset + 4 * from,
          x: x.byteOffset + 4 * from,
          map: map.byteOffset,
          addend: addend.byteOffset + 4 * from,
          dx: dx.byteOffset + 4 * from,
          vectors: channels / LEAST_COLUMNS,
          rows: (to - from) / channels,
        });
        return;
      }
      const [mean, scale, shift, slope, offset] = unpacked(map, channels);
      const round = map instanceof Float32Array ? Math.fround : exactly;
      const stored = storedIn(x);
      for (let i = from; i < to; ) {
        for (let c = 0; c < channels; c++, i++) {
          const deviation = round(x[i] - mean[c]);
          const counts = rectified === 0 || stored(round(deviation * scale[c]) + offset[c]) > 0;
          const gradient = counts ? dy[i] : 0;
          dx[i] = scale[c] * round(round(gradient - shift[c]) - round(deviation * slope[c]));
        }
      }
      if (adds) for (let i = from; i < to; i++) dx[i] = 0 + dx[i] + addend[i];
    },
};

/** The loops that define the bits of {@link normalizationGradient}. */
export function normalizationGradientNaive(
  dy: Tensor,
  x: Tensor,
  map: GradientMap,
  { rectified = false, addend }: GradientOptions,
  accumulate: Accumulate,
): Tensor {
  const round = roundingOf(accumulate, dtypeOf(x));
  const gradients = gradientOfY(dy, x, map, rectified, accumulate);
  const xs = contiguous(x).data;
  const { mean, scale, shift, slope } = map;
  const dx = empty(x.shape, x);
  for (let i = 0; i < dx.size; i++) {
    const c = i % mean.length;
    const share = round(round(xs[i] - round(mean[c])) * round(slope[c]));
    dx.data[i] = round(scale[c]) * round(round(gradients[i] - round(shift[c])) - share);
  }
  if (addend !== undefined) {
    const others = contiguous(addend).data;
    for (let i = 0; i < dx.size; i++) dx.data[i] = 0 + dx.data[i] + others[i];
  }
  return dx;
}
