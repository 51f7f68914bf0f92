/**
 * What is expected of one layer of a model, forward and backward, given what it read.
 *
 * A layer is an operation, perhaps with an activation behind it. The value between the two is never in a trace; it is
 * known up to its expectation, and the activation's expectation includes that.
 *
 * @module
 */
import type { Layer } from "../layers/layer.js";
import type { Tensor } from "../tensor/tensor.js";
import type { ArithmeticModel } from "./arithmetic-model.js";
import { throughActivation } from "./compose.js";
import type { Expectation } from "./expectation.js";
import { activationOperation, type LayerOperation, operationOf } from "./layer-operations.js";
import { float64Of } from "./operands.js";
import { type Expectations, expectOf, missing, NotJudged, type Reading } from "./reading.js";

/** What is expected of a layer's results. */
export interface LayerExpectation {
  /** For the output. */
  readonly y: Expectation;
  /** For the moving statistics after the step, by Keras's names. */
  readonly moving: Expectations;
  /** What the activation read, where there is one. */
  readonly beforeActivation: Reading | undefined;
}

/** What is expected of a layer's gradients. */
export interface LayerGradientExpectation {
  /** For every input. */
  readonly dInputs: readonly Expectation[];
  /** For the weights, by Keras's names; without regularizers. */
  readonly dWeights: Expectations;
}

/** Keras's names of moving statistics, by the names of results. */
export const MOVING: Readonly<Record<string, string>> = {
  movingMean: "moving_mean",
  movingVariance: "moving_variance",
};
/** Keras's names of weights, by the names of their gradients. */
export const GRADIENTS: Readonly<Record<string, string>> = {
  dKernel: "kernel",
  dBias: "bias",
  dGamma: "gamma",
  dBeta: "beta",
};

/** A tensor that is what it is: the expectation of a copy. */
export function exactly(x: Tensor): Expectation {
  const truth = float64Of(x);
  return { shape: [...x.shape], truth, bound: new Float64Array(x.size), spread: new Float64Array(x.size) };
}

/** What is expected of the output of `layer`, applied to `inputs`. */
export function expectLayer(
  layer: Layer,
  inputs: readonly Reading[],
  training: boolean,
  model: ArithmeticModel,
): LayerExpectation | NotJudged {
  if (passesOn(layer, training)) return passedOn(inputs[0]);
  const applied = operationOf(layer, training);
  if (applied === undefined) {
    if (isLinear(layer)) return passedOn(inputs[0]);
    return new NotJudged(unknownReason(layer));
  }
  const results = expectOf(applied.operation, readingsOf(applied, inputs, "forward"), applied.args, model);
  if (results instanceof NotJudged) return results;
  const moving = renamed(results, MOVING);
  if (applied.activation === "linear") return { y: results["y"], moving, beforeActivation: undefined };
  const beforeActivation = missing(results["y"]);
  return { y: throughActivation(results["y"], applied.activation, model), moving, beforeActivation };
}

/** Where backward begins: at the output of a layer, or at what its softmax was taken of. */
export interface LayerCotangent {
  readonly dy: Reading;
  readonly atLogits: boolean;
}

/** How a layer ran forward. */
export interface LayerMode {
  readonly training: boolean;
  /** What its activation read, where there is one. */
  readonly beforeActivation: Reading | undefined;
}

/** What is expected of the gradients of `layer`, applied to `inputs`. */
export function expectLayerGradients(
  layer: Layer,
  inputs: readonly Reading[],
  { dy, atLogits }: LayerCotangent,
  { training, beforeActivation }: LayerMode,
  model: ArithmeticModel,
): LayerGradientExpectation | NotJudged {
  const applied = operationOf(layer, training);
  if (passesOn(layer, training) || applied === undefined) {
    if (passesOn(layer, training) || isLinear(layer)) return { dInputs: [passedOn(dy).y], dWeights: {} };
    return new NotJudged(unknownReason(layer));
  }
  if (atLogits && isSoftmax(applied)) return { dInputs: [passedOn(dy).y], dWeights: {} };
  const activation = atLogits ? undefined : activationOperation(applied.activation);
  let cotangent = dy;
  if (activation !== undefined && beforeActivation !== undefined) {
    const gradients = expectOf(activation.backward, { x: beforeActivation, dy }, activation.args, model);
    if (gradients instanceof NotJudged) return gradients;
    cotangent = missing(gradients["dx"]);
  }
  const readings = { ...readingsOf(applied, inputs, "backward"), dy: cotangent };
  const results = expectOf(applied.backward, readings, applied.args, model);
  if (results instanceof NotJudged) return results;
  const dInputs = applied.takesList ? inputs.map((_, i) => results[`dx${i}`]) : [results["dx"]];
  return { dInputs, dWeights: renamed(results, GRADIENTS) };
}

/** Whether `layer` is nothing but a softmax, so that what it was taken of is its input. */
function isSoftmax({ operation }: LayerOperation): boolean {
  return operation.name === "softmax";
}

/** Whether `layer` gives what it is given. */
function passesOn({ className }: Layer, training: boolean): boolean {
  return className === "InputLayer" || (className === "Dropout" && !training);
}

function isLinear(layer: Layer): boolean {
  return layer.className === "Activation";
}

function unknownReason({ className }: Layer): string {
  if (className === "Dropout") return "dropout in training is random";
  return `it comes from a layer of class ${className}, which is no operation of the oracle`;
}

function passedOn({ value, doubt }: Reading): LayerExpectation {
  return { y: { ...exactly(value), ...doubt }, moving: {}, beforeActivation: undefined };
}

/** What the operation of a layer reads: inputs and weights, of which it takes those that it knows. */
export function readingsOf(
  { operation, backward, weights, takesList }: LayerOperation,
  inputs: readonly Reading[],
  direction: "forward" | "backward",
): Readonly<Record<string, Reading>> {
  const known = direction === "forward" ? operation : backward;
  const names = new Set([...known.inputs, ...known.optional]);
  const readings: Record<string, Reading> = {};
  inputs.forEach((input, i) => (readings[takesList ? `x${i}` : "x"] = input));
  for (const [name, value] of Object.entries(weights)) if (names.has(name)) readings[name] = { value };
  return readings;
}

function renamed(results: Expectations, names: Readonly<Record<string, string>>): Expectations {
  return Object.fromEntries(
    Object.entries(names).flatMap(([from, to]) => (results[from] === undefined ? [] : [[to, results[from]]])),
  );
}
