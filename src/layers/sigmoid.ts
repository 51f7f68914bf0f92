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
import { sigmoids, sigmoidsGradient } from "../kernels/element-functions.js";
import { type Execution, serial } from "../kernels/execution.js";
import { checkTensor } from "../serialization/tensors.js";
import type { Tensor } from "../tensor/tensor.js";
import { expectGradient } from "./expect-gradient.js";
import type { Forward } from "./layer.js";

/** What backward needs from forward. */
export interface SigmoidCache {
  /** The output. */
  readonly y: Tensor;
  /** How it runs. @defaultValue one thread */
  readonly execution?: Execution;
}

/** The sigmoid of every element of `x`. @throws TypeError when `x` is no tensor. */
export function sigmoidForward(x: Tensor, execution: Execution = serial): Forward<SigmoidCache> {
  checkTensor("sigmoid", "x", x);
  const y = sigmoids(x, execution);
  return { y, cache: { y, execution } };
}

/**
 * The gradient for the input.
 *
 * @throws TypeError when `dy` is no tensor.
 * @throws RangeError when it does not have the shape of the output.
 */
export function sigmoidBackward(dy: Tensor, { y, execution = serial }: SigmoidCache): Tensor {
  expectGradient("sigmoid", dy, y.shape);
  return sigmoidsGradient(dy, y, execution);
}
