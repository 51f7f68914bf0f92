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
import { type KerasConfig, readConfig } from "../../serialization/config.js";
import { contiguous, type Tensor } from "../../tensor/tensor.js";
import { cotangentOf, float64Of, greatestOf, magnitudes, operandOf, storedInputs, wide } from "../operands.js";
import type { Operands, Operation } from "../operation.js";
import { expectSums, plainTerms } from "../sums.js";

const FORWARD = "global-average-pooling2d";
const BACKWARD = "global-average-pooling2d-backward";

function readKeepdims(name: string, args: KerasConfig): boolean {
  return readConfig(name, args).boolean("keepdims", false);
}

/** The mean of every channel. */
export const globalAveragePooling2dOperation: Operation = {
  name: FORWARD,
  inputs: ["x"],
  optional: [],
  outputs: ["y"],
  run(operands, args) {
    const x = operandOf(FORWARD, operands, "x");
    return { y: globalAveragePooling2DForward(x, readKeepdims(FORWARD, args)).y };
  },
  expect(operands, args, model) {
    const x = operandOf(FORWARD, operands, "x");
    const keepdims = readKeepdims(FORWARD, args);
    const truth = globalAveragePooling2DForward(wide(x), keepdims).y;
    const companion = globalAveragePooling2DForward(magnitudes(x, storedInputs(model)), keepdims).y;
    const [, height, width, channels] = x.shape;
    const pixels = height * width;
    const xs = contiguous(x).data;
    const y = expectSums(
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
    return { y };
  },
};

/** The cache of the forward call, and dy. */
function beforeBackward(
  operands: Operands,
  args: KerasConfig,
): { readonly cache: GlobalAveragePooling2DCache; readonly dy: Tensor } {
  const x = operandOf(BACKWARD, operands, "x");
  const { y, cache } = globalAveragePooling2DForward(x, readKeepdims(BACKWARD, args));
  return { cache, dy: cotangentOf(BACKWARD, operands, y.shape) };
}

/** Its gradient; of `x` only the shape is read. */
export const globalAveragePooling2dBackwardOperation: Operation = {
  name: BACKWARD,
  inputs: ["x", "dy"],
  optional: [],
  outputs: ["dx"],
  run(operands, args) {
    const { cache, dy } = beforeBackward(operands, args);
    return { dx: globalAveragePooling2DBackward(dy, cache) };
  },
  expect(operands, args, model) {
    const { cache, dy } = beforeBackward(operands, args);
    const truth = float64Of(globalAveragePooling2DBackward(wide(dy), cache));
    const companion = globalAveragePooling2DBackward(magnitudes(dy, storedInputs(model)), cache);
    const dx = expectSums(
      {
        shape: cache.shape,
        truth,
        companion: float64Of(companion),
        roundings: new Float64Array(truth.length).fill(1 + model.functions.division),
        factors: [greatestOf(dy)],
      },
      model,
    );
    return { dx };
  },
};
