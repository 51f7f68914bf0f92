/**
 * A line for every channel: each element by a factor of its channel, and a number added.
 *
 *     x, y [..., C]    y = scale x + offset
 *
 * Both are float64 numbers, and so is what they give, whatever the accumulation; it is rounded once, when it is stored.
 *
 * @module
 */
import type { Job } from "../parallel/job.js";
import { computeHere } from "../parallel/recording.js";
import { doublesInScope } from "../tensor/arena.js";
import { contiguous, empty, type Tensor } from "../tensor/tensor.js";
import { elementsPerTile, passRunsSimd, runPass } from "./element-tiles.js";
import type { Execution } from "./execution.js";
import { LANES } from "./simd/floats.js";
import { runKernel } from "./simd/thread.js";
import { rescaleKernel } from "./simd/wide-element-kernels.js";

/** `x` with every element `scale x + offset` of its channel; with an offset of -0, `scale x`. */
export function rescale(x: Tensor, scale: readonly number[], offset: readonly number[], execution: Execution): Tensor {
  const y = empty(x.shape, x);
  const period = periodOf(scale.length);
  const line = [scale, offset].map((numbers) => {
    const data = doublesInScope(period);
    computeHere([], [data], () => {
      for (let i = 0; i < period; i++) data[i] = numbers[i % numbers.length];
    });
    return data;
  });
  const most = Math.ceil(elementsPerTile(x.size, execution) / period) * period;
  runPass(execution, passRunsSimd(execution, x), {
    job: rescaleJob,
    reads: [contiguous(x).data, ...line],
    writes: [y.data],
    numbers: [most],
    tiles: Math.ceil(x.size / most),
  });
  return y;
}

/** After how many elements `channels` channels begin again where a vector does. */
function periodOf(channels: number): number {
  const times = [1, 2].find((count) => (count * channels) % LANES === 0) ?? LANES;
  return Math.max(LANES, times * channels);
}

/** Some of the elements; the first is of the first channel. */
export const rescaleJob: Job = {
  name: "rescale",
  prepare:
    ([x, scale, offset, y], [most, simd]) =>
    (tile) => {
      const begin = tile * most;
      const to = Math.min(begin + most, x.length);
      const period = scale.length;
      const times = simd === 1 ? Math.floor((to - begin) / period) : 0;
      if (times > 0) {
        const [xAt, yAt] = [x, y].map((array) => array.byteOffset + 4 * begin);
        const lines = { scale: scale.byteOffset, offset: offset.byteOffset };
        runKernel(rescaleKernel, { x: xAt, ...lines, y: yAt, vectors: period / LANES, times });
      }
      for (let i = begin + times * period, c = 0; i < to; i++) {
        y[i] = x[i] * scale[c] + offset[c];
        if (++c === period) c = 0;
      }
    },
};
