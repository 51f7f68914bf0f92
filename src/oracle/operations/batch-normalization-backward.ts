/**
 * What is expected of batch normalization, backward: `batch-normalization-backward` (inference) and
 * `batch-normalization-training-backward`.
 *
 *     a  = sum dy,   Q = sum dy (x - mean),   r = rstd,   s = gamma r            sums over the M rows of one channel
 *     dBeta = a,     dGamma = r Q
 *     dx = s A,      A = dy - a / M - (x - mean) q,   q = r^2 Q / M              in inference A = dy
 *
 * Capital letters are errors: X, D and N of x, dy and the mean, R of r, S of s; |.| sums of magnitudes.
 *
 * - dBeta: E_a = sum D + gamma_M (|dy| + sum D).
 * - Q: an error of the mean is the same in every term, so it meets the sum of dy. Candidates may write Q as
 *   sum dy x - mean sum dy, as automatic differentiation of Keras's formula does, so rounding is relative to
 *   |x| + |mean|:
 *       E_Q = N |a| + sum (D (|x - mean| + X + N) + |dy| X) + gamma_(M + 6) sum (|dy| + D) (|x| + X + |mean| + N)
 * - dGamma: R |Q| + (r + R) E_Q, exactly; its roundings are among the M + 6.
 * - q: the product of r, r and Q over M, with four roundings and another two of a reciprocal square root, since r^2 may
 *   come from 1 / (variance + epsilon).
 * - dx: S |A| + (s + S) (D + E_a / M + W E_q + (X + N) |q|)
 *       + gamma_c (s + S) (|dy| + D + |a| / M + E_a / M + W (|q| + E_q))
 *   with W = |x - mean| + X + N and c = 8 + division + the roundings of r. It also holds for s dy - s a / M -
 *   s q (x - mean), where s in the last term has roundings of its own. Automatic differentiation of a mean inside the
 *   variance adds q times the mean of x - mean, which is 0 but for roundings: (s + S) (|q| + E_q)
 *   (N + gamma_(M + 4) mean |x - mean|). For `variance: "one-pass"` the last term may be q x - q mean: then
 *   W = |x| + |mean| + X + N in gamma_c.
 * - Underflow n: M n for each sum; of xHat n sum |dy|, since dy multiplies it (twice, for what it is rounded by later);
 *   of the factors of q in any order n (1 + |Q|) (1 + r)^3 (1 + |gamma|).
 * - One (x - mean) r beyond the largest number makes all sums infinite, or NaN.
 *
 * @module
 */
import { axisFromLast, axisToLast } from "../../layers/axis.js";
import {
  batchNormalizationBackward,
  batchNormalizationForward,
  batchStatistics,
  type Statistics,
} from "../../layers/batch-normalization.js";
import type { KerasConfig } from "../../serialization/config.js";
import { type Tensor, tensor } from "../../tensor/tensor.js";
import type { Ball, ErrorArithmetic } from "../error-arithmetic.js";
import { float64Of, operandOf } from "../operands.js";
import type { Operands, Operation } from "../operation.js";
import {
  movingStatistics,
  type NormalizationArguments,
  normalizationArguments,
  type NormalizationOperands,
  normalizationOperands,
  transformsOf,
} from "./batch-normalization.js";
import { type ChannelStatistics, channelStatistics, statisticsOf } from "./channel-statistics.js";
import type { ChannelTransform } from "./normalization.js";
import { doubtOf, expectationsOf, shapedOperand, widened } from "./expected.js";

const INFERENCE = "batch-normalization-backward";
const TRAINING = "batch-normalization-training-backward";

/** Operands with channels last, and the statistics that forward used. */
interface Backward extends NormalizationOperands {
  readonly dy: Tensor;
  readonly statistics: Statistics;
  readonly ofBatch: boolean;
  readonly options: NormalizationArguments;
}

function readBackward(name: string, operands: Operands, args: KerasConfig): Backward {
  const options = normalizationArguments(name, args);
  const read = normalizationOperands(name, operands, options.axis);
  const dy = axisToLast(shapedOperand(name, operands, "dy", operandOf(name, operands, "x").shape), read.axis);
  const ofBatch = name === TRAINING;
  const statistics = ofBatch ? batchStatistics(read.x) : movingStatistics(name, operands, read.channels);
  return { ...read, dy, statistics, ofBatch, options };
}

