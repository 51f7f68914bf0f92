/**
 * Sums of tensors of one shape, element by element: in the order given, in float64, rounded once.
 *
 * The sum can be taken where a ReLU's output y is positive alone, with +0 elsewhere: the way back through a ReLU whose
 * output several layers read, without writing their sum to memory and reading it again.
 *
 * @module
 */
import type { Job } from "../parallel/job.js";
import type { FloatArray } from "../tensor/dtype.js";
import { contiguous, empty, type Tensor } from "../tensor/tensor.js";
import { expectShape } from "./check.js";
import { elementsPerTile, passRunsSimd, runPass } from "./element-tiles.js";
import { type Execution, NO_VALUES } from "./execution.js";
import { sumKernels } from "./simd/element-kernels.js";
import { LANES } from "./simd/floats.js";
import { runKernel } from "./simd/thread.js";

/** More than these, which no residual network has, are added on one thread: a job names only so many arrays. */
const MOST_TERMS = 6;

/** How tensors are added. */
export interface SumOptions {
  /** What the sum starts with: with -0, the sum of zeros that are all -0 is -0. */
  readonly start: number;
  /** Where given, the sum counts only where this is positive. */
  readonly positive?: Tensor | undefined;
}

/**
 * The sum of `terms`.
 *
 * @throws Error when shapes disagree.
 */
export function sumTensors(terms: readonly Tensor[], options: SumOptions, execution: Execution): Tensor {
  if (execution.kernel === "naive" || terms.length > MOST_TERMS) return sumTensorsNaive(terms, options);
  const { start, positive } = options;
  for (const term of terms) expectShape("sumTensors", "term", term, terms[0].shape);
  if (positive !== undefined) expectShape("sumTensors", "positive", positive, terms[0].shape);
  const sum = empty(terms[0].shape, terms[0]);
  const most = elementsPerTile(sum.size, execution);
  const simd = terms.length <= 2 && [...terms, sum, positive ?? sum].every((x) => passRunsSimd(execution, x));
  runPass(execution, simd, {
    job: sumTensorsJob,
    reads: [
      positive === undefined ? NO_VALUES : contiguous(positive).data,
      ...terms.map((term) => contiguous(term).data),
    ],
    writes: [sum.data],
    numbers: [most, start],
    tiles: Math.ceil(sum.size / most),
  });
  return sum;
}

/** Some of the elements. */
export const sumTensorsJob: Job = {
  name: "sumTensors",
  prepare:
    (arrays, [most, start, simd]) =>
    (tile) => {
      const [positive, first, second] = arrays;
      const terms = arrays.slice(1, -1);
      const sum = arrays[arrays.length - 1];
      const begin = tile * most;
      const to = Math.min(begin + most, sum.length);
      const from = simd === 1 ? sumVectors(arrays, start, begin, to) : begin;
      if (terms.length === 2) {
        for (let i = from; i < to; i++) sum[i] = start + first[i] + second[i];
      } else {
        for (let i = from; i < to; i++) {
          let total = start;
          for (const term of terms) total += term[i];
          sum[i] = total;
        }
      }
      if (positive.length > 0) for (let i = from; i < to; i++) if (!(positive[i] > 0)) sum[i] = 0;
    },
};

/** Sums the whole vectors of one tile of one or two terms. Returns where the rest begins. */
function sumVectors(arrays: readonly FloatArray[], start: number, from: number, to: number): number {
  const addresses = arrays.map((array) => array.byteOffset + 4 * from);
  const [positive, first, second] = addresses;
  const kernel = sumKernels[arrays[0].length > 0 ? 1 : 0][arrays.length - 3];
  const vectors = Math.floor((to - from) / LANES);
  if (vectors > 0) runKernel(kernel, { first, second, positive, to: addresses[addresses.length - 1], vectors, start });
  return from + vectors * LANES;
}

/** The loops that define the bits of {@link sumTensors}. */
export function sumTensorsNaive(terms: readonly Tensor[], { start, positive }: SumOptions): Tensor {
  const sum = empty(terms[0].shape, terms[0]);
  const rows = terms.map((term) => contiguous(term).data);
  const signs = positive && contiguous(positive).data;
  for (let i = 0; i < sum.size; i++) {
    let total = start;
    for (const row of rows) total += row[i];
    sum.data[i] = signs === undefined || signs[i] > 0 ? total : 0;
  }
  return sum;
}
