/**
 * What an activation does to an expectation: for layers (Conv2D, Dense) that end in one.
 *
 * A candidate's value before the activation is within B of the truth t, or of a right value of the ties.
 *
 * - relu, sigmoid, tanh are monotone: y moves to the values at t - B and t + B at most, then the function adds its own
 *   error. For relu that leaves 0 below -B, and B above it.
 * - softmax takes B for the errors of its logits (`softmax-row.ts`).
 * - The spread s is small beside the curvature of the function: it becomes |f'(t)| s, plus twice the function's own
 *   error, which is no sum of many roundings. Softmax: dy[k] = y[k] (dz[k] - sum of y dz), at most y[k] (s[k] + sum of
 *   y s).
 *
 * @module
 */
import { sigmoid } from "../arithmetic/sigmoid.js";
import { tanh } from "../arithmetic/tanh.js";
import { type ActivationName, withActivation } from "../layers/activation.js";
import { inference } from "../layers/layer.js";
import { RELU, RELU6, type ReLUConfig } from "../layers/relu.js";
import type { Shape } from "../tensor/shape.js";
import { tensor } from "../tensor/tensor.js";
import type { ArithmeticModel } from "./arithmetic-model.js";
import { ErrorArithmetic } from "./error-arithmetic.js";
import type { Expectation } from "./expectation.js";
import { reluError } from "./operations/relu.js";
import { sigmoidError } from "./operations/sigmoid.js";
import { softmaxRow } from "./operations/softmax-row.js";
import { tanhError } from "./operations/tanh.js";

/** An activation that works element by element. */
interface Elementwise {
  /** The error of y, stored, where x is known up to `error`. */
  error(x: number, error: number, arithmetic: ErrorArithmetic): number;
  /** The derivative at x, where y = f(x). */
  slope(x: number, y: number): number;
}

/** `config` as {@link Elementwise}. */
function rectifier(config: ReLUConfig): Elementwise {
  return {
    error: (x, error, arithmetic) => reluError(x, error, config, arithmetic),
    slope: (x) => (x > config.threshold ? (x < config.maxValue ? 1 : 0) : config.negativeSlope),
  };
}

const elementwise: Readonly<Record<Exclude<ActivationName, "linear" | "softmax">, Elementwise>> = {
  relu: rectifier(RELU),
  relu6: rectifier(RELU6),
  leaky_relu: rectifier({ ...RELU, negativeSlope: 0.2 }),
  sigmoid: {
    error: (x, error, arithmetic) => arithmetic.stored(sigmoid(x), sigmoidError(x, error, arithmetic)),
    slope: (_, y) => y * (1 - y),
  },
  tanh: {
    error: (x, error, arithmetic) => arithmetic.stored(tanh(x), tanhError(x, error, arithmetic)),
    slope: (_, y) => 1 - y * y,
  },
};

/** `values` behind the activation. */
function activated(activation: ActivationName, values: Float64Array, shape: Shape): Float64Array {
  const pass = withActivation(activation, tensor(values, shape), inference, [], (dx) => ({
    dInputs: [dx],
    dWeights: {},
  }));
  return Float64Array.from(pass.y.data);
}

/** What is expected of `activation` of a tensor of which `expectation` is expected. Softmax is over the last axis. */
export function throughActivation(
  expectation: Expectation,
  activation: ActivationName,
  model: ArithmeticModel,
): Expectation {
  if (activation === "linear") return expectation;
  const { shape, truth, ties } = expectation;
  const y = activated(activation, truth, shape);
  const arithmetic = new ErrorArithmetic(model);
  const errors =
    activation === "softmax"
      ? softmaxErrors(expectation, arithmetic)
      : elementwiseErrors(expectation, y, elementwise[activation], arithmetic);
  const through = { shape, truth: y, ...errors };
  if (ties === undefined) return through;
  const [least, greatest] = [ties.least, ties.greatest].map((values) => activated(activation, values, shape));
  return { ...through, ties: { least, greatest } };
}

type Errors = Pick<Expectation, "bound" | "spread">;

function elementwiseErrors(
  { truth, bound: bounds, spread: spreads }: Expectation,
  y: Float64Array,
  f: Elementwise,
  arithmetic: ErrorArithmetic,
): Errors {
  const bound = truth.map((x, i) => {
    if (bounds[i] === Number.POSITIVE_INFINITY) return bounds[i];
    return f.error(x, bounds[i], arithmetic);
  });
  const spread = truth.map((x, i) => {
    const before = Math.abs(f.slope(x, y[i])) * spreads[i];
    return before === 0 ? 0 : before + 2 * f.error(x, 0, arithmetic);
  });
  return { bound, spread };
}

function softmaxErrors(
  { shape, truth, bound: bounds, spread: spreads }: Expectation,
  arithmetic: ErrorArithmetic,
): Errors {
  const classes = shape[shape.length - 1];
  const bound = new Float64Array(truth.length);
  const spread = new Float64Array(truth.length);
  for (let start = 0; start < truth.length; start += classes) {
    const z = truth.subarray(start, start + classes);
    const { y, yErrors } = softmaxRow(z, bounds.subarray(start, start + classes), arithmetic);
    const own = softmaxRow(z, new Float64Array(classes), arithmetic).yErrors;
    const before = spreads.subarray(start, start + classes);
    const common = before.reduce((sum, s, k) => sum + y[k] * s, 0);
    for (let k = 0; k < classes; k++) {
      bound[start + k] = arithmetic.stored(y[k], yErrors[k]);
      spread[start + k] = common === 0 ? 0 : y[k] * (before[k] + common) + 2 * own[k];
    }
  }
  return { bound, spread };
}
