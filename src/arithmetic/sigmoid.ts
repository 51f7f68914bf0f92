/**
 * The logistic sigmoid from exact operations, with the same bits in every engine.
 *
 *     sigmoid(x) = 1 / (1 + e) for x >= 0,   e / (1 + e) for x < 0,    e = exp(-|x|)
 *
 * e and 1 + e are kept as sums of two doubles with relative errors below 2^-58, so that the only full rounding is that
 * of the quotient. Near 0 the function is its Taylor series: 1/2 + x/4 lies halfway between two float32 values for many
 * short x, and only -x^3/48, smaller than the error of e, tells on which side the result is.
 *
 * @module
 */
import { expWithRest, lastRest } from "./exp.js";
import { quotient } from "./quotient.js";
import { addOffTies } from "./rounding.js";

/** Below this sigmoid(x) = 1/2 + x/4 - x^3/48 + x^5/480, and the next term is below 2^-80. */
const SERIES: number = 1 / 1024;

/**
 * 1 / (1 + exp(-x)), in double precision with an error below 0.52 units in the last place (below 1 in the one
 * case in 2^29 where the double nearest to it lies halfway between two float32 values, and for `x` below -700, where the
 * rests of e and of the quotient are subnormal).
 *
 * For every float32 `x`, `Math.fround(sigmoid(x))` is the correctly rounded float32 result.
 */
export function sigmoid(x: number): number {
  if (x < SERIES && x > -SERIES) {
    const x2 = x * x;
    const line = 1 / 2 + x / 4;
    return addOffTies(line, 1 / 2 - line + x / 4 + x * x2 * (-1 / 48 + x2 * (1 / 480)));
  }
  const e = expWithRest(-Math.abs(x));
  const eRest = lastRest();
  const d = 1 + e;
  const dRest = 1 - d + e + eRest;
  return x < 0 ? quotient(e, eRest, d, dRest) : quotient(1, 0, d, dRest);
}
