/**
 * The hyperbolic tangent.
 * Keras: `keras.activations.tanh`.
 *
 * Shapes: x, y, dx, dy are all [...], any shape.
 *
 * Forward:   y  = (exp(x) - exp(-x)) / (exp(x) + exp(-x))
 *
 * Backward:  dx = dy (1 - y^2)
 *
 * Notes on the numbers: y is correctly rounded; 1 - y^2 is written (1 - y)(1 + y): near saturation 1 - y is
 * exact, and 1 minus a rounded square would not be.
 *
 * @module
 */
import { tanh } from "../arithmetic/tanh.js";
import { checkTensor } from "../serialization/tensors.js";
import { contiguous, empty, type Tensor } from "../tensor/tensor.js";
import { expectGradient } from "./expect-gradient.js";
import type { Forward } from "./layer.js";

/** What backward needs from forward. */
export interface TanhCache {
  /** The output. */
  readonly y: Tensor;
}

/** The hyperbolic tangent of every element of `x`. @throws TypeError when `x` is no tensor. */
export function tanhForward(x: Tensor): Forward<TanhCache> {
  checkTensor("tanh", "x", x);
  x = contiguous(x);
  const y = empty(x.shape, x);
  for (let i = 0; i < x.size; i++) y.data[i] = tanh(x.data[i]);
  return { y, cache: { y } };
}

/**
 * The gradient for the input.
 *
 * @throws TypeError when `dy` is no tensor.
 * @throws RangeError when it does not have the shape of the output.
 */
export function tanhBackward(dy: Tensor, { y }: TanhCache): Tensor {
  expectGradient("tanh", dy, y.shape);
  dy = contiguous(dy);
  const dx = empty(y.shape, y);
  for (let i = 0; i < y.size; i++) dx.data[i] = dy.data[i] * ((1 - y.data[i]) * (1 + y.data[i]));
  return dx;
}
