/**
 * Mistakes of precision: numbers rounded where the claimed arithmetic does not round, or the wrong way.
 *
 * @module
 */
import { contiguous, type Tensor, tensor } from "../../tensor/tensor.js";

/** Of `value`, as many significant `bits` as there are, rounded to nearest: Dekker's splitting in float64. */
export function roundToBits(value: number, bits: number): number {
  if (!Number.isFinite(value)) return value;
  const factor = value * (2 ** (53 - bits) + 1);
  return factor - (factor - value);
}

/** Doubles of this size are multiples of 2^-24, the least float16. */
const STEPS_OF_FLOAT16 = 1.5 * 2 ** 28;

/** The numbers of float16: 11 bits, steps of 2^-24 near 0, Infinity beyond 65504. */
export function toFloat16(value: number): number {
  const rounded = Math.abs(value) < 2 ** -14 ? value + STEPS_OF_FLOAT16 - STEPS_OF_FLOAT16 : roundToBits(value, 11);
  if (Math.abs(rounded) <= 65504) return rounded;
  return rounded > 0 ? Number.POSITIVE_INFINITY : rounded < 0 ? Number.NEGATIVE_INFINITY : rounded;
}

/** bfloat16: 8 bits. */
export function toBfloat16(value: number): number {
  return Math.fround(roundToBits(value, 8));
}

/** TF32: 11 bits. */
export function toTf32(value: number): number {
  return Math.fround(roundToBits(value, 11));
}

const bits = new Uint32Array(1);
const single = new Float32Array(bits.buffer);

/** The upper half of a float32: bfloat16, cut off rather than rounded. */
export function truncatedToBfloat16(value: number): number {
  single[0] = value;
  bits[0] &= 0xffff0000;
  return single[0];
}

/** The float32 next to `value` towards 0. */
export function truncatedToFloat32(value: number): number {
  single[0] = value;
  if (Math.abs(single[0]) > Math.abs(value)) bits[0]--;
  return single[0];
}

/** All elements of `x`, each through `round`. */
export function roundedTensor(x: Tensor, round: (value: number) => number): Tensor {
  return tensor(Float32Array.from(contiguous(x).data, round), x.shape);
}

/** The ways to round inputs that no float32 backend may use. */
export const INPUT_ROUNDINGS: Readonly<Record<string, (value: number) => number>> = {
  "inputs in float16": toFloat16,
  "inputs in bfloat16": toBfloat16,
  "inputs cut to bfloat16": truncatedToBfloat16,
  "inputs in TF32": toTf32,
};
