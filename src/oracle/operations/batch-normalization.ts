/**
 * What is expected of batch normalization, forward: `batch-normalization` (inference) and
 * `batch-normalization-training`.
 *
 *     x [..., C, ...]  ->  y         gamma, beta, movingMean, movingVariance [C]
 *
 * - y: `normalization.ts`. In training mean and variance are those of the batch, off as `channel-statistics.ts`
 *   derives.
 * - Moving statistics after the step, movingMean momentum + mean (1 - momentum), or movingMean - (movingMean - mean)
 *   (1 - momentum). 1 - momentum is off by u of momentum, an absolute error, and so is momentum. At most five more
 *   roundings of what is at most |moving| + |batch|:
 *       E (1 - momentum) + gamma_6 (|moving| + |batch| + E),  E the error of the batch's.
 *
 * @module
 */
import { axisFromLast, axisToLast, resolveAxis } from "../../layers/axis.js";
import { BatchNormalization, batchNormalizationForward, batchStatistics } from "../../layers/batch-normalization.js";
import { type KerasConfig, readConfig } from "../../serialization/config.js";
import { dtypeOf, type Tensor, tensor } from "../../tensor/tensor.js";
import { floatArray } from "../../tensor/dtype.js";
import type { Ball, ErrorArithmetic } from "../error-arithmetic.js";
import { float64Of, operandOf } from "../operands.js";
import type { Operands, Operation } from "../operation.js";
import {
  type ChannelStatistics,
  channelStatistics,
  reciprocalDeviation,
  statisticsOf,
  type VarianceFormula,
} from "./channel-statistics.js";
import { type ChannelTransform, normalizationErrors } from "./normalization.js";
import { doubtOf, expectationsOf, shapedOperand, widened } from "./expected.js";

/** The arguments of batch normalization. */
export interface NormalizationArguments {
  readonly axis: number;
  readonly momentum: number;
  readonly epsilon: number;
  /** How the candidate computes variances. @defaultValue "stable" */
  readonly variance: VarianceFormula;
}

/** Reads them; the layer checks their values. */
export function normalizationArguments(name: string, args: KerasConfig): NormalizationArguments {
  const read = readConfig(name, args);
  const [momentum, epsilon] = [read.number("momentum", 0.99), read.number("epsilon", 1e-3)];
  new BatchNormalization({ momentum, epsilon });
  return {
    axis: read.integer("axis", Number.MIN_SAFE_INTEGER, -1),
    momentum,
    epsilon,
    variance: read.oneOf("variance", ["stable", "one-pass"], "stable"),
  };
}

/** The operands with the channels of x (and dy) last, and what the layer wants of them. */
export interface NormalizationOperands {
  readonly axis: number;
  readonly channels: number;
  readonly x: Tensor;
  readonly gamma: Tensor | undefined;
  readonly beta: Tensor | undefined;
}

/** Reads them. @throws TypeError, RangeError when they do not fit. */
export function normalizationOperands(name: string, operands: Operands, axis: number): NormalizationOperands {
  const given = operandOf(name, operands, "x");
  const at = resolveAxis(name, axis, given.shape);
  const channels = given.shape[at];
  const optional = (key: string): Tensor | undefined => operands[key] && shapedOperand(name, operands, key, [channels]);
  return { axis: at, channels, x: axisToLast(given, at), gamma: optional("gamma"), beta: optional("beta") };
}

/** The balls that normalize every channel. */
export function transformsOf(
  { channels, gamma, beta }: NormalizationOperands,
  statistics: (c: number) => { readonly mean: Ball; readonly variance: Ball },
  { epsilon, variance: formula }: NormalizationArguments,
  arithmetic: ErrorArithmetic,
): readonly ChannelTransform[] {
  const weight = (x: Tensor | undefined, c: number, otherwise: number): Ball =>
    x === undefined ? { value: otherwise, error: 0 } : arithmetic.input(x.get(c));
  return Array.from({ length: channels }, (_, c) => {
    const { mean, variance } = statistics(c);
    const rstd = reciprocalDeviation(variance, epsilon, formula, arithmetic);
    const scale = weight(gamma, c, 1);
    return { mean, rstd, gamma: scale, beta: weight(beta, c, 0), scale: arithmetic.multiply(scale, rstd) };
  });
}

/** Moving statistics, which are inputs. */
export function movingStatistics(
  name: string,
  operands: Operands,
  channels: number,
): { readonly mean: Float64Array; readonly variance: Float64Array } {
  return {
    mean: float64Of(shapedOperand(name, operands, "movingMean", [channels])),
    variance: float64Of(shapedOperand(name, operands, "movingVariance", [channels])),
  };
}

const INFERENCE = "batch-normalization";
const TRAINING = "batch-normalization-training";

function runInference(operands: Operands, args: KerasConfig): Operands {
  const { axis: requested, epsilon } = normalizationArguments(INFERENCE, args);
  const { axis, channels, x, gamma, beta } = normalizationOperands(INFERENCE, operands, requested);
  const moving = movingStatistics(INFERENCE, operands, channels);
  const { y } = batchNormalizationForward(x, { gamma, beta }, moving, { epsilon, ofBatch: false });
  return { y: axisFromLast(y, axis) };
}

