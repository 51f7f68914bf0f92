/**
 * Judgement of one tensor: a candidate's numbers against an {@link Expectation}.
 *
 * Four tests, after the Arm TOSA reference model and beyond it. With the error e, the bound B and the spread s of an
 * element, and z = e / s over the n elements whose spread is not zero:
 *
 *     bound      |e| <= B for every element (a bound of 0 means exactly equal)
 *                and the same for the sum of elements that share what is theirs, as tied maxima do a gradient
 *     special    NaN where the truth is NaN, an infinity where it is one, and nowhere else
 *     variance   mean of z^2 <= VARIANCE_LIMIT: errors are no larger than independent roundings make them
 *     bias       |mean of z| <= 2 lean + 6 / sqrt(n), and the same for z sign(truth): roundings do not lean to one side,
 *                or towards 0 as truncation does; `lean` is what honest orders of summation showed on these data
 *
 * The last two look at the tensor as a whole and are off below {@link STATISTICAL_MINIMUM} elements.
 *
 * @module
 */
import { kindOf } from "../serialization/config.js";
import { checkTensor } from "../serialization/tensors.js";
import { formatShape, shapesAgree } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { contiguous } from "../tensor/tensor.js";
import { type Expectation, MOST_LEAN, type Total } from "./expectation.js";

/**
 * Spread is the root mean square for independent roundings of equal size. Sums that run in one order have partial sums
 * that are larger early or late, and signs that persist: by Higham and Mary (2019) the probabilistic bound has a factor of
 * a few. Variance beyond 2^2 of it is taken for a systematic loss.
 */
const VARIANCE_LIMIT = 4;
/** Deviations of a mean of n independent numbers of variance 1 beyond 6 / sqrt(n) happen once in 5e8 tensors. */
const BIAS_SIGMAS = 6;
/** Orders that were not tried may lean twice as far as those that were. */
const LEAN_FACTOR = 2;
/** Below so many elements a tensor is judged element by element only. */
export const STATISTICAL_MINIMUM = 64;

/** One element, as a report shows it. */
export interface Element {
  /** Its index along every axis. */
  readonly index: readonly number[];
  /** What the candidate gave. */
  readonly candidate: number;
  /** What is right, in float64. */
  readonly truth: number;
  /** How far from that it may be. */
  readonly bound: number;
}

/** The verdict on one tensor. */
export interface Judgement {
  /** Whether all tests hold. */
  readonly holds: boolean;
  /** Which do not. */
  readonly broken: readonly ("shape" | "bound" | "special" | "variance" | "bias")[];
  /** Elements judged. */
  readonly elements: number;
  /** Elements beyond their bound, and sums of elements that are. */
  readonly beyond: number;
  /** The largest |e| / B; Infinity where B is 0 and e is not. */
  readonly worstRatio: number;
  /** Where it is. */
  readonly worst: Element | undefined;
  /**
   * Significant bits that all elements have: -log2 of the largest |e| / |truth|, of elements whose truth is not tiny; 0 where
   * there is NaN or an infinity in the wrong place.
   */
  readonly effectiveBits: number;
  /** Mean of z^2. */
  readonly variance: number;
  /** Mean of z or of z sign(truth), whichever is further from 0. */
  readonly bias: number;
  /** For "shape": what was expected and what came. */
  readonly shapes?: readonly [expected: string, received: string];
}

/** The position of row-major element `at` in `shape`. */
export function positionOf(at: number, shape: readonly number[]): readonly number[] {
  const index: number[] = [];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    index.unshift(at % shape[axis]);
    at = Math.floor(at / shape[axis]);
  }
  return index;
}

/** The error of `value`: 0 within the ties, else the signed distance to the nearest right value. */
function errorOf(value: number, i: number, { truth, ties }: Expectation): number {
  if (ties === undefined) return value - truth[i];
  if (value < ties.least[i]) return value - ties.least[i];
  if (value > ties.greatest[i]) return value - ties.greatest[i];
  return 0;
}

/** |error| of a sum of elements, relative to the bounds of all; 0 where one of them has none, or is no number. */
function ratioOfTotal(
  elements: readonly number[],
  { least, greatest }: Omit<Total, "elements">,
  data: ArrayLike<number>,
  bound: Float64Array,
): number {
  let [sum, allowed] = [0, 0];
  for (const i of elements) {
    sum += data[i];
    allowed += bound[i];
  }
  const error = Math.max(least - sum, sum - greatest);
  return error > 0 && error < Number.POSITIVE_INFINITY ? error / allowed : 0;
}

