/**
 * Shape inference for layers that slide a window over an image, also where height or width is still open.
 *
 * @module
 */
import { window2D } from "../kernels/window.js";
import type { SymbolicShape } from "../tensor/shape.js";

/** How a window slides: what {@link window2D} needs besides the image. */
export interface Sliding {
  /** [height, width] of the window. */
  readonly windowSize: readonly [number, number];
  /** Steps, [height, width]. */
  readonly strides: readonly [number, number];
  /** Zeros around the image, or none. */
  readonly padding: "same" | "valid";
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
