/**
 * Bilinear interpolation along one axis: the two pixels next to a place, and their weights.
 *
 * For the place p of an axis of n pixels, with p = q + u, whole q, 0 <= u < 1: pixels q and q + 1 with weights 1 - u and u.
 * A place outside, p < 0 or p > n - 1, is answered by the fill mode (a b c d are the pixels):
 *
 *     nearest    a a a | a b c d | d d d
 *     reflect    c b a | a b c d | d c b
 *     wrap       b c d | a b c d | a b c     with period n - 1 only: a and d fall on one place, and d is seen at it
 *     constant   k k k | a b c d | k k k     k at once: nothing is interpolated between the image and k
 *
 * All of it as `scipy.ndimage.affine_transform(order=1)` has it, to the order of additions.
 *
 * @module
 */

/** What is seen outside of an image. */
export type FillMode = "nearest" | "constant" | "reflect" | "wrap";

/** All fill modes. */
export const FILL_MODES: readonly FillMode[] = ["nearest", "constant", "reflect", "wrap"];

/** For each of some places, which pixels are mixed and how. */
export interface Taps {
  /** 0 where the place is outside and the constant is seen there. */
  readonly inside: Uint8Array;
  /** The pixels. */
  readonly first: Int32Array;
  readonly second: Int32Array;
  /** Their weights. */
  readonly weight: Float64Array;
  readonly weight2: Float64Array;
}

/** Taps for `count` places, yet to be set. */
export function emptyTaps(count: number): Taps {
  return {
    inside: new Uint8Array(count),
    first: new Int32Array(count),
    second: new Int32Array(count),
    weight: new Float64Array(count),
    weight2: new Float64Array(count),
  };
}

/** Sets number `k` of `taps` to what is seen at `place` of an axis of `size` pixels. */
export function setTap(taps: Taps, k: number, place: number, size: number, fillMode: FillMode): void {
  const isOutside = place < 0 || place > size - 1;
  taps.inside[k] = isOutside && fillMode === "constant" ? 0 : 1;
  if (taps.inside[k] === 0) return;
  const at = isOutside ? broughtBack(place, size, fillMode) : place;
  const pixel = Math.floor(at);
  // beyond the ends the weight is 0 or, for a reflection between an end and its image, the pixel the same
  taps.first[k] = Math.max(pixel, 0);
  taps.second[k] = Math.min(pixel + 1, size - 1);
  // the second weight is what is missing from 1, so that equal pixels mix to themselves
  taps.weight[k] = 1 - (at - pixel);
  taps.weight2[k] = 1 - taps.weight[k];
}

/** The place from -1 to `size` - 1 where the same is seen as at `place` outside of the image. */
function broughtBack(place: number, size: number, fillMode: FillMode): number {
  if (fillMode === "nearest" || size === 1) return place < 0 ? 0 : size - 1;
  if (fillMode === "wrap") {
    const period = size - 1;
    return place < 0 ? place + period * (Math.trunc(-place / period) + 1) : place - period * Math.trunc(place / period);
  }
  const period = 2 * size;
  if (place < 0) {
    const first = place < -period ? place + period * Math.trunc(-place / period) : place;
    return first < -size ? first + period : -first - 1;
  }
  const first = place - period * Math.trunc(place / period);
  return first >= size ? period - first - 1 : first;
}
