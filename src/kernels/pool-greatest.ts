/**
 * Max pooling: the greatest element under a sliding window, for every channel by itself.
 *
 *     x, dx [N, H, W, C],  y, dy [N, OH, OW, C]
 *
 *     y  = max of the elements under the window, the first of equal ones; NaN is greater than every number
 *     dx = sum of dy over the windows that chose this element
 *
 * Elements are taken with kh and kw ascending, windows with oh and ow ascending. Every tile is one row of the output,
 * forward, and one row of the input, backward, where each element looks for the windows that see it.
 *
 * @module
 */
import type { Job } from "../parallel/job.js";
import type { FloatArray } from "../tensor/dtype.js";
import type { Shape } from "../tensor/shape.js";
import { contiguous, empty, type Tensor } from "../tensor/tensor.js";
import { LEAST_COLUMNS, passRunsSimd, runPass } from "./element-tiles.js";
import { type Execution, NO_VALUES } from "./execution.js";
import {
  columnsOver,
  columnsUnder,
  forEachMeeting,
  poolNumbers,
  type Range,
  rowsOver,
  rowsUnder,
} from "./pool-geometry.js";
import { poolGradientKernels, poolGreatestKernel, poolPlacesKernel } from "./simd/pool-kernels.js";
import { runKernel } from "./simd/thread.js";
import { type Window2D, windowFrom } from "./window.js";

/** The greatest element under every window, and where it lies. */
export interface Greatest {
  /** [N, OH, OW, C]. */
  readonly y: Tensor;
  /** For every element of y, in row-major order, the offset of the element of x that it came from. */
  readonly argmax: Int32Array;
}

/** The same memory as whole numbers: what a job takes as an array of floats, and nobody reads as one. */
function asIntegers(data: FloatArray): Int32Array {
  return new Int32Array(data.buffer, data.byteOffset, data.byteLength / 4);
}

/** The very arrays of floats that jobs have written whole numbers to: by these a record of jobs knows what it has seen. */
const writtenAs = new WeakMap<Int32Array, FloatArray>();

function asFloats(integers: Int32Array): FloatArray {
  return writtenAs.get(integers) ?? new Float32Array(integers.buffer, integers.byteOffset, integers.length);
}

/** The greatest element of `x` [N, H, W, C] under every window, and where it lies. */
export function poolGreatest(x: Tensor, window: Window2D, execution: Execution): Greatest {
  const y = outputOf(x, window);
  const places = empty(y.shape, "float32").data;
  choosePass(x, y, places, window, execution);
  const argmax = asIntegers(places);
  writtenAs.set(argmax, places);
  return { y, argmax };
}

/** The greatest element of `x` [N, H, W, C] under every window alone, where there is no way back. */
export function greatestAlone(x: Tensor, window: Window2D, execution: Execution): Tensor {
  const y = outputOf(x, window);
  choosePass(x, y, NO_VALUES, window, execution);
  return y;
}

function outputOf(x: Tensor, { outputHeight, outputWidth }: Window2D): Tensor {
  const [batch, , , channels] = x.shape;
  return empty([batch, outputHeight, outputWidth, channels], x);
}

/** Writes `y`, and `places` where these are not empty. */
function choosePass(x: Tensor, y: Tensor, places: FloatArray, window: Window2D, execution: Execution): void {
  const [batch, , , channels] = x.shape;
  runPass(execution, passRunsSimd(execution, x, channels), {
    job: poolGreatestJob,
    reads: [contiguous(x).data],
    writes: [y.data, places],
    numbers: poolNumbers(x, channels, window, execution),
    tiles: batch * window.outputHeight,
  });
}

