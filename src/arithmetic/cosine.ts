/**
 * Cosine and sine from exact operations, with the same bits in every engine: for angles of rotations and for learning
 * rates that follow a cosine, where a few microseconds do not matter.
 *
 * Write x = q pi/2 + r with whole q and |r| <= pi/4. Then cos(x) and sin(x) are, by q mod 4, one of +-cos(r), +-sin(r),
 * and those are the Taylor series
 *
 *     cos(r) = 1 - r^2/2! + r^4/4! - ...          sin(r) = r - r^3/3! + r^5/5! - ...
 *
 * All of it is computed with the whole numbers of `fixed-point.ts`, v held as round(v * 2^128):
 *
 * - x is exact, as a whole multiple of 2^-128.
 * - pi has 1280 digits, since q may have 1024: r is good to 2^-128 even for the largest double.
 * - The series lose less than one unit of 2^-128 a term, and have fewer than 40: the sum is good to 2^-122.
 * - No double is nearer to a multiple of pi/2 than 2^-62, so the relative error is below 2^-60: 0.01 units in the last
 *   place. Only the conversion to a double rounds at the full half unit.
 *
 * Below 2^-27, where the numbers would have too few digits, cos(x) rounds to 1, and sin(x) is x - x^3/6.
 *
 * @module
 */
import { DIGITS, nearestDouble, ONE, restOfDouble } from "./fixed-point.js";
import { scaleByPowerOfTwo } from "./powers-of-two.js";
import { addOffTies } from "./rounding.js";

/** Binary digits of pi beyond those of {@link ONE}: as many as the largest double has before the point, and some. */
const MORE_DIGITS = 1152n;

/** pi/2 to DIGITS + MORE_DIGITS digits: pi/4 = 4 atan(1/5) - atan(1/239) (Machin 1706). */
const HALF_PI: bigint = 8n * atanOfReciprocal(5n) - 2n * atanOfReciprocal(239n);

/** Below this cos and sin are their shortest series; doubles from here on are whole multiples of 2^-80. */
const TINY = 7.450580596923828e-9;
/** From here on every double is a whole number. */
const WHOLE = 9007199254740992;

/** atan(1/n) = 1/n - 1/(3 n^3) + 1/(5 n^5) - ..., to DIGITS + MORE_DIGITS digits. */
function atanOfReciprocal(n: bigint): bigint {
  let sum = 0n;
  let power = (ONE << MORE_DIGITS) / n;
  for (let odd = 1n; power !== 0n; odd += 2n) {
    sum += power / odd;
    power /= -n * n;
  }
  return sum;
}

/** `first` - first r^2/((k+1)(k+2)) + ...: the series of cos(r) from 1 and k = 0, that of sin(r) from r and k = 1. */
function series(first: bigint, k: bigint, square: bigint): bigint {
  let sum = 0n;
  let term = first;
  for (; term !== 0n; k += 2n) {
    sum += term;
    term = (-term * square) / ((k + 1n) * (k + 2n) * ONE);
  }
  return sum;
}

/** cos(x - quarters pi/2) for a finite |x| >= TINY. */
function cosineBehind(x: number, quarters: bigint): number {
  const exact = Math.abs(x) < WHOLE ? BigInt(scaleByPowerOfTwo(x, DIGITS)) : BigInt(x) * ONE;
  const fine = exact << MORE_DIGITS;
  const half = HALF_PI / 2n;
  const q = (fine + (fine < 0n ? -half : half)) / HALF_PI;
  const r = (fine - q * HALF_PI) >> MORE_DIGITS;
  const square = (r * r) / ONE;
  const quadrant = BigInt.asUintN(2, q - quarters);
  const size = quadrant % 2n === 0n ? series(ONE, 0n, square) : series(r, 1n, square);
  const value = quadrant === 1n || quadrant === 2n ? -size : size;
  return addOffTies(nearestDouble(value), restOfDouble(value));
}

/**
 * The cosine of `x` radians, in double precision with an error below 0.51 units in the last place (below 1 in the one
 * case in 2^29 where the double nearest to it lies halfway between two float32 values).
 *
 * For every float32 `x`, `Math.fround(cos(x))` is the correctly rounded float32 result.
 */
export function cos(x: number): number {
  if (!Number.isFinite(x)) return Number.NaN;
  return Math.abs(x) < TINY ? 1 : cosineBehind(x, 0n);
}

/** The sine of `x` radians, with the errors of {@link cos}. */
export function sin(x: number): number {
  if (!Number.isFinite(x)) return Number.NaN;
  if (x === 0) return x; // a zero keeps its sign
  return Math.abs(x) < TINY ? addOffTies(x, (-x * x * x) / 6) : cosineBehind(x, 1n);
}
