/**
 * Error arithmetic: numbers that carry how far a candidate's number may be from them, and what each step adds.
 *
 * Every step of a candidate is  fl(z) = z (1 + d) + n,  |d| <= k u,  |n| <= underflow:  k is 1 for + - * /, and what
 * the model allows for a library function. With a and b known up to errors A and B:
 *
 *     a + b    A + B                                    exactly, before the rounding of the sum
 *     a b      |a| B + |b| A + A B                      exactly: the second-order term is there
 *     a / b    (A + |a / b| B) / (|b| - B)              Infinity where b may be 0
 *     f(a)     max |f(a +- A) - f(a)|                   for a monotone f
 *     rounding E becomes E + k u (|z| + E) + underflow  with the error before it, so nothing is left out
 *
 * An intermediate number beyond the largest of the format has the error Infinity: it may have overflowed. An infinity that is
 * an input has no error, and keeps none where all that it meets is finite, and is not 0 if it is a factor: then there is no
 * order of the formula that gives anything else.
 *
 * The growth of k roundings in a row has two forms, and all formulas are evaluated with both:
 *
 *     certain  gamma_k = k u / (1 - k u)
 *     likely   min(gamma_k, 6 sqrt(k) u)
 *
 * The second is for roundings that behave as independent ones (Higham and Mary 2019, theorem 2.4: with lambda = 6 it fails
 * with probability 2 exp(-18), 3e-8).
 *
 * @module
 */
import type { ArithmeticModel } from "./arithmetic-model.js";
import { gamma } from "./expectation.js";

/** A number, and the largest error that a candidate's may have. */
export interface Ball {
  readonly value: number;
  readonly error: number;
}

/** How large k roundings of roundoff u become together, relative to what they round. */
export type Growth = (roundings: number, u: number) => number;

/** gamma_k, which always holds. */
export const certain: Growth = gamma;

/** 6 sqrt(k) u, which holds but for one case in 3e7 where roundings are independent. */
export const likely: Growth = (roundings, u) => Math.min(gamma(roundings, u), 6 * Math.sqrt(roundings) * u);

/** What is likely where errors of sums have been seen to be `doubt` times as large. */
export function doubtful(doubt: number): Growth {
  return (roundings, u) => Math.min(gamma(roundings, u), doubt * likely(roundings, u));
}

/** The steps of a candidate of one model. */
export class ErrorArithmetic {
  readonly model: ArithmeticModel;
  readonly #growth: Growth;

  constructor(model: ArithmeticModel, growth: Growth = certain) {
    this.model = model;
    this.#growth = growth;
  }

  /** The relative error of `roundings` roundings of products and sums in a row. */
  growth(roundings: number): number {
    return this.#growth(roundings, this.model.sums.roundoff);
  }

  /** Roundings that a reciprocal square root counts for, as a function of its own or as 1 / sqrt. */
  get reciprocalSqrtRoundings(): number {
    const { reciprocalSqrt, sqrt, division } = this.model.functions;
    return Math.max(reciprocalSqrt, sqrt + division);
  }

  /** Roundings that exp(x) counts for. */
  expRoundings(x: number): number {
    const [constant, slope] = this.model.functions.exp;
    return slope === 0 ? constant : constant + slope * Math.abs(x);
  }

  /** What the rounding of inputs changes `x` by; never more than taking it for 0 would. */
  inputError(x: number): number {
    const { roundoff, underflow, largest } = this.model.inputs;
    const size = Math.abs(x);
    if (size === Number.POSITIVE_INFINITY) return 0;
    return size > largest ? Number.POSITIVE_INFINITY : Math.min(size, roundoff * size + underflow);
  }

  /** An element of an input. */
  input(x: number): Ball {
    return { value: x, error: this.inputError(x) };
  }

  /** An argument such as epsilon: the truth takes it in float64, a candidate in the format of its sums. */
  constant(value: number): Ball {
    return this.rounded(value, 0);
  }

  /** `value`, known up to `error`, after `roundings` more roundings. */
  rounded(value: number, error: number, roundings = 1): Ball {
    const { underflow } = this.model.sums;
    if ((value === 0 || isInfinite(value)) && error === 0) return { value, error };
    return {
      value,
      error: this.fitting(error + this.growth(roundings) * (Math.abs(value) + error) + underflow, value),
    };
  }

