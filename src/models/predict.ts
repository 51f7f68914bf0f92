/**
 * Inference, batch by batch. Keras: `model.predict`.
 *
 * @module
 */
import type { Execution } from "../kernels/execution.js";
import { expectOptions } from "../serialization/options.js";
import { floatArray } from "../tensor/dtype.js";
import { formatShape, shapesAgree, sizeOf } from "../tensor/shape.js";
import { contiguous, dtypeOf, type Tensor, tensor } from "../tensor/tensor.js";
import { checkExecution, checkModel } from "./check-model.js";
import { checkTensors } from "../serialization/tensors.js";
import { BatchInference, packedConstants } from "./batch-inference.js";
import type { Model } from "./model.js";

/** Options of {@link predict}. */
export interface PredictOptions {
  /**
   * How many samples run at once; memory grows with it, results do not depend on it.
   *
   * @defaultValue that of the model's first input where it is fixed, else 32
   */
  readonly batchSize?: number;
  /** Threads and accumulation. @defaultValue one thread, float64 */
  readonly execution?: Execution;
  /** Told after every batch how many samples are done. It must leave the weights alone: they may have been packed. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** Options of {@link createPredictor}: those of every call of it. */
export type PredictorOptions = Omit<PredictOptions, "onProgress">;

const PREDICTOR_OPTIONS = ["batchSize", "execution"];

/** A model made ready for many predictions. */
export interface Predictor {
  /** What {@link predict} gives, to the bit. @throws RangeError as `predict` does. */
  predict(inputs: readonly Tensor[]): readonly Tensor[];
  /** Gives its memory back. */
  close(): void;
}

/**
 * `model` made ready for many predictions. What is packed for the vector unit is packed once, not at every call: for an image
 * through ResNet50 that is a tenth of the time, and takes the memory of the kernels once or twice more. And what there is to do
 * for a batch is worked out once (`kept-pass.ts`), when batches of one shape follow each other: then the memory of their
 * activations is kept. Until it is closed, the weights must stay as they are: what was packed is not packed again.
 *
 * @throws TypeError when `model` is no model, or an option is none of {@link PredictorOptions}.
 */
export function createPredictor(model: Model, options: PredictorOptions = {}): Predictor {
  checkModel("createPredictor", model);
  expectOptions("createPredictor", options, PREDICTOR_OPTIONS);
  checkExecution("createPredictor", options.execution);
  const inference = new BatchInference(model, options.execution, packedConstants(model));
  return {
    predict: (inputs) => predictBatches(model, inputs, options, () => inference),
    close: () => inference.close(),
  };
}

/** Samples `begin` to `end` of a contiguous `x`, without a copy. */
function samples(x: Tensor, begin: number, end: number): Tensor {
  const stride = sizeOf(x.shape.slice(1));
  return tensor(x.data.subarray(begin * stride, end * stride), [end - begin, ...x.shape.slice(1)]);
}

/**
 * The outputs of `model`, in its order, for `inputs`, in its order; tensors of their own memory.
 *
 * @throws TypeError when `model` is no model, `inputs` no array of tensors, or an option none of {@link PredictOptions}.
 * @throws RangeError when the inputs do not fit the model or differ in their number of samples, a batch is not of the size
 *   that the model has fixed, or an output does not have a row for each of them.
 */
export function predict(model: Model, inputs: readonly Tensor[], options: PredictOptions = {}): readonly Tensor[] {
  checkModel("predict", model);
  expectOptions("predict", options, [...PREDICTOR_OPTIONS, "onProgress"]);
  checkExecution("predict", options.execution);
  let inference: BatchInference | undefined;
  try {
    return predictBatches(model, inputs, options, (count) => {
      // weights stay as they are meanwhile
      inference = new BatchInference(model, options.execution, count > 1 ? packedConstants(model) : undefined);
      return inference;
    });
  } finally {
    inference?.close();
  }
}

/** {@link predict} with what `inferenceOf` gives for so many batches. */
function predictBatches(
  model: Model,
  inputs: readonly Tensor[],
  { batchSize = model.inputs[0].shape[0] ?? 32, onProgress }: PredictOptions,
  inferenceOf: (count: number) => BatchInference,
): readonly Tensor[] {
  if (!Number.isSafeInteger(batchSize) || batchSize < 1) {
    throw new RangeError(`predict: \`batchSize\` must be a whole number of at least 1. Received ${batchSize}.`);
  }
  // of all samples, however many; of a batch whose size is fixed the model says it
  const wanted = model.inputs.map((x) => [null, ...x.shape.slice(1)]);
  checkTensors("predict", "inputs", inputs);
  if (inputs.length !== wanted.length || !inputs.every((x, i) => shapesAgree(x.shape, wanted[i]))) {
    throw new RangeError(
      `predict: inputs must have the shape ${wanted.map(formatShape).join(", ")}. ` +
        `Received ${inputs.map((x) => formatShape(x.shape)).join(", ") || "no input"}.`,
    );
  }
  const counts = inputs.map((x) => x.shape[0]);
  const [total = 0] = counts;
  if (counts.some((count) => count !== total)) {
    throw new RangeError(`predict: all inputs must have the same number of samples. Received ${counts.join(", ")}.`);
  }
  const entering = inputs.map(contiguous);
  const results: Tensor[] = [];
  const inference = inferenceOf(Math.ceil(total / batchSize));
  for (let begin = 0; begin === 0 || begin < total; begin += batchSize) {
    const end = Math.min(begin + batchSize, total);
    const put = (outputs: readonly Tensor[]): void => {
      for (const [i, y] of outputs.entries()) {
        if (y.shape[0] !== end - begin) {
          throw new RangeError(
            `predict: every output must have one row for each of ${end - begin} samples. ` +
              `Received shape ${formatShape(y.shape)} of \`${model.outputs[i].node.layer.name}\`.`,
          );
        }
        results[i] ??= tensor(floatArray(dtypeOf(y), total * sizeOf(y.shape.slice(1))), [total, ...y.shape.slice(1)]);
        results[i].data.set(y.data, begin * sizeOf(y.shape.slice(1)));
      }
    };
    inference.run(
      entering.map((x) => samples(x, begin, end)),
      put,
    );
    onProgress?.(end, total);
  }
  return results;
}
