/**
 * Reshape: every example of the batch under another shape.
 * Keras: `keras.layers.Reshape(target_shape)`.
 *
 * Shapes: x, dx are [N, ...], y, dy are [N, ...targetShape]; one -1 in the target stands for whatever is left over.
 *
 * Forward and backward keep all numbers and their row-major order, and share the memory; only the shape changes.
 *
 * @module
 */
import { type KerasConfig, readConfig } from "../serialization/config.js";
import { checkTensor } from "../serialization/tensors.js";
import { formatShape, type Shape, type SymbolicShape, sizeOf } from "../tensor/shape.js";
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
export interface ReshapeCache {
  /** The shape of the input. */
  readonly shape: Shape;
  /** The shape of the output. */
  readonly outputShape: Shape;
}

/**
 * The shape of a tensor of `shape` [N, ...] after it has been reshaped; with an open dimension, -1 stays open too.
 *
 * @throws RangeError when the sizes do not agree.
 */
function reshapedShape([batch, ...rest]: SymbolicShape, targetShape: Shape): SymbolicShape {
  if (rest.includes(null)) return [batch, ...targetShape.map((size) => (size === -1 ? null : size))];
  const size = sizeOf(rest.map(Number));
  const known = sizeOf(targetShape.filter((dimension) => dimension !== -1));
  const open = targetShape.includes(-1);
  if (open ? known === 0 || size % known !== 0 : size !== known) {
    throw new RangeError(
      `Reshape: \`targetShape\` must hold the ${size} numbers of one example of shape ` +
        `${formatShape(rest)}. Received targetShape=${formatShape(targetShape)}.`,
    );
  }
  return [batch, ...targetShape.map((dimension) => (dimension === -1 ? size / known : dimension))];
}

/**
 * `x` [N, ...] as [N, ...targetShape].
 *
 * @throws TypeError when `x` is no tensor.
 * @throws RangeError when the sizes do not agree.
 */
export function reshapeForward(x: Tensor, targetShape: Shape): Forward<ReshapeCache> {
  checkTensor("Reshape", "x", x);
  const { shape } = x;
  const outputShape = reshapedShape(shape, targetShape).map(Number);
  return { y: reshape(x, outputShape), cache: { shape, outputShape } };
}

/**
 * The gradient for the input: `dy` under the shape of the input.
 *
 * @throws TypeError when `dy` is no tensor.
 * @throws RangeError when it does not have the shape of the output.
 */
export function reshapeBackward(dy: Tensor, { shape, outputShape }: ReshapeCache): Tensor {
  expectGradient("Reshape", dy, outputShape);
  return reshape(dy, shape);
}

/** Options of {@link Reshape}. */
export interface ReshapeOptions extends LayerOptions {
  /** The shape of one example, without the batch; one dimension may be -1. */
  readonly targetShape: Shape;
}

/** The reshaping layer of Keras. */
export class Reshape extends Layer {
  readonly className = "Reshape";
  /** The shape of one example, without the batch; one dimension may be -1. */
  readonly targetShape: Shape;

  /**
   * @throws TypeError when an option is none of {@link ReshapeOptions}, or the shape is no list of whole numbers.
   * @throws RangeError when a dimension is negative, save for one -1.
   */
  constructor(options: ReshapeOptions) {
    super(options, ["targetShape"]);
    this.targetShape = readConfig("Reshape", { ...options }).integers("targetShape");
    const open = this.targetShape.filter((size) => size === -1).length;
    if (open > 1 || this.targetShape.some((size) => size < -1)) {
      throw new RangeError(
        "Reshape: `targetShape` must be made of whole numbers of at least 0, of which one may be -1 instead. " +
          `Received targetShape=${formatShape(this.targetShape)}.`,
      );
    }
  }

  /** Reads the layer from a Keras configuration. */
  static fromConfig(config: KerasConfig): Reshape {
    const targetShape = readConfig("Reshape", config).integers("target_shape");
    return new Reshape({ ...layerOptionsFromConfig("Reshape", config), targetShape });
  }

  computeOutputShape(inputShapes: readonly SymbolicShape[]): SymbolicShape {
    return reshapedShape(singleInput(this, inputShapes), this.targetShape);
  }

  override get computesInJobs(): boolean {
    return true;
  }

  call([x]: readonly Tensor[], _context: CallContext): LayerPass {
    const { y, cache } = reshapeForward(x, this.targetShape);
    return { y, keeps: [], backward: (dy) => ({ dInputs: [reshapeBackward(dy, cache)], dWeights: {} }) };
  }

  protected arguments(): KerasConfig {
    return { target_shape: this.targetShape };
  }
}
