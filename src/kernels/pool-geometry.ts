/**
 * What pooling knows of windows: which elements one sees, and which see an element. What hangs over the border of an
 * image takes no part.
 *
 * @module
 */
import { type FloatArray, floatArray } from "../tensor/dtype.js";
import { dtypeOf, type Tensor } from "../tensor/tensor.js";
import type { Execution } from "./execution.js";
import { roundsToFloat32 } from "./rounding.js";
import { type Window2D, windowFrom, windowNumbers } from "./window.js";

/** What the jobs of pooling are told: channels, whether sums are rounded, the geometry. */
export function poolNumbers(x: Tensor, channels: number, window: Window2D, execution: Execution): number[] {
  return [channels, Number(roundsToFloat32(execution.accumulate, dtypeOf(x))), ...windowNumbers(window)];
}

/** A half-open range [from, to). */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** What the window `o` along an axis sees of `input` elements. */
function under(o: number, stride: number, size: number, before: number, input: number): Range {
  const start = o * stride - before;
  return { from: Math.max(start, 0), to: Math.min(start + size, input) };
}

/** Which of `output` windows along an axis see the element `at`. */
function over(at: number, stride: number, size: number, before: number, output: number): Range {
  const from = Math.max(0, Math.ceil((at + before - size + 1) / stride));
  return { from, to: Math.min(output, Math.floor((at + before) / stride) + 1) };
}

/** The rows that the windows of row `oh` see. */
export const rowsUnder = (window: Window2D, oh: number): Range =>
  under(oh, window.strideHeight, window.kernelHeight, window.padTop, window.inputHeight);
/** The columns that the windows of column `ow` see. */
export const columnsUnder = (window: Window2D, ow: number): Range =>
  under(ow, window.strideWidth, window.kernelWidth, window.padLeft, window.inputWidth);
/** The rows of windows that see row `h`. */
export const rowsOver = (window: Window2D, h: number): Range =>
  over(h, window.strideHeight, window.kernelHeight, window.padTop, window.outputHeight);
/** The columns of windows that see column `w`. */
export const columnsOver = (window: Window2D, w: number): Range =>
  over(w, window.strideWidth, window.kernelWidth, window.padLeft, window.outputWidth);

/**
 * For every element of row `tile` of the inputs, all for channel 0, calls `add` for the windows that see it, with the
 * offsets of both; what it adds to `sums` becomes the elements' gradient. An array of float32 rounds every partial sum.
 */
export function forEachMeeting(
  numbers: readonly number[],
  tile: number,
  dx: FloatArray,
  add: (sums: FloatArray, at: number, output: number, oh: number, ow: number) => void,
): void {
  const [channels, single] = numbers;
  const window = windowFrom(numbers, 2);
  const n = Math.floor(tile / window.inputHeight);
  const rows = rowsOver(window, tile - n * window.inputHeight);
  const sums = floatArray(single === 1 ? "float32" : "float64", channels);
  for (let w = 0, at = tile * window.inputWidth * channels; w < window.inputWidth; w++, at += channels) {
    const columns = columnsOver(window, w);
    sums.fill(0);
    for (let oh = rows.from; oh < rows.to; oh++) {
      for (let ow = columns.from; ow < columns.to; ow++) {
        add(sums, at, ((n * window.outputHeight + oh) * window.outputWidth + ow) * channels, oh, ow);
      }
    }
    dx.set(sums, at);
  }
}
