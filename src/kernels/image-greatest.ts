/**
 * The greatest value of every channel over a whole image, and its way back.
 *
 *     y[n, c]     = max over p of x[n, p, c]                    over the P pixels; NaN is greater than every number, +0 than -0
 *     dx[n, p, c] = dy[n, c] / (how many x[n, p, c] = y[n, c])  where x[n, p, c] = y[n, c], and 0 elsewhere
 *
 * Where y is NaN no pixel equals it, and the whole channel's gradient is NaN. Every tile is some of the channels of one image.
 *
 * @module
 */
import type { Job } from "../parallel/job.js";
import { doublesInScope, withPassing } from "../tensor/arena.js";
import type { FloatArray } from "../tensor/dtype.js";
import type { Shape } from "../tensor/shape.js";
import { contiguous, empty, type Tensor } from "../tensor/tensor.js";
import { columnsPerTile, LEAST_COLUMNS, passRunsSimd, runPass } from "./element-tiles.js";
import { type Execution, threadsOf } from "./execution.js";
import { imageGreatestGradientKernel, imageGreatestKernel } from "./simd/image-greatest-kernels.js";
import { runKernel } from "./simd/thread.js";
import { blockOf, splitEvenly } from "./split.js";

/** Vector kernels count pixels in float32, which holds whole numbers up to this one. */
const MOST_COUNTED = 2 ** 24;

/** How many channels a tile has: where each thread has images of its own, as many as any tile may. */
function channelsPerTile([batch, , , channels]: Shape, execution: Execution): number {
  return columnsPerTile(channels, batch < threadsOf(execution) ? execution : { ...execution, pool: undefined });
}

/** The greatest values over the pixels of `x` [N, H, W, C], as a tensor of `shape`: [N, C], however it is written. */
export function imageGreatest(x: Tensor, shape: Shape, execution: Execution): Tensor {
  const [batch, height, width, channels] = x.shape;
  const y = empty(shape, x);
  const most = channelsPerTile(x.shape, execution);
  runPass(execution, passRunsSimd(execution, x, channels), {
    job: imageGreatestJob,
    reads: [contiguous(x).data],
    writes: [y.data],
    numbers: [height * width, channels, most],
    tiles: batch * splitEvenly(channels, most, LEAST_COLUMNS).count,
  });
  return y;
}

/** Some of the channels of one image. */
export const imageGreatestJob: Job = {
  name: "imageGreatest",
  prepare: ([x, y], [pixels, channels, most, simd]) => {
    const blockAt = blocksOf(pixels, channels, most);
    return (tile) => {
      const { image, row, from, to } = blockAt(tile);
      if (simd === 1) {
        runKernel(imageGreatestKernel, {
          ...{ x: x.byteOffset + 4 * (image + from), y: y.byteOffset + 4 * (row + from) },
          ...{ pixels, pixelStride: 4 * channels, vectors: (to - from) / LEAST_COLUMNS },
        });
        return;
      }
      y.fill(Number.NEGATIVE_INFINITY, row + from, row + to);
      for (let pixel = 0, at = image; pixel < pixels; pixel++, at += channels) {
        for (let c = from; c < to; c++) y[row + c] = Math.max(y[row + c], x[at + c]);
      }
    };
  },
};

/** Where the channels of a tile are: the first elements of its image and of its row of [N, C], and which of the channels. */
interface ChannelBlock {
  readonly image: number;
  readonly row: number;
  readonly from: number;
  readonly to: number;
}

function blocksOf(pixels: number, channels: number, most: number): (tile: number) => ChannelBlock {
  const split = splitEvenly(channels, most, LEAST_COLUMNS);
  return (tile) => {
    const n = Math.floor(tile / split.count);
    return { image: n * pixels * channels, row: n * channels, ...blockOf(split, tile % split.count) };
  };
}

/** The gradient for the images `x` [N, H, W, C], given `dy` and the greatest values `y`, both [N, C]. */
export function imageGreatestGradient(dy: Tensor, x: Tensor, y: Tensor, execution: Execution): Tensor {
  const [batch, height, width, channels] = x.shape;
  const dx = empty(x.shape, x);
  const most = channelsPerTile(x.shape, execution);
  const simd = passRunsSimd(execution, x, channels) && passRunsSimd(execution, dy) && height * width <= MOST_COUNTED;
  const run = (counts: FloatArray): void =>
    runPass(execution, simd, {
      job: imageGreatestGradientJob,
      reads: [contiguous(dy).data, contiguous(x).data, contiguous(y).data],
      writes: [dx.data, counts],
      numbers: [height * width, channels, most],
      tiles: batch * splitEvenly(channels, most, LEAST_COLUMNS).count,
    });
  withPassing(() => doublesInScope(y.size), run);
  return dx;
}

/** Some of the channels of one image. */
export const imageGreatestGradientJob: Job = {
  name: "imageGreatestGradient",
  prepare: ([dy, x, y, dx, counts], [pixels, channels, most, simd]) => {
    const blockAt = blocksOf(pixels, channels, most);
    return (tile) => {
      const { image, row, from, to } = blockAt(tile);
      if (simd === 1) {
        const [dyAt, yAt] = [dy, y].map((array) => array.byteOffset + 4 * (row + from));
        const [xAt, dxAt] = [x, dx].map((array) => array.byteOffset + 4 * (image + from));
        const along = { pixels, pixelStride: 4 * channels, vectors: (to - from) / LEAST_COLUMNS };
        runKernel(imageGreatestGradientKernel, { dy: dyAt, x: xAt, y: yAt, dx: dxAt, ...along });
        return;
      }
      counts.fill(0, row + from, row + to);
      for (let pixel = 0, at = image; pixel < pixels; pixel++, at += channels) {
        for (let c = from; c < to; c++) if (x[at + c] === y[row + c]) counts[row + c]++;
      }
      for (let pixel = 0, at = image; pixel < pixels; pixel++, at += channels) {
        for (let c = from; c < to; c++) {
          const count = counts[row + c];
          if (x[at + c] === y[row + c]) dx[at + c] = dy[row + c] / count;
          else dx[at + c] = count === 0 ? Number.NaN : 0;
        }
      }
    };
  },
};
