/**
 * What batch normalization does backward to the rows of a matrix [M, C], channel by channel, given dy.
 *
 *     dySum[c] = sum over m of dy[m, c]                              m ascending, one flat sum for every channel
 *     dyDot[c] = sum over m of dy[m, c] (x[m, c] - mean[c])          the same
 *     dx[m, c] = scale[c] ((dy[m, c] - shift[c]) - (x[m, c] - mean[c]) slope[c])
 *
 * rounded as forward (`normalize.ts`): in float64 once, with float32 accumulation at every step.
 *
 * Where a ReLU follows the normalization, dy may be the gradient of the ReLU's output: it counts where that output,
 * `positive`, is positive, and elsewhere it is +0. That spares writing the gradient of y to memory and reading it again. With
 * float32 accumulation assembled kernels do not even read that output, but compute it again of x, which they read anyway: two
 * operations in a register take less time than a number from memory. So it need not be in memory.
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
import { type ChannelMap, normalize, packed, packedMap, unpacked } from "./normalize.js";
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

/** Whether a ReLU follows a normalization. */
export interface BehindReLU {
  /** Then dy is the gradient of the ReLU's output, and counts where that is positive. @defaultValue false */
  readonly rectified?: boolean | undefined;
  /** That output; where it is not given, it is computed again of x. */
  readonly positive?: Tensor | undefined;
}

/** What else there is to the gradients of a normalization. */
export interface GradientOptions extends BehindReLU {
  /** Another term of the gradient for x. */
  readonly addend?: Tensor | undefined;
}

/**
 * Both sums over the rows of `dy` and `x` [..., C], of which `map` made y.
 *
 * @throws Error when shapes or element types disagree.
 */
export function normalizationSums(
  dy: Tensor,
  x: Tensor,
  map: ChannelMap,
  behind: BehindReLU,
  execution: Execution,
): NormalizationSums {
  const channels = map.mean.length;
  const simd = passRunsSimd(execution, x, channels);
  const single = roundsToFloat32(execution.accumulate, dtypeOf(x));
  const positive = outputToRead(x, map, behind, simd && single, execution);
  if (execution.kernel === "naive") return normalizationSumsNaive(dy, x, map.mean, positive, execution.accumulate);
  expectShape("normalizationSums", "dy", dy, x.shape);
  if (positive !== undefined) expectShape("normalizationSums", "positive", positive, x.shape);
  expectSameType("normalizationSums", dy, x, positive);
  const dySum = doublesInScope(channels);
  const dyDot = doublesInScope(channels);
  const most = columnsPerTile(channels, execution);
  runPass(execution, simd, {
    job: normalizationSumsJob,
    reads: [
      contiguous(dy).data,
      contiguous(x).data,
      packedMap(map, single),
      positive === undefined ? NO_VALUES : contiguous(positive).data,
    ],
    writes: [dySum, dyDot],
    numbers: [channels, most, Number(single), Number(behind.rectified === true)],
    tiles: splitEvenly(channels, most, LEAST_COLUMNS).count,
  });
  return { dySum, dyDot };
}

/** What a ReLU made of what `map` makes of `x`, where there is one whose output the kernel does not compute again. */
function outputToRead(
  x: Tensor,
  map: ChannelMap,
  { rectified, positive }: BehindReLU,
  recomputes: boolean,
  execution: Execution,
): Tensor | undefined {
  if (rectified !== true || recomputes) return undefined;
  return positive ?? normalize(x, map, { rectify: true }, execution);
}