/**
 * Judges `candidate`, a tensor of any element type.
 *
 * @throws TypeError when it is no tensor, or `expectation` no expectation, as a tensor is not.
 */
export function judgeTensor(candidate: Tensor, expectation: Expectation): Judgement {
  checkTensor("judgeTensor", "candidate", candidate);
  if (expectation?.bound === undefined) {
    throw new TypeError(
      `judgeTensor: \`expectation\` must be what an operation's \`expect\` gives. Received ${kindOf(expectation)}.`,
    );
  }
  const { shape, truth, bound, spread, lean = MOST_LEAN } = expectation;
  if (!shapesAgree(candidate.shape, shape)) {
    return {
      ...EMPTY,
      holds: false,
      broken: ["shape"],
      shapes: [formatShape(shape), formatShape(candidate.shape)],
    };
  }
  const { data } = contiguous(candidate);
  let [beyond, specials, worstRatio, worstAt, relative, squares, sum, outward, counted] = [0, 0, 0, -1, 0, 0, 0, 0, 0];
  for (let i = 0; i < data.length; i++) {
    const value = data[i];
    if (!Number.isFinite(truth[i])) {
      if (bound[i] !== Number.POSITIVE_INFINITY && !Object.is(value, truth[i])) specials++;
      continue;
    }
    if (!Number.isFinite(value)) {
      if (bound[i] !== Number.POSITIVE_INFINITY) specials++;
      continue;
    }
    const e = errorOf(value, i, expectation);
    const ratio = e === 0 ? 0 : Math.abs(e) / bound[i];
    if (ratio > 1) beyond++;
    if (ratio > worstRatio || worstAt < 0) {
      worstRatio = ratio;
      worstAt = i;
    }
    if (e !== 0 && truth[i] !== 0) relative = Math.max(relative, Math.abs(e / truth[i]));
    if (spread[i] > 0 && Number.isFinite(spread[i])) {
      const z = e / spread[i];
      squares += z * z;
      sum += z;
      outward += truth[i] < 0 ? -z : z;
      counted++;
    }
  }
  for (const { elements, ...total } of expectation.totals ?? []) {
    const ratio = ratioOfTotal(elements, total, data, bound);
    if (ratio > 1) beyond++;
    if (ratio > worstRatio) [worstRatio, worstAt] = [ratio, elements[0]];
  }
  const variance = counted === 0 ? 0 : squares / counted;
  const bias = counted === 0 ? 0 : (Math.abs(outward) > Math.abs(sum) ? outward : sum) / counted;
  const statistical = counted >= STATISTICAL_MINIMUM;
  const broken: Judgement["broken"] = [
    ...(beyond > 0 ? (["bound"] as const) : []),
    ...(specials > 0 ? (["special"] as const) : []),
    ...(statistical && variance > VARIANCE_LIMIT ? (["variance"] as const) : []),
    ...(statistical && Math.abs(bias) > LEAN_FACTOR * lean + BIAS_SIGMAS / Math.sqrt(counted)
      ? (["bias"] as const)
      : []),
  ];
  const worst =
    worstAt < 0
      ? undefined
      : { index: positionOf(worstAt, shape), candidate: data[worstAt], truth: truth[worstAt], bound: bound[worstAt] };
  return {
    holds: broken.length === 0,
    broken,
    elements: data.length,
    beyond: beyond + specials,
    worstRatio,
    worst,
    effectiveBits: specials > 0 ? 0 : relative === 0 ? 53 : Math.max(0, bitsOf(relative)),
    variance,
    bias,
  };
}

const EMPTY: Omit<Judgement, "holds" | "broken"> = {
  elements: 0,
  beyond: 0,
  worstRatio: 0,
  worst: undefined,
  effectiveBits: 0,
  variance: 0,
  bias: 0,
};

/** The whole bits of -log2(x), for 0 < x. */
function bitsOf(x: number): number {
  let bits = 0;
  while (x < 1 && bits < 53) {
    x *= 2;
    bits++;
  }
  return bits;
}
