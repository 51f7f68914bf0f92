/**
 * Between the arrays of npy files and tensors.
 *
 * @module
 */
import { contiguous, dtypeOf, type Tensor, tensor } from "../tensor/tensor.js";
import type { NpyArray } from "./npy.js";

/** The numbers of `array` as a tensor: float64 stays float64, all else becomes float32. */
export function toTensor({ data, shape }: NpyArray): Tensor {
  if (data instanceof Float32Array || data instanceof Float64Array) return tensor(data, shape);
  return tensor(Float32Array.from(data, Number), shape);
}

/** A tensor as an array of a file, row-major; the memory is shared with a contiguous one. */
export function fromTensor(x: Tensor): NpyArray {
  return { dtype: dtypeOf(x), shape: x.shape, data: contiguous(x).data };
}
