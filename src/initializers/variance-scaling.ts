/**
 * Variance scaling: random weights whose variance keeps the size of the signal from layer to layer.
 *
 *     variance = scale / max(1, n),    n = fanIn, fanOut or their average
 *
 * drawn uniformly from -sqrt(3 variance) to sqrt(3 variance), or normally with standard deviation sqrt(variance), or
 * normally and cut at two standard deviations; cutting makes the deviation smaller, which a larger one before makes
 * good.
 *
 * @module
 */
import type { RandomStream } from "../arithmetic/random.js";
import type { FloatArray } from "../tensor/dtype.js";
import { type Shape, sizeOf } from "../tensor/shape.js";

/** Which fan n is. */
export type FanMode = "fan_in" | "fan_out" | "fan_avg";

/** What the numbers are drawn from. */
export type ScalingDistribution = "truncated_normal" | "untruncated_normal" | "uniform";

/** How many inputs each output of a weight depends on, and how many outputs each input feeds. */
export interface Fans {
  readonly fanIn: number;
  readonly fanOut: number;
}

/** Standard deviation of a standard normal number among those from -2 to 2: 0.87962566103423978 in Keras. */
const TRUNCATED_DEVIATION = 0.8796256610342398;

/**
 * The fans of a weight of `shape`, as Keras counts them: the last two dimensions are inputs and outputs, the ones
 * before (a kernel's window) multiply both. A vector has its length for both, a scalar 1.
 */
export function computeFans(shape: Shape): Fans {
  if (shape.length === 0) return { fanIn: 1, fanOut: 1 };
  if (shape.length === 1) return { fanIn: shape[0], fanOut: shape[0] };
  const window = sizeOf(shape.slice(0, -2));
  return { fanIn: window * shape[shape.length - 2], fanOut: window * shape[shape.length - 1] };
}

/** The variance that a weight with these fans is given. */
export function scaledVariance(scale: number, mode: FanMode, { fanIn, fanOut }: Fans): number {
  switch (mode) {
    case "fan_in":
      return scale / Math.max(1, fanIn);
    case "fan_out":
      return scale / Math.max(1, fanOut);
    case "fan_avg":
      return scale / Math.max(1, (fanIn + fanOut) / 2);
  }
}

/** Fills `values` with random numbers of mean 0 and the given variance, element i from number i of `stream`. */
export function fillWithVariance(
  values: FloatArray,
  stream: RandomStream,
  variance: number,
  distribution: ScalingDistribution,
): FloatArray {
  switch (distribution) {
    case "truncated_normal":
      return stream.fillTruncatedNormal(values, 0, Math.sqrt(variance) / TRUNCATED_DEVIATION);
    case "untruncated_normal":
      return stream.fillNormal(values, 0, Math.sqrt(variance));
    case "uniform": {
      const limit = Math.sqrt(3 * variance);
      return stream.fillUniform(values, -limit, limit);
    }
  }
}
