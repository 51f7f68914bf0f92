/**
 * All operations that are no sums of products: activations, normalization, losses and steps of optimizers.
 *
 * @module
 */
import type { Operation } from "../operation.js";
import { batchNormalizationBackwardOperations } from "./batch-normalization-backward.js";
import { batchNormalizationOperations } from "./batch-normalization.js";
import { categoricalCrossentropyOperations } from "./categorical-crossentropy.js";
import { meanSquaredErrorOperations } from "./mean-squared-error.js";
import { optimizerOperations } from "./optimizer-steps.js";
import { reluOperations } from "./relu.js";
import { sigmoidOperations } from "./sigmoid.js";
import { softmaxOperations } from "./softmax.js";
import { sparseCategoricalCrossentropyOperations } from "./sparse-categorical-crossentropy.js";
import { tanhOperations } from "./tanh.js";

/** One entry an operation. */
export const nonlinearOperations: readonly Operation[] = [
  ...reluOperations,
  ...sigmoidOperations,
  ...tanhOperations,
  ...softmaxOperations,
  ...batchNormalizationOperations,
  ...batchNormalizationBackwardOperations,
  ...categoricalCrossentropyOperations,
  ...sparseCategoricalCrossentropyOperations,
  ...meanSquaredErrorOperations,
  ...optimizerOperations,
];
