/**
 * Many steps of one training, one after the other.
 *
 * A step takes time to find out what there is to do. For batches of one shape that is found out once
 * (`models/kept-gradients.ts`), wherever the model's layers allow it; the numbers are those of {@link trainStep}, to the bit.
 *
 * @module
 */
import { serial } from "../kernels/execution.js";
import { countJobs, simdModule } from "../kernels/simd/module.js";
import type { CallContext } from "../layers/layer.js";
import { checkExecution, checkModel } from "../models/check-model.js";
import { KeptGradients, ordinaryPasses } from "../models/kept-gradients.js";
import type { Model } from "../models/model.js";
import { checkOptimizer } from "../optimizers/optimizer.js";
import { DepartedError } from "../parallel/recording.js";
import { expectOptions } from "../serialization/options.js";
import { Arena } from "../tensor/arena.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Batch } from "./batches.js";
import type { BatchMetrics } from "./metrics.js";
import { checkBatch, type PassesFor, runStep, type TrainStepOptions } from "./train-step.js";

/** Options of {@link createTrainer}: those of every step of it. */
export type TrainerOptions = Omit<TrainStepOptions, "step" | "arena">;

const OPTIONS = ["loss", "optimizer", "execution", "seed"];

/** A model in training. */
export interface Trainer {
  /**
   * What {@link trainStep} does with `batch`, to the bit, after as many steps as `step` says.
   *
   * @param step - By default as many as this trainer has done.
   * @throws NonFiniteError, RangeError, TypeError as `trainStep` does; nothing has changed then.
   */
  step(batch: Batch, step?: number): BatchMetrics;
  /** Gives its memory back. A step that follows takes it again. */
  close(): void;
}

/**
 * `model` in training, for many steps. Memory is kept between them: as much as a step takes, until the trainer is closed.
 *
 * @throws TypeError when `model` is no model, or an option none of {@link TrainerOptions}.
 */
export function createTrainer(model: Model, options: TrainerOptions): Trainer {
  checkModel("createTrainer", model);
  expectOptions("createTrainer", options, OPTIONS);
  checkExecution("createTrainer", options.execution);
  checkOptimizer("createTrainer", options.optimizer);
  return new KeepingTrainer(model, options);
}

class KeepingTrainer implements Trainer {
  readonly #model: Model;
  readonly #options: TrainerOptions;
  readonly #arena = new Arena();
  #kept: KeptGradients | undefined;
  /** Which layers were trained when passes were kept. */
  #trained: readonly boolean[] = [];
  /** Whether passes can be kept, as far as is known. */
  #keeps: boolean;
  #steps = 0;

  constructor(model: Model, options: TrainerOptions) {
    this.#model = model;
    this.#options = options;
    this.#keeps = KeptGradients.suits(model, options.execution ?? serial);
  }

  step(batch: Batch, step: number = this.#steps): BatchMetrics {
    checkBatch("Trainer", batch);
    const metrics = this.#run(batch, step);
    this.#steps = step + 1;
    return metrics;
  }

  #run(batch: Batch, step: number): BatchMetrics {
    const { execution = serial, seed = 0 } = this.#options;
    const context = { training: true, execution, seed, step };
    const kept = this.#keptFor(batch.x, context);
    if (kept === undefined) return this.#runOrdinary(batch, context);
    kept.step = step;
    try {
      const metrics = this.#runWith(batch, context, () => kept);
      this.#keeps = kept.canRunAgain;
      return metrics;
    } catch (error) {
      if (!(error instanceof DepartedError)) throw error;
      this.close();
      return this.#runOrdinary(batch, context);
    } finally {
      if (!kept.canRunAgain) this.close(); // it has not come to its end, or is no whole record
    }
  }

  #runOrdinary(batch: Batch, context: CallContext): BatchMetrics {
    return this.#runWith(batch, context, (release) => ordinaryPasses(this.#model, context, release));
  }

  #runWith(batch: Batch, context: CallContext, passesFor: PassesFor): BatchMetrics {
    return runStep(this.#model, batch, { ...this.#options, arena: this.#arena }, context, passesFor);
  }

  /** Passes for batches like `x`: those that are kept, or new ones; undefined where none can be. */
  #keptFor(x: Tensor, context: CallContext): KeptGradients | undefined {
    if (!this.#keeps) return undefined;
    const { graphNodes } = this.#model;
    const isSame = graphNodes.every(({ layer }, i) => layer.trainable === this.#trained[i]);
    if (this.#kept !== undefined && isSame && this.#kept.takes(x)) {
      countJobs(this.#kept.jobCount); // compares the kernels, as each job of ordinary passes would
      if (simdModule() !== undefined) return this.#kept;
    }
    this.close();
    this.#trained = graphNodes.map(({ layer }) => layer.trainable);
    if (simdModule() !== undefined) this.#kept = new KeptGradients(this.#model, x, context);
    return this.#kept;
  }

  close(): void {
    this.#kept?.close();
    this.#kept = undefined;
  }
}
