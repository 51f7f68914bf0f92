/**
 * One pixel, many times: how a mean gives each of its elements the same share.
 *
 * @module
 */
import type { FloatArray } from "../tensor/dtype.js";
import { copyFunction } from "./simd/copy-kernel.js";
import { singles } from "./simd/lanes.js";

/** Writes the pixel that begins at element `first` over those behind it, until there are `pixels` of it. */
export type RepeatPixel = (first: number, pixels: number) => void;

/** What repeats pixels of `channels` elements of `image`; with `simd`, of float32 in the heap, on assembled kernels. */
export function repeaterOf(image: FloatArray, channels: number, simd: boolean): RepeatPixel {
  if (!simd) {
    return (first, pixels) => {
      const end = first + pixels * channels;
      for (let i = first + channels; i < end; i++) image[i] = image[i - channels];
    };
  }
  const copy = copyFunction(singles);
  return (first, pixels) => {
    if (pixels < 2) return;
    const from = image.byteOffset + 4 * first;
    copy({
      ...{ from, to: from + 4 * channels, runs: pixels - 1, runStride: 0, runLength: channels },
      ...{ before: 0, after: 0, rows: 1, rowStride: 0 },
    });
  };
}
