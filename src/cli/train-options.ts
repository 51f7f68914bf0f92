/**
 * The options of `touchstone train`.
 *
 * @module
 */
import { type Command, Option } from "commander";
import { UsageError } from "./errors.js";
import { choice, threadsOption, wholeNumber } from "./options.js";
import { MAX_SIDE } from "../training/data-loader.js";
import type { FileFlags } from "./train-files.js";
import { ACCUMULATIONS, OPTIMIZERS, type RecipeFlags, SCHEDULES } from "./train-recipe.js";

/** All options of the command. */
export interface TrainFlags extends RecipeFlags, FileFlags {
  readonly data: string;
  readonly threads: number;
  readonly checkpointEvery?: number;
  readonly stopAfter?: number;
  readonly download?: boolean;
}

/** What `--help` says of DATA. */
export const DATA_HELP: string =
  "digits (embedded), a directory of CIFAR-10 or with a folder of images for each class, or an .npz with x and y";

const EPILOGUE = `
Without options it is the Keras program for CIFAR-10: Adam, 200 epochs of batches of 32, random shifts and flips, pixels
divided by 255 less the mean of the training set, validation on the test set. Digits are trained for a minute instead.

Ctrl-C finishes the step and writes a checkpoint; --resume goes on from there, or from the last checkpoint of a process
that was killed, to the same bits as the run would have had if left alone. Threads change no bit either. With
--stop-after a long run is done in parts.
`;

/** Adds them to the command. */
export function addTrainOptions(command: Command): Command {
  for (const option of [...dataOptions(), ...recipeOptions(), ...augmentationOptions(), ...fileOptions()]) {
    command.addOption(option);
  }
  return command.addOption(threadsOption()).addHelpText("after", EPILOGUE);
}

/** Options that say which data there are, for all commands that need some. */
export function dataOptions(): readonly Option[] {
  return [
    new Option("--data <data>", DATA_HELP).makeOptionMandatory(),
    new Option("--image-size <h,w>", "the size that images of a folder are brought to").argParser(imageSize),
    new Option("--classes <n>", "classes of an .npz (default: the highest label plus one)").argParser(
      wholeNumber("--classes", 1),
    ),
    new Option(
      "--download",
      "fetch CIFAR-10 (170 MB, checked by SHA-256) into the directory where it is not there yet",
    ),
  ];
}

function recipeOptions(): readonly Option[] {
  return [
    new Option(
      "--validation-split <share>",
      "part of the training set that validates (default: the test set does)",
    ).argParser(number("--validation-split", "above 0 and below 1", (x) => x > 0 && x < 1)),
    new Option("--epochs <n>", "(default: 200, digits 14)").argParser(wholeNumber("--epochs", 1)),
    new Option("--batch-size <n>", "samples of a step (default: 32, digits 16)").argParser(
      wholeNumber("--batch-size", 1),
    ),
    choice("--optimizer <name>", "(default: adam)", OPTIMIZERS),
    new Option("--learning-rate <rate>", "the greatest rate (default: 1e-3, sgd 1e-2, digits more)").argParser(
      number("--learning-rate", "above 0", (x) => x > 0 && Number.isFinite(x)),
    ),
    new Option("--momentum <share>", "of sgd, which is Nesterov's (default: 0.9)").argParser(
      number("--momentum", "from 0 to 1", (x) => x >= 0 && x <= 1),
    ),
    new Option("--weight-decay <rate>", "of the optimizer (default: none, adamw 4e-3)").argParser(
      number("--weight-decay", "at least 0", (x) => x >= 0 && Number.isFinite(x)),
    ),
    choice("--schedule <name>", "how the rate goes on (default: original, digits one-cycle)", SCHEDULES),
    new Option("--warmup-epochs <n>", "in which the rate of cosine rises").argParser(wholeNumber("--warmup-epochs", 0)),
    new Option("--reduce-on-plateau", "lower the rate on a plateau (default: with --schedule original)"),
    new Option("--no-reduce-on-plateau", "do not"),
    new Option("--early-stopping <epochs>", "stop after so many epochs without a better validation loss").argParser(
      wholeNumber("--early-stopping", 1),
    ),
    choice("--accumulate <precision>", "of products and sums (default: float64, digits float32)", ACCUMULATIONS),
    new Option("--no-shuffle", "keep the order of the data"),
    new Option("--no-subtract-mean", "do not subtract the mean of the training set"),
    new Option("--seed <n>", "of weights, order, augmentation and dropout")
      .argParser(wholeNumber("--seed", 0))
      .default(0),
    new Option("--weights <file>", "weights to begin with (.h5, .keras or .npz)"),
  ];
}

function augmentationOptions(): readonly Option[] {
  const atLeastZero = (x: number): boolean => x >= 0 && Number.isFinite(x);
  return [
    new Option("--augment", "change images at random (default)"),
    new Option("--no-augment", "do not"),
    new Option("--shift <share>", "of width and height (default: 0.1, digits 0.08)").argParser(
      number("--shift", "at least 0 and below 1", (x) => x >= 0 && x < 1),
    ),
    new Option("--flip", "left to right (default, but not for digits)"),
    new Option("--no-flip", "do not"),
    new Option("--rotation <degrees>", "(default: 0)").argParser(number("--rotation", "at least 0", atLeastZero)),
    new Option("--zoom <share>", "(default: 0)").argParser(
      number("--zoom", "at least 0 and below 1", (x) => x >= 0 && x < 1),
    ),
  ];
}

function fileOptions(): readonly Option[] {
  return [
    new Option("--out <m.keras>", "the trained model (default: MODEL-DATA.keras)"),
    new Option("--checkpoint-dir <folder>", "checkpoints (default: beside --out)"),
    new Option("--checkpoint-every <steps>", "checkpoints within epochs, too").argParser(
      wholeNumber("--checkpoint-every", 1),
    ),
    new Option("--stop-after <epochs>", "end there with a checkpoint, as Ctrl-C would; --resume goes on").argParser(
      wholeNumber("--stop-after", 1),
    ),
    new Option("--resume", "go on with the unfinished run whose checkpoint is there"),
    new Option("--log <log.jsonl>", "one JSON object for every step and epoch (default: beside the checkpoints)"),
    new Option("--csv <log.csv>", "a table of the epochs"),
    new Option("--report <report.html>", "curves, confusion matrix and mistakes in one file (.html or .svg)"),
  ];
}

/** Reads a number for which `rule` holds. */
function number(name: string, rule: string, holds: (x: number) => boolean): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !holds(value)) throw new UsageError(`${name} must be ${rule}.`, JSON.stringify(text));
    return value;
  };
}

function imageSize(text: string): readonly [number, number] {
  const [, height, width] = /^(\d{1,4}),(\d{1,4})$/.exec(text)?.map(Number) ?? [];
  if (!(height >= 1 && width >= 1 && Math.max(height, width) <= MAX_SIDE)) {
    throw new UsageError(
      `--image-size must be two whole numbers from 1 to ${MAX_SIDE}, height,width.`,
      JSON.stringify(text),
    );
  }
  return [height, width];
}
