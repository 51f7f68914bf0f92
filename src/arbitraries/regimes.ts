/**
 * Value regimes: how the numbers of a tensor are drawn, and which of them it may hold while it shrinks.
 *
 * Each regime is there for a kind of mistake. Ordinary numbers find wrong indices; whole numbers make every sum exact, so
 * that any difference is one; powers of two show each factor; large exponents and subnormal numbers find overflow and
 * flushing; cancelling pairs find lost bits; one-hot rows show one weight at a time; signed zeros and special values find
 * comparisons that are written the wrong way round.
 *
 * @module
 */
import type fc from "fast-check";
import { scaleByPowerOfTwo } from "../arithmetic/powers-of-two.js";
import type { DType, FloatArray } from "../tensor/dtype.js";
import { type Shape, sizeOf } from "../tensor/shape.js";
import { isPowerOfTwo, simplerArrays, simplerNumbers } from "./simpler-values.js";

/** How the values of one tensor are drawn, and shrink. */
export interface Regime {
  /** Values for a tensor of `shape`, row-major; all randomness is fast-check's. They are rounded to `dtype` when stored. */
  draw(random: fc.Random, shape: Shape, dtype: DType): readonly number[];
  /** Whether a shrunken tensor may hold these values. */
  allows(values: FloatArray, shape: Shape): boolean;
  /** Simpler values than these, the greatest leap first. Those which are not allowed are left out by the caller. */
  simpler(values: FloatArray, shape: Shape): Iterable<FloatArray>;
}

const FORMATS = {
  float32: { least: -149, leastNormal: -126, greatest: 127 },
  float64: { least: -1074, leastNormal: -1022, greatest: 1023 },
} as const;

const signOf = (random: fc.Random): number => 2 * random.nextInt(0, 1) - 1;
/** Uniform in (-1, 1], 31 bits. */
const uniform = (random: fc.Random): number => random.nextInt(-0x3fffffff, 0x40000000) / 0x40000000;
/** Near to normal: the sum of 12 uniform numbers has variance 1 after scaling by 1/2. */
function normal(random: fc.Random): number {
  let sum = 0;
  for (let i = 0; i < 12; i++) sum += uniform(random);
  return sum / 2;
}
/** 1 to 2, with the bits of a float32. */
const significand = (random: fc.Random): number => 1 + random.nextInt(0, 0x7fffff) / 0x800000;

/** A regime whose elements are drawn one by one, and have nothing to do with each other. */
function elementwise(
  one: (random: fc.Random, dtype: DType) => number,
  allowsOne: (value: number, dtype: DType) => boolean,
): Regime {
  return {
    draw: (random, shape, dtype) => Array.from({ length: sizeOf(shape) }, () => one(random, dtype)),
    allows: (values) => {
      const dtype = values instanceof Float64Array ? "float64" : "float32";
      return values.every((value) => allowsOne(value, dtype));
    },
    simpler: simplerArrays,
  };
}

const isFinite = (value: number): boolean => Number.isFinite(value) && !Object.is(value, -0);

const SPECIALS = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -0];

/** The names of the regimes; `"any"` draws one of the others for every tensor, and shrinks out of it. */
export type RegimeName =
  | "uniform"
  | "normal"
  | "positive"
  | "integers"
  | "powersOfTwo"
  | "largeExponents"
  | "subnormals"
  | "zeros"
  | "specials"
  | "cancelling"
  | "oneHot"
  | "constant"
  | "distinct"
  | "any";

