/**
 * The job table: what worker threads can be asked to compute. The pool loads this module in every worker.
 *
 * @module
 */
import type { Job, WorkerContext } from "../parallel/job.js";
import { conv2DJob } from "./conv2d.js";
import { conv2DInputGradientJob, conv2DKernelGradientJob } from "./conv2d-gradients.js";
import { depthwiseConv2DInputGradientJob, depthwiseConv2DJob, depthwiseConv2DKernelGradientJob } from "./depthwise.js";
import { gemmJob } from "./gemm.js";
import { startThread } from "./simd/thread.js";

/** All jobs; the pool finds them by name. */
export const jobs: readonly Job[] = [
  gemmJob,
  conv2DJob,
  conv2DKernelGradientJob,
  conv2DInputGradientJob,
  depthwiseConv2DJob,
  depthwiseConv2DKernelGradientJob,
  depthwiseConv2DInputGradientJob,
];

/** Starts the assembled kernels in a worker, where its pool has sent them. */
export function prepareWorker({ payload, heap, thread }: WorkerContext): void {
  if (payload === undefined) return;
  if (payload instanceof WebAssembly.Module && heap instanceof WebAssembly.Memory) startThread(payload, heap, thread);
}
