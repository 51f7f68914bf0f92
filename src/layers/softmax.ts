/**
 * Softmax over one axis.
 * Keras: `keras.layers.Softmax(axis=-1)`, `keras.activations.softmax`.
 *
 * Shapes: x, y, dx, dy are all [..., K, ...], where the axis is the one of K elements.
 *
 * Forward, row by row:   m    = max x
 *                        y[k] = exp(x[k] - m) / sum over j of exp(x[j] - m)
 *
 * Backward:              dx[k] = y[k] (dy[k] - sum over j of dy[j] y[j])
 *
 * Notes on the numbers:
 * - The maximum is taken out first: softmax does not change when a constant is added, and exp never overflows.
 * - Differences, exponentials and their sum stay in float64; the quotient is rounded once, when it is stored.
 * - Backward takes the quotients before that rounding: where one of them is near 1, dy[k] - sum cancels, and what rounding
 *   them took would be most of what is left.
 *
 * @module
 */
import { type Execution, serial } from "../kernels/execution.js";
import { softmaxGradient, softmaxOver } from "../kernels/softmax.js";
import { type KerasConfig, readConfig } from "../serialization/config.js";
import { checkTensor } from "../serialization/tensors.js";
import type { Shape, SymbolicShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { resolveAxis } from "./axis.js";
import { expectGradient } from "./expect-gradient.js";
import {
  type CallContext,
  type Forward,
  Layer,
  type LayerOptions,
  type LayerPass,
  layerOptionsFromConfig,
  singleInput,
} from "./layer.js";

/** What backward needs from forward. */
export interface SoftmaxCache {
  /** The output before it was rounded. */
  readonly probabilities: Float64Array;
  /** The shape of the output. */
  readonly shape: Shape;
  /** The axis, counted from the front. */
  readonly axis: number;
  /** How it runs. @defaultValue one thread */
  readonly execution?: Execution;
}

/**
 * Softmax of `x` over `axis`, by default the last.
 *
 * @throws TypeError when `x` is no tensor.
 * @throws RangeError when `x` has no such axis.
 */
export function softmaxForward(x: Tensor, axis = -1, execution: Execution = serial): Forward<SoftmaxCache> {
  checkTensor("Softmax", "x", x);
  const { shape } = x;
  const at = resolveAxis("Softmax", axis, shape);
  const { y, probabilities } = softmaxOver(x, at, execution);
  return { y, cache: { probabilities, shape, axis: at, execution } };
}

/**
 * The gradient for the input.
 *
 * @throws TypeError when `dy` is no tensor.
 * @throws RangeError when it does not have the shape of the output.
 */
export function softmaxBackward(dy: Tensor, { probabilities, shape, axis, execution = serial }: SoftmaxCache): Tensor {
  expectGradient("Softmax", dy, shape);
  return softmaxGradient(dy, probabilities, axis, execution);
}

/** Options of {@link Softmax}. */
export interface SoftmaxOptions extends LayerOptions {
  /** The axis that sums to 1. @defaultValue -1 */
  readonly axis?: number;
}

/** The softmax layer of Keras. */
export class Softmax extends Layer {
  readonly className = "Softmax";
  /** The axis that sums to 1. */
  readonly axis: number;

  /** @throws TypeError when an option is none of {@link SoftmaxOptions}, or the axis is not a whole number. */
  constructor(options: SoftmaxOptions = {}) {
    super(options, ["axis"]);
    this.axis = readConfig("Softmax", { ...options }).integer("axis", Number.MIN_SAFE_INTEGER, -1);
  }

  /** Reads the layer from a Keras configuration. */
  static fromConfig(config: KerasConfig): Softmax {
    const axis = readConfig("Softmax", config).integer("axis", Number.MIN_SAFE_INTEGER, -1);
    return new Softmax({ ...layerOptionsFromConfig("Softmax", config), axis });
  }

  computeOutputShape(inputShapes: readonly SymbolicShape[]): SymbolicShape {
    const shape = singleInput(this, inputShapes);
    resolveAxis("Softmax", this.axis, shape);
    return shape;
  }

  override get computesInJobs(): boolean {
    return true;
  }

  override get mixesImages(): boolean {
    return this.nodes.some(({ output: { shape } }) => resolveAxis("Softmax", this.axis, shape) === 0);
  }

  call([x]: readonly Tensor[], { execution, release }: CallContext): LayerPass {
    const { y, cache } = softmaxForward(x, this.axis, execution);
    release?.(cache.probabilities);
    const isLast = resolveAxis("Softmax", this.axis, x.shape) === x.dimension - 1;
    const pass: LayerPass = {
      y,
      keeps: [],
      backward: (dy) => ({ dInputs: [softmaxBackward(dy, cache)], dWeights: {} }),
    };
    return isLast ? { ...pass, logits: { x, backward: (dx) => ({ dInputs: [dx], dWeights: {} }) } } : pass;
  }

  protected arguments(): KerasConfig {
    return { axis: this.axis };
  }
}
