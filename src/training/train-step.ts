/**
 * One training step: what Keras's `train_step` does with one batch.
 *
 *     forward in training mode  ->  loss + regularizers  ->  backward  ->  optimizer  ->  moving statistics
 *
 * Everything that the step computes lies in one arena, which is reset when it ends: the memory of a run does not grow. A
 * step whose loss or gradients are not finite is not applied at all.
 *
 * @module
 */
import type { CallContext } from "../layers/layer.js";
import type { Variable } from "../layers/variable.js";
import { type Execution, serial } from "../kernels/execution.js";
import { checkExecution, checkModel } from "../models/check-model.js";
import type { Model } from "../models/model.js";
import { checkTensors } from "../serialization/tensors.js";
import { type LossName, type ModelOutput, type Objective, objectiveOf } from "../models/objective.js";
import { type GradientPasses, ordinaryPasses } from "../models/kept-gradients.js";
import type { Release } from "../models/readers.js";
import { kindOf } from "../serialization/config.js";
import { checkOptimizer, type Optimizer } from "../optimizers/optimizer.js";
import { regularizationLossOfAll } from "../regularizers/regularizer.js";
import { expectOptions } from "../serialization/options.js";
import { Arena } from "../tensor/arena.js";
import { type Tensor, tensorOf } from "../tensor/tensor.js";
import type { Batch } from "./batches.js";
import { type BatchMetrics, countCorrect } from "./metrics.js";
import { findNonFiniteLayer, finiteTensors, firstNonFinite, NonFiniteError } from "./non-finite.js";

/** What a step needs beside model and batch. */
export interface TrainStepOptions {
  /** What is minimized, beside the regularizers. @defaultValue "categorical_crossentropy" */
  readonly loss?: LossName;
  /** Takes the step. */
  readonly optimizer: Optimizer;
  /** Threads and accumulation. @defaultValue one thread, float64 */
  readonly execution?: Execution;
  /** Seed of dropout. @defaultValue 0 */
  readonly seed?: number;
  /** Steps before this one; with the seed it addresses dropout's numbers. @defaultValue 0 */
  readonly step?: number;
  /** The memory of the step; it is reset when the step ends, and the batch may lie in it. @defaultValue one of its own */
  readonly arena?: Arena;
}

const OPTIONS = ["loss", "optimizer", "execution", "seed", "step", "arena"];

/**
 * Changes weights, moving statistics and the optimizer's state by one step; the metrics are those before it.
 *
 * @throws NonFiniteError when the loss or a gradient is not finite; RangeError when the batch does not fit the model.
 *   Nothing has changed then.
 * @throws TypeError when `model` is no model, `batch` no batch, or an option none of {@link TrainStepOptions}.
 */
export function trainStep(model: Model, batch: Batch, options: TrainStepOptions): BatchMetrics {
  checkModel("trainStep", model);
  checkBatch("trainStep", batch);
  expectOptions("trainStep", options, OPTIONS);
  checkExecution("trainStep", options.execution);
  checkOptimizer("trainStep", options.optimizer);
  const { execution = serial, seed = 0, step = 0 } = options;
  const context = { training: true, execution, seed, step };
  return runStep(model, batch, options, context, (release) => ordinaryPasses(model, context, release));
}

/** @throws TypeError when `batch`, which the function `caller` was given, is none. */
export function checkBatch(caller: string, batch: Batch): void {
  if (batch?.labels === undefined) {
    throw new TypeError(`${caller}: \`batch\` must have x, yTrue and labels. Received ${kindOf(batch)}.`);
  }
  checkTensors(caller, "[batch.x, batch.yTrue]", [batch.x, batch.yTrue]);
}

/** The passes of a step. `release` is handed memory of the step that nobody will read any more. */
export type PassesFor = (release: Release) => GradientPasses;

/** {@link trainStep} with the passes that `passesFor` gives; all has been checked. */
export function runStep(
  model: Model,
  batch: Batch,
  { loss: lossName = "categorical_crossentropy", optimizer, arena = new Arena() }: TrainStepOptions,
  context: CallContext,
  passesFor: PassesFor,
): BatchMetrics {
  const { execution, step } = context;
  try {
    return arena.run(() => {
      const passes = passesFor((data) => arena.release(data));
      const pass = passes.forward(batch.x);
      const output = pass.passes.get(model.outputs[0].node);
      if (output === undefined) throw new Error("internal: train step: the output has not run.");
      const objective = objectiveOfBatch(model, output, batch, lossName);
      const weights = model.trainableWeights;
      const loss = objective.loss + regularizationLossOfAll(weights, execution);
      if (!Number.isFinite(loss)) {
        const found = findNonFiniteLayer(model, [batch.x], context);
        throw new NonFiniteError("loss", loss, step + 1, optimizer.learningRate, found);
      }
      const correct = countCorrect(pass.outputs[0], batch.labels);

      const gradients = [...passes.backward(pass, objective.gradient).values()];
      checkGradients(model, weights, gradients, step + 1, optimizer.learningRate, execution);

      optimizer.applyGradients(weights, gradients, execution);
      for (const [variable, value] of pass.updates) variable.assign(value);
      return { loss, correct, samples: batch.labels.length };
    });
  } finally {
    arena.reset();
  }
}

/** The loss of the model's one output for the targets of `batch`. */
export function objectiveOfBatch(model: Model, output: ModelOutput, batch: Batch, loss: LossName): Objective {
  const { yTrue, labels } = batch;
  return objectiveOf(
    loss,
    loss === "sparse_categorical_crossentropy" ? tensorOf(labels, [labels.length], model.dtype) : yTrue,
    output,
  );
}

/** @throws NonFiniteError for the first gradient on the way back, that of the last weight, which is not finite. */
function checkGradients(
  model: Model,
  weights: readonly Variable[],
  gradients: readonly Tensor[],
  step: number,
  learningRate: number,
  execution: Execution,
): void {
  const isFinite = finiteTensors(gradients, execution);
  for (let i = weights.length - 1; i >= 0; i--) {
    if (isFinite.get(gradients[i]) === true) continue;
    const element = firstNonFinite(gradients[i]);
    if (element === undefined) continue;
    const [path = weights[i].name] = [...model.weightsByPath()].find(([, weight]) => weight === weights[i]) ?? [];
    throw new NonFiniteError("gradient", element.value, step, learningRate, { path, ...element, because: undefined });
  }
}
