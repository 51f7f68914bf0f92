/**
 * Expectations of regularizers: penalties in the loss, and their gradients in those of the weights.
 *
 *     penalty = l1 sum |w| + l2 sum w^2         n terms: gamma_(n + 2) of itself, for all of them have one sign
 *     dW'     = dW + l1 sign(w) + 2 l2 w        at most 4 roundings: B + gamma_4 (|dW| + B + |l1| + |2 l2 w|)
 *
 * @module
 */
import type { Variable } from "../layers/variable.js";
import type { Model } from "../models/model.js";
import { addRegularizationGradient, regularizationLoss } from "../regularizers/regularizer.js";
import { cast, contiguous, tensor } from "../tensor/tensor.js";
import type { ArithmeticModel } from "./arithmetic-model.js";
import { type Expectation, gamma } from "./expectation.js";

/** What is expected of `dWeight` once the gradient of the penalty on `weight` is in it. */
export function withPenalty(weight: Variable, dWeight: Expectation, { sums, results }: ArithmeticModel): Expectation {
  const { regularizer } = weight;
  if (regularizer === undefined) return dWeight;
  const { shape, truth, bound, spread } = dWeight;
  const wide = cast(weight.value, "float64");
  const both = contiguous(addRegularizationGradient(regularizer, wide, tensor(truth, shape))).data;
  const growth = gamma(4, sums.roundoff);
  const stored = results.roundoff > sums.roundoff ? results.roundoff : 0;
  const grown = (size: number, error: number, total: number): number => {
    const computed = error + growth * (size + error) + 2 * sums.underflow;
    return stored === 0 ? computed : computed + stored * (Math.abs(total) + computed) + results.underflow;
  };
  const sizes = both.map((total, i) => Math.abs(truth[i]) + Math.abs(total - truth[i]));
  return {
    shape,
    truth: Float64Array.from(both),
    bound: bound.map((error, i) => grown(sizes[i], error, both[i])),
    spread: spread.map((error, i) => (error === 0 ? 0 : grown(sizes[i], error, both[i]))),
  };
}

/** The sum of all penalties on the trainable weights, and what a candidate's may be off. */
export function penaltiesOf(
  model: Model,
  { sums }: ArithmeticModel,
): { readonly value: number; readonly error: number } {
  let [value, error, count] = [0, 0, 0];
  for (const { regularizer, value: weight } of model.trainableWeights) {
    if (regularizer === undefined) continue;
    const penalty = regularizationLoss(regularizer, cast(weight, "float64"));
    value += penalty;
    error += gamma(weight.size + 2, sums.roundoff) * penalty;
    count++;
  }
  return { value, error: error + gamma(count, sums.roundoff) * (value + error) };
}
