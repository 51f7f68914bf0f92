/**
 * The logistic sigmoid.
 * Keras: `keras.activations.sigmoid`.
 *
 * Shapes: x, y, dx, dy are all [...], any shape.
 *
 * Forward:   y  = 1 / (1 + exp(-x))
 *
 * Backward:  dx = dy y (1 - y)
 *
 * Notes on the numbers: y is correctly rounded; the cache keeps y, so dx near saturation loses what rounding y to 1 lost.
 *
 * @module
 */
import { sigmoid } from "../arithmetic/sigmoid.js";
import { checkTensor } from "../serialization/tensors.js";
import { contiguous, empty, type Tensor } from "../tensor/tensor.js";
import { expectGradient } from "./expect-gradient.js";
import type { Forward } from "./layer.js";

/** What backward needs from forward. */
export interface SigmoidCache {
  /** The output. */
  readonly y: Tensor;
}

/** The sigmoid of every element of `x`. @throws TypeError when `x` is no tensor. */
export function sigmoidForward(x: Tensor): Forward<SigmoidCache> {
  checkTensor("sigmoid", "x", x);
  x = contiguous(x);
  const y = empty(x.shape, x);
  for (let i = 0; i < x.size; i++) y.data[i] = sigmoid(x.data[i]);
  return { y, cache: { y } };
}

/**
 * The gradient for the input.
 *
 * @throws TypeError when `dy` is no tensor.
 * @throws RangeError when it does not have the shape of the output.
 */
export function sigmoidBackward(dy: Tensor, { y }: SigmoidCache): Tensor {
  expectGradient("sigmoid", dy, y.shape);
  dy = contiguous(dy);
  const dx = empty(y.shape, y);
  for (let i = 0; i < y.size; i++) dx.data[i] = dy.data[i] * y.data[i] * (1 - y.data[i]);
  return dx;
}
