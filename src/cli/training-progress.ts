/**
 * The progress of a training run. On a terminal there is one line that moves,
 *
 *     epoch 3/20 [#######.............] 16/45  loss 0.8123  accuracy 81.20 %  rate 1e-3  412 images/s  1:05 left  █▆▅▄▃
 *
 * and a line that stays for every epoch; elsewhere the lines of epochs, and within long ones a plain line now and then.
 * What a narrow terminal has no room for is left out from the right.
 *
 * @module
 */
import type { Callback, EpochRecord, StepRecord, TrainingRun } from "../training/callback.js";
import type { ProgressStream } from "./progress.js";
import { sparkline } from "./sparkline.js";

const BAR_WIDTH = 20;
/** The moving line is drawn no more often than this. */
const DRAW_MS = 100;
/** Plain lines within an epoch come no closer than this. */
const LINE_MS = 10_000;
/** Images per second are those of this many steps. */
const RECENT_STEPS = 50;
const SPARK_WIDTH = 16;
/** Of a terminal that does not tell its width. */
const USUAL_COLUMNS = 80;

/** Where progress is shown. */
export interface TerminalStream extends ProgressStream {
  /** The width of a terminal in characters. */
  readonly columns?: number;
}

/** What a run is measured by, and where it is shown. */
export interface TrainingProgressOptions {
  /** Samples of an epoch. */
  readonly samples: number;
  /** @defaultValue stderr */
  readonly stream?: TerminalStream;
  /** The time in milliseconds. @defaultValue performance.now */
  readonly clock?: () => number;
}

/** Shows the progress of a run that calls it back. */
export class TrainingProgress implements Callback {
  readonly #samples: number;
  readonly #stream: TerminalStream;
  readonly #clock: () => number;
  readonly #losses: number[] = [];
  /** When the latest steps ended. */
  #ends: number[] = [];
  #shown = 0;
  #isDrawn = false;
  /** Steps of this epoch, and the sums of what they reported. */
  #epoch = { began: 0, steps: 0, loss: 0, accuracy: 0 };
  /** The time of a whole epoch, validation included, once there was one. */
  #epochMs: number | undefined;

  constructor({ samples, stream = process.stderr, clock = () => performance.now() }: TrainingProgressOptions) {
    this.#samples = samples;
    this.#stream = stream;
    this.#clock = clock;
  }

  onTrainBegin(): void {
    this.#shown = this.#clock();
    // a run that is resumed within an epoch is not told of its beginning
    this.onEpochBegin();
  }

  onEpochBegin(): void {
    const began = this.#clock();
    this.#epoch = { began, steps: 0, loss: 0, accuracy: 0 };
    // what lies between epochs, validation, is no time of a step
    this.#ends = [began];
  }

  onStepEnd(record: StepRecord, run: TrainingRun): void {
    const now = this.#clock();
    this.#ends = [...this.#ends.slice(-RECENT_STEPS), now];
    this.#losses.push(record.loss);
    this.#epoch.steps++;
    this.#epoch.loss += record.loss;
    this.#epoch.accuracy += record.accuracy;
    const isTerminal = this.#stream.isTTY === true;
    if (now - this.#shown < (isTerminal ? DRAW_MS : LINE_MS)) return;
    this.#shown = now;
    const step = ((record.step - 1) % run.stepsPerEpoch) + 1;
    const { steps, loss, accuracy } = this.#epoch;
    const perStep = (now - this.#ends[0]) / (this.#ends.length - 1);
    const measures = [
      `loss ${(loss / steps).toFixed(4)}`,
      `accuracy ${percent(accuracy / steps)}`,
      `rate ${shortRate(record.learningRate)}`,
      `${((1000 / perStep) * (this.#samples / run.stepsPerEpoch)).toFixed(0)} images/s`,
      `${duration(this.#msLeft(record.epoch, step, perStep, run))} left`,
    ];
    const place = `epoch ${record.epoch}/${run.epochs}`;
    const count = `${step}/${run.stepsPerEpoch}`;
    if (isTerminal) {
      const parts = [
        `${place} ${bar(step / run.stepsPerEpoch)} ${count}`,
        ...measures,
        sparkline(this.#losses, SPARK_WIDTH),
      ];
      this.#stream.write(`\r${fit(parts, this.#stream.columns ?? USUAL_COLUMNS)}\u001b[K`);
      this.#isDrawn = true;
    } else {
      this.#stream.write(`${[`${place}, step ${count}`, ...measures].join("  ")}\n`);
    }
  }

  onEpochEnd(record: EpochRecord, run: TrainingRun): void {
    this.clear();
    const now = this.#clock();
    // a resumed epoch was not seen whole
    if (this.#epoch.steps === run.stepsPerEpoch) this.#epochMs = now - this.#epoch.began;
    this.#shown = now;
    this.#stream.write(`${epochLine(record, run.epochs)}\n`);
  }

  onTrainEnd(): void {
    this.clear();
  }

  /** Takes the moving line away: before other text, and when a run fails. */
  clear(): void {
    if (this.#isDrawn) this.#stream.write("\r\u001b[K");
    this.#isDrawn = false;
  }

  /** Until the end of the run: whole epochs as the last one, and the rest of this by its latest steps. */
  #msLeft(epoch: number, step: number, perStep: number, { epochs, stepsPerEpoch }: TrainingRun): number {
    const whole = this.#epochMs ?? perStep * stepsPerEpoch;
    return (epochs - epoch) * whole + Math.max(whole - step * perStep, 0);
  }
}

/** The line that stays of an epoch. */
export function epochLine(record: EpochRecord, epochs: number): string {
  const { epoch, loss, accuracy, valLoss, valAccuracy, learningRate, seconds } = record;
  return [
    `epoch ${String(epoch).padStart(String(epochs).length)}/${epochs}`,
    `loss ${loss.toFixed(4)}`,
    `accuracy ${percent(accuracy)}`,
    ...(valLoss === undefined ? [] : [`validation loss ${valLoss.toFixed(4)}`]),
    ...(valAccuracy === undefined ? [] : [`accuracy ${percent(valAccuracy)}`]),
    `rate ${shortRate(learningRate)}`,
    `${seconds.toFixed(1)} s`,
  ].join("  ");
}

function bar(share: number): string {
  const filled = Math.round(BAR_WIDTH * share);
  return `[${"#".repeat(filled)}${".".repeat(BAR_WIDTH - filled)}]`;
}

/** As many parts as there is room for; the last column stays free, since some terminals would wrap. */
function fit(parts: readonly string[], columns: number): string {
  let line = parts[0];
  for (const part of parts.slice(1)) {
    if (line.length + 2 + part.length >= columns) break;
    line += `  ${part}`;
  }
  return line.slice(0, columns - 1);
}

/** A share in percent: `97.22 %`. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}

/** A learning rate in at most three digits: `1e-3`, `3.16e-4`. */
export function shortRate(rate: number): string {
  return Number(rate.toPrecision(3)).toExponential();
}

/** A time: `42 s`, `1:05`, `2:03:20`. */
export function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const tail = String(seconds % 60).padStart(2, "0");
  return hours === 0 ? `${minutes}:${tail}` : `${hours}:${String(minutes).padStart(2, "0")}:${tail}`;
}
