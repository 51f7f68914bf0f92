/**
 * Data that are hard on float32, each made from plain random numbers within [-1, 1], and the sums that honest kernels make.
 *
 * @module
 */
import fc from "fast-check";

const { fround } = Math;

/** Turns the i-th random number z of a tensor with `channels` channels into an element. */
type Regime = (z: number, i: number, channels: number) => number;

/** Values by the name of their difficulty. Means and sizes differ by channel where that matters. */
export const REGIMES: Readonly<Record<string, Regime>> = {
  plain: (z) => z,
  positive: (z) => Math.abs(z) + 0.1,
  negative: (z) => -Math.abs(z) - 0.1,
  "large mean, small variance": (z) => 1e4 + z * 0.05,
  "larger mean, no variance left": (z) => 1e6 + z * 1e-2,
  "mean by channel": (z, i, channels) => 100 * (i % channels) + z,
  "constant channels": (_, i, channels) => 0.1 + (i % channels),
  "one constant channel": (z, i, channels) => (i % channels === 0 ? 0.3 : z),
  zeros: () => 0,
  "zero channel": (z, i, channels) => (i % channels === 0 ? 0 : z),
  subnormal: (z) => z * 1e-41,
  "subnormal deviations": (z) => 1e-38 + z * 1e-41,
  tiny: (z) => z * 1e-30,
  huge: (z) => z * 1e15,
  "beyond the range of squares": (z) => z * 1e25,
  "near the end": (z) => z * 3e38,
  "large logits": (z) => z * 300,
  "larger logits": (z) => z * 1e5,
  "whole numbers, ties": (z) => Math.round(z * 3),
  "powers of two": (z) => Math.sign(z) * 2 ** Math.round(20 * z),
  "wide range": (z) => z * 10 ** Math.round(12 * z),
  "one in many": (z, i) => (i % 7 === 3 ? 1e4 : z * 1e-3),
  "one hot": (_, i) => (i % 5 === 2 ? 1 : 0),
  "half rectified": (z) => Math.max(0, z),
  alternating: (z, i) => (i % 2 === 0 ? 1 : -1) * (1 + z * 1e-6),
  pixels: (z) => Math.round((z + 1) * 127) / 255,
};

/** A name of a regime and as many random numbers as wanted. */
export interface Raw {
  readonly regime: string;
  readonly z: readonly number[];
}

/** Raw data of `size` numbers; they shrink to few distinct ones. */
export function raws(size: number): fc.Arbitrary<Raw> {
  return fc.record({
    regime: fc.constantFrom(...Object.keys(REGIMES)),
    z: fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: size, maxLength: size }),
  });
}

/** The float32 data of `raw`. */
export function dataOf({ regime, z }: Raw, channels: number): Float32Array {
  return Float32Array.from(z, (value, i) => REGIMES[regime](value, i, channels));
}

/** Adds `terms` up in float32. */
export type Order = (terms: readonly number[]) => number;

const ascending: Order = (terms) => terms.reduce((sum, term) => fround(sum + term), 0);

const pairwise: Order = (terms) =>
  terms.length < 2
    ? (terms[0] ?? 0)
    : fround(pairwise(terms.slice(0, terms.length >> 1)) + pairwise(terms.slice(terms.length >> 1)));

/** Orders of summation. */
export const ORDERS: Readonly<Record<string, Order>> = {
  ascending,
  descending: (terms) => ascending([...terms].reverse()),
  pairwise,
  "four lanes": (terms) => ascending([0, 1, 2, 3].map((lane) => ascending(terms.filter((_, i) => i % 4 === lane)))),
  "blocks of eight": (terms) =>
    ascending(Array.from({ length: Math.ceil(terms.length / 8) }, (_, b) => ascending(terms.slice(8 * b, 8 * b + 8)))),
};

/** One of them. */
export const orders: fc.Arbitrary<Order> = fc.constantFrom(...Object.values(ORDERS));

/** `x` rounded to bfloat16, half to even. */
export function bfloat16(x: number): number {
  const bits = new Uint32Array(Float32Array.of(x).buffer);
  bits[0] += 0x7fff + ((bits[0] >> 16) & 1);
  bits[0] &= 0xffff0000;
  return new Float32Array(bits.buffer)[0];
}

/** `x` rounded to float16, half to even, with its subnormals and infinities. */
export function float16(x: number): number {
  const size = Math.abs(x);
  if (!(size < 65520)) return Number.isNaN(x) ? x : Math.sign(x) * Number.POSITIVE_INFINITY;
  const exponent = Math.max(-14, Math.floor(Math.log2(size)));
  // steps of 2^-10 of the binade; adding and subtracting 3 2^51 of them rounds half to even
  const big = 3 * 2 ** (51 + exponent - 10);
  return x + big - big;
}
