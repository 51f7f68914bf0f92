/**
 * Categorical cross-entropy for labels that are class numbers.
 * Keras: `keras.losses.SparseCategoricalCrossentropy(from_logits=False)`.
 *
 * Shapes, with M rows and K classes: yTrue [M] or [M, 1], yPred and dYPred [M, K].
 *
 * Forward of probabilities p = yPred, row by row with the label t, as Keras computes it with TensorFlow: the cross-entropy
 * of the logits log c. (Categorical cross-entropy normalizes first and clips then; here it is the other way round.)
 *
 *            c     = p within [1e-7, 1 - 1e-7]
 *            loss  = 1 / M sum over rows of  log(sum c) - log c[t]
 *
 * Backward:  dp[k] = (1 / sum c - [k = t] / c[t]) / M   where p[k] was within the bounds, and 0 elsewhere
 *
 * Forward of logits z = yPred, row by row:
 *
 *            loss  = 1 / M sum over rows of  log sum over j of exp(z[j] - max z) - (z[t] - max z)
 *
 * Backward:  dz[k] = (softmax(z)[k] - [k = t]) / M
 *
 * Notes on the numbers: all of it stays in float64; dYPred is rounded once.
 *
 * @module
 */
import { log } from "../arithmetic/log.js";
import { softmaxOfRow } from "../kernels/softmax.js";
import { expectBooleans, expectOptions } from "../serialization/options.js";
import { formatShape, shapesAgree } from "../tensor/shape.js";
import { contiguous, empty, type Tensor } from "../tensor/tensor.js";
import { checkPair, classesOf, indexOf, type LossForward } from "./loss.js";
import { clipped, isClipped } from "./probabilities.js";

/** Options of the loss, with Keras's defaults. */
export interface SparseCategoricalCrossentropyOptions {
  /** Whether the predictions are logits rather than probabilities. @defaultValue false */
  readonly fromLogits?: boolean;
}

/** What backward needs from forward. */
export interface SparseCategoricalCrossentropyCache {
  /** The class of every row, [M]. */
  readonly labels: Int32Array;
  /** Of logits their softmax, of probabilities c, the clipped ones; [M, K]. */
  readonly probabilities: Float64Array;
  /** Of probabilities the sum of c in every row, [M]; of logits undefined. */
  readonly sums: Float64Array | undefined;
  /** The predictions. */
  readonly yPred: Tensor;
}

/**
 * `yTrue` as class numbers.
 *
 * @throws RangeError when its shape is not that of `yPred` without the classes (a last dimension of 1 may stay), or a
 *   label is not a whole number from 0 to `classes` - 1; the message names the first such label.
 */
function classLabels(yTrue: Tensor, yPred: Tensor, classes: number): Int32Array {
  const shape = yPred.shape.slice(0, -1);
  if (!shapesAgree(yTrue.shape, shape) && !shapesAgree(yTrue.shape, [...shape, 1])) {
    throw new RangeError(
      `SparseCategoricalCrossentropy: \`yTrue\` must have shape ${formatShape(shape)} for predictions of shape ` +
        `${formatShape(yPred.shape)}. Received yTrue.shape=${formatShape(yTrue.shape)}.`,
    );
  }
  return Int32Array.from(contiguous(yTrue).data, (label, i) => {
    if (Number.isInteger(label) && label >= 0 && label < classes) return label;
    throw new RangeError(
      `SparseCategoricalCrossentropy: \`yTrue\` must be made of whole numbers from 0 to ${classes - 1}. ` +
        `Received ${label} at ${formatShape(indexOf(i, yTrue.shape))}.`,
    );
  });
}

/**
 * The mean cross-entropy of the predictions `yPred` [M, K] for the classes `yTrue` [M].
 *
 * @throws TypeError when labels or predictions are no tensors, `fromLogits` is no truth value, or an option is none of
 *   {@link SparseCategoricalCrossentropyOptions}.
 * @throws RangeError when the shapes do not fit together, or a label is not a whole number from 0 to K - 1.
 */
export function sparseCategoricalCrossentropyForward(
  yTrue: Tensor,
  yPred: Tensor,
  options: SparseCategoricalCrossentropyOptions = {},
): LossForward<SparseCategoricalCrossentropyCache> {
  expectOptions("SparseCategoricalCrossentropy", options, ["fromLogits"]);
  const { fromLogits = false } = options;
  expectBooleans("SparseCategoricalCrossentropy", { fromLogits });
  checkPair("SparseCategoricalCrossentropy", yTrue, yPred);
  const classes = classesOf("SparseCategoricalCrossentropy", yPred);
  const labels = classLabels(yTrue, yPred, classes);
  yPred = contiguous(yPred);
  const given = yPred.data;
  const rows = labels.length;
  const probabilities = new Float64Array(given.length);
  const sums = fromLogits ? undefined : new Float64Array(rows);
  let total = 0;
  for (let row = 0; row < rows; row++) {
    const start = row * classes;
    const t = start + labels[row];
    if (sums === undefined) {
      const { max, sum } = softmaxOfRow(given, start, classes, probabilities);
      total += log(sum) - (given[t] - max);
    } else {
      for (let i = start; i < start + classes; i++) {
        probabilities[i] = clipped(given[i]);
        sums[row] += probabilities[i];
      }
      total += log(sums[row]) - log(probabilities[t]);
    }
  }
  return { loss: total / rows, cache: { labels, probabilities, sums, yPred } };
}

/** The gradient for the predictions. */
export function sparseCategoricalCrossentropyBackward(cache: SparseCategoricalCrossentropyCache): Tensor {
  const { labels, probabilities, sums, yPred } = cache;
  const dYPred = empty(yPred.shape, yPred);
  const gradient = dYPred.data;
  const given = yPred.data;
  const rows = labels.length;
  const classes = yPred.size / rows;
  for (let row = 0, i = 0; row < rows; row++) {
    for (let k = 0; k < classes; k++, i++) {
      const hit = k === labels[row] ? 1 : 0;
      if (sums === undefined) gradient[i] = (probabilities[i] - hit) / rows;
      else gradient[i] = isClipped(given[i]) ? 0 : (1 / sums[row] - hit / probabilities[i]) / rows;
    }
  }
  return dYPred;
}
