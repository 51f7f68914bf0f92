/**
 * The job table: what worker threads can be asked to compute. The pool loads this module in every worker.
 *
 * @module
 */
import type { Job, WorkerContext } from "../parallel/job.js";
import { addBordersJob, removeBordersJob } from "./borders.js";
import { joinJob, splitJob } from "./concatenate.js";
import { conv2DJob } from "./conv2d.js";
import { conv2DInputGradientJob, conv2DKernelGradientJob } from "./conv2d-gradients.js";
import { depthwiseConv2DInputGradientJob, depthwiseConv2DJob, depthwiseConv2DKernelGradientJob } from "./depthwise.js";
import { dropJob, keptJob } from "./dropout.js";
import { sigmoidGradientJob, sigmoidJob, tanhGradientJob, tanhJob } from "./element-functions.js";
import { gemmJob } from "./gemm.js";
import { imageGreatestGradientJob, imageGreatestJob } from "./image-greatest.js";
import { momentsJob } from "./moments.js";
import { normalizeJob } from "./normalize.js";
import { normalizationGradientJob, normalizationSumsJob } from "./normalize-gradients.js";
import { passJobOf } from "./pass-job.js";
import { imageMeansGradientJob, imageMeansJob } from "./pool-images.js";
import { poolGreatestGradientJob, poolGreatestJob } from "./pool-greatest.js";
import { poolMeanGradientJob, poolMeanJob } from "./pool-mean.js";
import { rectifyGradientJob, rectifyJob } from "./rectify.js";
import { columnSumsJob } from "./reduce.js";
import { rescaleJob } from "./rescale.js";
import { softmaxGradientJob, softmaxJob } from "./softmax.js";
import { sumTensorsJob } from "./sum-tensors.js";
import { adamUpdateJob, penaltyGradientJob, penaltySumsJob, sgdUpdateJob } from "./weight-updates.js";
import { fillZerosJob } from "./zeros.js";
import { partChannelsJob, repeatChannelsJob } from "./simd/channel-multiplier.js";
import { simdDepthwiseJob } from "./simd/depthwise.js";
import { depthwiseInPlaceJob } from "./simd/depthwise-in-place.js";
import { simdDepthwiseKernelGradientJob } from "./simd/depthwise-kernel-gradient.js";
import { depthwiseProductsJob } from "./simd/depthwise-products.js";
import { simdFilterGradientJob } from "./simd/filter-gradient.js";
import { convolveJob } from "./simd/convolve.js";
import { fewFiltersJob } from "./simd/few-filters.js";
import { finiteJob } from "./simd/finite.js";
import { gemmSimdJob } from "./simd/gemm.js";
import { packJob } from "./simd/panels.js";
import { startThread } from "./simd/thread.js";

/** The jobs of kernels. */
export const kernelJobs: readonly Job[] = [
  gemmJob,
  packJob,
  gemmSimdJob,
  convolveJob,
  fewFiltersJob,
  finiteJob,
  conv2DJob,
  conv2DKernelGradientJob,
  conv2DInputGradientJob,
  depthwiseConv2DJob,
  depthwiseConv2DKernelGradientJob,
  depthwiseConv2DInputGradientJob,
  columnSumsJob,
  momentsJob,
  normalizeJob,
  normalizationSumsJob,
  normalizationGradientJob,
  rectifyJob,
  rectifyGradientJob,
  sigmoidJob,
  sigmoidGradientJob,
  tanhJob,
  tanhGradientJob,
  keptJob,
  dropJob,
  rescaleJob,
  joinJob,
  splitJob,
  sumTensorsJob,
  softmaxJob,
  softmaxGradientJob,
  adamUpdateJob,
  sgdUpdateJob,
  penaltySumsJob,
  penaltyGradientJob,
  poolGreatestJob,
  poolGreatestGradientJob,
  poolMeanJob,
  poolMeanGradientJob,
  imageMeansJob,
  imageMeansGradientJob,
  imageGreatestJob,
  imageGreatestGradientJob,
  fillZerosJob,
  addBordersJob,
  removeBordersJob,
  simdFilterGradientJob,
  simdDepthwiseJob,
  depthwiseInPlaceJob,
  repeatChannelsJob,
  partChannelsJob,
  simdDepthwiseKernelGradientJob,
  depthwiseProductsJob,
];

/** A pass of these jobs, for some of the images of a batch. */
export const passJob: Job = passJobOf(kernelJobs);

/** All jobs; the pool finds them by name. */
export const jobs: readonly Job[] = [...kernelJobs, passJob];

/** Starts the assembled kernels in a worker, where its pool has sent them. */
export function prepareWorker({ payload, heap, thread }: WorkerContext): void {
  if (payload === undefined) return;
  if (payload instanceof WebAssembly.Module && heap instanceof WebAssembly.Memory) startThread(payload, heap, thread);
}
