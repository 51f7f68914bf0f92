/**
 * Flatten: every example of the batch as one row.
 * Keras: `keras.layers.Flatten`.
 *
 * Shapes: x, dx are [N, ...], y, dy are [N, K], with K the product of what follows N.
 *
 * Forward and backward keep all numbers and their row-major order, and share the memory; only the shape changes.
 *
 * @module
 */
import { type KerasConfig, readConfig } from "../serialization/config.js";
import { checkTensor } from "../serialization/tensors.js";
import { type Shape, type SymbolicShape, sizeOf } from "../tensor/shape.js";
import { reshape, type Tensor } from "../tensor/tensor.js";
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
export interface FlattenCache {
  /** The shape of the input. */
  readonly shape: Shape;
}

/** [N, K] for a tensor of `shape` [N, ...]. */
function flattenedShape([batch, ...rest]: Shape): Shape {
  return [batch, sizeOf(rest)];
}

/** `x` [N, ...] as [N, K]. @throws TypeError when `x` is no tensor. */
export function flattenForward(x: Tensor): Forward<FlattenCache> {
  checkTensor("Flatten", "x", x);
  const { shape } = x;
  return { y: reshape(x, flattenedShape(shape)), cache: { shape } };
}

/**
 * The gradient for the input: `dy` [N, K] as [N, ...].
 *
 * @throws TypeError when `dy` is no tensor.
 * @throws RangeError when it does not have the shape of the output.
 */
export function flattenBackward(dy: Tensor, { shape }: FlattenCache): Tensor {
  expectGradient("Flatten", dy, flattenedShape(shape));
  return reshape(dy, shape);
}

/** The flattening layer of Keras. */
export class Flatten extends Layer {
  readonly className = "Flatten";

  /** @throws TypeError when an option is none of {@link LayerOptions}. */
  constructor(options: LayerOptions = {}) {
    super(options, []);
  }

  /** Reads the layer from a Keras configuration. */
  static fromConfig(config: KerasConfig): Flatten {
    readConfig("Flatten", config).refuse("data_format", "channels_last");
    return new Flatten(layerOptionsFromConfig("Flatten", config));
  }

  computeOutputShape(inputShapes: readonly SymbolicShape[]): SymbolicShape {
    const [batch, ...rest] = singleInput(this, inputShapes);
    return [batch, rest.includes(null) ? null : sizeOf(rest.map(Number))];
  }

  override get computesInJobs(): boolean {
    return true;
  }

  call([x]: readonly Tensor[], _context: CallContext): LayerPass {
    const { y, cache } = flattenForward(x);
    return { y, keeps: [], backward: (dy) => ({ dInputs: [flattenBackward(dy, cache)], dWeights: {} }) };
  }

  protected arguments(): KerasConfig {
    return { data_format: "channels_last" };
  }
}
