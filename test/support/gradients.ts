/**
 * Gradients by hand against numbers: central differences of the fake loss L = sum r * y.
 *
 * For a smooth L, the central difference over 2h is off by c h^2 + O(h^4). Two of them, over 2h and h, give a value without
 * the h^2 term (Richardson); two such values, one of half the step, differ by about 15/16 of the error of the coarser one,
 * which is 16 times that of the finer. So their difference bounds the error of the finer one, 15 times over.
 *
 * What remains is rounding: L comes with an error of some units in the last place of its terms, divided by the step.
 *
 * @module
 */
import assert from "node:assert/strict";
import { formatShape } from "../../src/tensor/shape.js";
import { contiguous, type Tensor, tensor } from "../../src/tensor/tensor.js";
import { indices } from "./tensors.js";

/** The largest step; values in tests are of the order of 1. A power of two, so that v + h is exact for short v. */
const STEP = 2 ** -7;

/**
 * Rounding of L, in units of u = 2^-53 times its scale: a few hundred float64 operations on intermediate values of up to
 * some ten times the scale. It allows 2^12 * 2^-53 / (STEP / 4) = 2^-32 of the scale; a forgotten term is off by a share.
 */
const ROUNDING = 2 ** 12 * 2 ** -53;

/** Above this share of the scale the two values disagree so much that L has a kink within the step. */
const KINK = 2 ** -10;

/** A loss at one point. */
export interface Loss {
  /** Its value. */
  readonly value: number;
  /** The sum of the absolute values of its terms, not less than 1: the scale of its rounding. */
  readonly scale: number;
}

/** L = sum r * y. */
export function fakeLoss(y: Tensor, r: Tensor): Loss {
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
function derivative(loss: (v: number) => Loss, v: number): { value: number; error: number } | undefined {
  let scale = 1;
  const at = (x: number): number => {
    const { value, scale: here } = loss(x);
    scale = Math.max(scale, here);
    return value;
  };
  const center = at(v);
  const [coarse, middle, fine] = [STEP, STEP / 2, STEP / 4].map((h) => {
    const [ahead, behind] = [at(v + h), at(v - h)];
    return { central: (ahead - behind) / (2 * h), gap: Math.abs(ahead + behind - 2 * center) / h };
  });
  const rounding = (ROUNDING * scale) / (STEP / 4);
  const once = (4 * middle.central - coarse.central) / 3;
  const twice = (4 * fine.central - middle.central) / 3;
  const error = Math.abs(twice - once);
  // both one-sided derivatives agree in the limit where L is smooth: their gap falls with h; at a kink it stays
  const isKink = error > KINK * scale || fine.gap > coarse.gap / 2 + rounding;
  return isKink ? undefined : { value: twice, error: error + rounding };
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
  readonly loss: (at: Tensor) => Loss;
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
