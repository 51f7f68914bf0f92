/**
 * What is expected of categorical cross-entropy, forward and backward.
 *
 * Labels t = yTrue (1 - smoothing) + smoothing / K: off by what yTrue is, and by gamma_4 of both terms.
 *
 * Of logits: `cross-entropy-logits.ts`. Of probabilities, with M rows of K classes:
 *
 *     sum p    E   = sum P + gamma_K sum (|p| + P)
 *     q        Q   = a quotient of error arithmetic, with a rounding more for p (1 / sum p)
 *     c        q, clipped: `clipping.ts`
 *     log c    L, its error
 *     loss     (sum (|t| L + T (|log c| + L)) + gamma_(M K + 2) sum (|t| + T) (|log c| + L)) / M
 *
 * Backward, with h = -t / (M c) where q is not clipped:
 *
 *     h        H   = |t| / M * Q / (q (q - Q)) + T / (M (q - Q)) + gamma_3 |h|
 *     dot      D   = sum (H (|q| + Q) + |h| Q) + gamma_(K + 2) sum (|h| + H) (|q| + Q)            of sum h q
 *     dp       ((H + D) + (|h| + |dot|) E / |sum p| + gamma_6 (|h| + H + sum (|h| + H) (|q| + Q))) / (|sum p| - E)
 *
 * At a kink h may be 0 or not, in the row's dot too: from the least to the greatest dp is right, with the larger error.
 *
 * @module
 */
import {
  type CategoricalCrossentropyOptions,
  categoricalCrossentropyBackward,
  categoricalCrossentropyForward,
} from "../../losses/categorical-crossentropy.js";
import { type KerasConfig, readConfig } from "../../serialization/config.js";
import type { Tensor } from "../../tensor/tensor.js";
import type { ArithmeticModel } from "../arithmetic-model.js";
import { type Ball, ErrorArithmetic } from "../error-arithmetic.js";
import type { Expectation } from "../expectation.js";
import { float64Of } from "../operands.js";
import type { Operation } from "../operation.js";
import { type Clipped, clip } from "./clipping.js";
import { logitsGradientErrors, logitsLossError, type Rows } from "./cross-entropy-logits.js";
import { elementwise } from "./expected.js";
import { type LossCall, lossOperations } from "./loss.js";

type Options = Required<CategoricalCrossentropyOptions>;

function readOptions(args: KerasConfig, operation: string): Options {
  const read = readConfig(operation, args);
  return { fromLogits: read.boolean("fromLogits", false), labelSmoothing: read.number("labelSmoothing", 0) };
}

/** The elements of `x` as rows of inputs. */
export function inputRows(x: Tensor, arithmetic: ErrorArithmetic): Rows {
  const values = float64Of(x);
  return { values, errors: values.map((value) => arithmetic.inputError(value)) };
}

function smoothed(yTrue: Tensor, classes: number, smoothing: number, arithmetic: ErrorArithmetic): Rows {
  const { values, errors } = inputRows(yTrue, arithmetic);
  if (smoothing === 0) return { values, errors };
  const share = smoothing / classes;
  return {
    values: values.map((label) => label * (1 - smoothing) + share),
    errors: errors.map((error, i) => error + arithmetic.growth(4) * (Math.abs(values[i]) + error + share)),
  };
}

/** One row of probabilities, normalized and clipped. */
interface NormalizedRow {
  readonly sum: Ball;
  readonly q: readonly Ball[];
  readonly clipped: readonly Clipped[];
}

function normalizedRow(p: Rows, start: number, classes: number, arithmetic: ErrorArithmetic): NormalizedRow {
  const balls = Array.from({ length: classes }, (_, k) => ({ value: p.values[start + k], error: p.errors[start + k] }));
  const value = balls.reduce((total, ball) => total + ball.value, 0);
  const errors = balls.reduce((total, ball) => total + ball.error, 0);
  const size = balls.reduce((total, ball) => total + Math.abs(ball.value), errors);
  const sum = { value, error: errors + arithmetic.growth(classes) * size };
  const q = balls.map((ball) => {
    const quotient = arithmetic.divide(ball, sum);
    return arithmetic.rounded(quotient.value, quotient.error);
  });
  return { sum, q, clipped: q.map((ball) => clip(ball, arithmetic)) };
}

/** The error of the loss of probabilities, not yet stored. */
function lossError(p: Rows, classes: number, labels: Rows, arithmetic: ErrorArithmetic): number {
  let [change, size] = [0, 0];
  for (let start = 0; start < p.values.length; start += classes) {
    const { clipped } = normalizedRow(p, start, classes, arithmetic);
    for (let k = 0; k < classes; k++) {
      const [label, labelError] = [Math.abs(labels.values[start + k]), labels.errors[start + k]];
      const { value, error } = clipped[k].log;
      change += label * error + labelError * (Math.abs(value) + error);
      size += (label + labelError) * (Math.abs(value) + error);
    }
  }
  const rows = p.values.length / classes;
  const total = (change + arithmetic.growth(p.values.length + 2) * size) / rows;
  return arithmetic.fitting(total + 3 * arithmetic.model.sums.underflow, size);
}

/** What is expected of dp, element by element. */
interface Gradients {
  readonly errors: Float64Array;
  readonly least: Float64Array;
  readonly greatest: Float64Array;
}

