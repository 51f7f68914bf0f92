/**
 * Weaker arithmetic: what a candidate may have used instead of the arithmetic that it claims. How it rounds says nothing
 * exact of its results, so this is believed only where most of the tensor looks like it.
 *
 * @module
 */
import { contiguous, type Tensor } from "../../tensor/tensor.js";
import {
  type ArithmeticModel,
  BFLOAT16_INPUTS,
  FLOAT16_INPUTS,
  FLOAT16_STORAGE,
  TF32_INPUTS,
  withFlush,
} from "../arithmetic-model.js";
import type { Expectation } from "../expectation.js";
import type { Judgement } from "../judgement.js";
import { toBfloat16, toFloat16 } from "../mutations/precision.js";

/** One weakness. */
export interface Weakness {
  readonly name: string;
  /** `claimed`, weakened. */
  readonly weaken: (claimed: ArithmeticModel) => ArithmeticModel;
  /** Whether its errors are zeros: no other makes any plain pattern. */
  readonly makesZeros?: boolean;
  /** Whether a candidate that is judged so by the weaker arithmetic, which leads to `expectation`, looks as if it used it. */
  readonly isPlausible: (candidate: Tensor, claimed: Judgement, weaker: Judgement, expectation: Expectation) => boolean;
}

/** Below this part of its bound the largest of many errors is too small for an arithmetic to have made it. */
const LEAST_RATIO = 1 / 64;
/** A loss of precision shows in this part of a tensor, or if in no element then in its variance. */
const LEAST_SHARE = 1 / 4;
/** And in so many elements: of fewer, roundings cannot be told from anything else. */
const FEWEST = 4;

/** Where what an arithmetic is likely to do is a larger part of the truth, it may do anything, and explains nothing. */
const LARGEST_SHARE = 1 / 8;
/** Mean square of errors, in units of what is likely, beyond which an arithmetic did not make them; as of whole tensors. */
const LARGEST_SQUARE = 4;

/** Whether errors are everywhere, and of the size that the weaker arithmetic is likely to make them. */
function isEverywhere(candidate: Tensor, claimed: Judgement, weaker: Judgement, expectation: Expectation): boolean {
  const { beyond, elements, broken } = claimed;
  const isWide = beyond >= Math.max(FEWEST, LEAST_SHARE * elements) || (beyond === 0 && broken.includes("variance"));
  if (!isWide || weaker.worstRatio < LEAST_RATIO) return false;
  const { truth, bound, spread } = expectation;
  const likely = bound.map((b, i) => (spread[i] > 0 ? spread[i] : b));
  const total = (of: Float64Array): number => of.reduce((sum, value) => sum + Math.abs(value), 0);
  // written so that NaN does not pass
  if (!(total(likely) <= LARGEST_SHARE * total(truth))) return false;
  const { data } = contiguous(candidate);
  const squares = likely.map((size, i) => (size === 0 ? 0 : ((data[i] - truth[i]) / size) ** 2));
  return total(squares) <= LARGEST_SQUARE * elements;
}

/** What flushes has none left. */
function hasNoSubnormals(candidate: Tensor): boolean {
  return contiguous(candidate).data.every((value) => value === 0 || !(Math.abs(value) < 2 ** -126));
}

const allAre =
  (round: (value: number) => number): Weakness["isPlausible"] =>
  (candidate, { beyond }) =>
    beyond >= FEWEST && contiguous(candidate).data.every((value) => Object.is(round(value), value));

/** Of roundings the size can be told, and little else. */
function asLargeAs(arithmetic: string): string {
  return `errors as large as ${arithmetic} would make them`;
}

/** Those that are tried, the least surprising first. */
export const WEAKNESSES: readonly Weakness[] = [
  { name: "subnormal numbers flushed to zero", weaken: withFlush, isPlausible: hasNoSubnormals, makesZeros: true },
  {
    name: "results in float16",
    weaken: (claimed) => ({ ...claimed, results: FLOAT16_STORAGE.results }),
    isPlausible: allAre(toFloat16),
  },
  {
    name: "results in bfloat16",
    weaken: (claimed) => ({ ...claimed, results: BFLOAT16_INPUTS.inputs }),
    isPlausible: allAre(toBfloat16),
  },
  ...[TF32_INPUTS, FLOAT16_INPUTS, BFLOAT16_INPUTS].map(
    ({ name, inputs }): Weakness => ({
      name: asLargeAs(name),
      weaken: (claimed) => ({ ...claimed, inputs }),
      isPlausible: isEverywhere,
    }),
  ),
  {
    name: asLargeAs("accumulation in float16"),
    weaken: (claimed) => ({ ...claimed, sums: FLOAT16_INPUTS.inputs }),
    isPlausible: isEverywhere,
  },
  {
    name: asLargeAs("accumulation in bfloat16"),
    weaken: (claimed) => ({ ...claimed, sums: BFLOAT16_INPUTS.inputs }),
    isPlausible: isEverywhere,
  },
];
