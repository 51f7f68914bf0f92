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
import type { Judgement } from "../judgement.js";
import { toBfloat16, toFloat16 } from "../mutations/precision.js";

/** One weakness. */
export interface Weakness {
  readonly name: string;
  /** `claimed`, weakened. */
  readonly weaken: (claimed: ArithmeticModel) => ArithmeticModel;
  /** Whether its errors are zeros: no other makes any plain pattern. */
  readonly makesZeros?: boolean;
  /** Whether a candidate that is judged so by the weaker arithmetic looks as if it used it. */
  readonly isPlausible: (candidate: Tensor, claimed: Judgement, weaker: Judgement) => boolean;
}

/** Below this part of its bound the largest of many errors is too small for an arithmetic to have made it. */
const LEAST_RATIO = 1 / 64;
/** A loss of precision shows in this part of a tensor, or if in no element then in its variance. */
const LEAST_SHARE = 1 / 4;
/** And in so many elements: of fewer, roundings cannot be told from anything else. */
const FEWEST = 4;

function isEverywhere(_: Tensor, { beyond, elements, broken }: Judgement, { worstRatio }: Judgement): boolean {
  return (
    worstRatio >= LEAST_RATIO &&
    (beyond >= Math.max(FEWEST, LEAST_SHARE * elements) || (beyond === 0 && broken.includes("variance")))
  );
}

/** What flushes has none left. */
function hasNoSubnormals(candidate: Tensor): boolean {
  return contiguous(candidate).data.every((value) => value === 0 || !(Math.abs(value) < 2 ** -126));
}

const allAre =
  (round: (value: number) => number): Weakness["isPlausible"] =>
  (candidate, { beyond }) =>
    beyond >= FEWEST && contiguous(candidate).data.every((value) => Object.is(round(value), value));

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
      name,
      weaken: (claimed) => ({ ...claimed, inputs }),
      isPlausible: isEverywhere,
    }),
  ),
  {
    name: "accumulation in float16",
    weaken: (claimed) => ({ ...claimed, sums: FLOAT16_INPUTS.inputs }),
    isPlausible: isEverywhere,
  },
  {
    name: "accumulation in bfloat16",
    weaken: (claimed) => ({ ...claimed, sums: BFLOAT16_INPUTS.inputs }),
    isPlausible: isEverywhere,
  },
];
