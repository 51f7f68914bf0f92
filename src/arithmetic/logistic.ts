/**
 * The logistic function and the hyperbolic tangent, from exact operations, with the same bits in every engine.
 *
 *     sigmoid(x) = 1 / (1 + e) for x >= 0,   e / (1 + e) for x < 0,    e = exp(-|x|)
 *     tanh(x)    = sign(x) (1 - e) / (1 + e),                          e = exp(-2|x|)
 *
 * Both are quotients whose parts are known as sums of two doubles, so that the only full rounding is the last one.
 * Near 0, 1 - e would cancel; there tanh is its Taylor series. So is sigmoid, because 1/2 + x/4 lies halfway between two
 * float32 values for many short x, and only -x^3/48, smaller than the rest of exp, tells on which side the result is.
 *
 * @module
 */
import { expWithRest, lastRest } from "./exp.js";
import { addOffTies } from "./rounding.js";

/** 2^27 + 1: multiplying by it and subtracting again leaves the upper 26 bits of a double. */
const SPLITTER = 134217729;

/**
 * (n + nRest) / (d + dRest), rounded once, for rests that are small against n and d.
 *
 * The quotient q of n and d is corrected by the division's exact remainder n - q d. The product q d is exact as a sum of
 * two doubles when both factors are cut in two halves of 26 bits (Dekker 1971).
 */
function quotient(n: number, nRest: number, d: number, dRest: number): number {
  const q = n / d;
  const qCut = q * SPLITTER;
  const qHigh = qCut - (qCut - q);
  const qLow = q - qHigh;
  const dCut = d * SPLITTER;
  const dHigh = dCut - (dCut - d);
  const dLow = d - dHigh;
  const product = q * d;
  const productRest = qLow * dLow - (product - qHigh * dHigh - qLow * dHigh - qHigh * dLow);
  const remainder = n - product - productRest + (nRest - q * dRest);
  return addOffTies(q, remainder / d);
}

/** Below this sigmoid(x) = 1/2 + x/4 - x^3/48 + x^5/480, and the next term is below 2^-80. */
const SIGMOID_SERIES: number = 1 / 1024;

/**
 * 1 / (1 + exp(-x)), in double precision with an error below 0.52 units in the last place (below 1 in the one
 * case in 2^29 where the double nearest to it lies halfway between two float32 values).
 *
 * For every float32 `x`, `Math.fround(sigmoid(x))` is the correctly rounded float32 result.
 */
export function sigmoid(x: number): number {
  if (x < SIGMOID_SERIES && x > -SIGMOID_SERIES) {
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

/** Below this tanh is its Taylor series. */
const TANH_SERIES: number = 1 / 16;
/** From here on tanh is 1 in double precision: 1 - tanh(20) < 2 exp(-40) < 2^-56. */
const SATURATED = 20;

/**
 * The hyperbolic tangent of `x`, in double precision with an error below 0.52 units in the last place (below 1 in the one
 * case in 2^29 where the double nearest to it lies halfway between two float32 values).
 *
 * For every float32 `x`, `Math.fround(tanh(x))` is the correctly rounded float32 result.
 */
export function tanh(x: number): number {
  const size = Math.abs(x);
  if (size < TANH_SERIES) return tanhNearZero(x);
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
