/**
 * The entrance of a model: it has a shape and passes on what it is given.
 * Keras: `keras.layers.InputLayer`, `keras.Input`.
 *
 * @module
 */
import { describe, type KerasConfig, readConfig } from "../serialization/config.js";
import { expectOptions } from "../serialization/options.js";
import type { SymbolicShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { type CallContext, Layer, type LayerOptions, type LayerPass, type SymbolicTensor } from "./layer.js";

/** Options of {@link input}. */
export interface InputOptions extends Omit<LayerOptions, "trainable"> {
  /** The shape without the batch: [H, W, C]; null where a dimension is open. */
  readonly shape: SymbolicShape;
  /** The size of the batch, where it is fixed. */
  readonly batchSize?: number | undefined;
}

/** The input layer of Keras. */
export class InputLayer extends Layer {
  readonly className = "InputLayer";
  /** The shape with the batch: [null, H, W, C]. */
  readonly batchShape: SymbolicShape;

  /**
   * @throws TypeError when the shape is no array, or an option is none of {@link InputOptions}.
   * @throws RangeError when a dimension is neither null nor a whole number of at least 1.
   */
  constructor(options: InputOptions) {
    expectOptions("InputLayer", options, ["shape", "batchSize", "name", "dtype"]);
    const { shape, batchSize, ...rest } = options;
    super(rest, []);
    if (!Array.isArray(shape)) {
      throw new TypeError(
        "InputLayer: `shape` must be an array of dimensions without the batch, such as [32, 32, 3]. " +
          `Received shape=${describe(shape)}.`,
      );
    }
    this.batchShape = [batchSize ?? null, ...shape];
    if (!this.batchShape.every((size) => size === null || (Number.isSafeInteger(size) && size >= 1))) {
      throw new RangeError(
        "InputLayer: every dimension of `shape` must be null or a whole number of at least 1. " +
          `Received shape=${describe(shape)}, batchSize=${describe(batchSize ?? null)}.`,
      );
    }
  }

  /** Reads the layer from a Keras 3 (`batch_shape`) or Keras 2 (`batch_input_shape`) configuration. */
  static fromConfig(config: KerasConfig): InputLayer {
    const read = readConfig("InputLayer", config);
    const key = "batch_shape" in config ? "batch_shape" : "batch_input_shape";
    const batchShape = read.shape(key);
    read.refuse("sparse", false);
    read.refuse("ragged", false);
    return new InputLayer({
      name: read.optionalString("name"),
      dtype: read.dtype("dtype"),
      shape: batchShape.slice(1),
      batchSize: batchShape[0] ?? undefined,
    });
  }

  /** The shape of the tensor that the layer stands for; it has no inputs, so it is applied to none. */
  computeOutputShape(_inputShapes: readonly SymbolicShape[]): SymbolicShape {
    return this.batchShape;
  }

  override get computesInJobs(): boolean {
    return true;
  }

  call([x]: readonly Tensor[], _context: CallContext): LayerPass {
    return { y: x, keeps: [], backward: (dy) => ({ dInputs: [dy], dWeights: {} }) };
  }

  protected arguments(): KerasConfig {
    return {};
  }

  override getConfig(): KerasConfig {
    return { batch_shape: this.batchShape, dtype: this.dtype, sparse: false, ragged: false, name: this.name };
  }
}

/**
 * An input of a model as a symbolic tensor, to which layers are applied: `keras.Input`.
 *
 * @throws TypeError when the shape is no array, or an option is none of {@link InputOptions}.
 * @throws RangeError when a dimension is neither null nor a whole number of at least 1.
 */
export function input(options: InputOptions): SymbolicTensor {
  return new InputLayer(options).apply([]);
}
