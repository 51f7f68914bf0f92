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
import { tanhs, tanhsGradient } from "../kernels/element-functions.js";
import { type Execution, serial } from "../kernels/execution.js";
import { checkTensor } from "../serialization/tensors.js";
import type { Tensor } from "../tensor/tensor.js";
import { expectGradient } from "./expect-gradient.js";
import type { Forward } from "./layer.js";

/** What backward needs from forward. */
export interface TanhCache {
  /** The output. */
  readonly y: Tensor;
  /** How it runs. @defaultValue one thread */
  readonly execution?: Execution;
}

/** The hyperbolic tangent of every element of `x`. @throws TypeError when `x` is no tensor. */
export function tanhForward(x: Tensor, execution: Execution = serial): Forward<TanhCache> {
  checkTensor("tanh", "x", x);
  const y = tanhs(x, execution);
  return { y, cache: { y, execution } };
}

/**
 * The gradient for the input.
 *
 * @throws TypeError when `dy` is no tensor.
 * @throws RangeError when it does not have the shape of the output.
 */
export function tanhBackward(dy: Tensor, { y, execution = serial }: TanhCache): Tensor {
  expectGradient("tanh", dy, y.shape);
  return tanhsGradient(dy, y, execution);
}
