/**
 * A plain chain of layers. Keras: `keras.Sequential`.
 *
 * @module
 */
import { input } from "../layers/input-layer.js";
import { Layer } from "../layers/layer.js";
import { describe, type KerasConfig } from "../serialization/config.js";
import { expectOptions } from "../serialization/options.js";
import type { SymbolicShape } from "../tensor/shape.js";
import { serializeLayer } from "./graph-config.js";
import { Model } from "./model.js";

/** Options of {@link Sequential}. */
export interface SequentialOptions {
  /** The shape of the input with its batch: [null, H, W, C]. */
  readonly batchShape: SymbolicShape;
  /** The layers, first to last. */
  readonly layers: readonly Layer[];
  /** Name of the input layer. */
  readonly inputName?: string | undefined;
  /** Name of the model. */
  readonly name?: string | undefined;
  /** Whether the weights are trained. @defaultValue true */
  readonly trainable?: boolean | undefined;
  /** Seed of the initial weights. @defaultValue 0 */
  readonly seed?: number;
}

/** A model in which each layer reads the one before it. */
export class Sequential extends Model {
  override readonly className: string = "Sequential";

  /**
   * @throws TypeError when `batchShape` is no array, `layers` is no array of layers, or an option is none of
   *   {@link SequentialOptions}.
   * @throws RangeError when there is no layer, or a layer cannot take what the one before it gives.
   */
  constructor(options: SequentialOptions) {
    expectOptions("Sequential", options, ["batchShape", "layers", "inputName", "name", "trainable", "seed"]);
    const { batchShape, layers, inputName, ...rest } = options;
    if (!Array.isArray(batchShape)) {
      throw new TypeError(
        "Sequential: `batchShape` must be an array of dimensions, the batch first: [null, 32, 32, 3]. " +
          `Received ${describe(batchShape)}.`,
      );
    }
    if (!Array.isArray(layers) || !layers.every((layer) => layer instanceof Layer)) {
      const received = Array.isArray(layers) ? "an element that is none" : "no array";
      throw new TypeError(`Sequential: \`layers\` must be an array of layers. Received ${received}.`);
    }
    if (layers.length === 0) throw new RangeError("Sequential: must have at least one layer. Received none.");
    const { dtype } = layers[0];
    const [batch, ...shape] = batchShape;
    const entrance = input({ shape, batchSize: batch ?? undefined, name: inputName, dtype });
    const output = layers.reduce((x, layer) => layer.apply(x), entrance);
    super({ ...rest, inputs: entrance, outputs: output });
  }

  protected override arguments(): KerasConfig {
    return { layers: this.layers.map(serializeLayer), build_input_shape: this.inputs[0].shape };
  }
}
