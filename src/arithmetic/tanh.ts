/**
 * The hyperbolic tangent from exact operations, with the same bits in every engine.
 *
 *     tanh(x) = sign(x) (1 - e) / (1 + e),     e = exp(-2|x|)
 *
 * 1 - e and 1 + e are kept as sums of two doubles, so that the only full rounding is that of the quotient. e itself is
 * off by less than 2^-59.5 e. From 1/16 on, 1 - e > 0.117 and e < 0.883, so 1 - e is off by less than 2^-56.5 of
 * itself, which is 0.09 units in the last place at most (0.034 is the most that was found). Below 1/16 tanh is its
 * Taylor series.
 *
 * @module
 */
import { expWithRest, lastRest } from "./exp.js";
import { quotient } from "./quotient.js";

/** Below this tanh is its Taylor series. */
const SERIES: number = 1 / 16;
/** From here on tanh is 1 in double precision: 1 - tanh(20) < 2 exp(-40) < 2^-56. */
const SATURATED = 20;

/**
 * The hyperbolic tangent of `x`, in double precision with an error below 0.59 units in the last place (below 1 in the
 * one case in 2^29 where the double nearest to it lies halfway between two float32 values).
 *
 * For every float32 `x`, `Math.fround(tanh(x))` is the correctly rounded float32 result.
 */
export function tanh(x: number): number {
  const size = Math.abs(x);
  if (size < SERIES) return tanhNearZero(x);
  if (size >= SATURATED) return x < 0 ? -1 : 1;
  const e = expWithRest(-2 * size);
  const eRest = lastRest();
  const n = 1 - e;
  const nRest = 1 - n - e - eRest;
  const d = 1 + e;
  const dRest = 1 - d + e + eRest;
  const y = quotient(n, nRest, d, dRest);
  return x < 0 ? -y : y;
}

/**
 * tanh(x) = x - x^3/3 + 2 x^5/15 - 17 x^7/315 + ... for |x| < 1/16.
 *
 * Each term is smaller than the one before by a factor of about (2x/pi)^2 < 2^-9, so the first one left out, x^15,
 * is below 2^-64 x; the terms after x are below 2^-9 x, and their roundings below 2^-60 x.
 */
function tanhNearZero(x: number): number {
  const x2 = x * x;
  const tail =
    -1 / 3 + x2 * (2 / 15 + x2 * (-17 / 315 + x2 * (62 / 2835 + x2 * (-1382 / 155925 + x2 * (21844 / 6081075)))));
  // a zero keeps its sign
  return x === 0 ? x : x + x * x2 * tail;
}
