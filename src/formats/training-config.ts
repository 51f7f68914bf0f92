/**
 * How a model is trained, as files keep it beside the weights: optimizer, loss and metrics, and the optimizer's state.
 *
 *     .keras    config.json: compile_config { optimizer: { class_name, config }, loss, metrics, ... }
 *               model.weights.h5: optimizer/vars/0, 1, 2, ...
 *     .h5       attribute training_config { optimizer_config: { class_name, config }, loss, metrics, ... }
 *               optimizer_weights/adam/iteration, ..., in the order of its attribute weight_names
 *
 * The state is a list of variables: the count of steps (int64), the learning rate, then what the optimizer keeps for every
 * trainable weight, in the order of {@link Optimizer.variables}. Keras 2 keeps no learning rate: that of the configuration
 * stands. A model that was compiled but never trained has no more than the two numbers.
 *
 * @module
 */
import type { Variable } from "../layers/variable.js";
import { LOSSES, type LossName } from "../models/objective.js";
import { snakeCase } from "../models/names.js";
import { optimizerFromConfig, serializeOptimizer } from "../optimizers/from-config.js";
import type { Optimizer, OptimizerVariable } from "../optimizers/optimizer.js";
import { describe, isKerasConfig, type KerasConfig } from "../serialization/config.js";
import { formatShape, shapesAgree } from "../tensor/shape.js";
import type { StoredValue } from "./assign.js";
import { FormatError } from "./format-error.js";
import type { Hdf5DatasetSpec } from "./hdf5/spec.js";
import { PythonFloat } from "./json.js";

/** How a model is trained. */
export interface Training {
  /** With its state. */
  readonly optimizer: Optimizer;
  /** What is minimized. */
  readonly loss: LossName;
}

/** Keras's short names of losses. */
const SHORT_LOSSES: Readonly<Record<string, LossName>> = { mse: "mean_squared_error", MSE: "mean_squared_error" };

/** What all configurations say of the rest, which has no part in the numbers. */
const REST = {
  loss_weights: null,
  weighted_metrics: null,
  run_eagerly: false,
  steps_per_execution: 1,
  jit_compile: false,
};

function rest({ loss }: Training): KerasConfig {
  return { loss, metrics: loss === "mean_squared_error" ? null : ["accuracy"], ...REST };
}

/** `compile_config` of a `.keras` archive. */
export function compileConfig(training: Training): KerasConfig {
  return { optimizer: withFloats(serializeOptimizer(training.optimizer)), ...rest(training) };
}

/** A serialized optimizer whose numbers Python reads as floats, as all of them are in Keras. */
function withFloats(optimizer: KerasConfig): KerasConfig {
  const { config } = optimizer;
  const entries = Object.entries(isKerasConfig(config) ? config : {});
  const floats = entries.map(([key, value]) => [key, typeof value === "number" ? new PythonFloat(value) : value]);
  return { ...optimizer, config: Object.fromEntries(floats) };
}

/** `training_config` of an `.h5` file. */
export function legacyTrainingConfig(training: Training): KerasConfig {
  const { class_name, config } = withFloats(serializeOptimizer(training.optimizer));
  return { ...rest(training), optimizer_config: { class_name, config } };
}

/**
 * The training that a configuration asks for, its optimizer still without state.
 *
 * @param optimizer - `optimizer` of a `compile_config`, or `optimizer_config` of a `training_config`.
 * @throws TypeError, RangeError when optimizer or loss are not implemented, or loss weights are given.
 */
export function trainingFromConfig(optimizer: unknown, config: KerasConfig): Training {
  const weights = config["loss_weights"] ?? null;
  if (weights !== null) {
    throw new TypeError(
      `training: \`loss_weights\` must be null (others are not implemented). Received ${describe(weights)}.`,
    );
  }
  return { optimizer: optimizerFromConfig(withoutPackage(optimizer)), loss: lossName(config["loss"]) };
}

/** Keras 2 writes its own optimizers as `Custom>Adam` into `.h5` files. */
function withoutPackage(optimizer: unknown): unknown {
  if (!isKerasConfig(optimizer) || typeof optimizer["class_name"] !== "string") return optimizer;
  return { ...optimizer, class_name: optimizer["class_name"].replace(/^Custom>/, "") };
}

/** The options of a serialized loss that leave it what its name says. */
const PLAIN: Readonly<Record<string, readonly unknown[]>> = {
  from_logits: [false],
  label_smoothing: [0],
  ignore_class: [null],
  axis: [-1],
  reduction: ["sum_over_batch_size", "auto"],
};

/**
 * The loss that `loss` is: its name, or a dictionary of one of Keras's loss classes with default options.
 *
 * @throws RangeError when it is another.
 */
export function lossName(loss: unknown): LossName {
  const only = Array.isArray(loss) && loss.length === 1 ? loss[0] : loss;
  const { class_name: className, config } = isKerasConfig(only) ? only : {};
  const arguments_ = isKerasConfig(config) ? Object.entries(config) : [];
  const isPlain = arguments_.every(([key, value]) => PLAIN[key]?.includes(value) ?? true);
  const given = className === "function" ? config : (className ?? only);
  const name = typeof given === "string" ? (SHORT_LOSSES[given] ?? snakeCase(given)) : undefined;
  const found = LOSSES.find((known) => known === name);
  if (found === undefined || !isPlain) {
    throw new RangeError(
      `training: \`loss\` must be one of ${LOSSES.join(", ")}, of probabilities and without options. ` +
        `Received ${describe(loss)}.`,
    );
  }
  return found;
}

/** The values of the optimizer's variable as a dataset: the count of steps as an int64. */
export function stateDataset(variable: OptimizerVariable): Hdf5DatasetSpec {
  const { data } = variable.read();
  const stored = variable.dtype === "int64" ? BigInt64Array.from(data, BigInt) : data;
  return { kind: "dataset", shape: variable.shape, data: stored };
}

/**
 * Gives `optimizer` the state that a file keeps for the weights of a model. Nothing is assigned unless all fits.
 *
 * @throws FormatError when the variables are of another number or shape than the optimizer's.
 */
export function restoreState(
  what: string,
  optimizer: Optimizer,
  weights: readonly Variable[],
  values: readonly StoredValue[],
): void {
  if (values.length <= 2) {
    // never trained: the count of steps is 0, and the optimizer makes its state at the first step
    assignState(what, optimizer.variables().slice(0, values.length), values);
    return;
  }
  optimizer.build(weights);
  const [iteration, learningRate, ...slots] = optimizer.variables();
  const isKeras2 = values.length === slots.length + 1;
  assignState(what, isKeras2 ? [iteration, ...slots] : [iteration, learningRate, ...slots], values);
}

function assignState(what: string, variables: readonly OptimizerVariable[], values: readonly StoredValue[]): void {
  if (values.length !== variables.length) {
    const rule = `the optimizer must have ${variables.length} variables for the trainable weights of the model.`;
    throw new FormatError(what, rule, `${values.length} variables`);
  }
  for (const [i, { name, shape }] of variables.entries()) {
    if (shapesAgree(values[i].shape, shape)) continue;
    throw new FormatError(
      what,
      `variable \`${name}\` of the optimizer must have shape ${formatShape(shape)}.`,
      `shape ${formatShape(values[i].shape)} in ${values[i].path}`,
    );
  }
  for (const [i, variable] of variables.entries()) variable.assign(values[i].read());
}
