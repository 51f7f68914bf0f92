/**
 * The mean of every channel over a whole image, and its way back.
 *
 *     y[n, c]     = 1 / P sum over p of x[n, p, c]        p ascending over the P pixels, one flat sum
 *     dx[n, p, c] = dy[n, c] / P
 *
 * @module
 */
import type { Job } from "../parallel/job.js";
import { doublesInScope, withPassing } from "../tensor/arena.js";
import type { FloatArray } from "../tensor/dtype.js";
import type { Shape } from "../tensor/shape.js";
import { contiguous, dtypeOf, empty, type Tensor } from "../tensor/tensor.js";
import { columnsPerTile, LEAST_COLUMNS, passRunsSimd, runPass } from "./element-tiles.js";
import type { Execution } from "./execution.js";
import { addColumns } from "./reduce.js";
import { repeaterOf } from "./repeat-pixel.js";
import { roundsToFloat32 } from "./rounding.js";
import { blockOf, splitEvenly } from "./split.js";

/** The means over the pixels of `x` [N, H, W, C], as a tensor of `shape`: [N, C], however it is written. */
export function imageMeans(x: Tensor, shape: Shape, execution: Execution): Tensor {
  const [batch, height, width, channels] = x.shape;
  const y = empty(shape, x);
  const most = columnsPerTile(channels, execution);
  const single = roundsToFloat32(execution.accumulate, dtypeOf(x));
  const run = (sums: FloatArray): void =>
    runPass(execution, passRunsSimd(execution, x, channels), {
      job: imageMeansJob,
      reads: [contiguous(x).data],
      writes: [y.data, sums],
      numbers: [height * width, channels, most, Number(single)],
      tiles: batch * splitEvenly(channels, most, LEAST_COLUMNS).count,
    });
  withPassing(() => doublesInScope(y.size), run);
  return y;
}

/** Some of the channels of one image. */
export const imageMeansJob: Job = {
  name: "imageMeans",
  prepare:
    ([x, y, sums], [pixels, channels, most, single, simd]) =>
    (tile) => {
      const split = splitEvenly(channels, most, LEAST_COLUMNS);
      const n = Math.floor(tile / split.count);
      const { from, to } = blockOf(split, tile % split.count);
      const image = n * pixels * channels;
      const row = n * channels;
      sums.fill(0, row + from, row + to);
      if (simd === 1) {
        const range = { rows: pixels, channels, from, to };
        addColumns(x.byteOffset + 4 * image, sums.byteOffset + 8 * row, range, single === 1);
      } else {
        for (let pixel = 0, at = image; pixel < pixels; pixel++, at += channels) {
          for (let c = from; c < to; c++) {
            const sum = sums[row + c] + x[at + c];
            sums[row + c] = single === 1 ? Math.fround(sum) : sum;
          }
        }
      }
      for (let c = from; c < to; c++) y[row + c] = sums[row + c] / pixels;
    },
};

/** The gradient for the images of `shape` [N, H, W, C], given `dy` [N, C]. */
export function imageMeansGradient(dy: Tensor, shape: Shape, execution: Execution): Tensor {
  const [batch, height, width, channels] = shape;
  const dx = empty(shape, dy);
  runPass(execution, passRunsSimd(execution, dy), {
    job: imageMeansGradientJob,
    reads: [contiguous(dy).data],
    writes: [dx.data],
    numbers: [height * width, channels],
    tiles: batch,
  });
  return dx;
}

/** One image. */
export const imageMeansGradientJob: Job = {
  name: "imageMeansGradient",
  prepare([dy, dx], [pixels, channels, simd]) {
    const repeat = repeaterOf(dx, channels, simd === 1);
    return (tile) => {
      const first = tile * pixels * channels;
      for (let c = 0; c < channels; c++) dx[first + c] = dy[tile * channels + c] / pixels;
      repeat(first, pixels);
    };
  },
};
