/**
 * Inputs of a convolution, grouped by the taps through which windows see them.
 *
 * Along one axis, input h is seen through tap k when oh = (h + padBefore - k * dilation) / stride is a whole number in
 * [0, output). The inputs with the same set of such taps form a class: with 3 taps at stride 1 and SAME padding there
 * are three, the first row {1, 0}, the last row {2, 1}, and all between {2, 1, 0}. Inputs of an image whose rows share
 * a class and whose columns share a class are seen through the same taps, which are listed in descending order: that is
 * the ascending order of the outputs.
 *
 * @module
 */
import { blockOf, splitEvenly } from "./split.js";
import type { Window2D } from "./window.js";

/** Coordinates along one axis that are seen through the same taps. */
interface AxisClass {
  /** Descending. */
  readonly taps: readonly number[];
  readonly coordinates: readonly number[];
}

/** One element of the window. */
export interface Tap {
  readonly kh: number;
  readonly kw: number;
}

/** One position of the input. */
export interface Pixel {
  readonly n: number;
  readonly h: number;
  readonly w: number;
}

/** Inputs that are seen through the same taps. */
export interface InputBlock {
  /** In the order of the sum. */
  readonly taps: readonly Tap[];
  readonly pixels: readonly Pixel[];
}

/** The output coordinate that sees `input` through `tap`, if there is one. */
function outputAlong(input: number, tap: number, stride: number, dilation: number, pad: number): number {
  return (input + pad - tap * dilation) / stride;
}

function classesAlong(
  input: number,
  output: number,
  kernel: number,
  stride: number,
  dilation: number,
  pad: number,
): AxisClass[] {
  const classes = new Map<string, { taps: number[]; coordinates: number[] }>();
  for (let at = 0; at < input; at++) {
    const taps: number[] = [];
    for (let k = kernel - 1; k >= 0; k--) {
      const o = outputAlong(at, k, stride, dilation, pad);
      if (Number.isInteger(o) && o >= 0 && o < output) taps.push(k);
    }
    const known = classes.get(taps.join());
    if (known === undefined) classes.set(taps.join(), { taps, coordinates: [at] });
    else known.coordinates.push(at);
  }
  return [...classes.values()];
}

function rowClasses(window: Window2D): AxisClass[] {
  const { inputHeight, outputHeight, kernelHeight, strideHeight, dilationHeight, padTop } = window;
  return classesAlong(inputHeight, outputHeight, kernelHeight, strideHeight, dilationHeight, padTop);
}

function columnClasses(window: Window2D): AxisClass[] {
  const { inputWidth, outputWidth, kernelWidth, strideWidth, dilationWidth, padLeft } = window;
  return classesAlong(inputWidth, outputWidth, kernelWidth, strideWidth, dilationWidth, padLeft);
}

/** How many blocks of at most `most` pixels the inputs of `batch` images make. */
export function countBlocks(window: Window2D, batch: number, most: number): number {
  const columns = columnClasses(window);
  let count = 0;
  for (const row of rowClasses(window)) {
    for (const column of columns) count += splitOf(row, column, batch, most).count;
  }
  return count;
}

function splitOf(row: AxisClass, column: AxisClass, batch: number, most: number): ReturnType<typeof splitEvenly> {
  return splitEvenly(batch * row.coordinates.length * column.coordinates.length, most, 1);
}

/**
 * Block number `index` of those that {@link countBlocks} counts.
 *
 * @throws Error when there is no such block.
 */
export function inputBlock(window: Window2D, batch: number, most: number, index: number): InputBlock {
  const columns = columnClasses(window);
  let rest = index;
  for (const row of rowClasses(window)) {
    for (const column of columns) {
      const split = splitOf(row, column, batch, most);
      if (rest < split.count) {
        return {
          taps: row.taps.flatMap((kh) => column.taps.map((kw) => ({ kh, kw }))),
          pixels: pixelsOf(row.coordinates, column.coordinates, blockOf(split, rest)),
        };
      }
      rest -= split.count;
    }
  }
  throw new Error(`internal: conv2DInputGradient: there is no block ${index}.`);
}

function pixelsOf(rows: readonly number[], columns: readonly number[], range: { from: number; to: number }): Pixel[] {
  const pixels: Pixel[] = [];
  for (let i = range.from; i < range.to; i++) {
    const line = Math.floor(i / columns.length);
    const n = Math.floor(line / rows.length);
    pixels.push({ n, h: rows[line - n * rows.length], w: columns[i - line * columns.length] });
  }
  return pixels;
}

/** The flat output position (n, oh, ow) that sees `pixel` through the tap (kh, kw). */
export function outputThrough(window: Window2D, { n, h, w }: Pixel, kh: number, kw: number): number {
  const oh = outputAlong(h, kh, window.strideHeight, window.dilationHeight, window.padTop);
  const ow = outputAlong(w, kw, window.strideWidth, window.dilationWidth, window.padLeft);
  return (n * window.outputHeight + oh) * window.outputWidth + ow;
}