/** The sums of some of the columns. */
export const normalizationSumsJob: Job = {
  name: "normalizationSums",
  prepare:
    ([dy, x, map, positive, dySum, dyDot], [channels, most, single, masked, simd]) =>
    (tile) => {
      const isMasked = masked === 1;
      const { from, to } = blockOf(splitEvenly(channels, most, LEAST_COLUMNS), tile);
      if (simd === 1) {
        const kernels = normalizationSumsKernels[isMasked ? "masked" : "plain"];
        const { [single === 1 ? "single" : "double"]: strips } = kernels;
        dySum.fill(0, from, to);
        dyDot.fill(0, from, to);
        forEachStrip(strips, { rows: x.length / channels, channels, from, to }, ({ kernel, column, at, rows }) => {
          const numbersAt = (which: number): number =>
            map.byteOffset + map.BYTES_PER_ELEMENT * (which * channels + column);
          runKernel(kernel, {
            dy: dy.byteOffset + 4 * at,
            x: x.byteOffset + 4 * at,
            positive: positive.byteOffset + 4 * at,
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
      const [mean] = unpacked(map, channels);
      const sums = new Float64Array(to - from); // apart from those of other threads
      const dots = new Float64Array(to - from);
      for (let row = 0; row < x.length; row += channels) {
        for (let c = from; c < to; c++) {
          const gradient = !isMasked || positive[row + c] > 0 ? dy[row + c] : 0;
          const deviation = x[row + c] - mean[c];
          const product = gradient * (single === 1 ? Math.fround(deviation) : deviation);
          const sum = sums[c - from] + gradient;
          sums[c - from] = single === 1 ? Math.fround(sum) : sum;
          dots[c - from] = single === 1 ? Math.fround(dots[c - from] + Math.fround(product)) : dots[c - from] + product;
        }
      }
      dySum.set(sums, from);
      dyDot.set(dots, from);
    },
};

/** `dy`, or where there is a `positive`, +0 instead where that is not positive. */
function masked(dy: Tensor, positive: Tensor | undefined): FloatArray {
  const dys = contiguous(dy).data;
  if (positive === undefined) return dys;
  const ys = contiguous(positive).data;
  return dys.map((value, i) => (ys[i] > 0 ? value : 0));
}

/** The loops that define the bits of {@link normalizationSums}. */
export function normalizationSumsNaive(
  dy: Tensor,
  x: Tensor,
  mean: Float64Array,
  positive: Tensor | undefined,
  accumulate: Accumulate,
): NormalizationSums {
  const round = roundingOf(accumulate, dtypeOf(x));
  const gradients = masked(dy, positive);
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
  options: GradientOptions,
  execution: Execution,
): Tensor {
  const { addend, rectified = false } = options;
  const channels = map.mean.length;
  const simd = passRunsSimd(execution, x, channels);
  const single = roundsToFloat32(execution.accumulate, dtypeOf(x));
  const recomputes = simd && single && rectified;
  const positive = outputToRead(x, map, options, recomputes, execution);
  if (execution.kernel === "naive") {
    return normalizationGradientNaive(dy, x, map, { positive, addend }, execution.accumulate);
  }
  expectShape("normalizationGradient", "dy", dy, x.shape);
  if (positive !== undefined) expectShape("normalizationGradient", "positive", positive, x.shape);
  if (addend !== undefined) expectShape("normalizationGradient", "addend", addend, x.shape);
  expectSameType("normalizationGradient", dy, x, positive, addend);
  const dx = empty(x.shape, x);
  const most = rowsPerTile(x.size / channels, channels, execution);
  const values = [map.mean, map.scale, map.shift, map.slope, ...(recomputes ? [map.offset] : [])];
  runPass(execution, simd, {
    job: normalizationGradientJob,
    reads: [
      contiguous(dy).data,
      contiguous(x).data,
      (simd ? interleaved : packed)(values, single),
      positive === undefined ? NO_VALUES : contiguous(positive).data,
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
    ([dy, x, map, positive, addend, dx], [channels, most, masked, simd]) =>
    (tile) => {
      const isMasked = masked === 1;
      const adds = addend.length > 0;
      const from = tile * most * channels;
      const to = Math.min(from + most * channels, x.length);
      if (simd === 1) {
        const kernels = normalizationGradientKernels[map instanceof Float32Array ? "single" : "double"];
        runKernel(kernels[`${isMasked ? "masked" : "plain"}${adds ? "Sum" : ""}`], {
          dy: dy.byteOffset + 4 * from,
          x: x.byteOffset + 4 * from,
          map: map.byteOffset,
          positive: positive.byteOffset + 4 * from,
          addend: addend.byteOffset + 4 * from,
          dx: dx.byteOffset + 4 * from,
          vectors: channels / LEAST_COLUMNS,
          rows: (to - from) / channels,
        });
        return;
      }
      const [mean, scale, shift, slope] = unpacked(map, channels);
      const round = map instanceof Float32Array ? Math.fround : exactly;
      for (let i = from; i < to; ) {
        for (let c = 0; c < channels; c++, i++) {
          const gradient = !isMasked || positive[i] > 0 ? dy[i] : 0;
          dx[i] = scale[c] * round(round(gradient - shift[c]) - round(round(x[i] - mean[c]) * slope[c]));
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
  { positive, addend }: { readonly positive?: Tensor | undefined; readonly addend?: Tensor | undefined },
  accumulate: Accumulate,
): Tensor {
  const round = roundingOf(accumulate, dtypeOf(x));
  const gradients = masked(dy, positive);
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
