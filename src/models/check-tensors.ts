/**
 * Arguments that must be arrays of tensors. JavaScript lets one pass anything, and a tensor alone is an easy mistake.
 *
 * @module
 */
import { describe } from "../serialization/config.js";
import type { Tensor } from "../tensor/tensor.js";

/** @throws TypeError when the argument `name` of the function `caller` is not an array of tensors. */
export function checkTensors(caller: string, name: string, value: readonly Tensor[]): void {
  if (Array.isArray(value) && value.every(isTensor)) return;
  const received = isTensor(value) ? "one tensor" : describe(value);
  throw new TypeError(`${caller}: \`${name}\` must be an array of tensors. Received ${received}.`);
}

function isTensor(value: unknown): boolean {
  return typeof value === "object" && value !== null && "data" in value && "shape" in value && "stride" in value;
}
