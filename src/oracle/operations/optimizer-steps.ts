/**
 * What is expected of one step of an optimizer: `sgd-step`, `adam-step`, `adamw-step`.
 *
 * Inputs are `weight`, `gradient` and the state before the step, outputs the weight and the state after it; all have
 * the shape of the weight. Every step of the formula is one of error arithmetic. Where formulas differ, the larger
 * error counts:
 *
 * - A running mean m + (g - m) (1 - b) may be b m + (1 - b) g: with c = 1 - b and capital letters for errors,
 *       c (G + M) + M b + u (|m| + |g|) + gamma_4 (|m| (b + c) + c |g|) (+ M, G)
 *   where u (|m| + |g|) is the rounding of b (c is then off by u b, which is much of a small c).
 * - b^t: as exp(t log b), relative gamma of exp + |t log b| (l + 1) roundings, or as a product, with b rounded:
 *   gamma_2t.
 * - alpha m / (sqrt(v) + epsilon) may be m / (sqrt(v) / root + epsilon / root) or a product with a reciprocal: two
 *   roundings more.
 *
 * @module
 */
import { log } from "../../arithmetic/log.js";
import { type AdamOptions, type AdamState, adamStep } from "../../optimizers/adam.js";
import { ADAMW_WEIGHT_DECAY } from "../../optimizers/adamw.js";
import { wholePower } from "../../optimizers/optimizer.js";
import { type SGDOptions, sgdStep } from "../../optimizers/sgd.js";
import { type KerasConfig, readConfig } from "../../serialization/config.js";
import { type Tensor, zeros } from "../../tensor/tensor.js";
import type { ArithmeticModel } from "../arithmetic-model.js";
import { type Ball, ErrorArithmetic, isInfinite } from "../error-arithmetic.js";
import type { Expectation } from "../expectation.js";
import { float64Of, operandOf } from "../operands.js";
import type { Operands, Operation } from "../operation.js";
import { elementwise, shapedOperand, widened } from "./expected.js";

const EXACT_ZERO: Ball = { value: 0, error: 0 };

/** The weight after its decay. */
function decayed(weight: Ball, weightDecay: number, learningRate: number, arithmetic: ErrorArithmetic): Ball {
  if (weightDecay === 0) return weight;
  const factor = arithmetic.multiply(arithmetic.constant(weightDecay), arithmetic.constant(learningRate));
  return arithmetic.subtract(weight, arithmetic.multiply(weight, factor));
}

/** The running mean that keeps the share `kept` of `mean` and takes the rest of `value`. */
function runningMean(mean: Ball, value: Ball, kept: number, arithmetic: ErrorArithmetic): Ball {
  const taken = 1 - kept;
  const sizes = Math.abs(mean.value) + mean.error + Math.abs(value.value) + value.error;
  const error =
    mean.error * kept +
    value.error * taken +
    arithmetic.growth(1) * sizes +
    arithmetic.growth(4) * (Math.abs(mean.value) + mean.error + taken * sizes);
  const after = mean.value + (value.value - mean.value) * taken;
  if (isInfinite(after)) {
    const part = (of: Ball, share: number): Ball =>
      share === 0 ? EXACT_ZERO : arithmetic.multiply(of, arithmetic.constant(share));
    return arithmetic.add(part(mean, kept), part(value, taken));
  }
  const lost = sizes === 0 ? 0 : 2 * arithmetic.model.sums.underflow;
  return { value: after, error: arithmetic.fitting(error + lost, sizes) };
}

/** 1 - base^t. */
function biasCorrection(base: number, t: number, arithmetic: ErrorArithmetic): Ball {
  const power = wholePower(base, t);
  const exponent = base === 0 ? 0 : -t * log(base);
  const byLogarithm = arithmetic.expRoundings(exponent) + exponent * (arithmetic.model.functions.log + 1);
  const error = power * (arithmetic.growth(2 * t) + arithmetic.growth(byLogarithm + t));
  return arithmetic.subtract({ value: 1, error: 0 }, { value: power, error });
}

