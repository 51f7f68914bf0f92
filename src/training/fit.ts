/**
 * The training loop. Keras: `model.fit`.
 *
 *     for each epoch:  for each batch: a step of training;  then validation;  callbacks between, see callback.ts
 *
 * A run is a pure function of the model, the optimizer, the batches, the seed and the callbacks: threads, and where it was
 * interrupted, do not change a bit. The event loop gets a turn after every step, which costs microseconds, so signals and
 * timers are served while a model trains.
 *
 * A checkpoint is written after all callbacks have seen a step or an epoch: what they remember, the weights and the
 * position then belong together.
 *
 * @module
 */
import { type Execution, serial } from "../kernels/execution.js";
import { kindOf } from "../serialization/config.js";
import { checkExecution, checkModel } from "../models/check-model.js";
import type { Model } from "../models/model.js";
import type { LossName } from "../models/objective.js";
import { checkOptimizer, type Optimizer } from "../optimizers/optimizer.js";
import { expectOptions } from "../serialization/options.js";
import { Arena } from "../tensor/arena.js";
import { type BatchSource, checkSource } from "./batches.js";
import type { Callback, CallbackState, EpochRecord, TrainingRun } from "./callback.js";
import { checkSignal, type Evaluation, evaluate } from "./evaluate.js";
import { addBatch, means, type MetricSums, NO_SAMPLES } from "./metrics.js";
import { START, type TrainingState } from "./state.js";
import { createTrainer, type Trainer } from "./trainer.js";
import { yieldToEvents } from "./yield.js";

/** When and how the state of a run is kept. */
export interface Checkpointing {
  /** How many steps lie between checkpoints within an epoch. @defaultValue none: at the end of epochs only */
  readonly everySteps?: number | undefined;
  /** Keeps `state` with the weights and the optimizer, which are what they are when it is called. */
  save(state: TrainingState): void | Promise<void>;
}

/** Options of {@link fit}. */
export interface FitOptions {
  /** How many epochs in all, those before a resumed state included. */
  readonly epochs: number;
  /** Takes the steps; its learning rate is its own, or a callback's. */
  readonly optimizer: Optimizer;
  /** What is minimized, beside the regularizers. @defaultValue "categorical_crossentropy" */
  readonly loss?: LossName;
  /** Evaluated after every epoch. @defaultValue none */
  readonly validation?: BatchSource | undefined;
  /** Who is told of the run, in this order. @defaultValue nobody */
  readonly callbacks?: readonly Callback[];
  /** Threads and accumulation. @defaultValue one thread, float64 */
  readonly execution?: Execution;
  /** Seed of dropout. @defaultValue 0 */
  readonly seed?: number;
  /** Aborting it ends the run after the step that is being taken, with a checkpoint. */
  readonly signal?: AbortSignal | undefined;
  /** Where to go on; the model and the optimizer must have been restored with it. @defaultValue the beginning */
  readonly state?: TrainingState | undefined;
  /** How the state is kept: after every epoch, and where the run is aborted. @defaultValue not at all */
  readonly checkpoint?: Checkpointing | undefined;
}

const OPTIONS = [
  "epochs",
  "optimizer",
  "loss",
  "validation",
  "callbacks",
  "execution",
  "seed",
  "signal",
  "state",
  "checkpoint",
];

/** What {@link fit} gives. */
export interface FitResult {
  /** Whether all epochs are done, a callback stopped the run, or the signal aborted it. */
  readonly outcome: "completed" | "stopped" | "aborted";
  /** Where the run stands. */
  readonly state: TrainingState;
}

/**
 * Trains `model` in place.
 *
 * @throws RangeError when an option, the batches or the state do not fit; NonFiniteError when training has failed.
 * @throws TypeError when `model` is no model, `source` gives no batches, or an option is none of {@link FitOptions} or of
 *   another type.
 */
export async function fit(model: Model, source: BatchSource, options: FitOptions): Promise<FitResult> {
  checkOptions(model, source, options);
  const run = new Run(model, source, options);
  try {
    return await run.start();
  } finally {
    run.close();
  }
}

