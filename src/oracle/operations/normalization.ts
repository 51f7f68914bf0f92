/**
 * What is expected of normalizing with given statistics: y = gamma (x - mean) rstd + beta, for batch normalization in
 * training and in inference.
 *
 * With s = gamma rstd and capital letters for errors (X of x, M of the mean, S of s, B of beta), candidates may write
 *
 *     ((x - mean) rstd) gamma + beta,   (x - mean) s + beta,   gamma (x - mean) / sqrt(variance + epsilon) + beta,
 *     x s + (beta - mean s)             as Keras itself does: it cancels where |mean| is much larger than the deviation
 *
 * All have the same s and mean in both places. Before rounding y is therefore off by
 *
 *     |x - mean| S + (X + M) (|s| + S) + B
 *
 * and no term is rounded more than 4 + division times, while none is larger than in the last form:
 *
 *     gamma_(4 + division) ((|x| + X + |mean| + M) (|s| + S) + |beta| + B)
 *
 * An infinite x stays infinite, if gamma and rstd are certainly not 0 and all else is finite.
 *
 * Underflow of the products: n (4 + |gamma| + rstd + |s|), each perhaps multiplied by one of the others.
 *
 * @module
 */
import { type Ball, type ErrorArithmetic, isInfinite } from "../error-arithmetic.js";

/** What normalizes one channel. */
export interface ChannelTransform {
  readonly mean: Ball;
  /** 1 / sqrt(variance + epsilon). */
  readonly rstd: Ball;
  readonly gamma: Ball;
  readonly beta: Ball;
  /** gamma rstd. */
  readonly scale: Ball;
}

/** The errors of y, stored, for the elements of `x` and `y` [M, C] in float64. */
export function normalizationErrors(
  x: Float64Array,
  y: Float64Array,
  transforms: readonly ChannelTransform[],
  arithmetic: ErrorArithmetic,
): Float64Array {
  const errors = new Float64Array(x.length);
  const { functions, sums } = arithmetic.model;
  const growth = arithmetic.growth(4 + functions.division);
  const channels = transforms.length;
  const isNoZero = ({ value, error }: Ball): boolean => error < Math.abs(value);
  const sizeOf = ({ value, error }: Ball): number => Math.abs(value) + error;
  for (let c = 0; c < channels; c++) {
    const { mean, rstd, gamma, beta, scale } = transforms[c];
    const factors = [rstd, gamma, scale];
    const [s, m, b] = [sizeOf(scale), sizeOf(mean), sizeOf(beta)];
    const lost = sums.underflow * (4 + sizeOf(gamma) + sizeOf(rstd) + s);
    // the largest factor that x - mean may meet before the others
    const steepest = Math.max(1, s, sizeOf(gamma), sizeOf(rstd));
    for (let i = c; i < x.length; i += channels) {
      const inputError = arithmetic.inputError(x[i]);
      const size = Math.abs(x[i]) + inputError + m;
      const change = Math.abs(x[i] - mean.value) * scale.error + (inputError + mean.error) * s + beta.error;
      const error = change + growth * (size * s + b) + lost;
      const isSettled = isInfinite(x[i]) && factors.every(isNoZero) && m + b < Number.POSITIVE_INFINITY;
      errors[i] = arithmetic.stored(y[i], isSettled ? 0 : arithmetic.fitting(error, size * steepest + b));
    }
  }
  return errors;
}