/** h = -t / (M c) of one class, or the interval of it at a kink. */
interface Slope {
  readonly least: number;
  readonly greatest: number;
  readonly error: number;
  readonly size: number;
}

function slopeOf(
  label: number,
  labelError: number,
  q: Ball,
  { flat, kink }: Clipped,
  rows: number,
  arithmetic: ErrorArithmetic,
): Slope {
  const least = q.value - q.error;
  if ((flat && !kink) || label === 0) return { least: 0, greatest: 0, error: 0, size: 0 };
  const h = -label / (rows * q.value);
  if (!(least > 0)) return { least: h, greatest: h, error: Number.POSITIVE_INFINITY, size: Math.abs(h) };
  const change = (Math.abs(label) * q.error) / (rows * q.value * least) + labelError / (rows * least);
  const error = change + arithmetic.growth(3) * (Math.abs(h) + change) + arithmetic.model.sums.underflow;
  const ends = kink ? [0, h] : [h];
  return { least: Math.min(...ends), greatest: Math.max(...ends), error, size: Math.abs(h) + error };
}

function gradientsOfRow(
  p: Rows,
  labels: Rows,
  start: number,
  classes: number,
  arithmetic: ErrorArithmetic,
  { errors, least, greatest }: Gradients,
): void {
  const rows = p.values.length / classes;
  const { sum, q, clipped } = normalizedRow(p, start, classes, arithmetic);
  const slopes = q.map((ball, k) =>
    slopeOf(labels.values[start + k], labels.errors[start + k], ball, clipped[k], rows, arithmetic),
  );
  let [dotLeast, dotGreatest, dotChange, dotSize] = [0, 0, 0, 0];
  slopes.forEach((slope, k) => {
    const products = [slope.least * q[k].value, slope.greatest * q[k].value];
    dotLeast += Math.min(...products);
    dotGreatest += Math.max(...products);
    const qSize = Math.abs(q[k].value) + q[k].error;
    dotChange += slope.error * qSize + slope.size * q[k].error;
    dotSize += slope.size * qSize;
  });
  const dotError = dotChange + arithmetic.growth(classes + 2) * dotSize;
  const divisor = Math.abs(sum.value) - sum.error;
  slopes.forEach((slope, k) => {
    const i = start + k;
    const ends = [(slope.least - dotGreatest) / sum.value, (slope.greatest - dotLeast) / sum.value];
    least[i] = Math.min(...ends);
    greatest[i] = Math.max(...ends);
    const sizes = slope.size + dotSize;
    const bySum = (sizes * sum.error) / Math.abs(sum.value);
    const total = (slope.error + dotError + bySum + arithmetic.growth(6) * sizes) / divisor;
    const fits =
      divisor > 0
        ? arithmetic.fitting(total + 4 * arithmetic.model.sums.underflow, sizes / divisor)
        : Number.POSITIVE_INFINITY;
    errors[i] = arithmetic.stored(Math.max(Math.abs(least[i]), Math.abs(greatest[i])), fits);
  });
}

function expectForward(
  loss: Tensor,
  { yTrue, yPred, options }: LossCall<Options>,
  model: ArithmeticModel,
): Expectation {
  const arithmetic = new ErrorArithmetic(model);
  const classes = yPred.shape[yPred.dimension - 1];
  const labels = smoothed(yTrue, classes, options.labelSmoothing, arithmetic);
  const errorOf = options.fromLogits ? logitsLossError : lossError;
  const error = errorOf(inputRows(yPred, arithmetic), classes, labels, arithmetic);
  return elementwise(loss, Float64Array.of(arithmetic.stored(loss.get(), error)));
}

function expectBackward(
  dYPred: Tensor,
  { yTrue, yPred, options }: LossCall<Options>,
  model: ArithmeticModel,
): Expectation {
  const arithmetic = new ErrorArithmetic(model);
  const classes = yPred.shape[yPred.dimension - 1];
  const labels = smoothed(yTrue, classes, options.labelSmoothing, arithmetic);
  const predictions = inputRows(yPred, arithmetic);
  if (options.fromLogits) {
    const errors = logitsGradientErrors(predictions, classes, labels, arithmetic);
    const bound = errors.map((error, i) => arithmetic.stored(dYPred.data[i], error));
    return elementwise(dYPred, bound);
  }
  const size = dYPred.size;
  const gradients: Gradients = {
    errors: new Float64Array(size),
    least: new Float64Array(size),
    greatest: new Float64Array(size),
  };
  for (let start = 0; start < size; start += classes) {
    gradientsOfRow(predictions, labels, start, classes, arithmetic, gradients);
  }
  const { errors, least, greatest } = gradients;
  return elementwise(dYPred, errors, { least, greatest });
}

/** `categorical-crossentropy` (fromLogits, labelSmoothing) gives `loss`, its `-backward` gives `dYPred`. */
export const categoricalCrossentropyOperations: readonly Operation[] = lossOperations({
  name: "categorical-crossentropy",
  complete: (args, operation) => ({ ...readOptions(args, operation) }),
  readOptions,
  forward: categoricalCrossentropyForward,
  backward: categoricalCrossentropyBackward,
  expectForward,
  expectBackward,
});