  /** `error`, or Infinity where one of `intermediates` with that error may leave the range of sums. */
  fitting(error: number, ...intermediates: readonly number[]): number {
    const { largest } = this.model.sums;
    // written so that NaN does not pass
    return intermediates.every((z) => Math.abs(z) + error <= largest) ? error : Number.POSITIVE_INFINITY;
  }

  add(a: Ball, b: Ball): Ball {
    const value = a.value + b.value;
    return this.rounded(value, isInfinite(value) ? errorOfInfinity(a, b) : a.error + b.error);
  }

  subtract(a: Ball, b: Ball): Ball {
    const value = a.value - b.value;
    return this.rounded(value, isInfinite(value) ? errorOfInfinity(a, b) : a.error + b.error);
  }

  multiply(a: Ball, b: Ball): Ball {
    const value = a.value * b.value;
    if (isInfinite(value)) return { value, error: errorOfInfinity(a, b, [a, b]) };
    const error = Math.abs(a.value) * b.error + Math.abs(b.value) * a.error + a.error * b.error;
    return this.rounded(value, error);
  }

  divide(a: Ball, b: Ball): Ball {
    const quotient = a.value / b.value;
    const least = Math.abs(b.value) - b.error;
    const error = least > 0 ? (a.error + Math.abs(quotient) * b.error) / least : Number.POSITIVE_INFINITY;
    return this.rounded(quotient, error, this.model.functions.division);
  }

  /** The square root; a candidate's number that rounding made negative is taken for 0. */
  sqrt({ value, error }: Ball): Ball {
    if (isInfinite(value)) return { value, error };
    const root = Math.sqrt(value);
    const above = Math.sqrt(value + error) - root;
    const below = root - Math.sqrt(Math.max(0, value - error));
    return this.rounded(root, Math.max(above, below), this.model.functions.sqrt);
  }

  /** The error of a result `value` after it is stored. */
  stored(value: number, error: number): number {
    if (isInfinite(value)) return error === 0 ? 0 : Number.POSITIVE_INFINITY;
    const { roundoff, underflow, largest } = this.model.results;
    const total = error + roundoff * (Math.abs(value) + error) + underflow;
    return Math.abs(value) + total <= largest ? total : Number.POSITIVE_INFINITY;
  }

  /** The error of a result that is one of the inputs, known up to `error`, as ReLU gives it: stored, not computed. */
  copied(value: number, error: number): number {
    if (isInfinite(value)) return error === 0 ? 0 : Number.POSITIVE_INFINITY;
    const { roundoff, underflow, largest } = this.model.results;
    const size = Math.abs(value) + error;
    if (!(size <= largest)) return Number.POSITIVE_INFINITY;
    const isFloat32 = error === 0 && Math.fround(value) === value && roundoff <= FLOAT32_ROUNDOFF;
    return error + (isFloat32 ? (size < underflow ? size : 0) : roundoff * size + Math.min(size, underflow));
  }
}

const FLOAT32_ROUNDOFF = 2 ** -24;

/** Whether `value` is one of the infinities. */
export function isInfinite(value: number): boolean {
  return Math.abs(value) === Number.POSITIVE_INFINITY;
}

/**
 * The error of an infinite result of `a` and `b`, both factors or both terms: none if all of it comes from an infinity that is
 * certain, Infinity if a candidate may have another number.
 */
function errorOfInfinity(a: Ball, b: Ball, factors: readonly Ball[] = []): number {
  const comesIn = [a, b].some(({ value, error }) => isInfinite(value) && error === 0);
  const isKnown = [a, b].every(({ error }) => error < Number.POSITIVE_INFINITY);
  const isNoZero = factors.every(({ value, error }) => error < Math.abs(value));
  return comesIn && isKnown && isNoZero ? 0 : Number.POSITIVE_INFINITY;
}

/**
 * An upper bound of exp(t) - 1 for t >= 0, without a function: e^t <= 1 / (1 - t). From t = 1 on Infinity; errors that
 * large say nothing anyway.
 */
export function growthOfExp(t: number): number {
  return t < 1 ? t / (1 - t) : Number.POSITIVE_INFINITY;
}