function gradients({ x, dy, gamma, beta, statistics, ofBatch, axis, options }: Backward): {
  readonly dx: Tensor;
  readonly dGamma: Tensor;
  readonly dBeta: Tensor;
} {
  const { epsilon } = options;
  const { cache } = batchNormalizationForward(x, { gamma, beta }, statistics, { epsilon, ofBatch });
  const { dx, dGamma, dBeta } = batchNormalizationBackward(dy, cache);
  return { dx: axisFromLast(dx, axis), dGamma, dBeta };
}

/** Sums over one channel, and their errors. */
interface ChannelSums {
  /** Sum of dy. */
  readonly a: Ball;
  /** Sum of dy (x - mean). */
  readonly Q: Ball;
  /** What underflow may change of the sum of dy xHat: of xHat, and of the products. */
  readonly lostInTerms: number;
}

function channelSums(
  xs: Float64Array,
  dys: Float64Array,
  c: number,
  channels: number,
  { mean, rstd }: ChannelTransform,
  arithmetic: ErrorArithmetic,
): ChannelSums {
  const m = Math.abs(mean.value) + mean.error;
  let [a, Q, size, errors, sizeQ, errorsQ, peak] = [0, 0, 0, 0, 0, 0, 0];
  for (let i = c; i < xs.length; i += channels) {
    const [X, D] = [arithmetic.inputError(xs[i]), arithmetic.inputError(dys[i])];
    const difference = xs[i] - mean.value;
    const dySize = Math.abs(dys[i]) + D;
    a += dys[i];
    Q += dys[i] * difference;
    size += dySize;
    errors += D;
    sizeQ += dySize * (Math.abs(xs[i]) + X + m);
    peak = Math.max(peak, Math.abs(xs[i]) + X + m);
    errorsQ += D * (Math.abs(difference) + X + mean.error) + Math.abs(dys[i]) * X;
  }
  const rows = xs.length / channels;
  const lost = 3 * rows * arithmetic.model.sums.underflow;
  const errorA = errors + arithmetic.growth(rows) * size + lost;
  const errorQ = mean.error * Math.abs(a) + errorsQ + arithmetic.growth(rows + 6) * sizeQ + lost * (1 + m);
  const fittingA = arithmetic.fitting(errorA, size);
  // Q may be made from a, or from xHat
  const fits = fittingA + arithmetic.fitting(0, peak * (1 + rstd.value + rstd.error)) < Number.POSITIVE_INFINITY;
  return {
    a: { value: a, error: fittingA },
    Q: { value: Q, error: fits ? arithmetic.fitting(errorQ, sizeQ) : Number.POSITIVE_INFINITY },
    lostInTerms: 2 * arithmetic.model.sums.underflow * size + lost,
  };
}

/** q = r^2 Q / M. */
function slopeOf({ Q }: ChannelSums, rstd: Ball, rows: number, arithmetic: ErrorArithmetic): Ball {
  const product = arithmetic.multiply(arithmetic.multiply(Q, rstd), rstd);
  const quotient = arithmetic.divide(product, { value: rows, error: 0 });
  return arithmetic.rounded(quotient.value, quotient.error, 2 * arithmetic.reciprocalSqrtRoundings);
}

/** What dx subtracts from dy in training; 0 in inference. */
interface BatchTerms {
  /** a / M. */
  readonly shift: Ball;
  /** q. */
  readonly slope: Ball;
  /** |Q| with its error. */
  readonly Q: number;
  readonly lostInTerms: number;
  /** Mean of |x - mean|. */
  readonly deviation: number;
  /** Whether q (x - mean) may be q x - q mean. */
  readonly cancels: boolean;
}

