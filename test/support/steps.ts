/**
 * Three gradients for steps of optimizers; what Keras makes of them stands in the tests.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type Tensor, tensorOf } from "../../src/tensor/tensor.js";

/** The weight before the first step. */
export const START: Tensor = tensorOf([0.5, -1.25, 2], [3], "float64");

/** One for each step. */
export const GRADIENTS: readonly Tensor[] = [
  [0.1, -2, 0],
  [0.3, 1, 1e-9],
  [-0.2, 0.5, 3],
].map((values) => tensorOf(values, [3], "float64"));

/** Twenty roundings of float64 in three steps, of numbers of about 2. */
const FLOAT64_STEPS = 20 * 2 ** -52;

/** That all of `actual` are within `allowed` of `expected`. */
export function assertClose(actual: Tensor, expected: readonly number[], allowed: number = FLOAT64_STEPS): void {
  assert.equal(actual.size, expected.length);
  expected.forEach((value, i) => {
    const error = Math.abs(actual.data[i] - value);
    assert.ok(error <= allowed, `[${i}]: ${actual.data[i]}, expected ${value}: off by ${error}, allowed ${allowed}`);
  });
}