/** One element after a step of Adam. */
interface AdamElement {
  readonly weight: Ball;
  readonly momentum: Ball;
  readonly velocity: Ball;
  readonly velocityMax: Ball;
}

/** A step of Adam for one element, of which `before` has the balls. */
function adamElement(
  before: AdamElement & { readonly gradient: Ball },
  alpha: Ball,
  options: Required<AdamOptions>,
  arithmetic: ErrorArithmetic,
): AdamElement {
  const { beta1, beta2, epsilon, amsgrad, weightDecay = 0, learningRate } = options;
  const { gradient } = before;
  const momentum = runningMean(before.momentum, gradient, beta1, arithmetic);
  const velocity = runningMean(before.velocity, arithmetic.multiply(gradient, gradient), beta2, arithmetic);
  const velocityMax: Ball = {
    value: Math.max(before.velocityMax.value, velocity.value),
    error: Math.max(before.velocityMax.error, velocity.error),
  };
  const root = arithmetic.sqrt(amsgrad ? velocityMax : velocity);
  const divisor = arithmetic.add(root, arithmetic.constant(epsilon));
  const step = arithmetic.divide(arithmetic.multiply(momentum, alpha), divisor);
  const update = arithmetic.rounded(step.value, step.error, 2);
  const weight = arithmetic.subtract(decayed(before.weight, weightDecay, learningRate, arithmetic), update);
  return { weight, momentum, velocity, velocityMax };
}

function adamArguments(
  name: string,
  args: KerasConfig,
): { readonly options: Required<AdamOptions>; iterations: number } {
  const read = readConfig(name, args);
  return {
    iterations: read.integer("iterations", 0, 0),
    options: {
      learningRate: read.number("learningRate", 1e-3),
      beta1: read.number("beta1", 0.9),
      beta2: read.number("beta2", 0.999),
      epsilon: read.number("epsilon", 1e-7),
      amsgrad: read.boolean("amsgrad", false),
      weightDecay: read.number("weightDecay", name === "adamw-step" ? ADAMW_WEIGHT_DECAY : 0),
    },
  };
}

function runAdam(name: string, operands: Operands, args: KerasConfig): Operands {
  const { options, iterations } = adamArguments(name, args);
  const weight = operandOf(name, operands, "weight");
  const like = (key: string): Tensor => shapedOperand(name, operands, key, weight.shape);
  const velocityMax =
    operands["velocityMax"] === undefined
      ? zeros(weight.shape, weight)
      : shapedOperand(name, operands, "velocityMax", weight.shape);
  const before: AdamState = { iterations, momentum: like("momentum"), velocity: like("velocity"), velocityMax };
  const { weight: after, state } = adamStep(weight, like("gradient"), before, options);
  const results = { weight: after, momentum: state.momentum, velocity: state.velocity };
  return state.velocityMax === undefined ? results : { ...results, velocityMax: state.velocityMax };
}

function expectAdam(
  name: string,
  operands: Operands,
  args: KerasConfig,
  model: ArithmeticModel,
): Readonly<Record<string, Expectation>> {
  const { options, iterations } = adamArguments(name, args);
  const wide = widened(operands);
  const truths = runAdam(name, wide, args);
  const arithmetic = new ErrorArithmetic(model);
  const { learningRate, beta1, beta2 } = options;
  const numerator = arithmetic.multiply(
    arithmetic.constant(learningRate),
    arithmetic.sqrt(biasCorrection(beta2, iterations + 1, arithmetic)),
  );
  const alpha = arithmetic.divide(numerator, biasCorrection(beta1, iterations + 1, arithmetic));
  const ball = (key: string, i: number): Ball =>
    wide[key] === undefined ? EXACT_ZERO : arithmetic.input(wide[key].data[i]);
  const elements = Array.from({ length: wide["weight"].size }, (_, i) =>
    adamElement(
      {
        weight: ball("weight", i),
        gradient: ball("gradient", i),
        momentum: ball("momentum", i),
        velocity: ball("velocity", i),
        velocityMax: ball("velocityMax", i),
      },
      alpha,
      options,
      arithmetic,
    ),
  );
  const part = (key: keyof AdamElement): Expectation => {
    const bound = float64Of(truths[key]).map((truth, i) => arithmetic.stored(truth, elements[i][key].error));
    return elementwise(truths[key], bound);
  };
  const expected = { weight: part("weight"), momentum: part("momentum"), velocity: part("velocity") };
  return options.amsgrad ? { ...expected, velocityMax: part("velocityMax") } : expected;
}

