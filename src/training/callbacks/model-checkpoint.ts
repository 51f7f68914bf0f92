/**
 * Keeps the model after epochs, the best one alone if so wished. Keras: `keras.callbacks.ModelCheckpoint`.
 *
 * What is kept is the model, to be used. The state to go on training from is kept by `fit`'s `checkpoint`.
 *
 * @module
 */
import type { Model } from "../../models/model.js";
import { expectBooleans, expectOptions } from "../../serialization/options.js";
import type { Callback, CallbackState, EpochRecord, TrainingRun } from "../callback.js";
import { Monitor, MONITOR_OPTIONS, type MonitorOptions } from "./monitor.js";

/** Options of {@link ModelCheckpoint}. */
export interface ModelCheckpointOptions extends MonitorOptions {
  /** Keeps `model`: writes a file, say. */
  readonly save: (model: Model, record: EpochRecord) => void;
  /** Whether only improvements are kept, as the Keras example asks for. @defaultValue true */
  readonly saveBestOnly?: boolean;
  /** A best value from before the run. @defaultValue none */
  readonly initialValueThreshold?: number | undefined;
  /** The name in checkpoints, where a run has several. @defaultValue "ModelCheckpoint" */
  readonly name?: string;
}

const OPTIONS = [...MONITOR_OPTIONS, "save", "saveBestOnly", "initialValueThreshold", "name"] as const;

/** Keeps the model after epochs. */
export class ModelCheckpoint implements Callback {
  readonly name: string;
  readonly #monitor: Monitor;
  readonly #save: (model: Model, record: EpochRecord) => void;
  readonly #saveBestOnly: boolean;
  #best: number | undefined;
  #bestEpoch = 0;

  /**
   * `monitor` is valAccuracy where it is not given, as in the Keras example; Keras's own default is the loss.
   *
   * @throws TypeError when there is an option that is none of {@link ModelCheckpointOptions}, `save` is no function, or
   *   `saveBestOnly` no truth value.
   * @throws RangeError when there is no such number to watch or no such mode, or the threshold or `minDelta` is not finite.
   */
  constructor(options: ModelCheckpointOptions) {
    expectOptions("ModelCheckpoint", options, OPTIONS);
    const { save, saveBestOnly = true, initialValueThreshold, name = "ModelCheckpoint" } = options;
    const { monitor = "valAccuracy" } = options;
    if (typeof save !== "function") {
      throw new TypeError(`ModelCheckpoint: \`save\` must be a function. Received ${typeof save}.`);
    }
    expectBooleans("ModelCheckpoint", { saveBestOnly });
    if (initialValueThreshold !== undefined && !Number.isFinite(initialValueThreshold)) {
      throw new RangeError(
        "ModelCheckpoint: `initialValueThreshold` must be a finite number. " +
          `Received initialValueThreshold=${initialValueThreshold}.`,
      );
    }
    this.#monitor = new Monitor("ModelCheckpoint", { ...options, monitor });
    this.name = name;
    this.#save = save;
    this.#saveBestOnly = saveBestOnly;
    this.#best = initialValueThreshold;
  }

  /** The best value so far. */
  get best(): number | undefined {
    return this.#best;
  }

  /** Its epoch, from 1; 0 before there is one. */
  get bestEpoch(): number {
    return this.#bestEpoch;
  }

  onTrainBegin(run: TrainingRun): void {
    if (this.#saveBestOnly) this.#monitor.check(run);
  }

  onEpochEnd(record: EpochRecord, { model }: TrainingRun): void {
    if (this.#saveBestOnly) {
      const value = this.#monitor.valueOf(record);
      if (!this.#monitor.isImprovement(value, this.#best)) return;
      this.#best = value;
      this.#bestEpoch = record.epoch;
    }
    this.#save(model, record);
  }

  saveState(): CallbackState {
    return { best: this.#best ?? null, bestEpoch: this.#bestEpoch };
  }

  restoreState({ best, bestEpoch }: CallbackState): void {
    this.#best = typeof best === "number" ? best : undefined;
    this.#bestEpoch = Number(bestEpoch);
  }
}
