/**
 * What is expected of the softmax of one row, and of the logarithm of its sum: for the softmax and for cross-entropies.
 *
 *     m = max z,   d[k] = z[k] - m,   p[k] = exp(d[k]),   s = sum p,   y[k] = p[k] / s,   L = m + log s
 *
 * With Z[k] the error of a logit and Zm that of m (the greatest Z: the maximum changes by no more), relative errors are
 *
 *     d[k]    T[k] = Z[k] + Zm + gamma_1 (|d[k]| + Z[k] + Zm)                    absolute
 *     p[k]    R[k] = exp(T[k]) (1 + gamma_f) - 1                                 for the f roundings of exp
 *     s       R    = sum over k of y[k] R[k] + gamma_(K - 1) (1 + that)          any order of the K - 1 additions
 *     y[k]    (R[k] + R + gamma_(division + 1)) / (1 - R)                        or a product with 1 / s
 *
 * (Zm is in all d[k], so it cancels in y; T keeps it, which costs a factor of at most 2 where inputs are rounded.)
 * Candidates that take y[k] = exp(z[k] - L) are off by T' in the exponent, where
 *
 *     T'      = Z[k] + Zm + R / (1 - R) + log + gamma_3 (|z[k]| + |m| + |log s|)
 *     log     = gamma_l max(1, |log s|)     for the l roundings of a logarithm: absolute for results below 1
 *
 * and the relative error of y is then exp(T') (1 + gamma_f) - 1. The larger of the two counts. Exponentials may
 * underflow: n for each, and s >= 1, so that y is off by n (1 + K) more.
 *
 * Where p[k] is below the smallest double, relative errors say nothing: a candidate that rounds its logits may have up to
 * exp(d[k] + T[k]) there. Where a logit may be infinite, so may all that follows; else y is at most 1, but for roundings.
 *
 * @module
 */
import { exp } from "../../arithmetic/exp.js";
import { log } from "../../arithmetic/log.js";
import { type ErrorArithmetic, growthOfExp } from "../error-arithmetic.js";

/** One row. */
export interface SoftmaxRow {
  /** y in float64. */
  readonly y: Float64Array;
  /** The absolute error of every y, before it is stored. */
  readonly yErrors: Float64Array;
  /** max z. */
  readonly max: number;
  /** log s. */
  readonly logSum: number;
  /** The absolute error of log s, and of m + log s apart from the rounding of that sum. */
  readonly logSumError: number;
}

/** exp(t) (1 + gamma_f) - 1, relative. */
function errorOfExp(t: number, roundings: number, arithmetic: ErrorArithmetic): number {
  const change = growthOfExp(t);
  return change + arithmetic.growth(roundings) * (1 + change);
}

/** The softmax of the logits `z`, each known up to its entry of `errors`. */
export function softmaxRow(z: Float64Array, errors: Float64Array, arithmetic: ErrorArithmetic): SoftmaxRow {
  const { functions, sums } = arithmetic.model;
  const classes = z.length;
  const max = z.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const maxError = errors.reduce((a, b) => Math.max(a, b), 0);
  const powers = z.map((logit) => exp(logit - max));
  const sum = powers.reduce((a, b) => a + b, 0);
  const y = powers.map((power) => power / sum);
  const powerErrors = z.map((logit, k) => {
    const input = errors[k] + maxError;
    const exponent = input + arithmetic.growth(1) * (max - logit + input);
    if (powers[k] === 0) return input === 0 ? 0 : exp(logit - max + exponent) / sum; // absolute, as a share of the sum
    return errorOfExp(exponent, arithmetic.expRoundings(max - logit + input), arithmetic);
  });
  const weighted = powerErrors.reduce((total, error, k) => total + (powers[k] === 0 ? error : y[k] * error), 0);
  const underflow = classes * sums.underflow;
  const sumError = weighted + arithmetic.growth(Math.max(1, classes - 1)) * (1 + weighted) + underflow;
  const least = 1 - sumError;
  const shrink = least > 0 ? 1 / least : Number.POSITIVE_INFINITY;
  const logSum = log(sum);
  const logSumError = sumError * shrink + arithmetic.growth(functions.log) * Math.max(1, logSum);
  const yErrors = z.map((logit, k) => {
    if (maxError === Number.POSITIVE_INFINITY) return maxError;
    const input = errors[k] + maxError;
    if (powers[k] === 0 && input === 0) return sums.underflow + underflow;
    const direct = (powerErrors[k] + sumError + arithmetic.growth(functions.division + 1)) * shrink;
    const sizes = Math.abs(logit) + Math.abs(max) + logSum + input;
    const exponent = input + logSumError + arithmetic.growth(3) * sizes;
    const byLogarithm = errorOfExp(exponent, arithmetic.expRoundings(max - logit + logSum + input), arithmetic);
    const vanishing = Math.max(powerErrors[k] * shrink, exp(logit - max - logSum + exponent));
    const own = powers[k] === 0 ? vanishing : y[k] * Math.max(direct, byLogarithm);
    const most = 1 + 2 * arithmetic.growth(classes + 4);
    // NaN: an error without limit of a vanishing share
    return Number.isNaN(own) ? most : Math.min(own + sums.underflow + underflow, most);
  });
  return { y, yErrors, max, logSum, logSumError };
}
