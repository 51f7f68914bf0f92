/**
 * ReLU with its three extensions, element by element, and its way back.
 *
 *     y  = min(x, maxValue)               where x > threshold
 *     y  = negativeSlope (x - threshold)  elsewhere; where the slope is 0, +0, but NaN where x is NaN
 *     dx = slope dy                       with the slope of x; where that is 0, +0
 *
 * @module
 */
import type { Job } from "../parallel/job.js";
import { contiguous, empty, type Tensor } from "../tensor/tensor.js";
import { expectSameType, expectShape } from "./check.js";
import { elementsPerTile, passRunsSimd, runPass } from "./element-tiles.js";
import type { Execution } from "./execution.js";
import {
  boundedGradientKernels,
  boundedKernels,
  rectifyGradientKernel,
  rectifyKernel,
} from "./simd/element-kernels.js";
import { LANES } from "./simd/floats.js";
import { runKernel } from "./simd/thread.js";

/** The shape of the function. */
export interface Rectifier {
  readonly maxValue: number;
  readonly negativeSlope: number;
  readonly threshold: number;
}

/** max(x, 0). */
export const RELU: Rectifier = { maxValue: Number.POSITIVE_INFINITY, negativeSlope: 0, threshold: 0 };

/** Its slopes, region by region. */
export interface RectifierSlopes {
  readonly below: number;
  readonly atThreshold: number;
  readonly atMax: number;
}

/** Rectifies `x`. */
export function rectify(x: Tensor, { maxValue, negativeSlope, threshold }: Rectifier, execution: Execution): Tensor {
  const y = empty(x.shape, x);
  const most = elementsPerTile(x.size, execution);
  const simd = passRunsSimd(execution, x) && areSingle(threshold, maxValue);
  runPass(execution, simd, {
    job: rectifyJob,
    reads: [contiguous(x).data],
    writes: [y.data],
    numbers: [most, maxValue, negativeSlope, threshold],
    tiles: Math.ceil(x.size / most),
  });
  return y;
}

/** Whether these are float32 values, as kernels compare with. */
function areSingle(...values: readonly number[]): boolean {
  return values.every((value) => Object.is(Math.fround(value), value));
}

/** Whether the function of these numbers is max(x, 0), at least above and below 0. */
function isPlain(threshold: number, maxValue: number, slope: number): boolean {
  return threshold === 0 && maxValue === Number.POSITIVE_INFINITY && slope === 0;
}

/** Some of the elements. */
export const rectifyJob: Job = {
  name: "rectify",
  prepare:
    ([x, y], [most, maxValue, negativeSlope, threshold, simd]) =>
    (tile) => {
      const begin = tile * most;
      const to = Math.min(begin + most, x.length);
      const vectors = simd === 1 ? Math.floor((to - begin) / LANES) : 0;
      if (vectors > 0) {
        const places = { x: x.byteOffset + 4 * begin, y: y.byteOffset + 4 * begin, vectors };
        if (isPlain(threshold, maxValue, negativeSlope)) runKernel(rectifyKernel, places);
        else {
          const kernel = boundedKernels[negativeSlope === 0 ? "bounded" : "sloped"];
          runKernel(kernel, { ...places, threshold, maxValue, slope: negativeSlope });
        }
      }
      for (let i = begin + vectors * LANES; i < to; i++) {
        const v = x[i];
        if (v > threshold) y[i] = v < maxValue ? v : maxValue;
        else if (negativeSlope !== 0 || Number.isNaN(v)) y[i] = negativeSlope * (v - threshold);
        else y[i] = 0;
      }
    },
};

/**
 * The gradient for `x` of {@link rectify}, where `slopes` says what the kinks are given.
 *
 * @throws Error when shapes or element types disagree.
 */
export function rectifyGradient(
  dy: Tensor,
  x: Tensor,
  { maxValue, threshold }: Rectifier,
  slopes: RectifierSlopes,
  execution: Execution,
): Tensor {
  expectShape("rectifyGradient", "dy", dy, x.shape);
  expectSameType("rectifyGradient", dy, x);
  const dx = empty(x.shape, x);
  const most = elementsPerTile(x.size, execution);
  const { below, atThreshold, atMax } = slopes;
  const kinks = (atThreshold === 0 || atThreshold === below) && (atMax === 0 || atMax === 1);
  const simd = kinks && areSingle(threshold, maxValue) && passRunsSimd(execution, x) && passRunsSimd(execution, dy);
  runPass(execution, simd, {
    job: rectifyGradientJob,
    reads: [contiguous(dy).data, contiguous(x).data],
    writes: [dx.data],
    numbers: [most, maxValue, threshold, below, atThreshold, atMax],
    tiles: Math.ceil(x.size / most),
  });
  return dx;
}

/** Some of the elements. */
export const rectifyGradientJob: Job = {
  name: "rectifyGradient",
  prepare:
    ([dy, x, dx], [most, maxValue, threshold, below, atThreshold, atMax, simd]) =>
    (tile) => {
      const begin = tile * most;
      const to = Math.min(begin + most, x.length);
      const vectors = simd === 1 ? Math.floor((to - begin) / LANES) : 0;
      if (vectors > 0) {
        const [dyAt, xAt, dxAt] = [dy, x, dx].map((array) => array.byteOffset + 4 * begin);
        const places = { dy: dyAt, x: xAt, dx: dxAt, vectors };
        if (isPlain(threshold, maxValue, below) && atMax === 1) runKernel(rectifyGradientKernel, places);
        else {
          const kernel = boundedGradientKernels[below === 0 ? "bounded" : "sloped"];
          const kinks = { atThreshold: Number(atThreshold !== 0), atMax };
          runKernel(kernel, { ...places, ...kinks, threshold, maxValue, slope: below });
        }
      }
      for (let i = begin + vectors * LANES; i < to; i++) {
        const v = x[i];
        let slope = v === threshold ? atThreshold : below;
        if (v > threshold) slope = v < maxValue ? 1 : v === maxValue ? atMax : 0;
        dx[i] = slope === 0 ? 0 : slope * dy[i];
      }
    },
};
