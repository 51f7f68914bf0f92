/**
 * Explanations: whether a candidate's tensor is what a certain mistake makes of it.
 *
 * The mistake's own result takes the place of the truth, and the candidate is judged by it as by the truth, with the bounds
 * that it was given, as far as they fit numbers of another size: a sum that should have been a mean of n terms has n times the
 * size, and n times the roundings. So the bound of an element is
 *
 *     max(B max(1, |H| / |T|), B / |t| of the tensor as a whole, times |h|)
 *
 * for the mistake's result h of the tensor H, and the truth t of T. Where nothing may be rounded (B = 0) it remains 0. B is of
 * the size of what is added up, not of the sum: where the truth cancels (the gradient of a bias before a normalization is 0)
 * both quotients are without limit, and would let any numbers pass for H. So bounds do not grow beyond 2^-8 of |H|.
 * A mistake that leads to another shape has the mean of B instead of B.
 *
 * @module
 */
import { shapesAgree } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Expectation } from "./expectation.js";
import { type Judgement, judgeTensor } from "./judgement.js";
import { float64Of } from "./operands.js";

/** The relative error of a sum of 2^16 terms in float32, to which nothing but a cancelling truth makes bounds grow. */
const MOST_SHARE = 2 ** -8;

/** What is expected of a candidate that makes the mistake whose result is `mistaken`. */
export function expectMistake(mistaken: Tensor, expectation: Expectation): Expectation {
  const { truth, bound, spread, lean } = expectation;
  const isSameShape = shapesAgree(mistaken.shape, expectation.shape);
  const result = float64Of(mistaken);
  const [size, mistakenSize, errors, likely] = [truth, result, bound, spread].map(finiteSum);
  const limit = errors > 0 ? (MOST_SHARE * mistakenSize) / errors : Number.POSITIVE_INFINITY;
  const growth = size > 0 ? Math.max(1, Math.min(mistakenSize / size, limit)) : 1;
  const share = (of: number): number => (size > 0 ? Math.min(of / size, MOST_SHARE) : 0);
  if (!isSameShape) {
    const typical = (growth * errors) / Math.max(1, truth.length);
    const errorsOf = result.map((value) => Math.max(typical, share(errors) * Math.abs(value)));
    return { shape: mistaken.shape, truth: result, bound: errorsOf, spread: new Float64Array(result.length) };
  }
  const grown = (errorsOf: Float64Array, relative: number): Float64Array =>
    errorsOf.map((error, i) => {
      // an infinity or NaN that the mistake leads to must be there
      if (error === 0 || !Number.isFinite(result[i])) return 0;
      return Math.max(error * growth, relative * Math.abs(result[i]));
    });
  return {
    shape: expectation.shape,
    truth: result,
    bound: grown(bound, share(errors)),
    spread: grown(spread, share(likely)),
    ...(lean !== undefined && { lean }),
  };
}

/** The sum of all finite magnitudes. */
function finiteSum(values: Float64Array): number {
  return values.reduce((sum, value) => (Number.isFinite(value) ? sum + Math.abs(value) : sum), 0);
}

/** How `candidate` is judged by the mistake's result; undefined where that has another shape, or is the truth. */
export function judgeMistake(candidate: Tensor, mistaken: Tensor, expectation: Expectation): Judgement | undefined {
  if (!shapesAgree(candidate.shape, mistaken.shape)) return undefined;
  const expected = expectMistake(mistaken, expectation);
  // a mistake that makes no difference here explains none
  if (shapesAgree(mistaken.shape, expectation.shape) && !differs(expected.truth, expectation)) return undefined;
  return judgeTensor(candidate, expected);
}

function differs(result: Float64Array, { truth, bound, spread }: Expectation): boolean {
  return result.some((value, i) => {
    if (Object.is(value, truth[i])) return false;
    // what the statistics of a tensor tell apart is far below its bounds
    const noticed = spread[i] > 0 ? Math.min(bound[i], spread[i]) : bound[i];
    return !(Math.abs(value - truth[i]) <= noticed);
  });
}
