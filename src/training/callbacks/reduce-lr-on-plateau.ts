/**
 * Lowers the learning rate when a number has stopped improving. Keras: `keras.callbacks.ReduceLROnPlateau`.
 *
 * After every epoch: an improvement sets `wait` to 0; without one, and outside of the cooldown, `wait` grows, and when it has
 * reached the patience
 *
 *     rate = max(rate factor, minLr)     wait = 0     and the cooldown begins
 *
 * Together with a {@link LearningRateScheduler} that ignores the present rate, as in the Keras example `cifar10_resnet`, a
 * reduction lasts no longer than to the beginning of the next epoch, when the schedule sets the rate again. It is so in Keras,
 * and so here.
 *
 * @module
 */
import { expectOptions } from "../../serialization/options.js";
import type { Callback, CallbackState, EpochRecord, TrainingRun } from "../callback.js";
import { expectCount, Monitor, MONITOR_OPTIONS, type MonitorOptions } from "./monitor.js";

/** Options of {@link ReduceLROnPlateau}, with Keras's defaults. */
export interface ReduceLROnPlateauOptions extends MonitorOptions {
  /** By which the rate is multiplied. @defaultValue 0.1 */
  readonly factor?: number;
  /** Epochs without improvement until then. @defaultValue 10 */
  readonly patience?: number;
  /** By how much a value must be better. @defaultValue 1e-4 */
  readonly minDelta?: number;
  /** Epochs after a reduction that do not count. @defaultValue 0 */
  readonly cooldown?: number;
  /** Below which the rate never goes. @defaultValue 0 */
  readonly minLr?: number;
}

const OPTIONS = [...MONITOR_OPTIONS, "factor", "patience", "cooldown", "minLr"] as const;

/** sqrt(0.1), the factor of the Keras example: Python's `np.sqrt(0.1)`. */
export const ROOT_OF_A_TENTH: number = Math.sqrt(0.1);

/** Lowers the learning rate on a plateau. */
export class ReduceLROnPlateau implements Callback {
  readonly name = "ReduceLROnPlateau";
  readonly #monitor: Monitor;
  readonly #factor: number;
  readonly #patience: number;
  readonly #cooldown: number;
  readonly #minLr: number;
  #best: number | undefined;
  #wait = 0;
  #cooldownCounter = 0;

  /**
   * @throws TypeError when there is an option that is none of {@link ReduceLROnPlateauOptions}.
   * @throws RangeError when the factor is not within [0, 1), `minLr` is negative, a count is not a whole number of at least 0,
   *   there is no such number to watch or no such mode, or `minDelta` is not finite.
   */
  constructor(options: ReduceLROnPlateauOptions = {}) {
    expectOptions("ReduceLROnPlateau", options, OPTIONS);
    const { factor = 0.1, patience = 10, cooldown = 0, minLr = 0, minDelta = 1e-4 } = options;
    this.#monitor = new Monitor("ReduceLROnPlateau", { ...options, minDelta });
    if (!(factor >= 0 && factor < 1)) {
      throw new RangeError(`ReduceLROnPlateau: \`factor\` must be at least 0 and below 1. Received factor=${factor}.`);
    }
    if (!(minLr >= 0 && minLr < Number.POSITIVE_INFINITY)) {
      throw new RangeError(
        `ReduceLROnPlateau: \`minLr\` must be a finite number of at least 0. Received minLr=${minLr}.`,
      );
    }
    expectCount("ReduceLROnPlateau", "patience", patience);
    expectCount("ReduceLROnPlateau", "cooldown", cooldown);
    this.#factor = factor;
    this.#patience = patience;
    this.#cooldown = cooldown;
    this.#minLr = minLr;
  }

  onTrainBegin(run: TrainingRun): void {
    this.#monitor.check(run);
    this.#best = undefined;
    this.#wait = 0;
    this.#cooldownCounter = 0;
  }

  onEpochEnd(record: EpochRecord, { optimizer }: TrainingRun): void {
    const value = this.#monitor.valueOf(record);
    if (this.#cooldownCounter > 0) {
      this.#cooldownCounter -= 1;
      this.#wait = 0;
    }
    if (this.#monitor.isImprovement(value, this.#best)) {
      this.#best = value;
      this.#wait = 0;
    } else if (this.#cooldownCounter === 0) {
      this.#wait += 1;
      if (this.#wait >= this.#patience && optimizer.learningRate > Math.fround(this.#minLr)) {
        optimizer.learningRate = Math.max(optimizer.learningRate * this.#factor, this.#minLr);
        this.#cooldownCounter = this.#cooldown;
        this.#wait = 0;
      }
    }
  }

  saveState(): CallbackState {
    return { best: this.#best ?? null, wait: this.#wait, cooldownCounter: this.#cooldownCounter };
  }

  restoreState({ best, wait, cooldownCounter }: CallbackState): void {
    this.#best = typeof best === "number" ? best : undefined;
    this.#wait = Number(wait);
    this.#cooldownCounter = Number(cooldownCounter);
  }
}
