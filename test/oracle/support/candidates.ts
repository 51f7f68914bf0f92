/**
 * Candidates: kernels that compute the sums of a case honestly in float32, in many orders, and some that do not.
 *
 * @module
 */
import { randomStream } from "../../../src/arithmetic/random.js";
import { HONEST_SUMS, type HonestSum, lanesSum, blockedSum } from "../../../src/oracle/honest-sums.js";
import { type Tensor, tensor } from "../../../src/tensor/tensor.js";
import type { Summed } from "./cases.js";

const { fround } = Math;

/** Kahan's compensated sum. */
function kahan(terms: Float64Array): number {
  let [sum, rest] = [0, 0];
  for (const term of terms) {
    const value = fround(fround(term) - rest);
    const next = fround(sum + value);
    rest = fround(fround(next - sum) - value);
    sum = next;
  }
  return Number.isNaN(sum) ? terms.reduce((total, term) => fround(total + fround(term)), 0) : sum;
}

/** One accumulator, in an order that the seed shuffles: the same order for all sums of one length. */
function shuffled(seed: number): HonestSum {
  const orders = new Map<number, Int32Array>();
  return (terms) => {
    let order = orders.get(terms.length);
    if (order === undefined) {
      const random = randomStream(seed, "order");
      order = Int32Array.from(terms.keys()).sort((a, b) => random.bits(a) - random.bits(b));
      orders.set(terms.length, order);
    }
    let sum = 0;
    for (const at of order) sum = fround(sum + fround(terms[at]));
    return sum;
  };
}

/** Odd and even terms apart, each fused: a kernel unrolled by two. */
function unrolled(terms: Float64Array): number {
  let [even, odd] = [0, 0];
  for (let i = 0; i < terms.length; i += 2) {
    even = fround(even + terms[i]);
    if (i + 1 < terms.length) odd = fround(odd + terms[i + 1]);
  }
  return fround(even + odd);
}

/** Every order, those of the oracle's own jury and others, by name. */
export function honestOrders(seed: number): Readonly<Record<string, HonestSum>> {
  return {
    ...HONEST_SUMS,
    "blocks of 4": blockedSum(4),
    "8 lanes": lanesSum(8),
    "16 lanes": lanesSum(16),
    unrolled,
    shuffled: shuffled(seed),
    "shuffled again": shuffled(seed + 1),
    Kahan: kahan,
    "float64, rounded once": (terms) => fround(terms.reduce((sum, term) => sum + term, 0)),
  };
}

/** What a kernel with `order` gives; it divides by multiplication with the reciprocal if `reciprocal` says so. */
export function candidateOf({ shape, terms, divisors }: Summed, order: HonestSum, reciprocal = false): Tensor {
  const values = terms.map((list, i) => {
    const sum = order(Float64Array.from(list));
    if (divisors === undefined) return sum;
    return reciprocal ? fround(sum * fround(1 / divisors[i])) : fround(sum / divisors[i]);
  });
  return tensor(Float32Array.from(values), shape);
}
