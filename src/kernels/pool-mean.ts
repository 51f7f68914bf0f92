/**
 * Average pooling: the mean of the elements under a sliding window, for every channel by itself.
 *
 *     x, dx [N, H, W, C],  y, dy [N, OH, OW, C]
 *
 *     y  = sum of the elements under the window / their number
 *     dx = sum of dy / number of elements, over the windows that see this element
 *
 * Elements are taken with kh and kw ascending, windows with oh and ow ascending. Every tile is one row of the output,
 * forward, and one row of the input, backward, where each element looks for the windows that see it.
 *
 * @module
 */
import type { Job } from "../parallel/job.js";
import type { FloatArray } from "../tensor/dtype.js";
import { doublesInScope, withPassing } from "../tensor/arena.js";
import type { Shape } from "../tensor/shape.js";
import { contiguous, empty, type Tensor } from "../tensor/tensor.js";
import { passRunsSimd, runPass } from "./element-tiles.js";
import type { Execution } from "./execution.js";
import { columnsUnder, forEachMeeting, poolNumbers, rowsOver, rowsUnder } from "./pool-geometry.js";
import { addColumns } from "./reduce.js";
import { repeaterOf, type RepeatPixel } from "./repeat-pixel.js";
import { type Window2D, windowFrom } from "./window.js";

/** The mean of the elements of `x` [N, H, W, C] under every window. */
export function poolMean(x: Tensor, window: Window2D, execution: Execution): Tensor {
  const [batch, , , channels] = x.shape;
  const y = empty([batch, window.outputHeight, window.outputWidth, channels], x);
  const run = (sums: FloatArray): void =>
    runPass(execution, passRunsSimd(execution, x, channels), {
      job: poolMeanJob,
      reads: [contiguous(x).data],
      writes: [y.data, sums],
      numbers: poolNumbers(x, channels, window, execution),
      tiles: batch * window.outputHeight,
    });
  withPassing(() => doublesInScope(batch * window.outputHeight * channels), run);
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
  prepare([x, y, allSums], numbers) {
    const [channels, single] = numbers;
    const simd = numbers[numbers.length - 1] === 1;
    const window = windowFrom(numbers, 2);
    const { inputHeight, inputWidth, outputHeight, outputWidth } = window;
    return (tile) => {
      const n = Math.floor(tile / outputHeight);
      const oh = tile - n * outputHeight;
      const rows = rowsUnder(window, oh);
      const sums = allSums.subarray(tile * channels, (tile + 1) * channels);
      for (let ow = 0, to = tile * outputWidth * channels; ow < outputWidth; ow++, to += channels) {
        const columns = columnsUnder(window, ow);
        const across = columns.to - columns.from;
        const count = (rows.to - rows.from) * across;
        const pixels = across === inputWidth ? count : across; // whole rows lie one behind the other
        sums.fill(0);
        let at = ((n * inputHeight + rows.from) * inputWidth + columns.from) * channels;
        for (let added = 0; added < count; added += pixels, at += inputWidth * channels) {
          addPixels(x, at, pixels, sums, single === 1, simd);
        }
        for (let c = 0; c < channels; c++) y[to + c] = sums[c] / count;
      }
    };
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
  runPass(execution, passRunsSimd(execution, dy), {
    job: poolMeanGradientJob,
    reads: [contiguous(dy).data],
    writes: [dx.data],
    numbers: poolNumbers(dy, shape[3], window, execution),
    tiles: shape[0] * shape[1],
  });
  return dx;
}

/** One row of inputs. */
export const poolMeanGradientJob: Job = {
  name: "poolMeanGradient",
  prepare([dy, dx], numbers) {
    const [channels, single] = numbers;
    const window = windowFrom(numbers, 2);
    if (window.strideHeight >= window.kernelHeight && window.strideWidth >= window.kernelWidth) {
      const repeat = repeaterOf(dx, channels, numbers[numbers.length - 1] === 1);
      return (tile) => shareOut(dy, dx, channels, window, tile, repeat);
    }
    return (tile) =>
      forEachMeeting(numbers, tile, dx, (sums, _at, output, oh, ow) => {
        const count = countUnder(window, oh, ow);
        for (let c = 0; c < sums.length; c++) {
          const share = dy[output + c] / count;
          sums[c] += single === 1 ? Math.fround(share) : share;
        }
      });
  },
};

/** One row of inputs, none of which more than one window sees: the share of a window is worked out once for its row. */
function shareOut(
  dy: FloatArray,
  dx: FloatArray,
  channels: number,
  window: Window2D,
  tile: number,
  repeat: RepeatPixel,
): void {
  const n = Math.floor(tile / window.inputHeight);
  const rows = rowsOver(window, tile - n * window.inputHeight);
  let written = tile * window.inputWidth * channels;
  const [line, end] = [written, written + window.inputWidth * channels];
  for (let oh = rows.from; oh < rows.to; oh++) {
    for (let ow = 0; ow < window.outputWidth; ow++) {
      const output = ((n * window.outputHeight + oh) * window.outputWidth + ow) * channels;
      const count = countUnder(window, oh, ow);
      const columns = columnsUnder(window, ow);
      const first = line + columns.from * channels;
      if (written < first) dx.fill(0, written, first);
      for (let c = 0; c < channels; c++) dx[first + c] = 0 + dy[output + c] / count; // as a sum of one term: never -0
      repeat(first, columns.to - columns.from);
      written = line + columns.to * channels;
    }
  }
  if (written < end) dx.fill(0, written, end);
}
