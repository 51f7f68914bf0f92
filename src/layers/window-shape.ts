/**
 * How the window of a convolution moves: the arguments, and shape inference where height or width is still open.
 *
 * @module
 */
import { window2D } from "../kernels/window.js";
import type { ConfigReader } from "../serialization/config.js";
import type { SymbolicShape } from "../tensor/shape.js";

/** How the window of a convolution moves, with Keras's defaults. */
export interface ConvolutionMoves {
  /** Steps of the window, [height, width]. @defaultValue [1, 1] */
  readonly strides?: readonly [number, number];
  /** `same`: enough zeros that the output has ceil(H / strides) rows; `valid`: none. @defaultValue "valid" */
  readonly padding?: "same" | "valid";
  /** Distance between the kernel's taps, [height, width]. @defaultValue [1, 1] */
  readonly dilationRate?: readonly [number, number];
}

/** The same as options of a layer, where one number stands for both directions. */
export interface ConvolutionMoveOptions {
  /** Size of the window. */
  readonly kernelSize: number | readonly [number, number];
  /** @defaultValue 1 */
  readonly strides?: number | readonly [number, number];
  /** @defaultValue "valid" */
  readonly padding?: "same" | "valid";
  /** @defaultValue 1 */
  readonly dilationRate?: number | readonly [number, number];
}

/** The moves in the options of a layer (`dilationRate`) or in a Keras configuration (`dilation_rate`). */
export function readMoves(
  read: ConfigReader,
  dilationKey: "dilationRate" | "dilation_rate",
): Required<ConvolutionMoves> {
  return {
    strides: read.pair("strides", [1, 1]),
    padding: read.oneOf("padding", ["same", "valid"], "valid"),
    dilationRate: read.pair(dilationKey, [1, 1]),
  };
}

/** How a window slides over an image: what {@link window2D} needs besides the image. */
export interface Sliding extends Required<Omit<ConvolutionMoves, "dilationRate">> {
  /** [height, width] of the window. */
  readonly windowSize: readonly [number, number];
  /** Distance between taps, [height, width]. @defaultValue [1, 1] */
  readonly dilationRate?: readonly [number, number];
}

/**
 * [oH, oW] for an image of `shape` [N, H, W, C]; an open height or width stays open.
 *
 * @throws RangeError when the window does not fit into the image.
 */
export function windowOutput(
  shape: SymbolicShape,
  { windowSize, strides, padding, dilationRate = [1, 1] }: Sliding,
): readonly [number | null, number | null] {
  // an open dimension is stood in for by one that every window fits into
  const standIn = (axis: 0 | 1): number => shape[axis + 1] ?? windowSize[axis] * dilationRate[axis];
  const window = window2D([standIn(0), standIn(1)], windowSize, strides, padding, dilationRate);
  return [shape[1] === null ? null : window.outputHeight, shape[2] === null ? null : window.outputWidth];
}
