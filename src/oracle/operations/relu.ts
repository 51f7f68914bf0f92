/**
 * What is expected of ReLU, ReLU6 and leaky ReLU, forward and backward.
 *
 * Forward:   y is x, a bound of the range, or slope (x - threshold).
 *
 * - x and the bounds are copied: exact in float32, one rounding where results are stored in a narrower format. Inputs
 *   that are rounded first are known up to E; y is monotone and moves to its values at x - E and x + E at most.
 * - slope (x - threshold): a rounding each of the slope, the difference and the product,
 *   slope gamma_3 (|x| + |threshold| + E) + underflow (1 + slope).
 * - A threshold or maximum that is no float32 number is rounded, too: an x that is no further from it than that may be on
 *   either side.
 *
 * Backward:  dx is dy, 0, or slope dy: copied, exact, or gamma_2 |slope dy|.
 *
 * - An infinity stays one, whatever the slope, unless that is 0 or may become 0: then it is left open, for 0 times infinity
 *   is NaN.
 * - At a kink (x within E of the threshold or the maximum, which are rounded where they are no float32 numbers) every slope
 *   between those of both sides is right: `ties`; and where x is NaN every slope between 0 and 1.
 *
 * @module
 */
import { LeakyReLU } from "../../layers/leaky-relu.js";
import { RELU, RELU6, type ReLUConfig, ReLU, reluBackward, reluForward } from "../../layers/relu.js";
import { type KerasConfig, readConfig } from "../../serialization/config.js";
import type { Tensor } from "../../tensor/tensor.js";
import { type ArithmeticModel, flushedBelow } from "../arithmetic-model.js";
import { type Ball, ErrorArithmetic, isInfinite } from "../error-arithmetic.js";
import type { Expectation } from "../expectation.js";
import { float64Of, operandOf } from "../operands.js";
import type { Operation } from "../operation.js";
import { elementwise, shapedOperand, widened } from "./expected.js";

/** The rectified `x`. */
function rectified(x: number, { maxValue, negativeSlope, threshold }: ReLUConfig): number {
  if (x > threshold) return Math.min(x, maxValue);
  return negativeSlope === 0 ? 0 : negativeSlope * (x - threshold);
}

/** The error of the rectified `x`, stored, where x is known up to `error`. */
export function reluError(x: number, error: number, config: ReLUConfig, arithmetic: ErrorArithmetic): number {
  const { negativeSlope, threshold } = config;
  const y = rectified(x, config);
  const ends = endErrors(config, arithmetic);
  const reach = Math.abs(x - threshold) <= error + ends.threshold ? error + ends.threshold : error;
  const moved = reach === 0 ? 0 : Math.max(rectified(x + reach, config) - y, y - rectified(x - reach, config));
  // a comparison that flushes finds x equal to 0, and the maximum of both may be either
  const change = Math.abs(x) < flushedBelow(arithmetic.model) ? Math.max(moved, Math.abs(x)) : moved;
  if (negativeSlope === 0 || x - reach > threshold) return arithmetic.copied(y, change);
  if (isInfinite(x)) {
    return arithmetic.stored(y, arithmetic.multiply({ value: x, error }, slopeOf(config, arithmetic)).error);
  }
  const sizes = Math.abs(x) + threshold + error;
  const lost = x === threshold && error === 0 ? 0 : arithmetic.model.sums.underflow * (1 + negativeSlope);
  return arithmetic.stored(y, change + negativeSlope * (arithmetic.growth(3) * sizes + ends.threshold) + lost);
}

/** The slope as candidates have it. */
function slopeOf({ negativeSlope }: ReLUConfig, arithmetic: ErrorArithmetic): Ball {
  return arithmetic.constant(negativeSlope);
}

/** How far a candidate's threshold and maximum may be from the arguments: not at all, where those are float32 numbers. */
function endErrors(
  { threshold, maxValue }: ReLUConfig,
  arithmetic: ErrorArithmetic,
): { readonly threshold: number; readonly maxValue: number } {
  const errorOf = (end: number): number => (Math.fround(end) === end ? 0 : arithmetic.constant(end).error);
  return { threshold: errorOf(threshold), maxValue: errorOf(maxValue) };
}

