/**
 * Logs of a run: one JSON object a line for steps and epochs, or a CSV table of epochs.
 *
 *     {"step":1,"epoch":1,"loss":2.6,"accuracy":0.1,"learningRate":0.001}
 *     {"epoch":1,"loss":1.9,"accuracy":0.3,"valLoss":1.8,"valAccuracy":0.4,"learningRate":0.001,"seconds":62}
 *
 * A checkpoint remembers how long the log was. A run that is resumed cuts it off there, so that lines of steps which were
 * taken after the checkpoint, and are taken again, do not appear twice.
 *
 * @module
 */
import { kindOf } from "../../serialization/config.js";
import type { Callback, CallbackState, EpochRecord, StepRecord } from "../callback.js";

/** Text that grows at its end, and can be cut off. */
export interface LogFile {
  /** What messages call it. */
  readonly name: string;
  /** Bytes that it has now; 0 where there is none. */
  size(): number;
  /** Writes `text` behind what is there. */
  append(text: string): void;
  /** Cuts off what is beyond `size` bytes. */
  truncate(size: number): void;
  /** Returns when all of it would survive a loss of power. */
  sync(): void;
}

/** What both logs share: a fresh run empties the file, a resumed one cuts it off. */
class Log {
  readonly name: string;
  readonly #file: LogFile;
  #begun = false;

  constructor(name: string, file: LogFile) {
    if (typeof file?.append !== "function") {
      throw new TypeError(`${new.target.name}: \`file\` must have the methods of LogFile. Received ${kindOf(file)}.`);
    }
    this.name = name;
    this.#file = file;
  }

  onTrainBegin(): void {
    this.#begun = false;
  }

  /** Adds a line. */
  protected append(line: string): void {
    this.#begin();
    this.#file.append(`${line}\n`);
  }

  /** Whether nothing has been written yet. */
  protected get isEmpty(): boolean {
    this.#begin();
    return this.#file.size() === 0;
  }

  #begin(): void {
    if (!this.#begun) this.#file.truncate(0);
    this.#begun = true;
  }

  saveState(): CallbackState {
    this.#begin();
    this.#file.sync();
    return { bytes: this.#file.size() };
  }

  /** @throws RangeError when the file is shorter than it was. */
  restoreState({ bytes }: CallbackState): void {
    const size = this.#file.size();
    if (size < Number(bytes)) {
      throw new RangeError(
        `log: ${this.#file.name} must have the ${Number(bytes)} bytes that it had at the checkpoint, to be continued. ` +
          `Received ${size} bytes.`,
      );
    }
    this.#file.truncate(Number(bytes));
    this.#begun = true;
  }
}

/** Writes every step and every epoch as one JSON object a line. */
export class JsonLinesLog extends Log implements Callback {
  /**
   * @param name - By which checkpoints know it: not the file's, which may be moved, or called from another folder.
   * @throws TypeError when `file` is none, as a path is not.
   */
  constructor(file: LogFile, name = "JsonLinesLog") {
    super(name, file);
  }

  onStepEnd({ step, epoch, loss, accuracy, learningRate }: StepRecord): void {
    this.append(JSON.stringify({ step, epoch, loss, accuracy, learningRate }));
  }

  onEpochEnd(record: EpochRecord): void {
    this.append(JSON.stringify(Object.fromEntries(COLUMNS.map((key) => [key, record[key] ?? null]))));
  }
}

const COLUMNS = ["epoch", "loss", "accuracy", "valLoss", "valAccuracy", "learningRate", "seconds"] as const;

/** Writes every epoch as a line of a CSV table; what a run does not have stays empty. */
export class CSVLog extends Log implements Callback {
  /**
   * @param name - By which checkpoints know it.
   * @throws TypeError when `file` is none, as a path is not.
   */
  constructor(file: LogFile, name = "CSVLog") {
    super(name, file);
  }

  onEpochEnd(record: EpochRecord): void {
    if (this.isEmpty) this.append(COLUMNS.join(","));
    this.append(COLUMNS.map((key) => String(record[key] ?? "")).join(","));
  }
}
