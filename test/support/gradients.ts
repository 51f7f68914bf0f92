/**
 * Gradients by hand against numbers: central differences of the fake loss L = sum r * y.
 * How a derivative is read from them, and how far off it may be, is in `src/oracle/numeric-derivative.ts`.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type Derivative, derivativeOf, type LossValue } from "../../src/oracle/numeric-derivative.js";
import { formatShape } from "../../src/tensor/shape.js";
import { contiguous, type Tensor, tensor } from "../../src/tensor/tensor.js";
import { indices } from "./tensors.js";

/** The largest step; values in tests are of the order of 1. A power of two, so that v + h is exact for short v. */
const STEP = 2 ** -7;

/** L = sum r * y. */
export function fakeLoss(y: Tensor, r: Tensor): LossValue {
  assert.equal(formatShape(r.shape), formatShape(y.shape), "r needs the shape of y");
  const ys = contiguous(y).data;
  let value = 0;
  let scale = 1;
  contiguous(r).data.forEach((weight, i) => {
    value += weight * ys[i];
    scale += Math.abs(weight) * Math.max(1, Math.abs(ys[i]));
  });
  return { value, scale };
}

/** A derivative by central differences, and how far off it may be; undefined where L has a kink within the step. */
function derivative(loss: (v: number) => LossValue, v: number): Derivative | undefined {
  const steps = [STEP, STEP / 2, STEP / 4];
  const ahead = steps.map((h) => loss(v + h));
  return derivativeOf({ center: loss(v), ahead, behind: steps.map((h) => loss(v - h)) }, STEP);
}

/** One gradient to check. */
export interface GradientCase {
  /** What is differentiated for, as messages call it: `dx`. */
  readonly name: string;
  /** Where, in float64. */
  readonly at: Tensor;
  /** What backward says. */
  readonly gradient: Tensor;
  /** The loss with `at` replaced. */
  readonly loss: (at: Tensor) => LossValue;
}

/**
 * Asserts that `gradient` is the derivative of `loss` at `at`. Elements at a kink are left out, but not more than a
 * quarter of them: a check that leaves everything out proves nothing.
 *
 * @throws AssertionError naming the worst element, both values and what was allowed.
 */
export function assertGradient({ name, at, gradient, loss }: GradientCase): void {
  assert.equal(formatShape(gradient.shape), formatShape(at.shape), `shape of ${name}`);
  assert.ok(at.data instanceof Float64Array, `${name}: differences need float64`);
  const values = Float64Array.from(contiguous(at).data);
  let checked = 0;
  let worst = 1;
  let message = "";
  let offset = 0;
  for (const index of indices(at.shape)) {
    const i = offset++;
    const numeric = derivative((v) => loss(tensor(values.with(i, v), at.shape)), values[i]);
    if (numeric === undefined) continue;
    checked++;
    const given = gradient.get(...index);
    const distance = Math.abs(given - numeric.value);
    const excess = Number.isNaN(distance) ? Number.POSITIVE_INFINITY : distance / numeric.error;
    if (excess > worst) {
      worst = excess;
      message =
        `${name}${formatShape(index)}: backward ${given}, differences ${numeric.value}, ` +
        `allowed ${numeric.error}: ${excess} times that`;
    }
  }
  assert.ok(message === "", message);
  assert.ok(
    4 * checked >= 3 * at.size,
    `${name}: only ${checked} of ${at.size} elements could be checked, the others are at kinks`,
  );
}

/**
 * Asserts that `gradient` is the derivative of `loss`, which is linear in every single element of `at` and exact: then
 * one difference over a step of 1 either way is exact as well, and nothing is allowed.
 */
export function assertExactGradient({ name, at, gradient, loss }: GradientCase): void {
  assert.equal(formatShape(gradient.shape), formatShape(at.shape), `shape of ${name}`);
  const values = Float64Array.from(contiguous(at).data);
  let offset = 0;
  for (const index of indices(at.shape)) {
    const i = offset++;
    const shifted = (by: number): number => loss(tensor(values.with(i, values[i] + by), at.shape)).value;
    const numeric = (shifted(1) - shifted(-1)) / 2;
    const given = gradient.get(...index);
    assert.ok(given === numeric, `${name}${formatShape(index)}: backward ${given}, difference ${numeric}, allowed 0`);
  }
}
