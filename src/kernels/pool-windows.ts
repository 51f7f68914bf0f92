/**
 * Pooling: what a sliding window makes of every channel by itself. What hangs over the border takes no part.
 *
 *     x, dx [N, H, W, C],  y, dy [N, OH, OW, C]
 *
 *     greatest:  y = max of the elements under the window, the first of equal ones; NaN is greater than every number
 *                dx = sum of dy over the windows that chose this element
 *     mean:      y = sum of the elements under the window / their number
 *                dx = sum of dy / number of elements, over the windows that see this element
 *
 * Elements are taken with kh and kw ascending, windows with oh and ow ascending. Every tile is one row of the output,
 * forward, and one row of the input, backward, where each element looks for the windows that see it.
 *
 * @module
 */
import type { Job } from "../parallel/job.js";
import { type FloatArray, floatArray } from "../tensor/dtype.js";
import type { Shape } from "../tensor/shape.js";
import { contiguous, dtypeOf, empty, type Tensor } from "../tensor/tensor.js";
import { LEAST_COLUMNS, passRunsSimd, runPass } from "./element-tiles.js";
import { type Execution, runTiles } from "./execution.js";
import { addColumns } from "./reduce.js";
import { roundsToFloat32 } from "./rounding.js";
import { poolGreatestKernel } from "./simd/pool-kernels.js";
import { runKernel } from "./simd/thread.js";
import { type Window2D, windowFrom, windowNumbers } from "./window.js";

/** The greatest element under every window, and where it lies. */
export interface Greatest {
  /** [N, OH, OW, C]. */
  readonly y: Tensor;
  /** For every element of y, in row-major order, the offset of the element of x that it came from. */
  readonly argmax: Int32Array;
}

function numbersOf(x: Tensor, channels: number, window: Window2D, execution: Execution): number[] {
  return [channels, Number(roundsToFloat32(execution.accumulate, dtypeOf(x))), ...windowNumbers(window)];
}

/** The same memory as whole numbers: what a job takes as an array of floats, and nobody reads as one. */
function asIntegers(data: FloatArray): Int32Array {
  return new Int32Array(data.buffer, data.byteOffset, data.byteLength / 4);
}

