/**
 * Categorical cross-entropy: how badly a distribution over K classes tells labels that are distributions too (one-hot).
 * Keras: `keras.losses.CategoricalCrossentropy(from_logits=False, label_smoothing=0.0)`.
 *
 * Shapes, with M rows (the batch, and whatever lies between it and the classes): yTrue, yPred, dYPred are all [M, K].
 *
 * Label smoothing comes first:   t = yTrue (1 - smoothing) + smoothing / K
 *
 * Forward of probabilities p = yPred, row by row, as Keras computes it with TensorFlow:
 *
 *            q    = p / sum p                                  rows need not sum to 1
 *            c    = q within [1e-7, 1 - 1e-7]                  no logarithm of 0
 *            loss = - 1 / M sum over rows and k of  t[k] log c[k]
 *
 * Backward, from the last line to the first:
 *
 *            dq[k] = - t[k] / (M c[k])   where q[k] was within the bounds, and 0 elsewhere
 *            dp[k] = (dq[k] - sum over j of dq[j] q[j]) / sum p
 *
 * Forward of logits z = yPred, with softmax(z)[k] = exp(z[k] - max z) / sum over j of exp(z[j] - max z):
 *
 *            loss  = 1 / M sum over rows and k of  t[k] (log sum over j of exp(z[j] - max z) - (z[k] - max z))
 *
 * Backward:  dz[k] = (softmax(z)[k] sum t - t[k]) / M
 *
 * Notes on the numbers:
 * - All of it stays in float64; dYPred is rounded once.
 * - For labels that do not sum to 1 TensorFlow leaves out the factor `sum t`; this is the derivative.
 * - The bounds clip what a confident model says: its loss is at least 1e-7, and a class at 0 sends no gradient back.
 *   Logits have neither fault.
 * - A logit of -Infinity, a class that is ruled out, makes the loss NaN where its label is 0: the equation multiplies that 0
 *   by infinity, and so does Keras. The gradient is what it should be. Sparse labels never multiply, and have a finite loss.
 *
 * @module
 */
import { log } from "../arithmetic/log.js";
import { softmaxOfRow } from "../kernels/softmax.js";
import { expectBooleans, expectOptions } from "../serialization/options.js";
import { formatShape, shapesAgree } from "../tensor/shape.js";
import { contiguous, empty, type Tensor } from "../tensor/tensor.js";
import { checkPair, classesOf, finiteLabels, type LossForward } from "./loss.js";
import { clipped, isClipped } from "./probabilities.js";

/** Options of the loss, with Keras's defaults. */
export interface CategoricalCrossentropyOptions {
  /** Whether the predictions are logits rather than probabilities. @defaultValue false */
  readonly fromLogits?: boolean;
  /** The share of every label that is spread over all classes. @defaultValue 0 */
  readonly labelSmoothing?: number;
}

/** What backward needs from forward. */
export interface CategoricalCrossentropyCache {
  /** The labels after smoothing, [M, K]. */
  readonly labels: Float64Array;
  /** Of probabilities q, the normalized ones; of logits their softmax; [M, K]. */
  readonly probabilities: Float64Array;
  /** Of probabilities their sum in every row, [M]; of logits undefined. */
  readonly sums: Float64Array | undefined;
  /** The predictions. */
  readonly yPred: Tensor;
}

/**
 * The mean cross-entropy of the predictions `yPred` [M, K] for the labels `yTrue` [M, K].
 *
 * @throws TypeError when labels or predictions are no tensors, `fromLogits` is no truth value, or an option is none of
 *   {@link CategoricalCrossentropyOptions}.
 * @throws RangeError when the shapes differ, a label is not a finite number, or the smoothing is not within [0, 1].
 */
