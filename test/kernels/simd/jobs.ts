/**
 * A job for the test of how assembled kernels are run, loaded by workers as the kernels' job table is.
 *
 * @module
 */
import { isMainThread } from "node:worker_threads";
import { copyKernel } from "../../../src/kernels/simd/copy-kernel.js";
import { singles } from "../../../src/kernels/simd/lanes.js";
import { scratchAddress } from "../../../src/kernels/simd/run.js";
import { runKernel } from "../../../src/kernels/simd/thread.js";
import type { Job } from "../../../src/parallel/job.js";

export { prepareWorker } from "../../../src/kernels/jobs.js";

/**
 * Copies row `tile` of x [tiles, 16] to scratch memory, from there to y [tiles, 17], and behind it puts the place of the
 * thread's scratch memory. A tile ends when a worker has taken part, so that one does.
 */
export const copyRowJob: Job = {
  name: "copyRow",
  prepare:
    ([x, flags, scratch, y], numbers) =>
    (tile) => {
      const flag = new Int32Array(flags.buffer, flags.byteOffset, 1);
      if (!isMainThread) Atomics.store(flag, 0, 1);
      for (const end = Date.now() + 10_000; Atomics.load(flag, 0) === 0 && Date.now() < end; );
      const own = scratchAddress(scratch, numbers);
      const row = { before: 0, runs: 1, runStride: 0, runLength: 16, after: 0, rows: 1, rowStride: 0 };
      runKernel(copyKernel(singles), { ...row, from: x.byteOffset + 64 * tile, to: own });
      runKernel(copyKernel(singles), { ...row, from: own, to: y.byteOffset + 68 * tile });
      y[17 * tile + 16] = own - scratch.byteOffset;
    },
};

export const jobs: readonly Job[] = [copyRowJob];
