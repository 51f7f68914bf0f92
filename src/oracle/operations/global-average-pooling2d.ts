/**
 * `global-average-pooling2d` and its backward pass: {@link globalAveragePooling2DForward}. Argument: `keepdims`.
 *
 *     y  = (sum of H W pixels) / (H W)     H W - 1 additions, and a division or multiplication by 1 / (H W)
 *     dx = dy / (H W)                      the same division
 *
 * As in `average-pooling2d.ts`, a term goes through at most H W + d roundings, d those of a division; in dx 1 + d.
 *
 * @module
 */
import {
  globalAveragePooling2DBackward,
  type GlobalAveragePooling2DCache,
  globalAveragePooling2DForward,
} from "../../layers/global-average-pooling2d.js";
import type { Forward } from "../../layers/layer.js";
import { contiguous, type Tensor } from "../../tensor/tensor.js";
import type { ArithmeticModel } from "../arithmetic-model.js";
import type { Expectation } from "../expectation.js";
import { float64Of, greatestOf, magnitudes, storedInputs, wide } from "../operands.js";
import type { Operation } from "../operation.js";
import { expectSums, plainTerms } from "../sums.js";
import { readKeepdims } from "./pooling.js";
import { singleInputOperations } from "./single-input.js";

/** What is expected of y. */
function expectForward(
  x: Tensor,
  run: (x: Tensor) => Forward<GlobalAveragePooling2DCache>,
  model: ArithmeticModel,
): Expectation {
  const truth = run(wide(x)).y;
  const companion = run(magnitudes(x, storedInputs(model))).y;
  const [, height, width, channels] = x.shape;
  const pixels = height * width;
  const xs = contiguous(x).data;
  return expectSums(
    {
      shape: truth.shape,
      truth: float64Of(truth),
      companion: float64Of(companion),
      roundings: new Float64Array(truth.size).fill(pixels + model.functions.division),
      factors: [greatestOf(x)],
      shared: model.functions.division,
      divisors: new Float64Array(truth.size).fill(pixels),
      terms: (element) => {
        const start = Math.floor(element / channels) * pixels * channels + (element % channels);
        return plainTerms(Array.from({ length: pixels }, (_, pixel) => xs[start + pixel * channels]));
      },
    },
    model,
  );
}

/** What is expected of dx. */
function expectBackward(dy: Tensor, cache: GlobalAveragePooling2DCache, model: ArithmeticModel): Expectation {
  const truth = float64Of(globalAveragePooling2DBackward(wide(dy), cache));
  const companion = globalAveragePooling2DBackward(magnitudes(dy, storedInputs(model)), cache);
  return expectSums(
    {
      shape: cache.shape,
      truth,
      companion: float64Of(companion),
      roundings: new Float64Array(truth.length).fill(1 + model.functions.division),
      factors: [greatestOf(dy)],
    },
    model,
  );
}

/** The mean of every channel, and its gradient, which reads only the shape of `x`. */
export const globalAveragePooling2dOperations: readonly Operation[] = singleInputOperations({
  name: "global-average-pooling2d",
  complete: (args, operation) => ({ keepdims: readKeepdims(operation, args) }),
  forward: (x, args, operation) => globalAveragePooling2DForward(x, readKeepdims(operation, args)),
  backward: globalAveragePooling2DBackward,
  expectForward,
  expectBackward,
});
