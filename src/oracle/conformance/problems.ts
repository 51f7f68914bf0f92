/**
 * The problem of every operation.
 *
 * @module
 */
import {
  ADAM,
  ADD,
  CONCATENATE,
  crossEntropyProblem,
  DENSE,
  elementwiseProblem,
  FLATTEN,
  LEAKY_RELU,
  MEAN_SQUARED_ERROR,
  normalizationProblem,
  RELU,
  RESCALING,
  RESHAPE,
  SGD,
  SOFTMAX,
} from "./other-problems.js";
import type { Problem } from "./problem.js";
import { CONV2D, DEPTHWISE_CONV2D, GLOBAL_POOLING2D, POOLING2D, ZERO_PADDING2D } from "./window-problems.js";

/** By the name of the forward operation. */
const PROBLEMS: ReadonlyMap<string, Problem> = new Map([
  ["conv2d", CONV2D],
  ["depthwise-conv2d", DEPTHWISE_CONV2D],
  ["dense", DENSE],
  ["average-pooling2d", POOLING2D],
  ["max-pooling2d", POOLING2D],
  ["global-average-pooling2d", GLOBAL_POOLING2D],
  ["global-max-pooling2d", GLOBAL_POOLING2D],
  ["add", ADD],
  ["concatenate", CONCATENATE],
  ["rescaling", RESCALING],
  ["zero-padding2d", ZERO_PADDING2D],
  ["flatten", FLATTEN],
  ["reshape", RESHAPE],
  ["relu", RELU],
  ["relu6", elementwiseProblem()],
  ["leaky-relu", LEAKY_RELU],
  ["sigmoid", elementwiseProblem()],
  ["tanh", elementwiseProblem()],
  ["softmax", SOFTMAX],
  ["batch-normalization", normalizationProblem(false)],
  ["batch-normalization-training", normalizationProblem(true)],
  ["categorical-crossentropy", crossEntropyProblem(false)],
  ["sparse-categorical-crossentropy", crossEntropyProblem(true)],
  ["mean-squared-error", MEAN_SQUARED_ERROR],
  ["sgd-step", SGD],
  ["adam-step", ADAM],
  ["adamw-step", ADAM],
]);

const BACKWARD = /-backward$/;

/** The forward operation of `operation`, which may be a forward operation itself. */
export function forwardOf(operation: string): string {
  return operation.replace(BACKWARD, "");
}

/**
 * What to ask of `operation`.
 *
 * @throws Error when nobody wrote that down.
 */
export function problemOf(operation: string): Problem {
  const problem = PROBLEMS.get(forwardOf(operation));
  if (problem === undefined) throw new Error(`internal: no problem for the operation ${operation}.`);
  return problem;
}
