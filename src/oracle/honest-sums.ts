/**
 * Honest sums: float32 kernels in miniature. Each adds up the same terms, rounding every step to float32, in an order that
 * kernels really use.
 *
 * They are the jury of the statistical tests. That roundings are independent is a model, and data can defeat it: the
 * sum of 0.1 and 0.1 and 0.1 makes the same error in every step, and small terms of one sign vanish beside a large one. What
 * honest kernels do on the very data of a judgement says how far the model may be trusted there (`sums.ts`).
 *
 * @module
 */

/** Adds up float64 `terms`: exact products of two float32 numbers, or float32 numbers themselves. */
export type HonestSum = (terms: Float64Array) => number;

const { fround } = Math;

/** One accumulator, index ascending; every term is rounded to float32 first. */
export function ascendingSum(terms: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < terms.length; i++) sum = fround(sum + fround(terms[i]));
  return sum;
}

/** One accumulator, index descending. */
export function descendingSum(terms: Float64Array): number {
  let sum = 0;
  for (let i = terms.length - 1; i >= 0; i--) sum = fround(sum + fround(terms[i]));
  return sum;
}

/** Fused multiply-add: terms are not rounded by themselves. */
export function fusedSum(terms: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < terms.length; i++) sum = fround(sum + terms[i]);
  return sum;
}

/** `lanes` accumulators that take turns, added up at the end: SIMD, and threads of a group. */
export function lanesSum(lanes: number): HonestSum {
  return (terms) => {
    const sums = new Float32Array(lanes);
    for (let i = 0; i < terms.length; i++) sums[i % lanes] += fround(terms[i]);
    return pairwise(sums, 0, lanes);
  };
}

/** Blocks of `size` neighbours, each added up by itself: cache blocking. */
export function blockedSum(size: number): HonestSum {
  return (terms) => {
    let sum = 0;
    for (let from = 0; from < terms.length; from += size) {
      sum = fround(sum + ascendingSum(terms.subarray(from, from + size)));
    }
    return sum;
  };
}

/** Halves, halved again: a tree. */
export function pairwiseSum(terms: Float64Array): number {
  return pairwise(Float32Array.from(terms), 0, terms.length);
}

function pairwise(terms: Float32Array, from: number, to: number): number {
  if (to - from <= 1) return to > from ? terms[from] : 0;
  const middle = from + Math.ceil((to - from) / 2);
  return fround(pairwise(terms, from, middle) + pairwise(terms, middle, to));
}

/** The orders by name. */
export const HONEST_SUMS: Readonly<Record<string, HonestSum>> = {
  ascending: ascendingSum,
  descending: descendingSum,
  fused: fusedSum,
  "4 lanes": lanesSum(4),
  "32 lanes": lanesSum(32),
  "blocks of 8": blockedSum(8),
  "blocks of 32": blockedSum(32),
  pairwise: pairwiseSum,
};
