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
import type { KerasConfig } from "../../serialization/config.js";
import { contiguous, type Tensor } from "../../tensor/tensor.js";
import {
  type Conversion,
  cotangentOf,
  float64Of,
  greatestOf,
  magnitudes,
  operandOf,
  storedInputs,
  wide,
} from "../operands.js";
import type { Operands, Operation } from "../operation.js";
import { expectSums, plainTerms } from "../sums.js";
import { poolingPlaces, readPooling } from "./pooling.js";
import { countOf, forEachMeeting } from "./taps.js";

const FORWARD = "average-pooling2d";
const BACKWARD = "average-pooling2d-backward";

function forward(operands: Operands, args: KerasConfig, convert: Conversion): Forward<AveragePooling2DCache> {
  return averagePooling2DForward(convert(operandOf(FORWARD, operands, "x")), readPooling(FORWARD, args));
}

/** The mean under every window. */
export const averagePooling2dOperation: Operation = {
  name: FORWARD,
  inputs: ["x"],
  optional: [],
  outputs: ["y"],
  run: (operands, args) => ({ y: forward(operands, args, (x) => x).y }),
  expect(operands, args, model) {
    const { y: truth, cache } = forward(operands, args, wide);
    const companion = forward(operands, args, (x) => magnitudes(x, storedInputs(model))).y;
    const places = poolingPlaces(cache.shape, cache.window);
    const { x } = operands;
    const xs = contiguous(x).data;
    const divisors = Float64Array.from({ length: truth.size }, (_, i) => countOf(places.under(i)));
    const y = expectSums(
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
    return { y };
  },
};

/** The cache of the forward call, and dy. */
function beforeBackward(
  operands: Operands,
  args: KerasConfig,
): { readonly cache: AveragePooling2DCache; readonly dy: Tensor } {
  const x = operandOf(BACKWARD, operands, "x");
  const { y, cache } = averagePooling2DForward(x, readPooling(BACKWARD, args));
  return { cache, dy: cotangentOf(BACKWARD, operands, y.shape) };
}

/** Its gradient; of `x` only the shape is read. */
export const averagePooling2dBackwardOperation: Operation = {
  name: BACKWARD,
  inputs: ["x", "dy"],
  optional: [],
  outputs: ["dx"],
  run(operands, args) {
    const { cache, dy } = beforeBackward(operands, args);
    return { dx: averagePooling2DBackward(dy, cache) };
  },
  expect(operands, args, model) {
    const { cache, dy } = beforeBackward(operands, args);
    const truth = averagePooling2DBackward(wide(dy), cache);
    const companion = averagePooling2DBackward(magnitudes(dy, storedInputs(model)), cache);
    const places = poolingPlaces(cache.shape, cache.window);
    const dys = contiguous(dy).data;
    const dx = expectSums(
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
    return { dx };
  },
};
