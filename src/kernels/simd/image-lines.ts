/**
 * The lines of an image that a tile of a convolution reads, in its thread's scratch memory: copied, with zeros for what is
 * outside; or normalized on the way, and rectified, as a layer before the convolution would have left them in memory.
 *
 * @module
 */
import type { FloatArray } from "../../tensor/dtype.js";
import type { Window2D } from "../window.js";
import { copyFunction, zeroFunction } from "./copy-kernel.js";
import { LANES } from "./floats.js";
import type { Lanes } from "./lanes.js";
import { chooseNormalizeKernel } from "./normalize-kernels.js";
import type { Skipping } from "./padding.js";
import { kernelFunction } from "./thread.js";

/** What is done to an image of whole vectors of channels before it is convolved. */
export interface LinePrologue {
  /** What the kernels of `normalize-kernels.ts` read, interleaved. */
  readonly map: FloatArray;
  readonly rectify: boolean;
}

/** How the windows of a tile find their values. */
export interface Reading {
  /** Whether they read a copy. */
  readonly copied: boolean;
  /** Lines from the first to the last that a window sees, and columns that all windows of a line see. */
  readonly reach: number;
  readonly columns: number;
  /** Segments of each line of a window, and values of each. */
  readonly segmentsPerLine: number;
  readonly length: number;
  /** Bytes of a line that is prepared before it is widened. */
  readonly lineBytes: number;
}

/** Columns from the first to the last that the windows of a line see. */
export function columnsSeen({ outputWidth, strideWidth, kernelWidth, dilationWidth }: Window2D): number {
  return (outputWidth - 1) * strideWidth + (kernelWidth - 1) * dilationWidth + 1;
}

/** Whether lines are copied whatever windows see of them. */
export function alwaysCopies(lanes: Lanes, groups: number, prepared: boolean): boolean {
  return lanes.name === "float64" || groups > 1 || prepared;
}

/** Pixels of the image that a line of output adds to what is read: those that windows see; where lines are copied, all of them. */
export function pixelsPerLine(window: Window2D, copied: boolean): number {
  const { strideHeight, kernelHeight, kernelWidth, outputWidth } = window;
  const columns = columnsSeen(window);
  return copied
    ? strideHeight * columns
    : Math.min(strideHeight, kernelHeight) * Math.min(columns, outputWidth * kernelWidth);
}

/** How windows read images of groups of `channels` channels, which may be `prepared` first, with what padding left out. */
export function readingOf(
  window: Window2D,
  lanes: Lanes,
  groups: number,
  channels: number,
  prepared: boolean,
  skipping: Skipping,
): Reading {
  const reach = (window.kernelHeight - 1) * window.dilationHeight + 1;
  const columns = columnsSeen(window);
  const bottom = (window.outputHeight - 1) * window.strideHeight - window.padTop + reach;
  const rowsInside = window.padTop <= 0 && bottom <= window.inputHeight;
  const columnsInside = window.padLeft <= 0 && columns - window.padLeft <= window.inputWidth;
  const inside = (rowsInside || skipping.rows) && (columnsInside || skipping.columns);
  const together = window.dilationWidth === 1;
  const wide = lanes.name === "float64";
  return {
    copied: !inside || alwaysCopies(lanes, groups, prepared),
    reach,
    columns,
    segmentsPerLine: together ? 1 : window.kernelWidth,
    length: together ? window.kernelWidth * channels : channels,
    lineBytes: wide && prepared ? columns * channels * 4 : 0,
  };
}

/** Bytes that the copies of a tile of `lines` lines take at most, over all images that it touches. */
export function copyBytes(
  lines: number,
  batch: number,
  window: Window2D,
  { reach, columns }: Reading,
  pixel: number,
): number {
  const images = Math.min(batch, lines, Math.floor((lines - 2) / window.outputHeight) + 2);
  const inputLines = lines * window.strideHeight + images * Math.max(0, reach - window.strideHeight);
  return inputLines * columns * pixel;
}

/** Copies `height` lines of the image at an address, from line `top` on, to `to`; returns where the copy ends. */
type LineCopier = (image: number, top: number, height: number, to: number) => number;

/** Copies lines of an image, with zeros for what is outside. */
export function lineCopier(
  { inputHeight, inputWidth, padLeft }: Window2D,
  { columns }: Reading,
  lanes: Lanes,
  channels: number,
  groups: number,
): LineCopier {
  const left = Math.max(0, -padLeft); // the first column of the image that is seen, and the one behind the last
  const right = Math.min(inputWidth, columns - padLeft);
  const together = groups === 1;
  const line = columns * channels;
  const lineBytes = line * lanes.bytes;
  const pixelBytes = 4 * channels * groups;
  const copy = copyFunction(lanes);
  const putZeros = zeroFunction(lanes);
  return (image, top, height, to) => {
    const above = Math.min(height, Math.max(0, -top));
    const inside = right > left ? Math.max(0, Math.min(inputHeight, top + height) - (top + above)) : 0;
    const below = height - above - inside;
    if (above > 0) putZeros(to, above * line);
    if (inside > 0) {
      copy({
        from: image + ((top + above) * inputWidth + left) * pixelBytes,
        to: to + above * lineBytes,
        runs: together ? 1 : right - left,
        runStride: pixelBytes,
        runLength: together ? (right - left) * channels : channels,
        before: (left + padLeft) * channels,
        after: (columns - padLeft - right) * channels,
        rows: inside,
        rowStride: inputWidth * pixelBytes,
      });
    }
    if (below > 0) putZeros(to + (above + inside) * lineBytes, below * line);
    return to + height * lineBytes;
  };
}

/**
 * Normalizes the pixels that windows of a single one see; by way of a line at the address `scratch` where they are widened.
 */
export function lineNormalizer(
  { inputWidth, strideHeight, strideWidth, outputWidth }: Window2D,
  { columns }: Reading,
  lanes: Lanes,
  channels: number,
  { map, rectify }: LinePrologue,
  scratch: number,
): LineCopier {
  // x, map, addend, y, vectors, rows, skip, skipWritten
  const normalize = kernelFunction(chooseNormalizeKernel(map, false, rectify));
  const copy = copyFunction(lanes);
  const widens = lanes.name === "float64";
  const line = columns * channels;
  const lineBytes = line * lanes.bytes;
  const one = { runs: 1, runStride: 0, runLength: line, before: 0, after: 0, rows: 1, rowStride: 0 };
  const vectors = channels / LANES;
  const skip = 4 * channels * (strideWidth - 1);
  return (image, top, height, to) => {
    const from = image + 4 * top * inputWidth * channels;
    if (!widens && strideHeight === 1 && strideWidth === 1) {
      normalize(from, map.byteOffset, 0, to, vectors, height * columns, skip, skip);
    } else {
      for (let h = 0; h < height; h += strideHeight) {
        const target = to + h * lineBytes;
        const y = widens ? scratch : target;
        normalize(from + 4 * h * inputWidth * channels, map.byteOffset, 0, y, vectors, outputWidth, skip, skip);
        if (widens) copy({ ...one, from: scratch, to: target });
      }
    }
    return to + height * lineBytes;
  };
}
