/**
 * Inference, batch by batch. Keras: `model.predict`.
 *
 * @module
 */
import { type Execution, runsSimd, serial } from "../kernels/execution.js";
import { PackedConstants } from "../kernels/simd/constants.js";
import { countJobs, simdModule } from "../kernels/simd/module.js";
import { expectOptions } from "../serialization/options.js";
import { Arena } from "../tensor/arena.js";
import { floatArray } from "../tensor/dtype.js";
import { formatShape, type Shape, shapesAgree, sizeOf } from "../tensor/shape.js";
import { contiguous, dtypeOf, type Tensor, tensor } from "../tensor/tensor.js";
import { checkExecution, checkModel } from "./check-model.js";
import { checkTensors } from "../serialization/tensors.js";
import { KeptPass } from "./kept-pass.js";
import type { Model } from "./model.js";
import { PartedPass } from "./parted-pass.js";

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
 * for a batch is worked out once ({@link KeptPass}), when batches of one shape follow each other: then the memory of their
 * activations is kept. Until it is closed, the weights must stay as they are: what was packed is not packed again.
 *
 * @throws TypeError when `model` is no model, or an option is none of {@link PredictorOptions}.
 */
export function createPredictor(model: Model, options: PredictorOptions = {}): Predictor {
  checkModel("createPredictor", model);
  expectOptions("createPredictor", options, PREDICTOR_OPTIONS);
  checkExecution("createPredictor", options.execution);
  const batches = new Batches(model, options.execution, packedConstants(model));
  return {
    predict: (inputs) => predictBatches(model, inputs, options, () => batches),
    close: () => batches.close(),
  };
}

function packedConstants(model: Model): PackedConstants {
  const kernels = model.weights.filter(({ shape }) => shape.length > 1);
  return new PackedConstants(kernels.map(({ value }) => contiguous(value).data));
}

/** A pass for `inputs` that is kept, with the outputs for these. */
function keptPass(model: Model, inputs: readonly Tensor[], execution: Execution): KeptPass | PartedPass {
  return PartedPass.of(model, inputs, execution) ?? new KeptPass(model, inputs, execution);
}

/** Runs batches, with weights that stay as they are if `constants` are given. */
class Batches {
  readonly #model: Model;
  readonly #execution: Execution;
  readonly #constants: PackedConstants | undefined;
  readonly #arena = new Arena();
  #kept: KeptPass | PartedPass | undefined;
  /** The shapes of the batch before. */
  #before: readonly Shape[] = [];

  constructor(model: Model, execution: Execution = serial, constants?: PackedConstants) {
    this.#model = model;
    this.#execution = constants === undefined ? execution : { ...execution, constants };
    this.#constants = constants;
  }

  /** What `use` makes of the outputs for `inputs`. */
  run(inputs: readonly Tensor[], use: (outputs: readonly Tensor[]) => void): void {
    const isSame = this.#before.length > 0 && inputs.every((x, i) => shapesAgree(x.shape, this.#before[i]));
    this.#before = inputs.map((x) => x.shape);
    if (this.#kept?.takes(inputs) === true) {
      countJobs(this.#kept.jobCount); // compares the kernels, as each job of an ordinary pass would
      if (simdModule() !== undefined) return use(this.#kept.run(inputs));
    }
    if (isSame && this.#constants?.isOpen === true && KeptPass.suits(this.#model, this.#execution)) {
      this.#forget(); // the next one might not be made
      this.#kept = keptPass(this.#model, inputs, this.#execution);
      return use(this.#kept.outputs);
    }
    if (inputs.some((x) => runsSimd(this.#execution, x))) this.#execution.constants?.makeRoom();
    const context = { training: false, execution: this.#execution, seed: 0, step: 0 };
    try {
      use(this.#arena.run(() => this.#model.infer(inputs, context, (data) => this.#arena.release(data))));
    } finally {
      this.#arena.reset();
    }
  }

  #forget(): void {
    this.#kept?.close();
    this.#kept = undefined;
  }

  /** Gives all memory back. Batches that are run afterwards see the weights as they are then. */
  close(): void {
    this.#forget();
    this.#constants?.close();
  }
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
  let batches: Batches | undefined;
  try {
    return predictBatches(model, inputs, options, (count) => {
      // weights stay as they are meanwhile
      batches = new Batches(model, options.execution, count > 1 ? packedConstants(model) : undefined);
      return batches;
    });
  } finally {
    batches?.close();
  }
}

/** {@link predict} with what `batchesFor` gives for so many of them. */
function predictBatches(
  model: Model,
  inputs: readonly Tensor[],
  { batchSize = model.inputs[0].shape[0] ?? 32, onProgress }: PredictOptions,
  batchesFor: (count: number) => Batches,
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
  const batches = batchesFor(Math.ceil(total / batchSize));
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
    batches.run(
      entering.map((x) => samples(x, begin, end)),
      put,
    );
    onProgress?.(end, total);
  }
  return results;
}
