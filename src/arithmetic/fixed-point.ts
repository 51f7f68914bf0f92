/**
 * The constants behind exp, log and the cosine, computed when the library loads, with whole numbers of any size.
 *
 * A real number v is held as the integer round(v * 2^128). Integer arithmetic is exact in every engine, so the tables
 * come out with the same bits everywhere, and a reader can check each formula; there is no list of magic digits to
 * trust. The series
 *
 *     atanh(1/n) = 1/n + 1/(3 n^3) + 1/(5 n^5) + ...         exp(x) = 1 + x + x^2/2! + x^3/3! + ...
 *
 * lose less than one unit of 2^-128 a term, and the longest chain that is built from them (the logarithms of the
 * neighbours of 256) adds fewer than 200 of them: every constant is good to 2^-115.
 *
 * @module
 */
import { scaleByPowerOfTwo } from "./powers-of-two.js";

/** Binary digits after the point. */
export const DIGITS = 128;

/** The number 1. */
export const ONE: bigint = 1n << BigInt(DIGITS);

/** atanh(1/n) for a whole n above 1. */
export function atanhOfReciprocal(n: bigint): bigint {
  let sum = 0n;
  let power = ONE / n;
  for (let odd = 1n; power > 0n; odd += 2n) {
    sum += power / odd;
    power /= n * n;
  }
  return sum;
}

/** The natural logarithm of 2: log(2) = log((1 + 1/3) / (1 - 1/3)) = 2 atanh(1/3). */
export const LN2: bigint = 2n * atanhOfReciprocal(3n);

/** 2^(j / steps) for j = 0 ... steps - 1, as powers of its first member exp(log(2) / steps). */
export function rootsOfTwo(steps: number): bigint[] {
  const x = LN2 / BigInt(steps);
  let first = 0n;
  let term = ONE;
  for (let n = 1n; term > 0n; n++) {
    first += term;
    term = (term * x) / (ONE * n);
  }
  const roots = [ONE];
  while (roots.length < steps) roots.push((roots[roots.length - 1] * first) / ONE);
  return roots;
}

/** The double nearest to `value`. */
export function nearestDouble(value: bigint): number {
  return scaleByPowerOfTwo(Number(value), -DIGITS);
}

/** What {@link nearestDouble} leaves over of `value`, as a double. */
export function restOfDouble(value: bigint): number {
  return nearestDouble(value - BigInt(Number(value)));
}

/**
 * `value` cut to a whole multiple of 2^-42, and the rest as a double.
 *
 * The short first part times a small whole number, and sums of such products, are exact in double precision.
 */
export function splitAt42Bits(value: bigint): [high: number, low: number] {
  const unit = BigInt(DIGITS - 42);
  const high = (value >> unit) << unit;
  return [nearestDouble(high), nearestDouble(value - high)];
}
