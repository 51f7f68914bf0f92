/**
 * What is expected of a cross-entropy of logits, forward and backward, for labels t[k] of any kind (one-hot where they
 * are class numbers).
 *
 * Forward, with L = log sum exp(z - m) of each row from `softmax-row.ts`, off by E, and M rows of K classes:
 *
 *     loss = 1 / M sum over rows and k of t[k] (L - (z[k] - m))
 *
 * - Errors before rounding, with Z of a logit (Zm of the maximum, m + L being off by no more) and T of a label:
 *       |t| (E + Z + Zm) + T (L + |z - m|)
 * - Candidates may subtract m first or last, or take sum t (m + L) - sum t z: nothing rounded is larger than
 *   (|t| + T) (L + |z| + |m|), and no term goes through more than M K + 6 roundings. L + |z| + |m| beyond the largest
 *   number makes the loss infinite, or NaN where t is 0.
 *
 * Backward:  dz[k] = (y[k] sum t - t[k]) / M,  y the softmax with the error Y
 *
 *       (Y sum |t| + (y + Y) sum T + T + gamma_(K + 4) ((y + Y) sum (|t| + T) + |t| + T)) / M
 *
 * @module
 */
import type { ErrorArithmetic } from "../error-arithmetic.js";
import { softmaxRow } from "./softmax-row.js";

/** Numbers of all rows, [M, K] row-major, and what a candidate's may be off. */
export interface Rows {
  readonly values: Float64Array;
  readonly errors: Float64Array;
}

/** The error of the loss of `logits`, not yet stored. */
export function logitsLossError(logits: Rows, classes: number, labels: Rows, arithmetic: ErrorArithmetic): number {
  const z = logits.values;
  let [change, size, peak] = [0, 0, 0];
  for (let start = 0; start < z.length; start += classes) {
    const row = z.subarray(start, start + classes);
    const errors = logits.errors.subarray(start, start + classes);
    const maxError = errors.reduce((a, b) => Math.max(a, b), 0);
    const { max, logSum, logSumError } = softmaxRow(row, errors, arithmetic);
    for (let k = 0; k < classes; k++) {
      peak = Math.max(peak, logSum + Math.abs(row[k]) + Math.abs(max) + logSumError + errors[k] + maxError);
      const label = Math.abs(labels.values[start + k]);
      const labelError = labels.errors[start + k];
      if (label + labelError === 0) continue;
      const inputs = errors[k] + maxError;
      change += label * (logSumError + inputs) + labelError * (logSum + max - row[k] + logSumError + inputs);
      size += (label + labelError) * (logSum + Math.abs(row[k]) + Math.abs(max) + logSumError + inputs);
    }
  }
  const rows = z.length / classes;
  const total = (change + arithmetic.growth(z.length + 6) * size) / rows + 3 * arithmetic.model.sums.underflow;
  return arithmetic.fitting(total, size, peak);
}

/** The errors of dz, not yet stored. */
export function logitsGradientErrors(
  logits: Rows,
  classes: number,
  labels: Rows,
  arithmetic: ErrorArithmetic,
): Float64Array {
  const z = logits.values;
  const all = new Float64Array(z.length);
  const rows = z.length / classes;
  for (let start = 0; start < z.length; start += classes) {
    const row = z.subarray(start, start + classes);
    const { y, yErrors } = softmaxRow(row, logits.errors.subarray(start, start + classes), arithmetic);
    const values = labels.values.subarray(start, start + classes).map(Math.abs);
    const errors = labels.errors.subarray(start, start + classes);
    const weight = values.reduce((a, b) => a + b, 0);
    const weightError = errors.reduce((a, b) => a + b, 0);
    for (let k = 0; k < classes; k++) {
      const own = arithmetic.stored(y[k], yErrors[k]);
      const size = (y[k] + own) * (weight + weightError) + values[k] + errors[k];
      const change = own * weight + (y[k] + own) * weightError + errors[k];
      const total = (change + arithmetic.growth(classes + 4) * size) / rows;
      all[start + k] = arithmetic.fitting(total + 4 * arithmetic.model.sums.underflow, size);
    }
  }
  return all;
}