/** Writes the errors of dx of channel `c`, stored. */
function dxErrors(
  errors: Float64Array,
  {
    xs,
    dys,
    dxs,
    c,
    channels,
  }: {
    readonly xs: Float64Array;
    readonly dys: Float64Array;
    readonly dxs: Float64Array;
    readonly c: number;
    readonly channels: number;
  },
  { mean, scale, rstd, gamma }: ChannelTransform,
  batch: BatchTerms,
  arithmetic: ErrorArithmetic,
): void {
  const { functions, sums } = arithmetic.model;
  const rows = xs.length / channels;
  const growth = arithmetic.growth(8 + functions.division + arithmetic.reciprocalSqrtRoundings);
  const { shift, slope, deviation, cancels, Q } = batch;
  const s = Math.abs(scale.value) + scale.error;
  const q = Math.abs(slope.value) + slope.error;
  const a = Math.abs(shift.value) + shift.error;
  const meanOfDeviations = q * (mean.error + arithmetic.growth(rows + 4) * deviation);
  // q may be made in any order of its factors, with gamma among them
  const r = rstd.value + rstd.error;
  const g = Math.abs(gamma.value) + gamma.error;
  const factors = (1 + r) * (1 + r) * (1 + r) * (1 + g);
  const lost = sums.underflow * (4 + (4 + Q) * factors) + batch.lostInTerms * factors;
  for (let i = c; i < xs.length; i += channels) {
    const [X, D] = [arithmetic.inputError(xs[i]) + mean.error, arithmetic.inputError(dys[i])];
    const difference = Math.abs(xs[i] - mean.value) + X;
    const A = dys[i] - shift.value - (xs[i] - mean.value) * slope.value;
    const change = D + shift.error + difference * slope.error + X * Math.abs(slope.value) + meanOfDeviations;
    const rounded = cancels ? Math.abs(xs[i]) + Math.abs(mean.value) + X : difference;
    const sizes = Math.abs(dys[i]) + D + a + rounded * q;
    const error = scale.error * Math.abs(A) + s * (change + growth * sizes) + lost * (1 + difference);
    errors[i] = arithmetic.stored(dxs[i], arithmetic.fitting(error, sizes * factors, Q * factors, a * rows * factors));
  }
}

function backwardOperation(name: string, inputs: readonly string[]): Operation {
  return {
    name,
    inputs,
    optional: ["gamma"],
    outputs: ["dx", "dGamma", "dBeta"],
    complete: (args) => ({ ...normalizationArguments(name, args) }),
    run: (operands, args) => ({ ...gradients(readBackward(name, operands, args)) }),
    expect(operands, args, model) {
      const backward = readBackward(name, widened(operands), args);
      const { x, dy, axis, channels, ofBatch, options } = backward;
      const truths = gradients(backward);
      const [xs, dys, dxs] = [x, dy, axisToLast(truths.dx, axis)].map(float64Of);
      const rows = xs.length / channels;
      const batch: ChannelStatistics = { ...channelStatistics(x), ...backward.statistics };
      const products = xs.map((value, i) => dys[i] * (value - batch.mean[i % channels]));
      const doubt = Math.max(...[xs, dys, products].map((terms) => doubtOf(terms, channels)));
      const none: Ball = { value: 0, error: 0 };
      return expectationsOf(truths, model, doubt, (arithmetic) => {
        const statistics = (c: number): { readonly mean: Ball; readonly variance: Ball } =>
          ofBatch
            ? statisticsOf(batch, c, options.variance, arithmetic)
            : { mean: arithmetic.input(batch.mean[c]), variance: arithmetic.input(batch.variance[c]) };
        const transforms = transformsOf(backward, statistics, options, arithmetic);
        const dx = new Float64Array(xs.length);
        const dGamma = new Float64Array(channels);
        const dBeta = new Float64Array(channels);
        for (let c = 0; c < channels; c++) {
          const { rstd } = transforms[c];
          const sums = channelSums(xs, dys, c, channels, transforms[c], arithmetic);
          dBeta[c] = arithmetic.stored(sums.a.value, sums.a.error);
          const product = rstd.error * Math.abs(sums.Q.value) + (rstd.value + rstd.error) * sums.Q.error;
          dGamma[c] = arithmetic.stored(
            truths.dGamma.get(c),
            product + sums.lostInTerms + arithmetic.model.sums.underflow,
          );
          dxErrors(
            dx,
            { xs, dys, dxs, c, channels },
            transforms[c],
            {
              shift: ofBatch ? arithmetic.divide(sums.a, { value: rows, error: 0 }) : none,
              slope: ofBatch ? slopeOf(sums, rstd, rows, arithmetic) : none,
              Q: ofBatch ? Math.abs(sums.Q.value) + sums.Q.error : 0,
              lostInTerms: ofBatch ? sums.lostInTerms : 0,
              deviation: batch.deviation[c],
              cancels: options.variance === "one-pass",
            },
            arithmetic,
          );
        }
        return { dx: float64Of(axisFromLast(tensor(dx, x.shape), axis)), dGamma, dBeta };
      });
    },
  };
}

/** `batch-normalization-backward` and `batch-normalization-training-backward`. */
export const batchNormalizationBackwardOperations: readonly Operation[] = [
  backwardOperation(INFERENCE, ["x", "dy", "movingMean", "movingVariance"]),
  backwardOperation(TRAINING, ["x", "dy"]),
];
