/**
 * Watching one number of the epoch records. Keras: `MonitorCallback`.
 *
 *     improved  =  value + minDelta < best     where smaller is better (losses)
 *     improved  =  value - minDelta > best     where greater is better (accuracies)
 *
 * The first value is always an improvement. Both sides are compared as float32, since Keras hands them to the backend.
 *
 * @module
 */
import type { EpochRecord, TrainingRun } from "../callback.js";

/** The numbers that can be watched. */
export const MONITORED = ["loss", "accuracy", "valLoss", "valAccuracy"] as const;

/** The name of a number in {@link EpochRecord}. */
export type Monitored = (typeof MONITORED)[number];

/** Options of callbacks that watch a number. */
export interface MonitorOptions {
  /** The number. @defaultValue "valLoss"; of a ModelCheckpoint "valAccuracy" */
  readonly monitor?: Monitored;
  /** Whether smaller or greater is better. @defaultValue "auto": smaller for losses, greater for accuracies */
  readonly mode?: "auto" | "min" | "max";
  /** By how much a value must be better; its sign does not matter. @defaultValue 0; of a ReduceLROnPlateau 1e-4 */
  readonly minDelta?: number;
}

/** Their names. */
export const MONITOR_OPTIONS = ["monitor", "mode", "minDelta"] as const;

/** Decides what is an improvement. */
export class Monitor {
  /** The name of the number. */
  readonly monitored: Monitored;
  readonly #className: string;
  readonly #smaller: boolean;
  readonly #minDelta: number;

  /** @throws RangeError when the number or the mode is not a known one, or minDelta is not finite. */
  constructor(className: string, { monitor = "valLoss", mode = "auto", minDelta = 0 }: MonitorOptions) {
    if (!MONITORED.includes(monitor)) {
      throw new RangeError(
        `${className}: \`monitor\` must be one of ${MONITORED.join(", ")}. Received monitor=${String(monitor)}.`,
      );
    }
    if (mode !== "auto" && mode !== "min" && mode !== "max") {
      throw new RangeError(`${className}: \`mode\` must be auto, min or max. Received mode=${String(mode)}.`);
    }
    if (!Number.isFinite(minDelta)) {
      throw new RangeError(`${className}: \`minDelta\` must be a finite number. Received minDelta=${minDelta}.`);
    }
    this.#className = className;
    this.monitored = monitor;
    this.#smaller = mode === "auto" ? monitor === "loss" || monitor === "valLoss" : mode === "min";
    this.#minDelta = Math.abs(minDelta);
  }

  /** @throws RangeError when the run will not have the number: before an epoch is spent, where Keras warns after it. */
  check({ hasValidation }: TrainingRun): void {
    if (!hasValidation && this.monitored.startsWith("val")) {
      throw new RangeError(
        `${this.#className}: \`monitor\` must be loss or accuracy in a run without validation. ` +
          `Received monitor=${this.monitored}.`,
      );
    }
  }

  /** The number in `record`. */
  valueOf(record: EpochRecord): number {
    return record[this.monitored] ?? Number.NaN;
  }

  /** Whether `value` is better than `best`; without one, it is. */
  isImprovement(value: number, best: number | undefined): boolean {
    if (best === undefined) return true;
    return this.#smaller
      ? Math.fround(value + this.#minDelta) < Math.fround(best)
      : Math.fround(value - this.#minDelta) > Math.fround(best);
  }
}

/** Checks that `value` is a whole number of at least 0. @throws RangeError */
export function expectCount(className: string, argument: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(
      `${className}: \`${argument}\` must be a whole number of at least 0. Received ${argument}=${value}.`,
    );
  }
}
