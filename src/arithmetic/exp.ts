/**
 * The exponential function from exact operations, with the same bits in every engine.
 *
 * Write x = (128 k + j) log(2)/128 + r with whole k, 0 <= j < 128 and |r| <= log(2)/256. Then
 *
 *     exp(x) = 2^k * 2^(j/128) * exp(r),         exp(r) = 1 + p,   p = r + r^2/2 + r^3/6 + r^4/24 + r^5/120
 *
 * - 2^(j/128) is read from a table, as the nearest double plus the rest.
 * - r = (x - n H) - n L with n = 128 k + j and log(2)/128 = H + L. H has so few bits that n H and x - n H are exact.
 * - |r| < 2^-8.5, so the first Taylor term left out is below 2^-60, and so are the rounding errors of p:
 *   together under 2^-59.5. Only the last addition, of the table value and the rest, rounds at the full 2^-53.
 *
 * The error is therefore below 0.5 + 2^-6.5 = 0.511 units in the last place of a double; where the result is subnormal, below
 * 0.5 + 0.511 / 2 < 0.76, since at least one more digit is rounded away.
 *
 * @module
 */
import { LN2, nearestDouble, restOfDouble, rootsOfTwo, splitAt42Bits } from "./fixed-point.js";
import { scaleByPowerOfTwo } from "./powers-of-two.js";

const STEPS = 128;
const ROOTS = rootsOfTwo(STEPS);
/** 2^(j/128), and what the nearest double leaves over. */
const ROOT_HIGH: Float64Array = Float64Array.from(ROOTS, nearestDouble);
const ROOT_LOW: Float64Array = Float64Array.from(ROOTS, restOfDouble);

const [STEP_HIGH, STEP_LOW] = splitAt42Bits(LN2 / BigInt(STEPS));
/** 128 / log(2); its rounding only moves where one step ends and the next begins. */
const STEPS_PER_UNIT: number = STEPS / nearestDouble(LN2);

/** Beyond these the result is Infinity or 0 in double precision. */
const OVERFLOW = 710;
const UNDERFLOW = -746;

/** Where {@link expWithRest} leaves its second result: a return value of its own would cost an allocation per call. */
const rest = new Float64Array(1);

/**
 * exp(x) as a sum of two doubles: the returned nearest double, and in {@link lastRest} what it leaves over.
 * The relative error of the sum is below 2^-59, as long as what is left over is not subnormal.
 */
export function expWithRest(x: number): number {
  if (!(x < OVERFLOW && x > UNDERFLOW)) {
    rest[0] = 0;
    if (x >= OVERFLOW) return Number.POSITIVE_INFINITY;
    return x <= UNDERFLOW ? 0 : Number.NaN;
  }
  const n = Math.floor(x * STEPS_PER_UNIT + 0.5);
  const r = x - n * STEP_HIGH - n * STEP_LOW;
  const p = r + r * r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r * (1 / 120))));
  const j = n & (STEPS - 1);
  const k = n >> 7;
  const root = ROOT_HIGH[j];
  const low = ROOT_LOW[j] + root * p;
  const high = root + low;
  rest[0] = scaleByPowerOfTwo(low - (high - root), k);
  return scaleByPowerOfTwo(high, k);
}

/** The second part of the latest {@link expWithRest}. */
export function lastRest(): number {
  return rest[0];
}

/**
 * e to the power of `x`, in double precision with an error below 0.511 units in the last place (below 0.76 where the
 * result is subnormal).
 *
 * For every float32 `x`, `Math.fround(exp(x))` is the correctly rounded float32 result.
 */
export function exp(x: number): number {
  return expWithRest(x);
}
