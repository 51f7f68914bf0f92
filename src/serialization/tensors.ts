/**
 * Arguments that must be tensors. JavaScript lets one pass anything, and a tensor for an array of them, or the other way
 * round, is an easy mistake.
 *
 * @module
 */
import type { Tensor } from "../tensor/tensor.js";
import { kindOf } from "./config.js";

/** @throws TypeError when the argument `name` of the function `caller` is not an array of tensors. */
export function checkTensors(caller: string, name: string, value: readonly Tensor[]): void {
  if (Array.isArray(value) && value.every(isTensor)) return;
  const received = Array.isArray(value)
    ? `an array that holds ${shown(value.find((element) => !isTensor(element)))}`
    : shown(value);
  throw new TypeError(`${caller}: \`${name}\` must be an array of tensors. Received ${received}.`);
}

/** @throws TypeError when the argument `name` of the function `caller` is not a tensor. */
export function checkTensor(caller: string, name: string, value: Tensor): void {
  if (isTensor(value)) return;
  throw new TypeError(`${caller}: \`${name}\` must be a tensor, as \`tensorOf\` gives. Received ${shown(value)}.`);
}

/** Numbers of other types are none: kernels would read them as they are not meant. */
function isTensor(value: unknown): boolean {
  return isArray(value) && (value.data instanceof Float32Array || value.data instanceof Float64Array);
}

/** An ndarray, of whatever elements. */
function isArray(value: unknown): value is { readonly data: unknown } {
  return typeof value === "object" && value !== null && "data" in value && "shape" in value && "stride" in value;
}

function shown(value: unknown): string {
  if (isTensor(value)) return "one tensor";
  return isArray(value) ? `an ndarray of ${kindOf(value.data)}` : kindOf(value);
}