/** A half-open range [from, to). */
interface Range {
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

const rowsUnder = (window: Window2D, oh: number): Range =>
  under(oh, window.strideHeight, window.kernelHeight, window.padTop, window.inputHeight);
const columnsUnder = (window: Window2D, ow: number): Range =>
  under(ow, window.strideWidth, window.kernelWidth, window.padLeft, window.inputWidth);
const rowsOver = (window: Window2D, h: number): Range =>
  over(h, window.strideHeight, window.kernelHeight, window.padTop, window.outputHeight);
const columnsOver = (window: Window2D, w: number): Range =>
  over(w, window.strideWidth, window.kernelWidth, window.padLeft, window.outputWidth);

/** The greatest element of `x` [N, H, W, C] under every window. */
export function poolGreatest(x: Tensor, window: Window2D, execution: Execution): Greatest {
  const [batch, , , channels] = x.shape;
  const y = empty([batch, window.outputHeight, window.outputWidth, channels], x);
  const places = empty(y.shape, "float32").data;
  runPass(execution, passRunsSimd(execution, x, channels), {
    job: poolGreatestJob,
    reads: [contiguous(x).data],
    writes: [y.data, places],
    numbers: numbersOf(x, channels, window, execution),
    tiles: batch * window.outputHeight,
  });
  return { y, argmax: asIntegers(places) };
}

/** One row of outputs. */
export const poolGreatestJob: Job = {
  name: "poolGreatest",
  run([x, y, places], numbers, tile) {
    const [channels] = numbers;
    const window = windowFrom(numbers, 2);
    const argmax = asIntegers(places);
    const n = Math.floor(tile / window.outputHeight);
    const rows = rowsUnder(window, tile - n * window.outputHeight);
    if (numbers[numbers.length - 1] === 1) {
      chooseVectors(x, y, argmax, channels, window, n * window.inputHeight, rows, tile * window.outputWidth);
      return;
    }
    for (let ow = 0, to = tile * window.outputWidth * channels; ow < window.outputWidth; ow++, to += channels) {
      const columns = columnsUnder(window, ow);
      for (let h = rows.from; h < rows.to; h++) {
        for (let w = columns.from; w < columns.to; w++) {
          const isFirst = h === rows.from && w === columns.from;
          choose(
            x,
            ((n * window.inputHeight + h) * window.inputWidth + w) * channels,
            channels,
            y,
            argmax,
            to,
            isFirst,
          );
        }
      }
    }
  },
};

/** Takes the element of each channel at `at` where it is greater than the greatest so far, or the first. */
function choose(
  x: FloatArray,
  at: number,
  channels: number,
  y: FloatArray,
  argmax: Int32Array,
  to: number,
  isFirst: boolean,
): void {
  for (let c = 0; c < channels; c++) {
    const greatest = y[to + c];
    if (isFirst || (!(x[at + c] <= greatest) && !Number.isNaN(greatest))) {
      y[to + c] = x[at + c];
      argmax[to + c] = at + c;
    }
  }
}

/**
 * One row of outputs on the assembled kernel: windows of one width at a time, which are all but those at the borders.
 * `line` counts lines of all images, `output` all windows.
 */
function chooseVectors(
  x: FloatArray,
  y: FloatArray,
  argmax: Int32Array,
  channels: number,
  window: Window2D,
  line: number,
  rows: Range,
  output: number,
): void {
  const widthOf = ({ from, to }: Range): number => to - from;
  for (let ow = 0; ow < window.outputWidth; ) {
    const columns = columnsUnder(window, ow);
    let windows = 1;
    // the next window is as wide, and begins a stride further on
    for (; ow + windows < window.outputWidth; windows++) {
      const next = columnsUnder(window, ow + windows);
      if (widthOf(next) !== widthOf(columns) || next.from !== columns.from + windows * window.strideWidth) break;
    }
    const pixelStride = 4 * channels;
    runKernel(poolGreatestKernel, {
      x: x.byteOffset,
      start: x.byteOffset + ((line + rows.from) * window.inputWidth + columns.from) * pixelStride,
      windows,
      step: window.strideWidth * pixelStride,
      rows: widthOf(rows),
      columns: widthOf(columns),
      rowStride: window.inputWidth * pixelStride,
      pixelStride,
      vectors: channels / LEAST_COLUMNS,
      y: y.byteOffset + (output + ow) * pixelStride,
      argmax: argmax.byteOffset + (output + ow) * pixelStride,
    });
    ow += windows;
  }
}

/** The gradient for the input of {@link poolGreatest}, of shape [N, H, W, C]. */
export function poolGreatestGradient(
  dy: Tensor,
  argmax: Int32Array,
  shape: Shape,
  window: Window2D,
  execution: Execution,
): Tensor {
  const dx = empty(shape, dy);
  runTiles(execution, {
    job: poolGreatestGradientJob,
    reads: [contiguous(dy).data, new Float32Array(argmax.buffer, argmax.byteOffset, argmax.length)],
    writes: [dx.data],
    numbers: numbersOf(dy, shape[3], window, execution),
    tiles: shape[0] * shape[1],
  });
  return dx;
}

/** One row of inputs. */
export const poolGreatestGradientJob: Job = {
  name: "poolGreatestGradient",
  run([dy, places, dx], numbers, tile) {
    const argmax = asIntegers(places);
    forEachMeeting(numbers, tile, dx, (sums, at, output) => {
      for (let c = 0; c < sums.length; c++) if (argmax[output + c] === at + c) sums[c] += dy[output + c];
    });
  },
};

/**
 * For every element of row `tile` of the inputs, all for channel 0, calls `add` for the windows that see it, with the
 * offsets of both; what it adds to `sums` becomes the elements' gradient. An array of float32 rounds every partial sum.
 */
function forEachMeeting(
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

/** The mean of the elements of `x` [N, H, W, C] under every window. */
export function poolMean(x: Tensor, window: Window2D, execution: Execution): Tensor {
  const [batch, , , channels] = x.shape;
  const y = empty([batch, window.outputHeight, window.outputWidth, channels], x);
  runPass(execution, passRunsSimd(execution, x, channels), {
    job: poolMeanJob,
    reads: [contiguous(x).data],
    writes: [y.data, new Float64Array(batch * window.outputHeight * channels)],
    numbers: numbersOf(x, channels, window, execution),
    tiles: batch * window.outputHeight,
  });
  return y;
}

/** How many elements are under the window at [oh, ow]. */
function countUnder(window: Window2D, oh: number, ow: number): number {
  const rows = rowsUnder(window, oh);
  const columns = columnsUnder(window, ow);
  return (rows.to - rows.from) * (columns.to - columns.from);
}

/** One row of outputs. */
export const poolMeanJob: Job = {
  name: "poolMean",
  run([x, y, allSums], numbers, tile) {
    const [channels, single] = numbers;
    const simd = numbers[numbers.length - 1] === 1;
    const window = windowFrom(numbers, 2);
    const n = Math.floor(tile / window.outputHeight);
    const oh = tile - n * window.outputHeight;
    const rows = rowsUnder(window, oh);
    const sums = allSums.subarray(tile * channels, (tile + 1) * channels);
    for (let ow = 0, to = tile * window.outputWidth * channels; ow < window.outputWidth; ow++, to += channels) {
      const columns = columnsUnder(window, ow);
      sums.fill(0);
      for (let h = rows.from; h < rows.to; h++) {
        const at = ((n * window.inputHeight + h) * window.inputWidth + columns.from) * channels;
        addPixels(x, at, columns.to - columns.from, sums, single === 1, simd);
      }
      const count = countUnder(window, oh, ow);
      for (let c = 0; c < channels; c++) y[to + c] = sums[c] / count;
    }
  },
};

/** Adds `pixels` pixels from x[at] on to the sums of their channels. */
function addPixels(x: FloatArray, at: number, pixels: number, sums: FloatArray, single: boolean, simd: boolean): void {
  const channels = sums.length;
  if (simd) {
    addColumns(x.byteOffset + 4 * at, sums.byteOffset, { rows: pixels, channels, from: 0, to: channels }, single);
    return;
  }
  for (let pixel = 0; pixel < pixels; pixel++, at += channels) {
    for (let c = 0; c < channels; c++) sums[c] = single ? Math.fround(sums[c] + x[at + c]) : sums[c] + x[at + c];
  }
}

/** The gradient for the input of {@link poolMean}, of shape [N, H, W, C]. */
export function poolMeanGradient(dy: Tensor, shape: Shape, window: Window2D, execution: Execution): Tensor {
  const dx = empty(shape, dy);
  runTiles(execution, {
    job: poolMeanGradientJob,
    reads: [contiguous(dy).data],
    writes: [dx.data],
    numbers: numbersOf(dy, shape[3], window, execution),
    tiles: shape[0] * shape[1],
  });
  return dx;
}

/** One row of inputs. */
export const poolMeanGradientJob: Job = {
  name: "poolMeanGradient",
  run([dy, dx], numbers, tile) {
    const window = windowFrom(numbers, 2);
    const single = numbers[1] === 1;
    if (window.strideHeight >= window.kernelHeight && window.strideWidth >= window.kernelWidth) {
      shareOut(dy, dx, numbers[0], window, tile);
      return;
    }
    forEachMeeting(numbers, tile, dx, (sums, _at, output, oh, ow) => {
      const count = countUnder(window, oh, ow);
      for (let c = 0; c < sums.length; c++) {
        const share = dy[output + c] / count;
        sums[c] += single ? Math.fround(share) : share;
      }
    });
  },
};

/** One row of inputs, none of which more than one window sees: the share of a window is worked out once for its row. */
function shareOut(dy: FloatArray, dx: FloatArray, channels: number, window: Window2D, tile: number): void {
  const n = Math.floor(tile / window.inputHeight);
  const rows = rowsOver(window, tile - n * window.inputHeight);
  const line = tile * window.inputWidth * channels;
  const share = dx.slice(0, channels);
  dx.fill(0, line, line + window.inputWidth * channels);
  for (let oh = rows.from; oh < rows.to; oh++) {
    for (let ow = 0; ow < window.outputWidth; ow++) {
      const output = ((n * window.outputHeight + oh) * window.outputWidth + ow) * channels;
      const count = countUnder(window, oh, ow);
      for (let c = 0; c < channels; c++) share[c] = 0 + dy[output + c] / count; // as a sum of one term: never -0
      const columns = columnsUnder(window, ow);
      for (let w = columns.from; w < columns.to; w++) dx.set(share, line + w * channels);
    }
  }
}