const regimes: Readonly<Record<Exclude<RegimeName, "any">, Regime>> = {
  /** Between -1 and 1. */
  uniform: elementwise(uniform, (v) => isFinite(v) && Math.abs(v) <= 1),
  /** Mean 0, variance 1, within 6. */
  normal: elementwise(normal, isFinite),
  /** Above 0, at most 2: variances, learning rates. */
  positive: elementwise(
    (random) => random.nextInt(1, 0x1000000) / 0x800000,
    (v) => isFinite(v) && v > 0,
  ),
  /** Whole numbers from -8 to 8: sums of 2^18 products of two of them are exact in float32, in any order. */
  integers: elementwise(
    (random) => random.nextInt(-8, 8),
    (v) => isFinite(v) && Number.isInteger(v) && Math.abs(v) <= 8,
  ),
  /** Powers of two from 2^-8 to 2^8 with either sign. */
  powersOfTwo: elementwise((random) => scaleByPowerOfTwo(signOf(random), random.nextInt(-8, 8)), isPowerOfTwo),
  /** Any exponent from the least normal number to the greatest: products of two overflow or vanish. */
  largeExponents: elementwise((random, dtype) => {
    const { leastNormal, greatest } = FORMATS[dtype];
    return scaleByPowerOfTwo(signOf(random) * significand(random), random.nextInt(leastNormal, greatest - 1));
  }, isFinite),
  /** Numbers below the normal range. */
  subnormals: elementwise(
    (random, dtype) => {
      const { least, leastNormal } = FORMATS[dtype];
      return scaleByPowerOfTwo(signOf(random) * significand(random), random.nextInt(least, leastNormal - 2));
    },
    (v, dtype) => isFinite(v) && Math.abs(v) < scaleByPowerOfTwo(1, FORMATS[dtype].leastNormal),
  ),
  /** 0 and -0. */
  zeros: elementwise(
    (random) => (signOf(random) > 0 ? 0 : -0),
    (v) => v === 0,
  ),
  /** NaN, infinities and signed zeros among ordinary numbers. */
  specials: elementwise(
    (random) => (random.nextInt(0, 2) > 0 ? normal(random) : SPECIALS[random.nextInt(0, SPECIALS.length - 1)]),
    () => true,
  ),
  /** Pairs of large opposite numbers whose sums are some 2^-12 of them; neighbours in row-major order. */
  cancelling: {
    draw(random, shape, dtype) {
      const pairs = elementwise(normal, isFinite).draw(random, shape, dtype);
      return pairs.map((v, i) => (i % 2 === 0 ? v * 4096 : normal(random) - pairs[i - 1] * 4096));
    },
    allows: (values) => values.every(isFinite),
    simpler: simplerArrays,
  },
  /** A single 1 along the last axis, else 0: labels, and tensors that show one weight at a time. */
  oneHot: {
    draw(random, shape) {
      const values = Array.from({ length: sizeOf(shape) }, () => 0);
      const classes = shape.at(-1) ?? 1;
      for (let row = 0; row < values.length; row += classes) values[row + random.nextInt(0, classes - 1)] = 1;
      return values;
    },
    allows(values, shape) {
      const classes = shape.at(-1) ?? 1;
      const ones = new Float64Array(values.length / classes);
      for (const [i, value] of values.entries()) {
        if (value === 1) ones[Math.floor(i / classes)]++;
        else if (!Object.is(value, 0)) return false;
      }
      return ones.every((count) => count === 1);
    },
    *simpler(values, shape) {
      const classes = shape.at(-1) ?? 1;
      // all rows to class 0, then one row at a time to class 0, then to the class before
      const moved = (from: number, to: number, target: (old: number) => number): FloatArray => {
        const copy = values.slice();
        for (let row = from; row < to; row += classes) {
          const old = copy.subarray(row, row + classes).indexOf(1);
          copy[row + old] = 0;
          copy[row + target(old)] = 1;
        }
        return copy;
      };
      const targets = [(): number => 0, (old: number): number => Math.max(0, old - 1)];
      for (const target of targets) {
        yield moved(0, values.length, target);
        for (let row = 0; row < values.length; row += classes) yield moved(row, row + classes, target);
      }
    },
  },
  /** One number everywhere. */
  constant: {
    draw(random, shape) {
      const value = normal(random);
      return Array.from({ length: sizeOf(shape) }, () => value);
    },
    allows: (values) => values.every((v) => v === values[0] && isFinite(v)),
    *simpler(values) {
      for (const value of simplerNumbers(values[0])) yield values.slice().fill(value);
    },
  },
  /** Pairwise distinct multiples of 1/4, in any order: no ties of maxima, and no number near another or near 0. */
  distinct: {
    draw(random, shape) {
      const size = sizeOf(shape);
      const values = Array.from({ length: size }, (_, i) => (i - Math.floor(size / 2)) / 4 + 1 / 8);
      for (let i = size - 1; i > 0; i--) {
        const j = random.nextInt(0, i);
        [values[i], values[j]] = [values[j], values[i]];
      }
      return values;
    },
    allows: (values) => new Set(values).size === values.length && values.every(isFinite),
    simpler: simplerArrays,
  },
};

/** All regimes by name. */
export const REGIMES: Readonly<Record<RegimeName, Regime>> = {
  ...regimes,
  any: {
    draw(random, shape, dtype) {
      const all = Object.values(regimes);
      return all[random.nextInt(0, all.length - 1)].draw(random, shape, dtype);
    },
    allows: () => true,
    simpler: simplerArrays,
  },
};
