/**
 * Division of numbers that are known better than a double can say.
 *
 * @module
 */
import { addOffTies } from "./rounding.js";

/** 2^27 + 1: multiplying by it and subtracting again leaves the upper 26 bits of a double. */
const SPLITTER = 134217729;

/**
 * (n + nRest) / (d + dRest), rounded once by {@link addOffTies}, for rests that are small against n and d.
 *
 * The quotient q of n and d is corrected by the division's exact remainder n - q d. The product q d is exact as a sum
 * of two doubles when both factors are cut in two halves of 26 bits (Dekker 1971).
 */
export function quotient(n: number, nRest: number, d: number, dRest: number): number {
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
