/**
 * Means and variances of channels, and how far those of a candidate may be off: the first half of batch normalization.
 *
 * For the M numbers x of one channel, each known up to v |x| + n (rounded inputs), write |x| for the mean of
 * magnitudes, rms for the root of the mean square, s for the deviation, D = v rms + n for the root mean square of what
 * inputs are off, and G = gamma_(M + 4 log2 M + 8).
 *
 * Mean. A sum in any order, divided once or term by term, is off by gamma_M |x|. Welford's running mean,
 * m += (x - m) / k, rounds m and the step in turn: the error after k steps, times k, grows by at most
 * k u |m[k]| + 4 u |x[k] - m[k-1]|. Since k |m[k]| <= M |x| and sum |m[k]| <= M |x| (1 + log M), it ends below
 * (M + 4 (2 + log M)) u |x|. Hence
 *
 *     mean error      <= v |x| + n + G (|x| + v |x| + n)
 *
 * Variance. Rounded inputs change the deviation by at most D: 2 s D + D^2. With s' = s + D and rms' = rms + D:
 *
 *     two passes    G s'^2 + (G rms')^2
 *     Welford       G s'^2 + 2 G s' rms' + (G rms')^2
 *     one pass      that + 2 G rms'^2 + 2 rms' E + E^2
 *
 * - Two passes: x - mean and its square round relative to themselves; the error E of the mean adds exactly E^2, for
 *   deviations sum to 0.
 * - Welford: (x - m[k-1]) (x - m[k]) with errors e of the running means. By Cauchy's inequality
 *   sum |x - m| e <= sqrt(2 M) s sqrt(sum e^2), and e[k] <= 2/3 u sqrt(M k) rms: together 1.4 M u s rms. (Chan, Golub
 *   and LeVeque 1983 have the same form; merging of parts has log M for M.)
 * - One pass: E[x^2] - E[x]^2 has the errors of two numbers as large as rms'^2.
 *
 * The first two are always allowed, the third by the option `variance: "one-pass"`. Underflow adds 3 M n' to each.
 *
 * 1 / sqrt(variance + epsilon) is monotone, so its error is taken from both ends, of which the lower stops at variance
 * 0 in the first two cases (sums of squares are not negative); in the third a variance + epsilon that may reach 0
 * gives Infinity.
 *
 * @module
 */
import { batchStatistics } from "../../layers/batch-normalization.js";
import type { Tensor } from "../../tensor/tensor.js";
import type { Ball, ErrorArithmetic } from "../error-arithmetic.js";
import { float64Of } from "../operands.js";

/** What the derivation needs to know of every channel, [C] each. */
export interface ChannelStatistics {
  /** M. */
  readonly rows: number;
  readonly mean: Float64Array;
  /** Population variance. */
  readonly variance: Float64Array;
  /** Mean of |x|. */
  readonly size: Float64Array;
  /** The greatest |x|. */
  readonly peak: Float64Array;
  /** Mean of |x - mean|. */
  readonly deviation: Float64Array;
}

/** The statistics of the columns of `x` [M, C] in float64, C last. */
export function channelStatistics(x: Tensor): ChannelStatistics {
  const { mean, variance } = batchStatistics(x);
  const channels = mean.length;
  const rows = x.size / channels;
  const size = new Float64Array(channels);
  const peak = new Float64Array(channels);
  const deviation = new Float64Array(channels);
  const xs = float64Of(x);
  for (let i = 0; i < xs.length; ) {
    for (let c = 0; c < channels; c++, i++) {
      size[c] += Math.abs(xs[i]) / rows;
      peak[c] = Math.max(peak[c], Math.abs(xs[i]));
      deviation[c] += Math.abs(xs[i] - mean[c]) / rows;
    }
  }
  return { rows, mean, variance, size, peak, deviation };
}

/** How a candidate computes variances. */
export type VarianceFormula = "stable" | "one-pass";

/** Roundings of a sum or a running mean of `rows` numbers. */
export function summingRoundings(rows: number): number {
  return rows + 4 * (32 - Math.clz32(rows)) + 8;
}

/** Mean and variance of channel `c`, as a candidate may have them. */
export function statisticsOf(
  { rows, mean, variance, size, peak }: ChannelStatistics,
  c: number,
  formula: VarianceFormula,
  arithmetic: ErrorArithmetic,
): { readonly mean: Ball; readonly variance: Ball } {
  const { inputs, sums } = arithmetic.model;
  // an input beyond the largest is an infinity in all sums
  const overflow = peak[c] > inputs.largest ? Number.POSITIVE_INFINITY : 0;
  const growth = overflow + arithmetic.growth(summingRoundings(rows));
  const lost = 3 * rows * sums.underflow;
  const inputMean = inputs.roundoff * size[c] + inputs.underflow;
  const meanError = inputMean + growth * (size[c] + inputMean) + lost;
  const s = Math.sqrt(variance[c]);
  const rms = Math.sqrt(variance[c] + mean[c] * mean[c]);
  const d = inputs.roundoff * rms + inputs.underflow;
  const sums2 = growth * (s + d) * (s + d) + 2 * growth * (s + d) * (rms + d) + growth * (rms + d) * growth * (rms + d);
  let varianceError = 2 * s * d + d * d + sums2 + lost * (1 + s);
  if (formula === "one-pass") {
    varianceError += 2 * growth * (rms + d) * (rms + d) + 2 * (rms + d) * meanError + meanError * meanError;
  }
  return {
    mean: { value: mean[c], error: arithmetic.fitting(meanError, rows * size[c]) },
    variance: { value: variance[c], error: arithmetic.fitting(varianceError, rows * rms * rms) },
  };
}

/** 1 / sqrt(variance + epsilon). */
export function reciprocalDeviation(
  variance: Ball,
  epsilon: number,
  formula: VarianceFormula,
  arithmetic: ErrorArithmetic,
): Ball {
  const rstd = 1 / Math.sqrt(variance.value + epsilon);
  const below = variance.value - variance.error;
  const least = formula === "stable" && variance.value >= 0 ? Math.max(0, below) : below;
  // epsilon and the sum are rounded once each
  const rounding = arithmetic.growth(2);
  const low = (least + epsilon) * (1 - rounding) - arithmetic.model.sums.underflow;
  const high = (variance.value + variance.error + epsilon) * (1 + rounding) + arithmetic.model.sums.underflow;
  const change = low > 0 ? Math.max(1 / Math.sqrt(low) - rstd, rstd - 1 / Math.sqrt(high)) : Number.POSITIVE_INFINITY;
  return arithmetic.rounded(rstd, change, arithmetic.reciprocalSqrtRoundings);
}
