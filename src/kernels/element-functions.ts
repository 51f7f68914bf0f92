/**
 * Functions that are computed element by element, and their ways back:
 *
 *     sigmoid   y = 1 / (1 + exp(-x))     dx = dy y (1 - y)
 *     tanh      y = tanh(x)               dx = dy ((1 - y) (1 + y))
 *
 * Everything runs in float64 whatever the accumulation, and is rounded once, when it is stored.
 *
 * @module
 */
import { sigmoid } from "../arithmetic/sigmoid.js";
import { tanh } from "../arithmetic/tanh.js";
import type { Job } from "../parallel/job.js";
import type { FloatArray } from "../tensor/dtype.js";
import { contiguous, empty, type Tensor } from "../tensor/tensor.js";
import { elementsPerTile, passRunsSimd, runPass } from "./element-tiles.js";
import type { Execution } from "./execution.js";
import { LANES } from "./simd/floats.js";
import { runKernel } from "./simd/thread.js";
import { type GradientKernel, sigmoidGradientKernel, tanhGradientKernel } from "./simd/wide-element-kernels.js";

/** Computes the elements `from` to `to` of the last array. */
type ComputeElements = (arrays: readonly FloatArray[], from: number, to: number) => void;

/** A job whose tiles are some of the elements. Where all is float32 and `vectors` is given, that computes whole vectors. */
function elementsJob(name: string, compute: ComputeElements, vectors?: GradientKernel): Job {
  return {
    name,
    prepare:
      (arrays, [most, simd]) =>
      (tile) => {
        const from = tile * most;
        const to = Math.min(from + most, arrays[arrays.length - 1].length);
        compute(arrays, vectors !== undefined && simd === 1 ? computeVectors(vectors, arrays, from, to) : from, to);
      },
  };
}

/** Runs `kernel` on the whole vectors of a tile. Returns where the rest begins. */
function computeVectors(kernel: GradientKernel, arrays: readonly FloatArray[], from: number, to: number): number {
  const vectors = Math.floor((to - from) / LANES);
  const [dy, y, dx] = arrays.map((array) => array.byteOffset + 4 * from);
  if (vectors > 0) runKernel(kernel, { dy, y, dx, vectors });
  return from + vectors * LANES;
}

/** What `job` makes of `reads`, all of one shape: a tensor of the shape and type of the last of them. */
function runElements(job: Job, reads: readonly Tensor[], execution: Execution): Tensor {
  const like = reads[reads.length - 1];
  const result = empty(like.shape, like);
  const most = elementsPerTile(like.size, execution);
  const simd = reads.every((x) => passRunsSimd(execution, x));
  runPass(execution, simd, {
    job,
    reads: reads.map((x) => contiguous(x).data),
    writes: [result.data],
    numbers: [most],
    tiles: Math.ceil(like.size / most),
  });
  return result;
}

/** The logistic sigmoid of `x`. */
export function sigmoids(x: Tensor, execution: Execution): Tensor {
  return runElements(sigmoidJob, [x], execution);
}

/** Some of the elements. */
export const sigmoidJob: Job = elementsJob("sigmoid", ([x, y], from, to) => {
  for (let i = from; i < to; i++) y[i] = sigmoid(x[i]);
});

/** The gradient for the input of {@link sigmoids}, whose output was `y`. */
export function sigmoidsGradient(dy: Tensor, y: Tensor, execution: Execution): Tensor {
  return runElements(sigmoidGradientJob, [dy, y], execution);
}

/** Some of the elements. */
export const sigmoidGradientJob: Job = elementsJob(
  "sigmoidGradient",
  ([dy, y, dx], from, to) => {
    for (let i = from; i < to; i++) dx[i] = dy[i] * y[i] * (1 - y[i]);
  },
  sigmoidGradientKernel,
);

/** The hyperbolic tangent of `x`. */
export function tanhs(x: Tensor, execution: Execution): Tensor {
  return runElements(tanhJob, [x], execution);
}

/** Some of the elements. */
export const tanhJob: Job = elementsJob("tanh", ([x, y], from, to) => {
  for (let i = from; i < to; i++) y[i] = tanh(x[i]);
});

/** The gradient for the input of {@link tanhs}, whose output was `y`. */
export function tanhsGradient(dy: Tensor, y: Tensor, execution: Execution): Tensor {
  return runElements(tanhGradientJob, [dy, y], execution);
}

/** Some of the elements. */
export const tanhGradientJob: Job = elementsJob(
  "tanhGradient",
  ([dy, y, dx], from, to) => {
    for (let i = from; i < to; i++) dx[i] = dy[i] * ((1 - y[i]) * (1 + y[i]));
  },
  tanhGradientKernel,
);
