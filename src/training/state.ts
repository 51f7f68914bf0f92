/**
 * Where a training run stands between two steps: with the weights and the optimizer's variables, all that a run needs to
 * go on to the same bits. There is nothing else: what is random is addressed, not drawn.
 *
 * @module
 */
import type { CallbackState, EpochRecord } from "./callback.js";
import { type MetricSums, NO_SAMPLES } from "./metrics.js";

/** The position of a run, and what it remembers. */
export interface TrainingState {
  /** The epoch that the next step lies in, from 0. */
  readonly epoch: number;
  /** Steps of this epoch that are done. All of them may be, while its validation is not. */
  readonly step: number;
  /** Of the steps of this epoch. */
  readonly sums: MetricSums;
  /** That this epoch has taken so far. */
  readonly seconds: number;
  /** Whether a callback has ended the run. */
  readonly stopped: boolean;
  /** The epochs that are done. */
  readonly history: readonly EpochRecord[];
  /** What callbacks remember, by their names. */
  readonly callbacks: Readonly<Record<string, CallbackState>>;
}

/** Before the first step. */
export const START: TrainingState = {
  epoch: 0,
  step: 0,
  sums: NO_SAMPLES,
  seconds: 0,
  stopped: false,
  history: [],
  callbacks: {},
};
