/**
 * DATA on the command line, in its parts.
 *
 * @module
 */
import { loadData } from "../training/data-loader.js";
import { type DataSplit, type Dataset, splitForValidation } from "../training/dataset.js";
import { startProgress } from "./progress.js";

/** What options say of data. */
export interface DataFlags {
  readonly data: string;
  readonly imageSize?: readonly [number, number];
  readonly classes?: number;
  readonly download?: boolean;
}

/** Data to learn from, to watch, and to be judged by. */
export interface TrainData {
  readonly training: Dataset;
  /** Part of the training set or, as in the Keras program, the test set. */
  readonly validation: Dataset | undefined;
  readonly test: Dataset | undefined;
}

/** The data that options name, as they come. @throws UsageError, RangeError or FormatError when there are none. */
export async function readData({ data, imageSize, classes, download }: DataFlags): Promise<DataSplit> {
  const progress = startProgress("download");
  try {
    return await loadData(data, { imageSize, classes, download, onDownload: progress.update });
  } finally {
    progress.end();
  }
}

/** The data of a run. @throws as {@link readData}, and RangeError when the split takes too few or too many. */
export async function loadTrainData(
  flags: DataFlags & { readonly validationSplit?: number; readonly seed: number },
): Promise<TrainData> {
  const { training, test } = await readData(flags);
  if (flags.validationSplit === undefined) return { training, validation: test, test };
  const split = splitForValidation(training, flags.validationSplit, flags.seed);
  return { training: split.training, validation: split.test, test };
}
