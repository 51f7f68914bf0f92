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
import type { FloatArray } from "../tensor/dtype.js";
import { contiguous, empty, type Tensor } from "../tensor/tensor.js";
import { elementsPerTile } from "./element-tiles.js";
import { type Execution, runTiles } from "./execution.js";

/** `x` with every element `scale x + offset` of its channel; with an offset of -0, `scale x`. */
export function rescale(x: Tensor, scale: readonly number[], offset: readonly number[], execution: Execution): Tensor {
  const y = empty(x.shape, x);
  const most = elementsPerTile(x.size, execution);
  const line = [scale, offset].map((numbers) => {
    const data = doublesInScope(numbers.length);
    computeHere([], [data], () => data.set(numbers));
    return data;
  });
  runTiles(execution, {
    job: rescaleJob,
    reads: [contiguous(x).data, ...line],
    writes: [y.data],
    numbers: [most],
    tiles: Math.ceil(x.size / most),
  });
  return y;
}

/** Some of the elements. */
export const rescaleJob: Job = {
  name: "rescale",
  prepare:
    (arrays, [most]) =>
    (tile) =>
      rescaleSome(arrays, tile * most, Math.min((tile + 1) * most, arrays[0].length)),
};

function rescaleSome([x, scale, offset, y]: readonly FloatArray[], from: number, to: number): void {
  const channels = scale.length;
  for (let i = from, c = from % channels; i < to; i++) {
    y[i] = x[i] * scale[c] + offset[c];
    if (++c === channels) c = 0;
  }
}
