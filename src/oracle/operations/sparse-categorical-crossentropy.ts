/**
 * What is expected of sparse categorical cross-entropy, forward and backward.
 *
 * Of logits: `cross-entropy-logits.ts` with one-hot labels, which are exact.
 *
 * Of probabilities it is the cross-entropy of the logits l = log c, and candidates may compute it so, as Keras with
 * TensorFlow does: the same derivation with the errors of l from `clipping.ts`. The direct form log(sum c) - log c[t]
 * has the smaller errors.
 *
 * Backward:  dp[k] = dl[k] / c[k], or (1 / sum c - [k = t] / c[k]) / M. With V the error of dl and C that of c:
 *
 *       (V + |dl| C / c) / (c - C) + gamma_3 (1 / sum c + [k = t] / c) / M
 *
 * and 0 where p[k] is clipped. At a kink both are right.
 *
 * @module
 */
import {
  sparseCategoricalCrossentropyBackward,
  sparseCategoricalCrossentropyForward,
  type SparseCategoricalCrossentropyOptions,
} from "../../losses/sparse-categorical-crossentropy.js";
import { type KerasConfig, readConfig } from "../../serialization/config.js";
import type { Tensor } from "../../tensor/tensor.js";
import type { ArithmeticModel } from "../arithmetic-model.js";
import { ErrorArithmetic } from "../error-arithmetic.js";
import type { Expectation } from "../expectation.js";
import { float64Of } from "../operands.js";
import type { Operation } from "../operation.js";
import { inputRows } from "./categorical-crossentropy.js";
import { type Clipped, clip } from "./clipping.js";
import { logitsGradientErrors, logitsLossError, type Rows } from "./cross-entropy-logits.js";
import { elementwise } from "./expected.js";
import { type LossCall, lossOperations } from "./loss.js";

type Options = Required<SparseCategoricalCrossentropyOptions>;

function readOptions(args: KerasConfig, operation: string): Options {
  return { fromLogits: readConfig(operation, args).boolean("fromLogits", false) };
}

/** The predictions as logits, with the clipped probabilities where they are no logits already. */
interface Read {
  readonly logits: Rows;
  readonly clipped: readonly Clipped[] | undefined;
  readonly labels: Rows;
  readonly classes: number;
}

function read({ yTrue, yPred, options }: LossCall<Options>, arithmetic: ErrorArithmetic): Read {
  const classes = yPred.shape[yPred.dimension - 1];
  const predictions = inputRows(yPred, arithmetic);
  const labels: Rows = { values: new Float64Array(yPred.size), errors: new Float64Array(yPred.size) };
  float64Of(yTrue).forEach((label, row) => (labels.values[row * classes + label] = 1));
  if (options.fromLogits) return { logits: predictions, clipped: undefined, labels, classes };
  const clipped = Array.from(predictions.values, (value, i) =>
    clip({ value, error: predictions.errors[i] }, arithmetic),
  );
  const logits: Rows = {
    values: Float64Array.from(clipped, ({ log }) => log.value),
    errors: Float64Array.from(clipped, ({ log }) => log.error),
  };
  return { logits, clipped, labels, classes };
}

function expectForward(loss: Tensor, call: LossCall<Options>, model: ArithmeticModel): Expectation {
  const arithmetic = new ErrorArithmetic(model);
  const { logits, labels, classes } = read(call, arithmetic);
  const error = logitsLossError(logits, classes, labels, arithmetic);
  return elementwise(loss, Float64Array.of(arithmetic.stored(loss.get(), error)));
}

function expectBackward(dYPred: Tensor, call: LossCall<Options>, model: ArithmeticModel): Expectation {
  const arithmetic = new ErrorArithmetic(model);
  const { logits, clipped, labels, classes } = read(call, arithmetic);
  const errors = logitsGradientErrors(logits, classes, labels, arithmetic);
  const stored = (value: number, error: number): number => arithmetic.stored(value, error);
  if (clipped === undefined) {
    const bound = errors.map((error, i) => stored(dYPred.data[i], error));
    return elementwise(dYPred, bound);
  }
  const rows = dYPred.size / classes;
  const least = float64Of(dYPred);
  const greatest = float64Of(dYPred);
  const bound = errors.map((error, i) => {
    const { c, flat, kink } = clipped[i];
    if (flat && !kink) return 0;
    const start = i - (i % classes);
    let sum = 0;
    for (let k = start; k < start + classes; k++) sum += clipped[k].c.value;
    const slope = (1 / sum - labels.values[i] / c.value) / rows;
    if (kink) {
      least[i] = Math.min(0, slope);
      greatest[i] = Math.max(0, slope);
    }
    const size = (1 / sum + labels.values[i] / c.value) / rows;
    const total = (error + Math.abs(slope) * c.error) / (c.value - c.error) + arithmetic.growth(3) * size;
    return stored(slope, arithmetic.fitting(total + 3 * model.sums.underflow, size));
  });
  return elementwise(dYPred, bound, { least, greatest });
}

/** `sparse-categorical-crossentropy` (fromLogits) gives `loss`, its `-backward` gives `dYPred`. */
export const sparseCategoricalCrossentropyOperations: readonly Operation[] = lossOperations({
  name: "sparse-categorical-crossentropy",
  complete: (args, operation) => ({ ...readOptions(args, operation) }),
  readOptions,
  forward: sparseCategoricalCrossentropyForward,
  backward: sparseCategoricalCrossentropyBackward,
  expectForward,
  expectBackward,
});
