/**
 * Decoded images, before they are tensors or data sets.
 *
 * @module
 */

/** Images of more pixels are refused before memory is taken for them. */
export const MAX_PIXELS = 50_000_000;

/** A decoded image. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  /** Red, green, blue of every pixel, [height, width, 3]. */
  readonly rgb: Uint8Array;
}
