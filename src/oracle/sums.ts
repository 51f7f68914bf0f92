/**
 * Expectations of sums: t = sum of a_j b_j over j, or of plain terms (b_j = 1), perhaps divided by a count.
 *
 * The companion S = sum of |a_j b_j| is the same sum of magnitudes, m the most roundings that any one term goes through.
 * For n terms, n - 1 additions and one multiplication: m = n. Without multiplication m = n - 1, so that a copy is exact.
 *
 * Bound. Whatever the order, blocking or tree, a term goes through at most n - 1 additions: a sum of n terms has no deeper
 * tree. Multiplied out, the computed sum is sum of a_j b_j (1 + theta_j) with |theta_j| <= gamma_m = m u / (1 - m u) (Higham,
 * Accuracy and Stability, section 3.1 and 4.2; fusing only removes roundings). Hence, adding what else may happen:
 *
 *     E_inputs  = ((1 + u_in)^2 - 1) S + n eta_in (max |a| + max |b| + eta_in)     both factors rounded before
 *     E_sum     = gamma_m (S + E_inputs) + 2 m eta                                 m products and m sums may underflow
 *     E_truth   = gamma_m(2^-53) S                                                 the reference's own float64 sum
 *     bound     = E_inputs + E_sum + E_truth, and u_out (|t| + that) + eta_out     where the result is stored narrower
 *
 * S = 0 means that every term is exactly 0, in every format and order: then the bound is 0. Where a partial sum may reach
 * beyond the largest number (it is at most S (1 + gamma_m), times the count that it is divided by) the bound is Infinity.
 *
 * Spread. If roundings are independent with mean 0, each of m of them contributes at most u S / sqrt(3) (the root mean
 * square of a rounding of a number at the low end of a binade), so that the root mean square of the error is at most
 * sqrt(m / 3) u S, in any order (Higham and Mary 2019). That is the spread, and mean squares of z = e / spread are at most 1.
 * Rounded inputs add their whole bound, for one rounded factor may be in all terms; d roundings of a shared reciprocal add
 * 4 d u S, so that the mean of z, too, is at most 1/2 where reciprocal and product round the same way everywhere.
 *
 * That roundings are independent is an assumption about data, so it is examined on the data: the sums of some of the
 * elements are run in every order of `honest-sums.ts`. Where any honest order has a mean square above 1, or leans to
 * one side, all spreads grow until it no longer does (data of few distinct values, or small terms beside a large one).
 *
 * @module
 */
import { type Shape, sizeOf } from "../tensor/shape.js";
import type { ArithmeticModel, NumberFormat } from "./arithmetic-model.js";
import { U_FLOAT32 } from "./arithmetic-model.js";
import { type Expectation, gamma, MOST_LEAN } from "./expectation.js";
import { HONEST_SUMS, type HonestSum } from "./honest-sums.js";
import { STATISTICAL_MINIMUM } from "./judgement.js";
import { storedInputs } from "./operands.js";

/** The terms a_j b_j of one sum. */
export interface Terms {
  readonly a: Float64Array;
  readonly b: Float64Array;
}

/** A tensor of sums. Arrays have one entry an element, row-major. */
export interface Sums {
  readonly shape: Shape;
  /** The sums in float64. */
  readonly truth: Float64Array;
  /** The sums of the magnitudes of all finite terms. */
  readonly companion: Float64Array;
  /** The most roundings that a term goes through. */
  readonly roundings: Float64Array;
  /** The greatest magnitudes of the a, and of the b where terms are products of two inputs. */
  readonly factors: readonly [number] | readonly [number, number];
  /** What the sums are divided by, where they are; truth and companion are quotients then. */
  readonly divisors?: Float64Array | undefined;
  /** How many roundings of `roundings` all terms of all elements may share: those of the reciprocal of a count. */
  readonly shared?: number;
  /** The terms of one element; absent where nothing is added up, and a tensor as a whole tells nothing more. */
  readonly terms?: ((element: number) => Terms) | undefined;
  /** Elements whose value no document settles (zeros of the border times infinity): any value is accepted. */
  readonly open?: ((element: number) => boolean) | undefined;
}

