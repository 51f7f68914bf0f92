/**
 * The contract that every loss file keeps, and what losses expect of labels and predictions.
 *
 * A loss is two pure functions, next to each other under their equations:
 *
 *     xForward(yTrue, yPred, options)  ->  { loss, cache }
 *     xBackward(cache)                 ->  dYPred
 *
 * The loss is one float64 number: the mean over the batch, and over whatever lies between batch and classes.
 *
 * @module
 */
import { checkTensor } from "../serialization/tensors.js";
import { formatShape, sizeOf } from "../tensor/shape.js";
import { contiguous, type Tensor } from "../tensor/tensor.js";

/** What the forward pass of a loss returns. */
export interface LossForward<Cache> {
  /** The mean over the batch. */
  readonly loss: number;
  /** Handed unchanged to the matching backward call. */
  readonly cache: Cache;
}

/** @throws TypeError when labels or predictions are no tensors. */
export function checkPair(className: string, yTrue: Tensor, yPred: Tensor): void {
  checkTensor(className, "yTrue", yTrue);
  checkTensor(className, "yPred", yPred);
}

/** How many classes the last axis of `yPred` has. @throws RangeError when it has none, or the batch is empty. */
export function classesOf(className: string, yPred: Tensor): number {
  if (yPred.dimension < 2 || yPred.size === 0) {
    throw new RangeError(
      `${className}: \`yPred\` must have shape [batch, ..., classes], with at least one of each. ` +
        `Received yPred.shape=${formatShape(yPred.shape)}.`,
    );
  }
  return yPred.shape[yPred.dimension - 1];
}

/**
 * `yTrue` as a contiguous tensor, after a look at every label: NaN in a label would make every later number NaN.
 *
 * @throws RangeError when a label is not a finite number; the message names the first such label.
 */
export function finiteLabels(className: string, yTrue: Tensor): Tensor {
  yTrue = contiguous(yTrue);
  const labels = yTrue.data;
  for (let i = 0; i < labels.length; i++) {
    if (!Number.isFinite(labels[i])) {
      throw new RangeError(
        `${className}: \`yTrue\` must be made of finite numbers. ` +
          `Received ${labels[i]} at ${formatShape(indexOf(i, yTrue.shape))}.`,
      );
    }
  }
  return yTrue;
}

/** The index of element `offset` of a row-major tensor of `shape`. */
export function indexOf(offset: number, shape: readonly number[]): number[] {
  return shape.map((size, axis) => Math.floor(offset / sizeOf(shape.slice(axis + 1))) % size);
}