function checkOptions(model: Model, source: BatchSource, options: FitOptions): void {
  checkModel("fit", model);
  checkSource("fit", "source", source);
  expectOptions("fit", options, OPTIONS);
  checkExecution("fit", options.execution);
  const { epochs, callbacks = [], checkpoint, state, validation } = options;
  checkOptimizer("fit", options.optimizer);
  checkSignal("fit", options.signal);
  if (validation !== undefined) checkSource("fit", "validation", validation);
  if (!Array.isArray(callbacks)) {
    throw new TypeError(`fit: \`callbacks\` must be an array. Received ${kindOf(callbacks)}.`);
  }
  const wrong: unknown = callbacks.find((callback) => typeof callback !== "object" || callback === null);
  if (wrong !== undefined) {
    throw new TypeError(
      `fit: \`callbacks\` must be objects, as \`new EarlyStopping()\` is. Received ${kindOf(wrong)}.`,
    );
  }
  if (checkpoint !== undefined && typeof checkpoint?.save !== "function") {
    throw new TypeError(`fit: \`checkpoint\` must be what \`checkpointFile\` gives. Received ${kindOf(checkpoint)}.`);
  }
  const fail = (rule: string, received: string): never => {
    throw new RangeError(`fit: ${rule}. Received ${received}.`);
  };
  if (model.inputs.length !== 1 || model.outputs.length !== 1) {
    fail("the model must have one input and one output", `${model.inputs.length} and ${model.outputs.length}`);
  }
  if (!Number.isSafeInteger(epochs) || epochs < 0) {
    fail("`epochs` must be a whole number of at least 0", `epochs=${epochs}`);
  }
  if (source.batchesPerEpoch < 1) {
    fail("`source` must have at least one batch", `batchesPerEpoch=${source.batchesPerEpoch}`);
  }
  const everySteps = checkpoint?.everySteps;
  if (everySteps !== undefined && (!Number.isSafeInteger(everySteps) || everySteps < 1)) {
    fail("`checkpoint.everySteps` must be a whole number of at least 1", `everySteps=${everySteps}`);
  }
  if (state !== undefined && typeof state?.callbacks !== "object") {
    throw new TypeError(`fit: \`state\` must be what \`readCheckpoint\` gives. Received ${kindOf(state)}.`);
  }
  const names = callbacks.filter((callback) => callback.saveState !== undefined).map(({ name }) => name ?? "");
  const repeated = names.find((name, i) => name === "" || names.indexOf(name) !== i);
  if (repeated !== undefined) {
    fail("every callback that saves its state must have a `name` of its own", `name="${repeated}"`);
  }
  if (state === undefined) return;
  // one that began anew in the middle of a run would forget, or empty, what it has kept so far
  const saved = Object.keys(state.callbacks);
  if (saved.length !== names.length || names.some((name) => !saved.includes(name))) {
    const listed = (all: readonly string[]): string => all.join(", ") || "none";
    fail(`callbacks that save a state must be those of the run that is resumed, ${listed(saved)}`, listed(names));
  }
}

/** A run while it lasts. */
class Run implements TrainingRun {
  readonly model: Model;
  readonly optimizer: Optimizer;
  readonly epochs: number;
  readonly stepsPerEpoch: number;
  readonly hasValidation: boolean;
  readonly #source: BatchSource;
  readonly #options: FitOptions;
  readonly #callbacks: readonly Callback[];
  readonly #trainer: Trainer;
  readonly #arena = new Arena(); // of the batch
  readonly #history: EpochRecord[];
  #epoch: number;
  #step: number;
  #sums: MetricSums;
  /** Seconds on the clock when this epoch would have begun, had it run without a break. */
  #epochBegin: number;
  #stopped: boolean;

  constructor(model: Model, source: BatchSource, options: FitOptions) {
    const { state = START } = options;
    this.model = model;
    this.optimizer = options.optimizer;
    this.epochs = options.epochs;
    this.stepsPerEpoch = source.batchesPerEpoch;
    this.hasValidation = options.validation !== undefined;
    this.#source = source;
    this.#options = options;
    this.#callbacks = options.callbacks ?? [];
    const { loss = "categorical_crossentropy", execution = serial, seed = 0, optimizer } = options;
    this.#trainer = createTrainer(model, { loss, execution, seed, optimizer });
    if (state.step > this.stepsPerEpoch) {
      throw new RangeError(
        `fit: \`state\` must be one of epochs of ${this.stepsPerEpoch} steps. Received step ${state.step}.`,
      );
    }
    this.#history = [...state.history];
    this.#epoch = state.epoch;
    this.#step = state.step;
    this.#sums = state.sums;
    this.#epochBegin = now() - state.seconds;
    this.#stopped = state.stopped;
  }

  stop(): void {
    this.#stopped = true;
  }

  close(): void {
    this.#trainer.close();
  }

