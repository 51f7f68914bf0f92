/**
 * Jobs for the pool's tests, loaded by its workers as the kernels' job table is.
 *
 * @module
 */
import { isMainThread } from "node:worker_threads";
import type { Job } from "../../src/parallel/job.js";
import type { FloatArray } from "../../src/tensor/dtype.js";

/** The same memory as integers, for atomic operations. */
function flagsOf(array: FloatArray): Int32Array {
  return new Int32Array(array.buffer, array.byteOffset, array.length);
}

/** Waits, for ten seconds at most, until a worker has raised flag 0. A worker raises it. */
function meet(array: FloatArray): void {
  const flags = flagsOf(array);
  if (!isMainThread) Atomics.store(flags, 0, 1);
  for (const end = Date.now() + 10_000; Atomics.load(flags, 0) === 0 && Date.now() < end; );
}

/** y[tile] = scale * x[tile] */
export const scaleJob: Job = {
  name: "scale",
  prepare:
    ([x, y], [scale]) =>
    (tile) => {
      y[tile] = scale * x[tile];
    },
};

/** Every tile waits until a worker has taken part; y[tile] = 1 where a worker computed it, else 0. */
export const meetJob: Job = {
  name: "meet",
  prepare:
    ([flags, y]) =>
    (tile) => {
      meet(flags);
      y[tile] = isMainThread ? 0 : 1;
    },
};

/** y[tile] = 1 for the first tile that a worker computes, for which all others wait, else 0. */
export const firstJob: Job = {
  name: "first",
  prepare:
    ([flags, y]) =>
    (tile) => {
      const isFirst = Atomics.load(flagsOf(flags), 0) === 0;
      meet(flags);
      y[tile] = isFirst && !isMainThread ? 1 : 0;
    },
};

/** Fails in a worker only. */
export const failInWorkerJob: Job = {
  name: "failInWorker",
  prepare:
    ([flags]) =>
    () => {
      meet(flags);
      if (!isMainThread) throw new RangeError("the tile went wrong");
    },
};

/** Fails on the calling thread only. */
export const failInCallerJob: Job = {
  name: "failInCaller",
  prepare: () => () => {
    if (isMainThread) throw new TypeError("the caller's tile went wrong");
  },
};

/** Fails in a worker, and then on the calling thread. */
export const failEverywhereJob: Job = {
  name: "failEverywhere",
  prepare:
    ([flags]) =>
    () => {
      meet(flags);
      throw new RangeError(isMainThread ? "the caller's tile went wrong" : "the worker's tile went wrong");
    },
};

/** Ends the thread of a worker in the midst of a tile. */
export const dieJob: Job = {
  name: "die",
  prepare:
    ([flags]) =>
    () => {
      meet(flags);
      if (!isMainThread) process.exit(1);
    },
};

export const jobs: readonly Job[] = [
  ...[scaleJob, meetJob, firstJob],
  ...[failInWorkerJob, failInCallerJob, failEverywhereJob, dieJob],
];
