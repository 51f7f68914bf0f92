/**
 * Sets the learning rate by a schedule. Keras: `keras.callbacks.LearningRateScheduler`.
 *
 * Keras asks the schedule once an epoch. Here it may also be asked before every step; see schedules.ts.
 *
 * @module
 */
import { expectOptions } from "../../serialization/options.js";
import type { Callback, TrainingRun } from "../callback.js";
import type { Schedule } from "../schedules.js";

/** Options of {@link LearningRateScheduler}. */
export interface LearningRateSchedulerOptions {
  /** Gives the rate. */
  readonly schedule: Schedule;
  /** How often the schedule is asked. @defaultValue "epoch" */
  readonly per?: "epoch" | "step";
}

/** Asks a schedule for the learning rate, at the beginning of each epoch or of each step. */
export class LearningRateScheduler implements Callback {
  readonly #schedule: Schedule;
  readonly #per: "epoch" | "step";

  /**
   * @throws TypeError when there is an option that is none of {@link LearningRateSchedulerOptions}, or `schedule` is no
   *   function.
   * @throws RangeError when `per` is neither epoch nor step: such a schedule would never be asked.
   */
  constructor(options: LearningRateSchedulerOptions) {
    expectOptions("LearningRateScheduler", options, ["schedule", "per"]);
    const { schedule, per = "epoch" } = options;
    if (typeof schedule !== "function") {
      throw new TypeError(`LearningRateScheduler: \`schedule\` must be a function. Received ${typeof schedule}.`);
    }
    if (per !== "epoch" && per !== "step") {
      throw new RangeError(`LearningRateScheduler: \`per\` must be epoch or step. Received per=${String(per)}.`);
    }
    this.#schedule = schedule;
    this.#per = per;
  }

  onEpochBegin(epoch: number, { optimizer }: TrainingRun): void {
    if (this.#per === "epoch") optimizer.learningRate = this.#schedule(epoch, optimizer.learningRate);
  }

  onStepBegin(step: number, { optimizer, stepsPerEpoch }: TrainingRun): void {
    if (this.#per === "step") optimizer.learningRate = this.#schedule(step / stepsPerEpoch, optimizer.learningRate);
  }
}
