/**
 * `rescaling` and `rescaling-backward`: {@link rescalingForward}. Arguments: `scale`, and `offset`, 0 by default.
 *
 *     y  = scale x + offset        companion |scale x| + |offset|
 *     dx = scale dy                companion |scale dy|
 *
 * Scale and offset are float64 numbers (1 / 255 is no float32), which a candidate rounds, or it divides by the reciprocal of
 * scale, which costs d roundings; then there is the product, and the sum. So the terms go through at most 2 + d roundings,
 * and 1 + d in dx.
 *
 * @module
 */
import type { Forward } from "../../layers/layer.js";
import {
  Rescaling,
  rescalingBackward,
  type RescalingCache,
  type RescalingConfig,
  rescalingForward,
} from "../../layers/rescaling.js";
import type { KerasConfig } from "../../serialization/config.js";
import type { Tensor } from "../../tensor/tensor.js";
import type { ArithmeticModel } from "../arithmetic-model.js";
import type { Expectation } from "../expectation.js";
import { float64Of, greatestOf, magnitudes, wide } from "../operands.js";
import type { Operation } from "../operation.js";
import { expectSums } from "../sums.js";
import { singleInputOperations } from "./single-input.js";

type Map = Required<RescalingConfig>;

/** |scale| and |offset|. */
function magnitudesOf({ scale, offset }: Map): Map {
  const absolute = (value: Map["scale"]): Map["scale"] =>
    typeof value === "number" ? Math.abs(value) : value.map(Math.abs);
  return { scale: absolute(scale), offset: absolute(offset) };
}

/** What is expected of `map` applied to `x`, when terms go through `roundings` roundings. */
function expectMap(x: Tensor, map: Map, roundings: number, model: ArithmeticModel): Expectation {
  const truth = rescalingForward(wide(x), map).y;
  const companion = rescalingForward(magnitudes(x, model.inputs), magnitudesOf(map)).y;
  const greatestScale = Math.max(...[map.scale].flat().map(Math.abs));
  return expectSums(
    {
      shape: x.shape,
      truth: float64Of(truth),
      companion: float64Of(companion),
      roundings: new Float64Array(x.size).fill(roundings),
      factors: [greatestOf(x), greatestScale],
    },
    model,
  );
}

/** Scales and offsets, and gives the map to those who expect something of it. */
function forward(x: Tensor, args: KerasConfig): Forward<RescalingCache & { readonly map: Map }> {
  const map = Rescaling.fromConfig(args).config;
  const { y, cache } = rescalingForward(x, map);
  return { y, cache: { ...cache, map } };
}

/** scale x + offset, and its gradient, which reads only the shape of `x`. */
export const rescalingOperations: readonly Operation[] = singleInputOperations({
  name: "rescaling",
  complete: (args) => ({ ...Rescaling.fromConfig(args).config }),
  forward,
  backward: rescalingBackward,
  expectForward: (x, run, model) => expectMap(x, run(x).cache.map, 2 + model.functions.division, model),
  expectBackward: (dy, { map }, model) => expectMap(dy, { ...map, offset: 0 }, 1 + model.functions.division, model),
});