function sgdArguments(args: KerasConfig): Required<SGDOptions> {
  const read = readConfig("sgd-step", args);
  return {
    learningRate: read.number("learningRate", 0.01),
    momentum: read.number("momentum", 0),
    nesterov: read.boolean("nesterov", false),
    weightDecay: read.number("weightDecay", 0),
  };
}

function runSgd(operands: Operands, args: KerasConfig): Operands {
  const weight = operandOf("sgd-step", operands, "weight");
  const gradient = shapedOperand("sgd-step", operands, "gradient", weight.shape);
  const before = operands["momentum"] && shapedOperand("sgd-step", operands, "momentum", weight.shape);
  const { weight: after, state } = sgdStep(weight, gradient, { momentum: before }, sgdArguments(args));
  return state.momentum === undefined ? { weight: after } : { weight: after, momentum: state.momentum };
}

function expectSgd(
  operands: Operands,
  args: KerasConfig,
  model: ArithmeticModel,
): Readonly<Record<string, Expectation>> {
  const wide = widened(operands);
  const truths = runSgd(wide, args);
  const arithmetic = new ErrorArithmetic(model);
  const { learningRate, momentum, nesterov, weightDecay = 0 } = sgdArguments(args);
  const rate = arithmetic.constant(learningRate);
  const kept = arithmetic.constant(momentum);
  const gradients = float64Of(wide["gradient"]);
  const steps = Array.from(float64Of(wide["weight"]), (w, i) => {
    const before = wide["momentum"] === undefined ? EXACT_ZERO : arithmetic.input(wide["momentum"].data[i]);
    const down = arithmetic.multiply(arithmetic.input(gradients[i]), rate);
    const m =
      momentum === 0
        ? { value: -down.value, error: down.error }
        : arithmetic.subtract(arithmetic.multiply(before, kept), down);
    const step = nesterov && momentum !== 0 ? arithmetic.subtract(arithmetic.multiply(m, kept), down) : m;
    return { m, w: arithmetic.add(decayed(arithmetic.input(w), weightDecay, learningRate, arithmetic), step) };
  });
  const weight = elementwise(
    truths["weight"],
    float64Of(truths["weight"]).map((truth, i) => arithmetic.stored(truth, steps[i].w.error)),
  );
  if (truths["momentum"] === undefined) return { weight };
  const bound = float64Of(truths["momentum"]).map((truth, i) => arithmetic.stored(truth, steps[i].m.error));
  return { weight, momentum: elementwise(truths["momentum"], bound) };
}

/**
 * `sgd-step` (learningRate, momentum, nesterov, weightDecay), `adam-step` and `adamw-step` (learningRate, beta1, beta2,
 * epsilon, amsgrad, weightDecay, and `iterations`, the number of steps before this one).
 */
export const optimizerOperations: readonly Operation[] = [
  {
    name: "sgd-step",
    inputs: ["weight", "gradient"],
    optional: ["momentum"],
    outputs: ["weight", "momentum"],
    complete: (args) => ({ ...sgdArguments(args) }),
    run: runSgd,
    expect: expectSgd,
  },
  ...["adam-step", "adamw-step"].map(
    (name): Operation => ({
      name,
      inputs: ["weight", "gradient", "momentum", "velocity"],
      optional: ["velocityMax"],
      outputs: ["weight", "momentum", "velocity", "velocityMax"],
      complete(args) {
        const { options, iterations } = adamArguments(name, args);
        return { ...options, iterations };
      },
      run: (operands, args) => runAdam(name, operands, args),
      expect: (operands, args, model) => expectAdam(name, operands, args, model),
    }),
  ),
];
