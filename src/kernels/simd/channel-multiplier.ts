/**
 * Depthwise convolution with several filters a channel (M), made one with a single filter.
 *
 *     repeated  [pixels, C]      ->  [pixels, C * M]     each channel M times, next to each other
 *     parted    [pixels, C * M]  ->  [M, pixels, C]      each channel's m-th values in plane m
 *
 * Forward, and for the kernel, filter c*M + m sees channel c: with channels repeated, each filter has a channel of its own.
 * Backward, the sum of input channel c runs over its filters innermost: with dy and kernel parted, they are M taps in place
 * of each one.
 *
 * @module
 */
import type { Job } from "../../parallel/job.js";
import { contiguous, empty, type Tensor } from "../../tensor/tensor.js";
import { elementsPerTile } from "../element-tiles.js";
import { type Execution, runTiles } from "../execution.js";

/** `x` [..., C] with each channel `multiplier` times: [..., C * M]. */
export function repeatChannels(x: Tensor, multiplier: number, execution: Execution): Tensor {
  const repeated = empty([...x.shape.slice(0, -1), x.shape[x.dimension - 1] * multiplier], x);
  const most = elementsPerTile(x.size, execution);
  runTiles(execution, {
    job: repeatChannelsJob,
    reads: [contiguous(x).data],
    writes: [repeated.data],
    numbers: [multiplier, most],
    tiles: Math.ceil(x.size / most),
  });
  return repeated;
}

/** Some elements of x. */
export const repeatChannelsJob: Job = {
  name: "repeatChannels",
  prepare:
    ([x, repeated], [multiplier, most]) =>
    (tile) => {
      const end = Math.min(x.length, (tile + 1) * most);
      for (let i = tile * most, to = i * multiplier; i < end; i++) {
        for (let m = 0; m < multiplier; m++, to++) repeated[to] = x[i];
      }
    },
};

/** `x` [..., C * M] parted in `multiplier` planes: [M, ..., C]. */
export function partChannels(x: Tensor, multiplier: number, execution: Execution): Tensor {
  const parted = empty([multiplier, ...x.shape.slice(0, -1), x.shape[x.dimension - 1] / multiplier], x);
  const plane = x.size / multiplier;
  const most = elementsPerTile(plane, execution);
  runTiles(execution, {
    job: partChannelsJob,
    reads: [contiguous(x).data],
    writes: [parted.data],
    numbers: [multiplier, most],
    tiles: Math.ceil(plane / most),
  });
  return parted;
}

/** Some elements of every plane. */
export const partChannelsJob: Job = {
  name: "partChannels",
  prepare:
    ([x, parted], [multiplier, most]) =>
    (tile) => {
      const plane = x.length / multiplier;
      const end = Math.min(plane, (tile + 1) * most);
      for (let i = tile * most, from = i * multiplier; i < end; i++) {
        for (let m = 0; m < multiplier; m++, from++) parted[m * plane + i] = x[from];
      }
    },
};
