/**
 * Loss and accuracy of a model on data that it does not learn from. Keras: `model.evaluate`.
 *
 * @module
 */
import { type Execution, serial } from "../kernels/execution.js";
import { checkExecution, checkModel } from "../models/check-model.js";
import { inferWithLogits } from "../models/infer.js";
import { BatchInference, packedConstants } from "../models/batch-inference.js";
import type { Model } from "../models/model.js";
import type { LossName } from "../models/objective.js";
import { regularizationLosses } from "../models/passes.js";
import { kindOf } from "../serialization/config.js";
import { expectOptions } from "../serialization/options.js";
import { Arena } from "../tensor/arena.js";
import type { Tensor } from "../tensor/tensor.js";
import { type Batch, type BatchSource, checkSource } from "./batches.js";
import { addBatch, countCorrect, countInTopK, means, NO_SAMPLES } from "./metrics.js";
import { objectiveOfBatch } from "./train-step.js";
import { yieldToEvents } from "./yield.js";

/** Options of {@link evaluate}. */
export interface EvaluateOptions {
  /** Which loss is computed. @defaultValue "categorical_crossentropy" */
  readonly loss?: LossName;
  /** Threads and accumulation. @defaultValue one thread, float64 */
  readonly execution?: Execution;
  /** Ends the evaluation early; the promise is then rejected with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Told after every batch how many samples are done. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** What {@link evaluate} gives. */
export interface Evaluation {
  /** The mean over the samples, plus the regularizers, as in Keras. */
  readonly loss: number;
  /** The share of samples whose class is the most probable one. */
  readonly accuracy: number;
  /** The share whose class is among the five most probable; undefined where there are no more than five. */
  readonly topFive: number | undefined;
}

const OPTIONS = ["loss", "execution", "signal", "onProgress"];
const TOP = 5;

/** @throws TypeError when the option `signal` of the function `caller` is none: its controller would abort nothing. */
export function checkSignal(caller: string, signal: AbortSignal | undefined): void {
  if (signal === undefined || typeof signal?.aborted === "boolean") return;
  throw new TypeError(`${caller}: \`signal\` must be an AbortSignal. Received ${kindOf(signal)}.`);
}

/**
 * Evaluates `model` on epoch 0 of `source`. Between batches the event loop gets a turn; until all are done, the weights must stay
 * as they are, for what was made of them is not made again.
 *
 * @throws RangeError when the batches do not fit the model.
 * @throws TypeError when `model` is no model, `source` gives no batches, or an option is none of {@link EvaluateOptions}.
 */
export async function evaluate(model: Model, source: BatchSource, options: EvaluateOptions = {}): Promise<Evaluation> {
  checkModel("evaluate", model);
  checkSource("evaluate", "source", source);
  expectOptions("evaluate", options, OPTIONS);
  checkExecution("evaluate", options.execution);
  const { loss = "categorical_crossentropy", execution = serial, signal, onProgress } = options;
  checkSignal("evaluate", signal);
  const arena = new Arena();
  const penalty = regularizationLosses(model, execution);
  const constants = source.batchesPerEpoch > 1 ? packedConstants(model) : undefined;
  const inference = new BatchInference(model, execution, constants, inferWithLogits);
  let sums = NO_SAMPLES;
  let topFive = 0;
  const count = (batch: Batch, given: readonly Tensor[]): void => {
    const y = given[0];
    const x = given.at(model.outputs.length);
    const objective = objectiveOfBatch(model, { y, logits: x && { x } }, batch, loss);
    const correct = countCorrect(y, batch.labels);
    sums = addBatch(sums, { loss: objective.loss + penalty, correct, samples: batch.labels.length });
    if (source.classes > TOP) topFive += countInTopK(y, batch.labels, TOP);
  };
  try {
    for (let index = 0; index < source.batchesPerEpoch; index++) {
      signal?.throwIfAborted();
      try {
        arena.run(() => {
          const batch = source.batch(0, index);
          inference.run([batch.x], (given) => count(batch, given));
        });
      } finally {
        arena.reset();
      }
      onProgress?.(sums.samples, source.samples);
      await yieldToEvents();
    }
  } finally {
    inference.close();
  }
  return { ...means(sums), topFive: source.classes > TOP ? topFive / sums.samples : undefined };
}
