/**
 * Accuracy as Keras counts it, and means over batches.
 *
 *     yPred [B, classes]     labels [B]
 *
 * - `CategoricalAccuracy` compares the label with the argmax of the row, which is the *first* of equal maxima, and never
 *   NaN.
 * - `TopKCategoricalAccuracy` asks TensorFlow's `in_top_k`: fewer than k classes must be *more* probable than the label,
 *   so that all of several equal ones at the border are in; a row with a number that is not finite is never in.
 *
 * @module
 */
import { formatShape } from "../tensor/shape.js";
import { contiguous, type Tensor } from "../tensor/tensor.js";

/** How many rows of `yPred` have their greatest element, the first of equal ones, at the label. */
export function countCorrect(yPred: Tensor, labels: Int32Array): number {
  const { data, classes } = rowsOf("countCorrect", yPred, labels);
  let correct = 0;
  for (const [row, label] of labels.entries()) {
    const start = row * classes;
    let greatest = Number.NEGATIVE_INFINITY;
    let best = 0;
    for (let k = 0; k < classes; k++) {
      if (data[start + k] > greatest) {
        greatest = data[start + k];
        best = k;
      }
    }
    if (best === label) correct++;
  }
  return correct;
}

/**
 * How many rows of `yPred` have the label among their `k` greatest elements.
 *
 * @throws RangeError when `yPred` does not have one row for each label, or a label is not one of its classes.
 */
export function countInTopK(yPred: Tensor, labels: Int32Array, k: number): number {
  const { data, classes } = rowsOf("countInTopK", yPred, labels);
  let inside = 0;
  for (const [row, label] of labels.entries()) {
    const scores = data.subarray(row * classes, (row + 1) * classes);
    let above = 0;
    for (let i = 0; i < classes; i++) if (scores[i] > scores[label]) above++;
    if (above < k && scores.every(Number.isFinite)) inside++;
  }
  return inside;
}

function rowsOf(name: string, yPred: Tensor, labels: Int32Array): { data: Tensor["data"]; classes: number } {
  const [rows, classes] = yPred.shape;
  if (yPred.dimension !== 2 || rows !== labels.length) {
    throw new RangeError(
      `${name}: \`yPred\` must have shape [${labels.length}, classes], a row for each label. ` +
        `Received shape ${formatShape(yPred.shape)}.`,
    );
  }
  const at = labels.findIndex((label) => label < 0 || label >= classes);
  if (at >= 0) {
    throw new RangeError(`${name}: \`labels\` must be from 0 to ${classes - 1}. Received ${labels[at]} at ${at}.`);
  }
  return { data: contiguous(yPred).data, classes };
}

/** Sums over the samples that have been seen: plain numbers, so that a checkpoint can hold them. */
export interface MetricSums {
  /** Of the loss: a batch counts as many times as it has samples, as in Keras. */
  readonly loss: number;
  /** Samples whose class was the most probable one. */
  readonly correct: number;
  /** Samples that have been seen. */
  readonly samples: number;
}

/** Before the first batch. */
export const NO_SAMPLES: MetricSums = { loss: 0, correct: 0, samples: 0 };

/** What a batch adds. */
export interface BatchMetrics {
  /** The mean over the batch, plus the regularizers. */
  readonly loss: number;
  /** Samples whose class was the most probable one. */
  readonly correct: number;
  /** Samples of the batch. */
  readonly samples: number;
}

/** `sums` with a batch added. */
export function addBatch(sums: MetricSums, { loss, correct, samples }: BatchMetrics): MetricSums {
  return { loss: sums.loss + loss * samples, correct: sums.correct + correct, samples: sums.samples + samples };
}

/** The means. */
export function means({ loss, correct, samples }: MetricSums): { readonly loss: number; readonly accuracy: number } {
  return { loss: loss / samples, accuracy: correct / samples };
}
