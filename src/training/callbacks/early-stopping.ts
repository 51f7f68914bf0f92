/**
 * Ends a run when a number has stopped improving. Keras: `keras.callbacks.EarlyStopping`.
 *
 * `wait` counts the epochs since the last improvement; when it has reached the patience, the run is stopped (never after
 * the first epoch, which always is one). Where the best weights are to be restored, they are kept with every improvement,
 * and are the model's when the run ends, also where nothing has stopped it; a run that is aborted has not ended.
 *
 * @module
 */
import type { Variable } from "../../layers/variable.js";
import type { Model } from "../../models/model.js";
import { expectBooleans, expectOptions } from "../../serialization/options.js";
import type { Tensor } from "../../tensor/tensor.js";
import type { Callback, CallbackState, EpochRecord, TrainingRun } from "../callback.js";
import { expectCount, Monitor, MONITOR_OPTIONS, type MonitorOptions } from "./monitor.js";

/** Options of {@link EarlyStopping}, with Keras's defaults. */
export interface EarlyStoppingOptions extends MonitorOptions {
  /** Epochs without improvement until the run ends. @defaultValue 0 */
  readonly patience?: number;
  /** A value that must be reached for an epoch to count as one with improvement. @defaultValue none */
  readonly baseline?: number | undefined;
  /** Whether the run ends with the weights of its best epoch. @defaultValue false */
  readonly restoreBestWeights?: boolean;
  /** Epochs at the beginning that are not looked at. @defaultValue 0 */
  readonly startFromEpoch?: number;
}

const OPTIONS = [...MONITOR_OPTIONS, "patience", "baseline", "restoreBestWeights", "startFromEpoch"] as const;

/** Ends the run on a plateau. */
export class EarlyStopping implements Callback {
  readonly name = "EarlyStopping";
  readonly #monitor: Monitor;
  readonly #patience: number;
  readonly #baseline: number | undefined;
  readonly #restoreBestWeights: boolean;
  readonly #startFromEpoch: number;
  #best: number | undefined;
  #bestEpoch = 0;
  #wait = 0;
  #bestWeights: ReadonlyMap<string, Tensor> | undefined;

  /**
   * @throws TypeError when there is an option that is none of {@link EarlyStoppingOptions}, or `restoreBestWeights` is no truth
   *   value.
   * @throws RangeError when a count is not a whole number of at least 0, there is no such number to watch or no such mode, or
   *   the baseline or `minDelta` is not finite.
   */
  constructor(options: EarlyStoppingOptions = {}) {
    expectOptions("EarlyStopping", options, OPTIONS);
    const { patience = 0, baseline, restoreBestWeights = false, startFromEpoch = 0 } = options;
    this.#monitor = new Monitor("EarlyStopping", options);
    expectCount("EarlyStopping", "patience", patience);
    expectCount("EarlyStopping", "startFromEpoch", startFromEpoch);
    if (baseline !== undefined && !Number.isFinite(baseline)) {
      throw new RangeError(`EarlyStopping: \`baseline\` must be a finite number. Received baseline=${baseline}.`);
    }
    expectBooleans("EarlyStopping", { restoreBestWeights });
    this.#patience = patience;
    this.#baseline = baseline;
    this.#restoreBestWeights = restoreBestWeights;
    this.#startFromEpoch = startFromEpoch;
  }

  /** The epoch with the best value, from 1; 0 before there is one. */
  get bestEpoch(): number {
    return this.#bestEpoch;
  }

  onTrainBegin(run: TrainingRun): void {
    this.#monitor.check(run);
    this.#best = undefined;
    this.#bestEpoch = 0;
    this.#wait = 0;
    this.#bestWeights = undefined;
  }

  onEpochEnd(record: EpochRecord, run: TrainingRun): void {
    if (record.epoch <= this.#startFromEpoch) return;
    const value = this.#monitor.valueOf(record);
    this.#wait += 1;
    if (this.#monitor.isImprovement(value, this.#best)) {
      this.#best = value;
      this.#bestEpoch = record.epoch;
      if (this.#restoreBestWeights) this.#bestWeights = copyWeights(run.model);
      if (this.#monitor.isImprovement(value, this.#baseline)) this.#wait = 0;
      return;
    }
    if (this.#wait >= this.#patience) run.stop();
  }

  onTrainEnd({ model }: TrainingRun): void {
    if (this.#bestWeights === undefined) return;
    const weights = model.weightsByPath();
    for (const [path, value] of this.#bestWeights) variableAt(weights, path).assign(value);
  }

  saveState(): CallbackState {
    const weights = Array.from(this.#bestWeights ?? [], ([path, value]) => [`weights/${path}`, value] as const);
    return {
      best: this.#best ?? null,
      bestEpoch: this.#bestEpoch,
      wait: this.#wait,
      ...Object.fromEntries(weights),
    };
  }

  restoreState({ best, bestEpoch, wait, ...rest }: CallbackState): void {
    this.#best = typeof best === "number" ? best : undefined;
    this.#bestEpoch = Number(bestEpoch);
    this.#wait = Number(wait);
    const weights = Object.entries(rest).flatMap(([key, value]) =>
      typeof value === "object" && value !== null ? [[key.slice("weights/".length), value] as const] : [],
    );
    this.#bestWeights = weights.length > 0 ? new Map(weights) : undefined;
  }
}

function copyWeights(model: Model): ReadonlyMap<string, Tensor> {
  return new Map(Array.from(model.weightsByPath(), ([path, weight]) => [path, weight.read()]));
}

function variableAt(weights: ReadonlyMap<string, Variable>, path: string): Variable {
  const variable = weights.get(path);
  if (variable === undefined) throw new Error(`internal: EarlyStopping: no weight \`${path}\`.`);
  return variable;
}
