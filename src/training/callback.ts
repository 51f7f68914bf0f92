/**
 * Callbacks: what is told of a training run, and may steer it. Keras: `keras.callbacks.Callback`.
 *
 *     onTrainBegin
 *       onEpochBegin(0)  [ onStepBegin  onStepEnd(record) ] ...  validation  onEpochEnd(record)
 *       onEpochBegin(1)  ...
 *     onTrainEnd
 *
 * The order is Keras's, and callbacks are called in the order in which they are given. Epochs are counted from 0 where
 * they address something, as Keras's schedules take them, and from 1 in records, as readers of logs expect.
 *
 * A callback that remembers something gives it to checkpoints and takes it back when a run is resumed; then it is told
 * `onTrainBegin` first and given its state afterwards.
 *
 * @module
 */
import type { Model } from "../models/model.js";
import type { Optimizer } from "../optimizers/optimizer.js";
import type { Tensor } from "../tensor/tensor.js";

/** One step, as a log has it; numbers of this batch alone. */
export interface StepRecord {
  /** Steps since training began, this one included: from 1. */
  readonly step: number;
  /** From 1. */
  readonly epoch: number;
  /** The loss before the step, with regularizers. */
  readonly loss: number;
  /** The share of the batch whose class was the most probable one, before the step. */
  readonly accuracy: number;
  /** With which the step was taken. */
  readonly learningRate: number;
}

/** One epoch, as a log has it. */
export interface EpochRecord {
  /** From 1. */
  readonly epoch: number;
  /** Mean of the loss over the epoch's samples, each before the step that learned from it. */
  readonly loss: number;
  /** Their accuracy. */
  readonly accuracy: number;
  /** Of the validation data after the epoch, with regularizers; undefined without such data. */
  readonly valLoss: number | undefined;
  /** Its accuracy. */
  readonly valAccuracy: number | undefined;
  /** At the end of the epoch, before callbacks change it. */
  readonly learningRate: number;
  /** That the epoch took, validation included. */
  readonly seconds: number;
}

/** The run that a callback is called by. */
export interface TrainingRun {
  /** The model, as it is now. */
  readonly model: Model;
  /** Whose learning rate may be set. */
  readonly optimizer: Optimizer;
  /** How many epochs the run has in all. */
  readonly epochs: number;
  /** Batches of an epoch. */
  readonly stepsPerEpoch: number;
  /** Whether epoch records have `valLoss` and `valAccuracy`. */
  readonly hasValidation: boolean;
  /** Ends the run as Keras's `stop_training` does: after this step, with the epoch's validation and `onEpochEnd`. */
  stop(): void;
}

/** What a callback remembers: plain values, which JSON can hold or are numbers without a finite value, and tensors. */
export type CallbackState = Readonly<Record<string, number | string | boolean | null | Tensor>>;

/** Something that is told of a training run. Every method may be left out. */
export interface Callback {
  /** Names the state in checkpoints: needed with `saveState`, and unique among the callbacks of a run. */
  readonly name?: string;
  /** Once, before the first step; a resumed run then gives the state back. */
  onTrainBegin?(run: TrainingRun): void;
  /** Before the first step of `epoch`, counted from 0; not again where a run is resumed within it. */
  onEpochBegin?(epoch: number, run: TrainingRun): void;
  /** Before the step numbered `step` from 0 since training began. */
  onStepBegin?(step: number, run: TrainingRun): void;
  /** After every step. */
  onStepEnd?(record: StepRecord, run: TrainingRun): void;
  /** After every epoch and its validation. */
  onEpochEnd?(record: EpochRecord, run: TrainingRun): void;
  /** Once, when all epochs are done or a callback has stopped the run; not when it was aborted or has failed. */
  onTrainEnd?(run: TrainingRun): void;
  /** What a resumed run needs to go on. */
  saveState?(): CallbackState;
  /** Takes it back. */
  restoreState?(state: CallbackState): void;
}
