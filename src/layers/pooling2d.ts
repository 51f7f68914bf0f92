/**
 * What MaxPooling2D and AveragePooling2D share: a window that slides over every channel by itself.
 *
 * @module
 */
import { type Window2D, window2D } from "../kernels/window.js";
import { type KerasConfig, readConfig } from "../serialization/config.js";
import { checkTensor } from "../serialization/tensors.js";
import { formatShape, type Shape, type SymbolicShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { Layer, type LayerOptions, layerOptionsFromConfig, singleInput } from "./layer.js";
import { windowOutput } from "./window-shape.js";

/** How the window moves. */
export interface Pooling2DConfig {
  /** [height, width] of the window. */
  readonly poolSize: readonly [number, number];
  /** Steps of the window, [height, width]. @defaultValue poolSize */
  readonly strides?: readonly [number, number];
  /** `same`: the window may hang over the border, the output has ceil(H / strides) rows. @defaultValue "valid" */
  readonly padding?: "same" | "valid";
}

/**
 * Where the window goes over the images `x` [N, H, W, C].
 *
 * @throws TypeError when `x` is no tensor.
 * @throws RangeError when it does not have 4 dimensions, or the window does not fit into the image.
 */
export function poolingWindow(className: string, x: Tensor, config: Pooling2DConfig): Window2D {
  checkTensor(className, "x", x);
  if (x.dimension !== 4) {
    throw new RangeError(`${className}: \`x\` must have 4 dimensions. Received x.shape=${formatShape(x.shape)}.`);
  }
  const { poolSize, strides = poolSize, padding = "valid" } = config;
  return window2D([x.shape[1], x.shape[2]], poolSize, strides, padding, [1, 1]);
}

/** The shape of the output for images of `shape` [N, H, W, C]. */
export function pooledShape([batch, , , channels]: Shape, { outputHeight, outputWidth }: Window2D): Shape {
  return [batch, outputHeight, outputWidth, channels];
}

/** Options of the two layers, with Keras's defaults. */
export interface Pooling2DOptions extends LayerOptions {
  /** Size of the window: one number for a square. @defaultValue 2 */
  readonly poolSize?: number | readonly [number, number];
  /** @defaultValue poolSize */
  readonly strides?: number | readonly [number, number] | undefined;
  /** @defaultValue "valid" */
  readonly padding?: "same" | "valid";
}

/** The options of a pooling layer, read from a Keras configuration. */
export function poolingOptionsFromConfig(className: string, config: KerasConfig): Pooling2DOptions {
  const read = readConfig(className, config);
  read.refuse("data_format", "channels_last");
  const poolSize = read.pair("pool_size", [2, 2]);
  return {
    ...layerOptionsFromConfig(className, config),
    poolSize,
    strides: read.pair("strides", poolSize),
    padding: read.oneOf("padding", ["same", "valid"], "valid"),
  };
}

/** A layer that pools windows; its class says how. */
export abstract class Pooling2D extends Layer {
  /** How the window moves. */
  readonly config: Required<Pooling2DConfig>;

  /** @throws TypeError when an option is none of {@link Pooling2DOptions}, or of another type; sizes are whole, at least 1. */
  constructor(className: string, options: Pooling2DOptions) {
    super(options, ["poolSize", "strides", "padding"]);
    const read = readConfig(className, { ...options });
    const poolSize = read.pair("poolSize", [2, 2]);
    this.config = {
      poolSize,
      strides: read.pair("strides", poolSize),
      padding: read.oneOf("padding", ["same", "valid"], "valid"),
    };
  }

  computeOutputShape(inputShapes: readonly SymbolicShape[]): SymbolicShape {
    const shape = singleInput(this, inputShapes, 4);
    const { poolSize, ...moves } = this.config;
    return [shape[0], ...windowOutput(shape, { windowSize: poolSize, ...moves }), shape[3]];
  }

  protected arguments(): KerasConfig {
    const { poolSize, strides, padding } = this.config;
    return { pool_size: poolSize, padding, strides, data_format: "channels_last" };
  }
}
