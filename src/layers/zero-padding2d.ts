/**
 * Rows and columns of zeros around an image.
 * Keras: `keras.layers.ZeroPadding2D(padding=(1, 1))`.
 *
 * Shapes:
 *
 *     x, dx  [N, H, W, C]
 *     y, dy  [N, top + H + bottom, left + W + right, C]
 *
 * Forward:   y[n, top + h, left + w, c] = x[n, h, w, c], and 0 elsewhere
 *
 * Backward:  dx[n, h, w, c] = dy[n, top + h, left + w, c]
 *
 * @module
 */
import { addBorders, type Borders, removeBorders } from "../kernels/borders.js";
import { type Execution, serial } from "../kernels/execution.js";
import { describe, type KerasConfig, readConfig } from "../serialization/config.js";
import { checkTensor } from "../serialization/tensors.js";
import { formatShape, type Shape, type SymbolicShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
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

/** How many rows and columns of zeros go before and after the image. */
export type Padding2D = Borders;

/** What backward needs from forward. */
export interface ZeroPadding2DCache {
  /** The shape of the input, [N, H, W, C]. */
  readonly shape: Shape;
  /** The zeros around it. */
  readonly padding: Padding2D;
  /** How it runs. */
  readonly execution: Execution;
}

/** The shape of the output for images of this shape [N, H, W, C]. */
function paddedShape(
  [batch, height, width, channels]: SymbolicShape,
  [[top, bottom], [left, right]]: Padding2D,
): SymbolicShape {
  const padded = (size: number | null, before: number, after: number): number | null =>
    size === null ? null : before + size + after;
  return [batch, padded(height, top, bottom), padded(width, left, right), channels];
}

/**
 * Puts zeros around the images `x` [N, H, W, C].
 *
 * @throws TypeError when `x` is no tensor, or the padding is not made of whole numbers of at least 0.
 * @throws RangeError when `x` does not have 4 dimensions.
 */
export function zeroPadding2DForward(
  x: Tensor,
  padding: Padding2D,
  execution: Execution = serial,
): Forward<ZeroPadding2DCache> {
  checkTensor("ZeroPadding2D", "x", x);
  if (x.dimension !== 4) {
    throw new RangeError(`ZeroPadding2D: \`x\` must have 4 dimensions. Received x.shape=${formatShape(x.shape)}.`);
  }
  padding = readPadding(padding);
  return { y: addBorders(x, padding, execution), cache: { shape: x.shape, padding, execution } };
}

/**
 * The gradient for the input: `dy` without its border.
 *
 * @throws TypeError when `dy` is no tensor.
 * @throws RangeError when it does not have the shape of the output.
 */
export function zeroPadding2DBackward(dy: Tensor, { shape, padding, execution }: ZeroPadding2DCache): Tensor {
  expectGradient("ZeroPadding2D", dy, paddedShape(shape, padding).map(Number));
  return removeBorders(dy, padding, shape, execution);
}

/** Options of {@link ZeroPadding2D}. */
export interface ZeroPadding2DOptions extends LayerOptions {
  /** One number for all sides, [height, width], or [[top, bottom], [left, right]]. @defaultValue 1 */
  readonly padding?: number | readonly [number, number] | Padding2D;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

/**
 * `value` in any of the three forms that Keras takes, as [[top, bottom], [left, right]].
 *
 * @throws TypeError when it is none of them.
 */
function readPadding(value: unknown): Padding2D {
  const sides = isList(value) ? value : [value, value];
  const [vertical, horizontal] = sides.map((side) => (isList(side) ? side : [side, side]));
  if (
    sides.length !== 2 ||
    vertical.length !== 2 ||
    horizontal.length !== 2 ||
    ![...vertical, ...horizontal].every(isCount)
  ) {
    throw new TypeError(
      "ZeroPadding2D: `padding` must be a number, [height, width], or [[top, bottom], [left, right]], " +
        `all whole numbers of at least 0. Received ${describe(value)}.`,
    );
  }
  return [
    [Number(vertical[0]), Number(vertical[1])],
    [Number(horizontal[0]), Number(horizontal[1])],
  ];
}

/** The zero padding layer of Keras. */
export class ZeroPadding2D extends Layer {
  readonly className = "ZeroPadding2D";
  /** How many rows and columns of zeros go before and after the image. */
  readonly padding: Padding2D;

  /** @throws TypeError when an option is none of {@link ZeroPadding2DOptions}, or the padding in none of its three forms. */
  constructor(options: ZeroPadding2DOptions = {}) {
    super(options, ["padding"]);
    this.padding = readPadding(options.padding ?? 1);
  }

  /** Reads the layer from a Keras configuration. */
  static fromConfig(config: KerasConfig): ZeroPadding2D {
    readConfig("ZeroPadding2D", config).refuse("data_format", "channels_last");
    const padding = readPadding(config["padding"] ?? 1);
    return new ZeroPadding2D({ ...layerOptionsFromConfig("ZeroPadding2D", config), padding });
  }

  computeOutputShape(inputShapes: readonly SymbolicShape[]): SymbolicShape {
    return paddedShape(singleInput(this, inputShapes, 4), this.padding);
  }

  override get computesInJobs(): boolean {
    return true;
  }

  call([x]: readonly Tensor[], { execution }: CallContext): LayerPass {
    const { y, cache } = zeroPadding2DForward(x, this.padding, execution);
    return { y, keeps: [], backward: (dy) => ({ dInputs: [zeroPadding2DBackward(dy, cache)], dWeights: {} }) };
  }

  protected arguments(): KerasConfig {
    return { padding: this.padding, data_format: "channels_last" };
  }
}
