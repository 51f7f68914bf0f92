/**
 * What a run of training is made of: the options of `touchstone train` that change its bits, with their defaults.
 *
 * The defaults are those of the Keras CIFAR-10 program. `digits` is smaller and its images are signs: it takes few epochs
 * of small batches with float32 sums, and is not flipped.
 *
 * @module
 */
import { crc32 } from "../formats/crc32.js";
import { Adam } from "../optimizers/adam.js";
import { AdamW } from "../optimizers/adamw.js";
import type { Optimizer } from "../optimizers/optimizer.js";
import { SGD } from "../optimizers/sgd.js";
import type { Augmentation } from "../training/augmentation.js";
import type { Fingerprint } from "../training/checkpoint.js";
import type { Dataset } from "../training/dataset.js";
import { formatShape } from "../tensor/shape.js";
import { cosineSchedule, oneCycleSchedule, originalSchedule, type Schedule } from "../training/schedules.js";
import { UsageError } from "./errors.js";
import type { TrainData } from "./train-data.js";

/** Names of optimizers. */
export const OPTIMIZERS = ["adam", "adamw", "sgd"] as const;
/** Names of schedules. */
export const SCHEDULES = ["original", "cosine", "one-cycle", "constant"] as const;

/** Precisions of sums. */
export const ACCUMULATIONS = ["float64", "float32"] as const;

/** The options as they were given. */
export interface RecipeFlags {
  readonly data: string;
  readonly weights?: string;
  readonly imageSize?: readonly [number, number];
  readonly classes?: number;
  readonly validationSplit?: number;
  readonly seed: number;
  readonly epochs?: number;
  readonly batchSize?: number;
  readonly optimizer?: (typeof OPTIMIZERS)[number];
  readonly learningRate?: number;
  readonly momentum?: number;
  readonly weightDecay?: number;
  readonly schedule?: (typeof SCHEDULES)[number];
  readonly warmupEpochs?: number;
  readonly reduceOnPlateau?: boolean;
  readonly earlyStopping?: number;
  readonly augment?: boolean;
  readonly flip?: boolean;
  readonly shift?: number;
  readonly rotation?: number;
  readonly zoom?: number;
  readonly shuffle: boolean;
  readonly subtractMean: boolean;
  readonly accumulate?: "float64" | "float32";
}

/** All that a run's bits depend on, beside the files it reads: plain values under the names of the options. */
export interface Recipe {
  readonly model: string;
  readonly data: string;
  readonly weights: string | undefined;
  readonly imageSize: readonly [number, number] | undefined;
  readonly classes: number | undefined;
  readonly validationSplit: number | undefined;
  readonly seed: number;
  readonly epochs: number;
  readonly batchSize: number;
  readonly optimizer: (typeof OPTIMIZERS)[number];
  readonly learningRate: number;
  readonly momentum: number | undefined;
  readonly weightDecay: number | undefined;
  readonly schedule: (typeof SCHEDULES)[number];
  readonly warmupEpochs: number;
  readonly reduceOnPlateau: boolean;
  readonly earlyStopping: number | undefined;
  readonly augment: Augmentation | false;
  readonly shuffle: boolean;
  readonly subtractMean: boolean;
  readonly accumulate: "float64" | "float32";
}

/** Keras's rates, and the momentum that it is mostly used with. */
const RATES = { adam: 1e-3, adamw: 1e-3, sgd: 1e-2 } as const;
const MOMENTUM = 0.9;
const SHIFT = 0.1;

/** Where digits differ from the Keras program. */
const DIGITS = {
  epochs: 14,
  // small batches: moving statistics (momentum 0.99) take some hundred steps to be those of the images
  batchSize: 16,
  schedule: "one-cycle",
  rates: { adam: 2e-3, adamw: 2e-3, sgd: 0.05 },
  shift: 0.08,
  // a minute instead of two
  accumulate: "float32",
} as const;

/**
 * The recipe that options ask for.
 *
 * @param model - MODEL, as it was given.
 * @throws UsageError when two of them contradict each other.
 */