/** One row of outputs. */
export const poolGreatestJob: Job = {
  name: "poolGreatest",
  prepare:
    ([x, y, places], numbers) =>
    (tile) => {
      const [channels] = numbers;
      const window = windowFrom(numbers, 2);
      const argmax = places.length > 0 ? asIntegers(places) : undefined;
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
  argmax: Int32Array | undefined,
  to: number,
  isFirst: boolean,
): void {
  for (let c = 0; c < channels; c++) {
    const greatest = y[to + c];
    if (isFirst || (!(x[at + c] <= greatest) && !Number.isNaN(greatest))) {
      y[to + c] = x[at + c];
      if (argmax !== undefined) argmax[to + c] = at + c;
    }
  }
}

const widthOf = ({ from, to }: Range): number => to - from;

/** How many of the ranges 0 to `most` are as wide as the first, each of them `step` further on than the one before. */
function countAlike(rangeAt: (i: number) => Range, most: number, step: number): number {
  const first = rangeAt(0);
  let count = 1;
  for (; count < most; count++) {
    const next = rangeAt(count);
    if (widthOf(next) !== widthOf(first) || next.from !== first.from + count * step) break;
  }
  return count;
}

/**
 * One row of outputs on the assembled kernel: windows of one width at a time, which are all but those at the borders.
 * `line` counts lines of all images, `output` all windows.
 */
function chooseVectors(
  x: FloatArray,
  y: FloatArray,
  argmax: Int32Array | undefined,
  channels: number,
  window: Window2D,
  line: number,
  rows: Range,
  output: number,
): void {
  for (let ow = 0; ow < window.outputWidth; ) {
    const columns = columnsUnder(window, ow);
    const left = window.outputWidth - ow;
    const windows = countAlike((i) => columnsUnder(window, ow + i), left, window.strideWidth);
    const pixelStride = 4 * channels;
    const to = (output + ow) * pixelStride;
    const [kernel, places] =
      argmax === undefined ? [poolGreatestKernel, 0] : [poolPlacesKernel, argmax.byteOffset + to];
    runKernel(kernel, {
      x: x.byteOffset,
      start: x.byteOffset + ((line + rows.from) * window.inputWidth + columns.from) * pixelStride,
      windows,
      step: window.strideWidth * pixelStride,
      rows: widthOf(rows),
      columns: widthOf(columns),
      rowStride: window.inputWidth * pixelStride,
      pixelStride,
      vectors: channels / LEAST_COLUMNS,
      y: y.byteOffset + to,
      argmax: places,
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
  runPass(execution, passRunsSimd(execution, dy, shape[3]), {
    job: poolGreatestGradientJob,
    reads: [contiguous(dy).data, asFloats(argmax)],
    writes: [dx.data],
    numbers: poolNumbers(dy, shape[3], window, execution),
    tiles: shape[0] * shape[1],
  });
  return dx;
}

/** One row of inputs. */
export const poolGreatestGradientJob: Job = {
  name: "poolGreatestGradient",
  prepare([dy, places, dx], numbers) {
    if (numbers[numbers.length - 1] === 1) {
      const [channels, single] = numbers;
      const window = windowFrom(numbers, 2);
      return (tile) => gatherVectors(dy, places, dx, channels, window, single === 1, tile);
    }
    const argmax = asIntegers(places);
    return (tile) =>
      forEachMeeting(numbers, tile, dx, (sums, at, output) => {
        for (let c = 0; c < sums.length; c++) if (argmax[output + c] === at + c) sums[c] += dy[output + c];
      });
  },
};

/**
 * One row of inputs on the assembled kernel: elements a stride apart at a time, as far as each is seen by as many windows as the
 * one before, and these are the next.
 */
function gatherVectors(
  dy: FloatArray,
  places: FloatArray,
  dx: FloatArray,
  channels: number,
  window: Window2D,
  single: boolean,
  tile: number,
): void {
  const { inputHeight, inputWidth, outputHeight, outputWidth, strideWidth } = window;
  const kernel = poolGradientKernels[single ? "single" : "double"];
  const n = Math.floor(tile / inputHeight);
  const rows = rowsOver(window, tile - n * inputHeight);
  const line = tile * inputWidth;
  for (let first = 0; first < Math.min(strideWidth, inputWidth); first++) {
    for (let w = first; w < inputWidth; ) {
      const here = w;
      const columns = columnsOver(window, here);
      const left = Math.ceil((inputWidth - here) / strideWidth);
      const isSeen = widthOf(rows) > 0 && widthOf(columns) > 0;
      const elements = isSeen ? countAlike((i) => columnsOver(window, here + i * strideWidth), left, 1) : 1;
      const at = (line + here) * channels;
      w += elements * strideWidth;
      if (!isSeen) {
        dx.fill(0, at, at + channels);
        continue;
      }
      const output = 4 * channels * ((n * outputHeight + rows.from) * outputWidth + columns.from);
      runKernel(kernel, {
        place: at,
        placeStep: strideWidth * channels,
        elements,
        dy: dy.byteOffset + output,
        argmax: places.byteOffset + output,
        rows: widthOf(rows),
        columns: widthOf(columns),
        rowStride: 4 * channels * outputWidth,
        pixelStride: 4 * channels,
        vectors: channels / LEAST_COLUMNS,
        dx: dx.byteOffset + 4 * at,
        step: 4 * channels * strideWidth,
      });
    }
  }
}