/** Unit roundoff of the reference. */
const U_FLOAT64 = 2 ** -53;
/** Numbers of magnitude below it are subnormal in float32. */
const LEAST_NORMAL = 2 ** -126;

/** The terms `values`, each a sum's term by itself. */
export function plainTerms(values: ArrayLike<number>): Terms {
  const a = Float64Array.from(values);
  return { a, b: new Float64Array(a.length).fill(1) };
}

/** The largest error of storing a float32 result of magnitude `size` in `format`; 0 where `format` is float32 itself. */
export function storageError(size: number, format: NumberFormat): number {
  const { roundoff, underflow, largest } = format;
  const relative = roundoff > U_FLOAT32 ? roundoff * size : 0;
  if (size + relative > largest) return Number.POSITIVE_INFINITY;
  const flushes = underflow >= LEAST_NORMAL;
  if (roundoff > U_FLOAT32) return relative + underflow;
  return flushes && size < LEAST_NORMAL ? underflow : 0;
}

/** What candidates of `model` may give for `sums`. */
export function expectSums(sums: Sums, model: ArithmeticModel): Expectation {
  const { shape, truth, companion, roundings, factors, divisors, shared = 0, open } = sums;
  const size = sizeOf(shape);
  const bound = new Float64Array(size);
  const spread = new Float64Array(size);
  const { inputs, results } = model;
  const u = model.sums.roundoff;
  const roundedFactors = factors.length === 2 ? 2 : Number(storedInputs(model) !== undefined);
  const relativeInput = [0, inputs.roundoff, inputs.roundoff * (2 + inputs.roundoff)][roundedFactors];
  const [greatestA, greatestB = 0] = factors;
  const lostInput = factors.length === 2 ? greatestA + greatestB + inputs.underflow : 1;
  const losesInputs = roundedFactors > 0 || inputs.underflow >= LEAST_NORMAL;
  for (let i = 0; i < size; i++) {
    const m = roundings[i];
    const s = companion[i];
    if (open?.(i) === true || Number.isNaN(s)) {
      bound[i] = Number.POSITIVE_INFINITY;
      continue;
    }
    if (s === 0) continue;
    const lost = losesInputs ? (m + 1) * inputs.underflow * lostInput : 0;
    const fromInputs = relativeInput * s + lost;
    const underflows = 2 * m * model.sums.underflow;
    const fromSum = gamma(m, u) * (s + fromInputs) + underflows;
    const error = fromInputs + fromSum + gamma(m, U_FLOAT64) * s;
    const stored = storageError(Math.abs(Number.isFinite(truth[i]) ? truth[i] : 0) + error, results);
    const peak = (s + fromInputs + fromSum) * (divisors === undefined ? 1 : divisors[i]);
    const overflows = !(peak <= model.sums.largest);
    // the last factor is for the roundings of the bound itself
    bound[i] = overflows ? Number.POSITIVE_INFINITY : (error + stored) * (1 + gamma(2 * m + 8, U_FLOAT64));
    // where underflow matters roundings are not relative, and the element is left to its bound
    const normal =
      sums.terms !== undefined &&
      bound[i] < Number.POSITIVE_INFINITY &&
      64 * (underflows + lost) <= Math.sqrt(m) * u * s;
    const independent = Math.sqrt(m / 3) * u * s;
    spread[i] = normal ? rootOfSquares(independent, relativeInput * s + 4 * shared * u * s, stored) : 0;
  }
  const { growth, lean } = examine(sums, spread, model);
  if (growth > 1) spread.forEach((value, i) => (spread[i] = value * growth));
  return { shape, truth, bound, spread, lean };
}