export function categoricalCrossentropyForward(
  yTrue: Tensor,
  yPred: Tensor,
  options: CategoricalCrossentropyOptions = {},
): LossForward<CategoricalCrossentropyCache> {
  expectOptions("CategoricalCrossentropy", options, ["fromLogits", "labelSmoothing"]);
  const { fromLogits = false, labelSmoothing = 0 } = options;
  expectBooleans("CategoricalCrossentropy", { fromLogits });
  checkPair("CategoricalCrossentropy", yTrue, yPred);
  const classes = classesOf("CategoricalCrossentropy", yPred);
  if (!shapesAgree(yTrue.shape, yPred.shape)) {
    throw new RangeError(
      `CategoricalCrossentropy: \`yTrue\` must have the shape of \`yPred\`, ${formatShape(yPred.shape)}. ` +
        `Received yTrue.shape=${formatShape(yTrue.shape)}.`,
    );
  }
  if (!(Number.isFinite(labelSmoothing) && labelSmoothing >= 0 && labelSmoothing <= 1)) {
    throw new RangeError(
      "CategoricalCrossentropy: `labelSmoothing` must be between 0 and 1. " +
        `Received labelSmoothing=${labelSmoothing}.`,
    );
  }
  const labels = Float64Array.from(
    finiteLabels("CategoricalCrossentropy", yTrue).data,
    (label) => label * (1 - labelSmoothing) + labelSmoothing / classes,
  );
  yPred = contiguous(yPred);
  return fromLogits ? forwardOfLogits(labels, yPred, classes) : forwardOfProbabilities(labels, yPred, classes);
}

function forwardOfProbabilities(
  labels: Float64Array,
  yPred: Tensor,
  classes: number,
): LossForward<CategoricalCrossentropyCache> {
  const p = yPred.data;
  const q = new Float64Array(p.length);
  const rows = p.length / classes;
  const sums = new Float64Array(rows);
  let total = 0;
  for (let row = 0; row < rows; row++) {
    const start = row * classes;
    for (let i = start; i < start + classes; i++) sums[row] += p[i];
    for (let i = start; i < start + classes; i++) {
      q[i] = p[i] / sums[row];
      total -= labels[i] * log(clipped(q[i]));
    }
  }
  return { loss: total / rows, cache: { labels, probabilities: q, sums, yPred } };
}

function forwardOfLogits(
  labels: Float64Array,
  yPred: Tensor,
  classes: number,
): LossForward<CategoricalCrossentropyCache> {
  const z = yPred.data;
  const softmax = new Float64Array(z.length);
  const rows = z.length / classes;
  let total = 0;
  for (let start = 0; start < z.length; start += classes) {
    const { max, sum } = softmaxOfRow(z, start, classes, softmax);
    const logSum = log(sum);
    for (let i = start; i < start + classes; i++) total += labels[i] * (logSum - (z[i] - max));
  }
  return { loss: total / rows, cache: { labels, probabilities: softmax, sums: undefined, yPred } };
}

/** The gradient for the predictions. */
export function categoricalCrossentropyBackward(cache: CategoricalCrossentropyCache): Tensor {
  const { labels, probabilities, sums, yPred } = cache;
  const dYPred = empty(yPred.shape, yPred);
  const gradient = dYPred.data;
  const classes = yPred.shape[yPred.dimension - 1];
  const rows = yPred.size / classes;
  const dq = new Float64Array(classes);
  for (let row = 0; row < rows; row++) {
    const start = row * classes;
    if (sums === undefined) {
      let weight = 0;
      for (let k = 0; k < classes; k++) weight += labels[start + k];
      for (let k = 0; k < classes; k++) {
        gradient[start + k] = (probabilities[start + k] * weight - labels[start + k]) / rows;
      }
    } else {
      let dot = 0;
      for (let k = 0; k < classes; k++) {
        const q = probabilities[start + k];
        dq[k] = isClipped(q) ? 0 : -labels[start + k] / (rows * q);
        dot += dq[k] * q;
      }
      for (let k = 0; k < classes; k++) gradient[start + k] = (dq[k] - dot) / sums[row];
    }
  }
  return dYPred;
}