export function recipeOf(model: string, flags: RecipeFlags): Recipe {
  const isDigits = flags.data === "digits";
  const { optimizer = "adam", schedule = isDigits ? DIGITS.schedule : "original", warmupEpochs = 0 } = flags;
  const epochs = flags.epochs ?? (isDigits ? DIGITS.epochs : 200);
  const isPerStep = schedule === "cosine" || schedule === "one-cycle";
  refuse(warmupEpochs > 0 && schedule !== "cosine", "--warmup-epochs must go with --schedule cosine.", schedule);
  refuse(warmupEpochs > 0 && warmupEpochs >= epochs, "--warmup-epochs must be below --epochs.", `${warmupEpochs}`);
  refuse(flags.momentum !== undefined && optimizer !== "sgd", "--momentum must go with --optimizer sgd.", optimizer);
  refuse(
    flags.reduceOnPlateau === true && isPerStep,
    "--reduce-on-plateau must go with a schedule that leaves it a say, original or constant.",
    schedule,
  );
  return {
    model,
    data: flags.data,
    weights: flags.weights,
    imageSize: flags.imageSize,
    classes: flags.classes,
    validationSplit: flags.validationSplit,
    seed: flags.seed,
    epochs,
    batchSize: flags.batchSize ?? (isDigits ? DIGITS.batchSize : 32),
    optimizer,
    learningRate: flags.learningRate ?? (isDigits ? DIGITS.rates : RATES)[optimizer],
    momentum: optimizer === "sgd" ? (flags.momentum ?? MOMENTUM) : undefined,
    weightDecay: flags.weightDecay,
    schedule,
    warmupEpochs,
    reduceOnPlateau: flags.reduceOnPlateau ?? schedule === "original",
    earlyStopping: flags.earlyStopping,
    augment: augmentationOf(flags, isDigits),
    shuffle: flags.shuffle,
    subtractMean: flags.subtractMean,
    accumulate: flags.accumulate ?? (isDigits ? DIGITS.accumulate : "float64"),
  };
}

function refuse(isWrong: boolean, rule: string, received: string): void {
  if (isWrong) throw new UsageError(rule, received);
}

/** Shifts and flips as in the Keras program. */
function augmentationOf(flags: RecipeFlags, isDigits: boolean): Augmentation | false {
  if (flags.augment === false) {
    for (const name of ["flip", "shift", "rotation", "zoom"] as const) {
      refuse(flags[name] !== undefined && flags[name] !== false, `--${name} must go with --augment.`, "--no-augment");
    }
    return false;
  }
  const { shift = isDigits ? DIGITS.shift : SHIFT, flip = !isDigits, rotation, zoom } = flags;
  return {
    widthShiftRange: shift,
    heightShiftRange: shift,
    horizontalFlip: flip,
    ...(rotation !== undefined && { rotationRange: rotation }),
    ...(zoom !== undefined && { zoomRange: zoom }),
  };
}

/** The optimizer of a recipe, before its first step. */
export function optimizerOf({ optimizer, learningRate, momentum, weightDecay }: Recipe): Optimizer {
  const options = { learningRate, ...(weightDecay !== undefined && { weightDecay }) };
  switch (optimizer) {
    case "adam":
      return new Adam(options);
    case "adamw":
      return new AdamW(options);
    case "sgd":
      return new SGD({ ...options, momentum: momentum ?? 0, nesterov: (momentum ?? 0) > 0 });
  }
}

/** The schedule of a recipe, and how often it is asked; nothing where the rate stays. */
export function scheduleOf({
  schedule,
  learningRate: peak,
  epochs,
  warmupEpochs,
}: Recipe): { readonly schedule: Schedule; readonly per: "epoch" | "step" } | undefined {
  switch (schedule) {
    case "original":
      return { schedule: originalSchedule(peak), per: "epoch" };
    case "cosine":
      return { schedule: cosineSchedule({ peak, epochs, warmupEpochs }), per: "step" };
    case "one-cycle":
      return { schedule: oneCycleSchedule({ peak, epochs }), per: "step" };
    case "constant":
      return undefined;
  }
}

/** A recipe as checkpoints keep it: by the names of the options, without those that were left out, and what the data hold. */
export function fingerprintOf(recipe: Recipe, { training, validation }: TrainData): Fingerprint {
  const options = Object.entries(recipe)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => [optionName(key), typeof value === "object" ? JSON.stringify(value) : value]);
  const contents = [training, ...(validation === undefined ? [] : [validation])].map(contentOf).join("; ");
  return Object.fromEntries([...options, ["what --data holds", contents]]);
}

/** A data set in a line that another one has not. */
function contentOf({ images, labels, shape, classNames }: Dataset): string {
  const sums = [images, labels].map(({ buffer, byteOffset, byteLength }) =>
    crc32(new Uint8Array(buffer, byteOffset, byteLength))
      .toString(16)
      .padStart(8, "0"),
  );
  return `images ${formatShape(shape)} of ${classNames.length} classes, ${sums.join(" ")}`;
}

function optionName(key: string): string {
  return key === "model" ? "<model>" : `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
