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
import { tensorOf } from "../../tensor/tensor.js";
import { dtypeOf } from "../../tensor/tensor.js";
import { ErrorArithmetic } from "../error-arithmetic.js";
import { operandOf } from "../operands.js";
import type { Operation } from "../operation.js";
import { elementsOf, elementwise, expectationsOf, widened } from "./expected.js";

const FORWARD = "mean-squared-error";
const BACKWARD = "mean-squared-error-backward";

/** `mean-squared-error` gives `loss`, `mean-squared-error-backward` gives `dYPred`. */
export const meanSquaredErrorOperations: readonly Operation[] = [
  {
    name: FORWARD,
    inputs: ["yTrue", "yPred"],
    optional: [],
    outputs: ["loss"],
    run(operands) {
      const [yTrue, yPred] = [operandOf(FORWARD, operands, "yTrue"), operandOf(FORWARD, operands, "yPred")];
      return { loss: tensorOf([meanSquaredErrorForward(yTrue, yPred).loss], [], dtypeOf(yPred)) };
    },
    expect(operands, args, model) {
      const wide = widened(operands);
      const { loss } = this.run(wide, args);
      const [wanted, given] = [wide["yTrue"], wide["yPred"]].map(elementsOf);
      return expectationsOf({ loss }, model, undefined, (arithmetic) => {
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
    },
  },
  {
    name: BACKWARD,
    inputs: ["yTrue", "yPred"],
    optional: [],
    outputs: ["dYPred"],
    run(operands) {
      const [yTrue, yPred] = [operandOf(BACKWARD, operands, "yTrue"), operandOf(BACKWARD, operands, "yPred")];
      return { dYPred: meanSquaredErrorBackward(meanSquaredErrorForward(yTrue, yPred).cache) };
    },
    expect(operands, args, model) {
      const wide = widened(operands);
      const { dYPred } = this.run(wide, args);
      const arithmetic = new ErrorArithmetic(model);
      const [wanted, given] = [wide["yTrue"], wide["yPred"]].map(elementsOf);
      const bound = given.map((value, i) => {
        const error = arithmetic.inputError(value) + arithmetic.inputError(wanted[i]);
        const size = Math.abs(value - wanted[i]) + error;
        const total = (2 / given.length) * (error + arithmetic.growth(4) * size) + 2 * model.sums.underflow;
        return arithmetic.stored(dYPred.data[i], arithmetic.fitting(total, 2 * size));
      });
      return { dYPred: elementwise(dYPred, bound) };
    },
  },
];
