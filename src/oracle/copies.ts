/**
 * Expectations of copies: numbers that an operation moves and does not change (padding, concatenation, maxima).
 *
 * A copy is a sum of one term without any rounding (`sums.ts`), so its bound is 0: the candidate's number must equal the
 * truth, and -0 equals 0. Only a narrower format of storage, and flushed subnormals, allow more: comparisons take all of them
 * for zeros, so that the greatest of them may be any.
 *
 * @module
 */
import { contiguous, type Tensor } from "../tensor/tensor.js";
import { type ArithmeticModel, flushedBelow } from "./arithmetic-model.js";
import type { Expectation } from "./expectation.js";
import { float64Of, greatestOf, magnitudes, storedInputs } from "./operands.js";
import { expectSums } from "./sums.js";

/** What is expected of the copies `truth`; where `open` says so, of any value. */
export function expectCopies(truth: Tensor, model: ArithmeticModel, open?: (element: number) => boolean): Expectation {
  const { data } = contiguous(truth);
  return expectSums(
    {
      shape: truth.shape,
      truth: float64Of(truth),
      companion: float64Of(magnitudes(truth, storedInputs(model))),
      roundings: new Float64Array(data.length),
      factors: [greatestOf(truth)],
      open,
    },
    model,
  );
}

/** What is expected of the maxima `truth`. NaN wins, so a maximum that is NaN is a window with NaN, and any value is right. */
export function expectMaxima(truth: Tensor, model: ArithmeticModel): Expectation {
  const values = contiguous(truth).data;
  const expectation = expectCopies(truth, model, (element) => Number.isNaN(values[element]));
  const limit = flushedBelow(model);
  // both the truth and what is taken for it lie between -limit and limit
  const bound = expectation.bound.map((own, i) => (Math.abs(values[i]) < limit ? Math.max(own, 2 * limit) : own));
  return { ...expectation, bound };
}

/** Whether a candidate of `model` may find `a` and `b` equal: they may be one number in the format in which they are stored. */
export function equalFor(model: ArithmeticModel): (a: number, b: number) => boolean {
  const limit = flushedBelow(model);
  const { roundoff, underflow, largest } = storedInputs(model) ?? {
    roundoff: 0,
    underflow: 0,
    largest: Number.POSITIVE_INFINITY,
  };
  const reach = (x: number): number => roundoff * Math.abs(x) + underflow;
  return (a, b) =>
    a === b ||
    (Math.abs(a) < limit && Math.abs(b) < limit) ||
    Math.abs(a - b) <= reach(a) + reach(b) ||
    (Math.min(Math.abs(a), Math.abs(b)) >= largest && a > 0 === b > 0);
}