/** Where the slope of dx may be any between the least and the greatest: [least, greatest] of the slopes around `x`. */
function slopesAround(
  x: number,
  error: number,
  config: ReLUConfig,
  arithmetic: ErrorArithmetic,
): readonly [number, number] {
  const { maxValue, negativeSlope, threshold } = config;
  // what a comparison with NaN says depends on how it is written
  if (Number.isNaN(x)) return [Math.min(0, negativeSlope), Math.max(1, negativeSlope)];
  const slopes: number[] = [];
  const ends = endErrors(config, arithmetic);
  const [atThreshold, atMax] = [error + ends.threshold, error + ends.maxValue];
  if (x - atThreshold <= threshold) slopes.push(negativeSlope);
  if (x + atThreshold >= threshold && x - atMax <= maxValue) slopes.push(1);
  // at the threshold Keras has slope 0 for some configurations
  if (x + atMax >= maxValue || Math.abs(x - threshold) <= atThreshold) slopes.push(0);
  return [Math.min(...slopes), Math.max(...slopes)];
}

function expectForward(x: Tensor, config: ReLUConfig, model: ArithmeticModel): Expectation {
  const arithmetic = new ErrorArithmetic(model);
  const bound = float64Of(x).map((v) => reluError(v, arithmetic.inputError(v), config, arithmetic));
  return elementwise(reluForward(x, config).y, bound);
}

function expectBackward(x: Tensor, dy: Tensor, config: ReLUConfig, model: ArithmeticModel): Expectation {
  const arithmetic = new ErrorArithmetic(model);
  const xs = float64Of(x);
  const dys = float64Of(dy);
  const bound = new Float64Array(xs.length);
  const least = new Float64Array(xs.length);
  const greatest = new Float64Array(xs.length);
  for (let i = 0; i < xs.length; i++) {
    const error = arithmetic.inputError(dys[i]);
    const [low, high] = slopesAround(xs[i], arithmetic.inputError(xs[i]), config, arithmetic);
    const ends = [low * dys[i], high * dys[i]];
    least[i] = Math.min(...ends);
    greatest[i] = Math.max(...ends);
    for (const slope of [low, high]) {
      const copied = slope === 1 || slope === 0;
      const own = isInfinite(dys[i])
        ? arithmetic.multiply({ value: dys[i], error }, slopeOf(config, arithmetic)).error
        : slope * (error + arithmetic.growth(2) * (Math.abs(dys[i]) + error)) + model.sums.underflow;
      const total = copied ? arithmetic.copied(slope * dys[i], slope * error) : arithmetic.stored(slope * dys[i], own);
      bound[i] = Math.max(bound[i], total);
    }
  }
  return elementwise(reluBackward(dy, { x, config }), bound, { least, greatest });
}

/** Both directions of the rectifier that `configOf` makes of its arguments, all of which `complete` gives. */
function rectifiers(
  name: string,
  complete: Operation["complete"],
  configOf: (args: KerasConfig) => ReLUConfig,
): readonly Operation[] {
  const back = `${name}-backward`;
  return [
    {
      name,
      inputs: ["x"],
      optional: [],
      outputs: ["y"],
      complete,
      run: (operands, args) => ({ y: reluForward(operandOf(name, operands, "x"), configOf(args)).y }),
      expect: (operands, args, model) => ({
        y: expectForward(operandOf(name, widened(operands), "x"), configOf(args), model),
      }),
    },
    {
      name: back,
      inputs: ["x", "dy"],
      optional: [],
      outputs: ["dx"],
      complete,
      run(operands, args) {
        const x = operandOf(back, operands, "x");
        return { dx: reluBackward(shapedOperand(back, operands, "dy", x.shape), { x, config: configOf(args) }) };
      },
      expect(operands, args, model) {
        const wide = widened(operands);
        const x = operandOf(back, wide, "x");
        return { dx: expectBackward(x, shapedOperand(back, wide, "dy", x.shape), configOf(args), model) };
      },
    },
  ];
}

function readReLU(args: KerasConfig): ReLUConfig {
  const read = readConfig("relu", args);
  return {
    maxValue: read.optionalNumber("maxValue") ?? RELU.maxValue,
    negativeSlope: read.number("negativeSlope", 0),
    threshold: read.number("threshold", 0),
  };
}

function readSlope(args: KerasConfig): number {
  const negativeSlope = readConfig("leaky-relu", args).number("negativeSlope", 0.3);
  return new LeakyReLU({ negativeSlope }).negativeSlope;
}

/** `relu` (maxValue, negativeSlope, threshold), `relu6`, `leaky-relu` (negativeSlope), each with its `-backward`. */
export const reluOperations: readonly Operation[] = [
  ...rectifiers(
    "relu",
    (args) => ({ ...readReLU(args), maxValue: readConfig("relu", args).optionalNumber("maxValue") ?? null }),
    (args) => new ReLU(readReLU(args)).config,
  ),
  ...rectifiers(
    "relu6",
    () => ({}),
    () => RELU6,
  ),
  ...rectifiers(
    "leaky-relu",
    (args) => ({ negativeSlope: readSlope(args) }),
    (args) => ({ ...RELU, negativeSlope: readSlope(args) }),
  ),
];
