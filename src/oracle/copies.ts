/**
 * Expectations of copies: numbers that an operation moves and does not change (padding, concatenation, maxima).
 *
 * A copy is a sum of one term without any rounding (`sums.ts`), so its bound is 0: the candidate's number must equal the
 * truth, and -0 equals 0. Only a narrower format of storage, and flushed subnormals, allow more.
 *
 * @module
 */
import { contiguous, type Tensor } from "../tensor/tensor.js";
import type { ArithmeticModel } from "./arithmetic-model.js";
import type { Expectation } from "./expectation.js";
import { greatestOf, magnitudes, storedInputs } from "./operands.js";
import { expectSums } from "./sums.js";

/** What is expected of the copies `truth`; where `open` says so, of any value. */
export function expectCopies(truth: Tensor, model: ArithmeticModel, open?: (element: number) => boolean): Expectation {
  const { data } = contiguous(truth);
  return expectSums(
    {
      shape: truth.shape,
      truth: Float64Array.from(data),
      companion: Float64Array.from(magnitudes(truth, storedInputs(model)).data),
      roundings: new Float64Array(data.length),
      factors: [greatestOf(truth)],
      open,
    },
    model,
  );
}
