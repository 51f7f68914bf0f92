/**
 * What the report of a run shows.
 *
 * @module
 */
import type { ConfusionMatrix, Mistake } from "./confusion.js";
import type { RunHistory } from "./history.js";
import type { ByteImage } from "./png.js";

/** A mistake with its picture. */
export interface PicturedMistake extends Mistake {
  readonly image: ByteImage;
}

/** The report of a run. */
export interface RunReport {
  /** What was trained on what. */
  readonly title: string;
  /** One line below it: the result. */
  readonly subtitle: string;
  /** Names and values for a table: command, seed, files. */
  readonly facts: readonly (readonly [name: string, value: string])[];
  readonly history: RunHistory;
  /** On the validation or test data. */
  readonly confusion: ConfusionMatrix;
  /** The worst mistakes, the worst first; as many as shall be drawn. */
  readonly mistakes: readonly PicturedMistake[];
}