  /** Steps since training began. */
  get #stepsDone(): number {
    return this.#epoch * this.stepsPerEpoch + this.#step;
  }

  async start(): Promise<FitResult> {
    const { state = START, signal } = this.#options;
    this.optimizer.build(this.model.trainableWeights);
    for (const callback of this.#callbacks) callback.onTrainBegin?.(this);
    this.#restoreCallbacks(state);
    // a run that was stopped within an epoch still owes its validation
    while (this.#epoch < this.epochs && (!this.#stopped || this.#step > 0)) {
      const finished = await this.#runEpoch();
      if (!finished) {
        await this.#checkpoint();
        return { outcome: "aborted", state: this.#state() };
      }
      await this.#checkpoint();
      if (signal?.aborted && this.#epoch < this.epochs && !this.#stopped) {
        return { outcome: "aborted", state: this.#state() };
      }
    }
    const final = this.#state();
    for (const callback of this.#callbacks) callback.onTrainEnd?.(this);
    return { outcome: this.#stopped ? "stopped" : "completed", state: final };
  }

  #restoreCallbacks({ callbacks: saved }: TrainingState): void {
    for (const callback of this.#callbacks) {
      if (callback.name !== undefined && Object.hasOwn(saved, callback.name)) {
        callback.restoreState?.(saved[callback.name]);
      }
    }
  }

  /** Runs the epoch, or what is left of it. False when the signal has aborted it: then it is not over. */
  async #runEpoch(): Promise<boolean> {
    const { signal } = this.#options;
    if (signal?.aborted) return false; // before anybody is told of an epoch, who would be told again
    if (this.#step === 0) {
      this.#epochBegin = now();
      this.#sums = NO_SAMPLES;
      for (const callback of this.#callbacks) callback.onEpochBegin?.(this.#epoch, this);
    }
    // as in Keras, whoever stops a run before a step still gets that one
    while (this.#step < this.stepsPerEpoch && !(this.#stopped && this.#step > 0)) {
      if (signal?.aborted) return false;
      this.#runStep();
      await yieldToEvents();
      if (this.#isCheckpointDue()) await this.#checkpoint();
    }
    const evaluation = await this.#validate();
    if (evaluation === "aborted") return false;
    const record: EpochRecord = {
      epoch: this.#epoch + 1,
      ...means(this.#sums),
      valLoss: evaluation?.loss,
      valAccuracy: evaluation?.accuracy,
      learningRate: this.optimizer.learningRate,
      seconds: now() - this.#epochBegin,
    };
    this.#history.push(record);
    for (const callback of this.#callbacks) callback.onEpochEnd?.(record, this);
    this.#epoch += 1;
    this.#step = 0;
    this.#sums = NO_SAMPLES;
    this.#epochBegin = now();
    return true;
  }

  #runStep(): void {
    const { optimizer } = this;
    const step = this.#stepsDone;
    for (const callback of this.#callbacks) callback.onStepBegin?.(step, this);
    const learningRate = optimizer.learningRate;
    const metrics = this.#inArena((arena) => {
      const batch = arena.run(() => this.#source.batch(this.#epoch, this.#step));
      return this.#trainer.step(batch, step);
    });
    this.#sums = addBatch(this.#sums, metrics);
    this.#step += 1;
    const record = {
      step: this.#stepsDone,
      epoch: this.#epoch + 1,
      loss: metrics.loss,
      accuracy: metrics.correct / metrics.samples,
      learningRate,
    };
    for (const callback of this.#callbacks) callback.onStepEnd?.(record, this);
  }

  /** Runs `step`, whose memory is given back even where no batch could be had. */
  #inArena<Result>(step: (arena: Arena) => Result): Result {
    try {
      return step(this.#arena);
    } finally {
      this.#arena.reset();
    }
  }

  async #validate(): Promise<Evaluation | "aborted" | undefined> {
    const { validation, loss = "categorical_crossentropy", execution = serial, signal } = this.#options;
    if (validation === undefined) return undefined;
    this.#trainer.close(); // what a step takes, and what validation takes, need not fit side by side
    try {
      return await evaluate(this.model, validation, { loss, execution, signal });
    } catch (error) {
      if (signal?.aborted && error === signal.reason) return "aborted";
      throw error;
    }
  }

  #isCheckpointDue(): boolean {
    const everySteps = this.#options.checkpoint?.everySteps;
    return everySteps !== undefined && this.#stepsDone % everySteps === 0;
  }

  async #checkpoint(): Promise<void> {
    await this.#options.checkpoint?.save(this.#state());
  }

  #state(): TrainingState {
    const callbacks: Record<string, CallbackState> = {};
    for (const callback of this.#callbacks) {
      if (callback.name !== undefined && callback.saveState !== undefined) {
        callbacks[callback.name] = callback.saveState();
      }
    }
    return {
      epoch: this.#epoch,
      step: this.#step,
      sums: this.#sums,
      seconds: now() - this.#epochBegin,
      stopped: this.#stopped,
      history: [...this.#history],
      callbacks,
    };
  }
}

/** Seconds on a clock that is never set back. */
function now(): number {
  return performance.now() / 1000;
}
