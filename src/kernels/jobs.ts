/**
 * The job table: what worker threads can be asked to compute. The pool loads this module in every worker.
 *
 * @module
 */
import type { Job } from "../parallel/job.js";
import { conv2DJob } from "./conv2d.js";
import { conv2DInputGradientJob, conv2DKernelGradientJob } from "./conv2d-gradients.js";
import { depthwiseConv2DInputGradientJob, depthwiseConv2DJob, depthwiseConv2DKernelGradientJob } from "./depthwise.js";
import { gemmJob } from "./gemm.js";

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