function rootOfSquares(a: number, b: number, c: number): number {
  return Math.sqrt(a * a + b * b + c * c);
}

/** Terms that are added up in one order when data are examined. */
const EXAMINED_TERMS = 2 ** 16;
/** The mean square of z that independent roundings do not exceed. */
const HONEST_VARIANCE = 1;
/** Chance alone makes a mean of z of this size in a sample of 128. */
const LEAST_LEAN = 0.1;

/** What honest orders did on a sample of the elements. */
interface Examined {
  /** By what factor spreads must grow so that all orders keep to them. */
  readonly growth: number;
  /** The furthest that one leaned, in units of the grown spread. */
  readonly lean: number;
}

function examine(sums: Sums, spread: Float64Array, model: ArithmeticModel): Examined {
  const { terms: termsOf } = sums;
  const unknown = { growth: 1, lean: MOST_LEAN };
  if (termsOf === undefined) return unknown;
  const sample = sampleOf(termsOf, spread);
  if (sample.length === 0) return unknown;
  const statistics = Object.values(HONEST_SUMS).map((order) => ({ order, squares: 0, sum: 0, outward: 0 }));
  for (const i of sample) {
    const terms = roundedTerms(termsOf(i), model);
    const t = sums.truth[i];
    for (const statistic of statistics) {
      const sum = honestResult(statistic.order, terms, sums.divisors?.[i], model);
      const z = (sum - t) / spread[i];
      statistic.squares += z * z;
      statistic.sum += z;
      statistic.outward += t < 0 ? -z : z;
    }
  }
  const n = sample.length;
  const variance = Math.max(...statistics.map(({ squares }) => squares / n));
  const bias = Math.max(...statistics.map(({ sum, outward }) => Math.max(Math.abs(sum), Math.abs(outward)) / n));
  const growth = Math.max(1, Math.sqrt(variance / HONEST_VARIANCE), bias / MOST_LEAN);
  return Number.isFinite(growth) ? { growth, lean: Math.max(LEAST_LEAN, bias / growth) } : unknown;
}

/** Elements spread evenly over those that have a spread, by multiples of the golden ratio: no period of a shape hits it. */
function sampleOf(terms: (element: number) => Terms, spread: Float64Array): readonly number[] {
  const counted: number[] = [];
  for (let i = 0; i < spread.length; i++) if (spread[i] > 0) counted.push(i);
  if (counted.length < STATISTICAL_MINIMUM) return [];
  const length = terms(counted[0]).a.length;
  const wanted = Math.min(counted.length, 128, Math.max(16, Math.floor(EXAMINED_TERMS / length)));
  if (wanted === counted.length) return counted;
  const GOLDEN = (Math.sqrt(5) - 1) / 2;
  return Array.from({ length: wanted }, (_, j) => counted[Math.floor((((j + 0.5) * GOLDEN) % 1) * counted.length)]);
}

/** The products of `terms`, whose factors are rounded as `model` says. */
function roundedTerms({ a, b }: Terms, { inputs }: ArithmeticModel): Float64Array {
  const round = significand(inputs.roundoff);
  return a.map((value, j) => round(value) * round(b[j]));
}

/** What an honest candidate stores. */
function honestResult(
  order: HonestSum,
  terms: Float64Array,
  divisor: number | undefined,
  model: ArithmeticModel,
): number {
  const sum = divisor === undefined ? order(terms) : Math.fround(order(terms) / divisor);
  return significand(model.results.roundoff > U_FLOAT32 ? model.results.roundoff : 0)(sum);
}

/** Rounding to the significand of unit roundoff `u`, after Veltkamp: the low bits of x fall off x c. */
function significand(u: number): (x: number) => number {
  if (u === 0) return (x) => x;
  const c = u / U_FLOAT64 + 1;
  return (x) => {
    const high = x * c;
    return high - (high - x);
  };
}
