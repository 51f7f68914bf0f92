/**
 * What GlobalAveragePooling2D and GlobalMaxPooling2D share: every channel of an image becomes one number.
 *
 * @module
 */
import { type KerasConfig, readConfig } from "../serialization/config.js";
import { checkTensor } from "../serialization/tensors.js";
import { formatShape, type SymbolicShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { Layer, type LayerOptions, layerOptionsFromConfig, singleInput } from "./layer.js";

/**
 * @throws TypeError when `x` is no tensor.
 * @throws RangeError when it is not [N, H, W, C] with at least one pixel.
 */
export function expectImages(className: string, x: Tensor): void {
  checkTensor(className, "x", x);
  if (x.dimension !== 4 || x.shape[1] * x.shape[2] === 0) {
    throw new RangeError(
      `${className}: \`x\` must have 4 dimensions, and height and width of at least 1. ` +
        `Received x.shape=${formatShape(x.shape)}.`,
    );
  }
}

/** The shape of the output for images of `shape` [N, H, W, C]: [N, C], or [N, 1, 1, C]. */
export function globalPoolingShape<Size extends number | null>(
  shape: readonly Size[],
  keepdims: boolean,
): (Size | 1)[] {
  return keepdims ? [shape[0], 1, 1, shape[3]] : [shape[0], shape[3]];
}

/** Options of the two layers, with Keras's defaults. */
export interface GlobalPooling2DOptions extends LayerOptions {
  /** Whether height and width stay, as dimensions of 1. @defaultValue false */
  readonly keepdims?: boolean;
}

/** The options of a global pooling layer, read from a Keras configuration. */
export function globalPoolingOptionsFromConfig(className: string, config: KerasConfig): GlobalPooling2DOptions {
  const read = readConfig(className, config);
  read.refuse("data_format", "channels_last");
  return { ...layerOptionsFromConfig(className, config), keepdims: read.boolean("keepdims", false) };
}

/** A layer that pools whole images; its class says how. */
export abstract class GlobalPooling2D extends Layer {
  /** Whether height and width stay, as dimensions of 1. */
  readonly keepdims: boolean;

  /** @throws TypeError when an option is none of {@link GlobalPooling2DOptions}, or of another type. */
  constructor(className: string, options: GlobalPooling2DOptions) {
    super(options, ["keepdims"]);
    this.keepdims = readConfig(className, { ...options }).boolean("keepdims", false);
  }

  computeOutputShape(inputShapes: readonly SymbolicShape[]): SymbolicShape {
    return globalPoolingShape(singleInput(this, inputShapes, 4), this.keepdims);
  }

  protected arguments(): KerasConfig {
    return { data_format: "channels_last", keepdims: this.keepdims };
  }
}
