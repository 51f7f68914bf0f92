/**
 * Element types and the flat memory under a tensor.
 *
 * @module
 */

/** The element types that arithmetic runs on: float32 everywhere, float64 for gradient checks and for truth. */
export type DType = "float32" | "float64";

/** The flat memory under a tensor. */
export type FloatArray = Float32Array | Float64Array;

/** `dtype`, if it is one. @throws TypeError when it is none; anything but "float64" would run as float32. */
export function expectDType(caller: string, dtype: DType): DType {
  if (dtype === "float32" || dtype === "float64") return dtype;
  throw new TypeError(`${caller}: \`dtype\` must be float32 or float64. Received ${String(dtype)}.`);
}

/** An ordinary array of `length` zeros, outside the shared heap. */
export function floatArray(dtype: DType, length: number): FloatArray {
  return dtype === "float64" ? new Float64Array(length) : new Float32Array(length);
}