/** moving momentum + batch (1 - momentum), where `moving` is given. */
function moved(moving: Tensor, batch: Float64Array, momentum: number): Tensor {
  const data = floatArray(dtypeOf(moving), batch.length);
  for (let c = 0; c < batch.length; c++) data[c] = moving.get(c) * momentum + batch[c] * (1 - momentum);
  return tensor(data, moving.shape);
}

function runTraining(operands: Operands, args: KerasConfig): Operands {
  const { axis: requested, epsilon, momentum } = normalizationArguments(TRAINING, args);
  const { axis, channels, x, gamma, beta } = normalizationOperands(TRAINING, operands, requested);
  const statistics = batchStatistics(x);
  const { y } = batchNormalizationForward(x, { gamma, beta }, statistics, { epsilon, ofBatch: true });
  const update = (key: "movingMean" | "movingVariance", batch: Float64Array): Operands =>
    operands[key] === undefined
      ? {}
      : { [key]: moved(shapedOperand(TRAINING, operands, key, [channels]), batch, momentum) };
  return {
    y: axisFromLast(y, axis),
    ...update("movingMean", statistics.mean),
    ...update("movingVariance", statistics.variance),
  };
}

/** The errors of a moving statistic after the step. */
function movedErrors(
  moving: Tensor,
  after: Tensor,
  momentum: number,
  batch: (c: number) => Ball,
  arithmetic: ErrorArithmetic,
): Float64Array {
  return float64Of(moving).map((before, c) => {
    const { value, error } = batch(c);
    const kept = arithmetic.inputError(before);
    const sizes = Math.abs(before) + kept + Math.abs(value) + error;
    const total = error * (1 - momentum) + kept * momentum + arithmetic.growth(6) * sizes;
    const lost = 3 * arithmetic.model.sums.underflow;
    return arithmetic.stored(after.get(c), arithmetic.fitting(total + lost, sizes));
  });
}

/** The operands with the axis of x moved to the end, as flat rows for the loops. */
function errorsInPlace(errors: Float64Array, x: Tensor, axis: number): Float64Array {
  return float64Of(axisFromLast(tensor(errors, x.shape), axis));
}

/** `batch-normalization` and `batch-normalization-training`. */
export const batchNormalizationOperations: readonly Operation[] = [
  {
    name: INFERENCE,
    inputs: ["x", "movingMean", "movingVariance"],
    optional: ["gamma", "beta"],
    outputs: ["y"],
    complete: (args) => ({ ...normalizationArguments(INFERENCE, args) }),
    run: runInference,
    expect(operands, args, model) {
      const wide = widened(operands);
      const options = normalizationArguments(INFERENCE, args);
      const truth = runInference(wide, args);
      const read = normalizationOperands(INFERENCE, wide, options.axis);
      const { mean, variance } = movingStatistics(INFERENCE, wide, read.channels);
      const xs = float64Of(read.x);
      const ys = float64Of(axisToLast(truth["y"], read.axis));
      // a handful of roundings an element: no statistics
      return expectationsOf({ y: truth["y"] }, model, undefined, (arithmetic) => {
        const given = (c: number): { mean: Ball; variance: Ball } => ({
          mean: arithmetic.input(mean[c]),
          variance: arithmetic.input(variance[c]),
        });
        const transforms = transformsOf(read, given, options, arithmetic);
        return { y: errorsInPlace(normalizationErrors(xs, ys, transforms, arithmetic), read.x, read.axis) };
      });
    },
  },
  {
    name: TRAINING,
    inputs: ["x"],
    optional: ["gamma", "beta", "movingMean", "movingVariance"],
    outputs: ["y", "movingMean", "movingVariance"],
    complete: (args) => ({ ...normalizationArguments(TRAINING, args) }),
    run: runTraining,
    expect(operands, args, model) {
      const wide = widened(operands);
      const options = normalizationArguments(TRAINING, args);
      const truths = runTraining(wide, args);
      const read = normalizationOperands(TRAINING, wide, options.axis);
      const statistics: ChannelStatistics = channelStatistics(read.x);
      const xs = float64Of(read.x);
      const ys = float64Of(axisToLast(truths["y"], read.axis));
      return expectationsOf(truths, model, doubtOf(xs, read.channels), (arithmetic) => {
        const ofBatch = (c: number): { readonly mean: Ball; readonly variance: Ball } =>
          statisticsOf(statistics, c, options.variance, arithmetic);
        const transforms = transformsOf(read, ofBatch, options, arithmetic);
        const errors: Record<string, Float64Array> = {
          y: errorsInPlace(normalizationErrors(xs, ys, transforms, arithmetic), read.x, read.axis),
        };
        for (const [key, part] of [
          ["movingMean", "mean"],
          ["movingVariance", "variance"],
        ] as const) {
          if (truths[key] === undefined) continue;
          const batch = (c: number): Ball => ofBatch(c)[part];
          errors[key] = movedErrors(wide[key], truths[key], options.momentum, batch, arithmetic);
        }
        return errors;
      });
    },
  },
];
