/**
 * The two accumulations of the arithmetic contract.
 *
 * Every sum of products is one flat sum that starts at +0, with its index ascending:
 *
 *     sum = round(sum + round(a * b))        for every index, then   sum = round(sum + bias)   where there is a bias
 *
 * `"float64"` rounds nothing of its own: the product of two float32 values is exact in float64, and the sum is rounded
 * to float32 once, when it is stored. `"float32"` rounds every product and every sum, as a plain float32 kernel without
 * fused multiply-add does. Float64 tensors are always summed in plain float64.
 *
 * Normalization, whose elements are moved and stretched, is rounded alike: once, when an element is stored, or after every
 * difference, product and sum.
 *
 * @module
 */
import type { DType } from "../tensor/dtype.js";

/** The precision of products and partial sums over float32 tensors. */
export type Accumulate = "float64" | "float32";

/** The rounding of every product and partial sum of tensors of `dtype`. */
export function roundingOf(accumulate: Accumulate, dtype: DType): (value: number) => number {
  return roundsToFloat32(accumulate, dtype) ? Math.fround : exactly;
}

/** No rounding. */
export const exactly = (value: number): number => value;

/** Whether products and partial sums of tensors of `dtype` are rounded to float32. */
export function roundsToFloat32(accumulate: Accumulate, dtype: DType): boolean {
  return accumulate === "float32" && dtype === "float32";
}
