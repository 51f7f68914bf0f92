/**
 * `average-pooling2d` and its backward pass: {@link averagePooling2DForward}. Arguments: `poolSize`, `strides`, `padding`.
 *
 *     y  = (sum of n elements) / n               n - 1 additions, and a division or multiplication by 1 / n
 *     dx = sum over k windows of  dy / count     k - 1 additions, and the same
 *
 * With d the roundings of a division, dividing costs d, and multiplying by a reciprocal d + 1, before or after the
 * sum: a term goes through at most n + d roundings. A sum may overflow before it is divided.
 *
 * @module
 */
import {
  averagePooling2DBackward,
  type AveragePooling2DCache,
  averagePooling2DForward,
} from "../../layers/average-pooling2d.js";
import type { Forward } from "../../layers/layer.js";
import { contiguous, type Tensor } from "../../tensor/tensor.js";
import type { ArithmeticModel } from "../arithmetic-model.js";
import type { Expectation } from "../expectation.js";
import { float64Of, greatestOf, magnitudes, storedInputs, wide } from "../operands.js";
import type { Operation } from "../operation.js";
import { expectSums, plainTerms } from "../sums.js";
import { poolingPlaces, readPooling } from "./pooling.js";
import { singleInputOperations } from "./single-input.js";
import { countOf, forEachMeeting } from "./taps.js";

/** What is expected of y. */
function expectForward(
  x: Tensor,
  run: (x: Tensor) => Forward<AveragePooling2DCache>,
  model: ArithmeticModel,
): Expectation {
  const { y: truth, cache } = run(wide(x));
  const companion = run(magnitudes(x, storedInputs(model))).y;
  const places = poolingPlaces(cache.shape, cache.window);
  const xs = contiguous(x).data;
  const divisors = Float64Array.from({ length: truth.size }, (_, i) => countOf(places.under(i)));
  return expectSums(
    {
      shape: truth.shape,
      truth: float64Of(truth),
      companion: float64Of(companion),
      roundings: divisors.map((count) => count + model.functions.division),
      factors: [greatestOf(x)],
      divisors,
      shared: model.functions.division,
      terms: (element) => {
        const [image, channel] = places.ofOutput(element);
        const values: number[] = [];
        forEachMeeting(places.under(element), (row, column) => {
          values.push(xs[places.input(image, channel, row, column)]);
        });
        return plainTerms(values);
      },
    },
    model,
  );
}

/** What is expected of dx. */
function expectBackward(dy: Tensor, cache: AveragePooling2DCache, model: ArithmeticModel): Expectation {
  const truth = averagePooling2DBackward(wide(dy), cache);
  const companion = averagePooling2DBackward(magnitudes(dy, storedInputs(model)), cache);
  const places = poolingPlaces(cache.shape, cache.window);
  const dys = contiguous(dy).data;
  return expectSums(
    {
      shape: truth.shape,
      truth: float64Of(truth),
      companion: float64Of(companion),
      roundings: Float64Array.from({ length: truth.size }, (_, i) => {
        return countOf(places.over(i)) + model.functions.division;
      }),
      factors: [greatestOf(dy)],
      shared: model.functions.division,
      terms: (element) => {
        const [image, channel] = places.ofInput(element);
        const shares: number[] = [];
        forEachMeeting(places.over(element), (row, column) => {
          const at = places.output(image, channel, row, column);
          shares.push(dys[at] / countOf(places.under(at)));
        });
        return plainTerms(shares);
      },
    },
    model,
  );
}

/** The mean under every window, and its gradient, which reads only the shape of `x`. */
export const averagePooling2dOperations: readonly Operation[] = singleInputOperations({
  name: "average-pooling2d",
  complete: (args, operation) => ({ ...readPooling(operation, args) }),
  forward: (x, args, operation) => averagePooling2DForward(x, readPooling(operation, args)),
  backward: averagePooling2DBackward,
  expectForward,
  expectBackward,
});
