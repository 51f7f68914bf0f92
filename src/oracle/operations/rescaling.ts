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
import { Rescaling, type RescalingConfig, rescalingBackward, rescalingForward } from "../../layers/rescaling.js";
import type { KerasConfig } from "../../serialization/config.js";
import type { Tensor } from "../../tensor/tensor.js";
import type { ArithmeticModel } from "../arithmetic-model.js";
import type { Expectation } from "../expectation.js";
import { cotangentOf, float64Of, greatestOf, magnitudes, operandOf, wide } from "../operands.js";
import type { Operands, Operation } from "../operation.js";
import { expectSums } from "../sums.js";

const FORWARD = "rescaling";
const BACKWARD = "rescaling-backward";

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

function readMap(args: KerasConfig): Map {
  return Rescaling.fromConfig(args).config;
}

/** scale x + offset. */
export const rescalingOperation: Operation = {
  name: FORWARD,
  inputs: ["x"],
  optional: [],
  outputs: ["y"],
  run: (operands, args) => ({ y: rescalingForward(operandOf(FORWARD, operands, "x"), readMap(args)).y }),
  expect(operands, args, model) {
    const x = operandOf(FORWARD, operands, "x");
    return { y: expectMap(x, readMap(args), 2 + model.functions.division, model) };
  },
};

/** dy, and the map with which it came. */
function beforeBackward(operands: Operands, args: KerasConfig): { readonly dy: Tensor; readonly map: Map } {
  const map = readMap(args);
  const { y } = rescalingForward(operandOf(BACKWARD, operands, "x"), map);
  return { dy: cotangentOf(BACKWARD, operands, y.shape), map };
}

/** Its gradient; of `x` only the shape is read. */
export const rescalingBackwardOperation: Operation = {
  name: BACKWARD,
  inputs: ["x", "dy"],
  optional: [],
  outputs: ["dx"],
  run(operands, args) {
    const { dy, map } = beforeBackward(operands, args);
    const channels = dy.shape[dy.dimension - 1];
    const scale = typeof map.scale === "number" ? new Array<number>(channels).fill(map.scale) : map.scale;
    return { dx: rescalingBackward(dy, { scale }) };
  },
  expect(operands, args, model) {
    const { dy, map } = beforeBackward(operands, args);
    return { dx: expectMap(dy, { ...map, offset: 0 }, 1 + model.functions.division, model) };
  },
};
