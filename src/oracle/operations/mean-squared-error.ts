/**
 * What is expected of the mean squared error, forward and backward.
 *
 * Forward:   loss = 1 / K sum d^2,  d = yPred - yTrue. With D the error of d from rounded inputs, squares are off by
 *            2 |d| D + D^2. A difference (whose rounding counts twice in the square), a product, K - 1 additions and a
 *            division round at most K + 4 times what is at most 1 / K sum (|d| + D)^2.
 *
 * Backward:  dYPred = 2 / K d: off by 2 / K D, and gamma_4 2 / K (|d| + D).
 *
 * @module
 */
import { meanSquaredErrorBackward, meanSquaredErrorForward } from "../../losses/mean-squared-error.js";
import type { Tensor } from "../../tensor/tensor.js";
import type { ArithmeticModel } from "../arithmetic-model.js";
import { ErrorArithmetic } from "../error-arithmetic.js";
import type { Expectation } from "../expectation.js";
import { float64Of } from "../operands.js";
import type { Operation } from "../operation.js";
import { elementwise, expectationsOf } from "./expected.js";
import { type LossCall, lossOperations } from "./loss.js";

function expectForward(loss: Tensor, { yTrue, yPred }: LossCall<undefined>, model: ArithmeticModel): Expectation {
  const [wanted, given] = [yTrue, yPred].map(float64Of);
  const expectations = expectationsOf({ loss }, model, undefined, (arithmetic) => {
    const count = given.length;
    let [change, size] = [0, 0];
    for (let i = 0; i < count; i++) {
      const d = Math.abs(given[i] - wanted[i]);
      const error = arithmetic.inputError(given[i]) + arithmetic.inputError(wanted[i]);
      change += 2 * d * error + error * error;
      size += (d + error) * (d + error);
    }
    const total = (change + arithmetic.growth(count + 4) * size) / count + 3 * model.sums.underflow;
    return { loss: Float64Array.of(arithmetic.stored(loss.get(), arithmetic.fitting(total, size))) };
  });
  return expectations["loss"];
}

function expectBackward(dYPred: Tensor, { yTrue, yPred }: LossCall<undefined>, model: ArithmeticModel): Expectation {
  const arithmetic = new ErrorArithmetic(model);
  const [wanted, given] = [yTrue, yPred].map(float64Of);
  const bound = given.map((value, i) => {
    const error = arithmetic.inputError(value) + arithmetic.inputError(wanted[i]);
    const size = Math.abs(value - wanted[i]) + error;
    const total = (2 / given.length) * (error + arithmetic.growth(4) * size) + 2 * model.sums.underflow;
    return arithmetic.stored(dYPred.data[i], arithmetic.fitting(total, 2 * size));
  });
  return elementwise(dYPred, bound);
}

/** `mean-squared-error` gives `loss`, `mean-squared-error-backward` gives `dYPred`; no arguments. */
export const meanSquaredErrorOperations: readonly Operation[] = lossOperations({
  name: "mean-squared-error",
  complete: () => ({}),
  readOptions: () => undefined,
  forward: meanSquaredErrorForward,
  backward: meanSquaredErrorBackward,
  expectForward,
  expectBackward,
});
