/**
 * Mean squared error.
 * Keras: `keras.losses.MeanSquaredError`.
 *
 * Shapes: yTrue, yPred, dYPred are all [N, ...], with K elements.
 *
 * Forward:   loss   = 1 / K sum (yPred - yTrue)^2
 *
 * Backward:  dYPred = 2 / K (yPred - yTrue)
 *
 * Notes on the numbers: differences, squares and their sum stay in float64, element ascending; dYPred is rounded once.
 *
 * @module
 */
import { formatShape, type Shape, shapesAgree } from "../tensor/shape.js";
import { contiguous, empty, type Tensor } from "../tensor/tensor.js";
import { checkPair, finiteLabels, type LossForward } from "./loss.js";

/** What backward needs from forward. */
export interface MeanSquaredErrorCache {
  /** What should have been. */
  readonly yTrue: Tensor;
  /** What the model said. */
  readonly yPred: Tensor;
}

/** `shape` without a last dimension of 1: Keras compares [N] with [N, 1]. */
function squeezed(shape: Shape): Shape {
  return shape.length > 1 && shape[shape.length - 1] === 1 ? shape.slice(0, -1) : shape;
}

/**
 * The mean squared difference of `yTrue` and `yPred`.
 *
 * @throws TypeError when one is no tensor.
 * @throws RangeError when their shapes differ by more than a last dimension of 1, or a label is not a finite number.
 */
export function meanSquaredErrorForward(yTrue: Tensor, yPred: Tensor): LossForward<MeanSquaredErrorCache> {
  checkPair("MeanSquaredError", yTrue, yPred);
  if (!shapesAgree(squeezed(yTrue.shape), squeezed(yPred.shape)) || yPred.size === 0) {
    throw new RangeError(
      `MeanSquaredError: \`yTrue\` must have the shape of \`yPred\`, and there must be values. ` +
        `Received yTrue.shape=${formatShape(yTrue.shape)}, yPred.shape=${formatShape(yPred.shape)}.`,
    );
  }
  yTrue = finiteLabels("MeanSquaredError", yTrue);
  yPred = contiguous(yPred);
  const wanted = yTrue.data;
  const given = yPred.data;
  let sum = 0;
  for (let i = 0; i < given.length; i++) {
    const difference = given[i] - wanted[i];
    sum += difference * difference;
  }
  return { loss: sum / given.length, cache: { yTrue, yPred } };
}

/** The gradient for the predictions. */
export function meanSquaredErrorBackward({ yTrue, yPred }: MeanSquaredErrorCache): Tensor {
  const dYPred = empty(yPred.shape, yPred);
  const wanted = yTrue.data;
  const given = yPred.data;
  for (let i = 0; i < given.length; i++) dYPred.data[i] = (2 * (given[i] - wanted[i])) / given.length;
  return dYPred;
}
