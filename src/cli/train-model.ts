/**
 * The model that learns from a data set, or is measured on it, and what its pixels go through before.
 *
 * @module
 */
import { readLoss, readTraining } from "../formats/read-model.js";
import type { Training } from "../formats/training-config.js";
import { writeModel } from "../formats/write-model.js";
import { readZip } from "../formats/zip.js";
import type { Model } from "../models/model.js";
import type { LossName } from "../models/objective.js";
import type { Optimizer } from "../optimizers/optimizer.js";
import { formatShape, shapesAgree } from "../tensor/shape.js";
import { type Dataset, type ImageShape, imageShapeOf } from "../training/dataset.js";
import {
  PREPROCESSING_ENTRY,
  type Preprocessing,
  preprocessingFor,
  preprocessingLike,
  readPreprocessing,
  writePreprocessing,
} from "../training/preprocessing.js";
import { UsageError } from "./errors.js";
import { exists, readBytes } from "./files.js";
import { resolveModel } from "./models.js";

/** A model and what it sees. */
export interface TrainableModel {
  readonly model: Model;
  readonly preprocessing: Preprocessing;
}

/** Options of {@link modelForData}. */
export interface ModelForDataOptions {
  readonly weights?: string | undefined;
  readonly seed: number;
  readonly subtractMean: boolean;
}

/**
 * MODEL for `training`: a builder makes it for the classes and the size of the images, a file must fit them. A file that
 * says what its model's pixels go through is believed; else it is the preprocessing of the Keras program.
 *
 * @throws UsageError when there is no such model, or it does not fit the data.
 */
export function modelForData(spec: string, training: Dataset, options: ModelForDataOptions): TrainableModel {
  const isFile = isModelFile(spec);
  const { weights, seed, subtractMean } = options;
  const sizes = isFile ? {} : { classes: training.classNames.length, inputShape: imageShapeOf(training) };
  const model = resolveModel(spec, { seed, ...(weights !== undefined && { weights }), ...sizes });
  checkFit(model, training);
  return { model, preprocessing: preprocessingOf(model, isFile ? spec : undefined, training, subtractMean) };
}

function preprocessingOf(
  model: Model,
  file: string | undefined,
  training: Dataset,
  subtractMean: boolean,
): Preprocessing {
  const saved = file === undefined ? undefined : preprocessingOfFile(file);
  if (saved !== undefined) {
    if (subtractMean || saved.mean === undefined) return preprocessingLike(saved, training);
    throw new UsageError("--no-subtract-mean must go with a model whose file holds no mean.", `${file}, which does`);
  }
  // a model that begins with Rescaling takes pixels as they are
  if (model.layers.some(({ className }) => className === "Rescaling")) return { scale: 1, mean: undefined };
  return preprocessingFor(training, { subtractMean });
}

function checkFit(model: Model, { name, shape, classNames }: Dataset): void {
  const [input, output] = [
    [null, ...shape.slice(1)],
    [null, classNames.length],
  ];
  const { inputs, outputs } = model;
  const fits =
    inputs.length === 1 &&
    outputs.length === 1 &&
    shapesAgree(inputs[0].shape, input) &&
    shapesAgree(outputs[0].shape, output);
  if (fits) return;
  const list = (shapes: readonly { shape: readonly (number | null)[] }[]): string =>
    shapes.map((x) => formatShape(x.shape)).join(", ");
  throw new UsageError(
    `<model> must have an input of shape ${formatShape(input)} and an output of shape ${formatShape(output)} for ${name}.`,
    `${list(inputs)} and ${list(outputs)}`,
  );
}

/**
 * What the pixels of a model in a file go through, where the file says it. @throws FormatError when it says nothing
 * sensible.
 */
export function preprocessingOfFile(path: string): Preprocessing | undefined {
  if (!/\.keras$/i.test(path)) return undefined;
  const entry = readZip(readBytes(path)).get(PREPROCESSING_ENTRY);
  return entry === undefined ? undefined : readPreprocessing(entry.read());
}

/**
 * The optimizer of a model in a file, with its state, where it was trained.
 *
 * @throws TypeError, RangeError or FormatError when it cannot go on: there is none like it here, or the state is broken.
 */
export function optimizerOfFile(spec: string, model: Model): Optimizer | undefined {
  return isModelFile(spec) ? readTraining(model, readBytes(spec), spec)?.optimizer : undefined;
}

/**
 * The loss that the model of a file was compiled with; the cross-entropy of one-hot labels for builders, files that say
 * nothing and, with a note on stderr, those whose loss is not implemented.
 */
export function lossOf(spec: string): LossName {
  try {
    return (isModelFile(spec) ? readLoss(readBytes(spec), spec) : undefined) ?? CROSSENTROPY;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    process.stderr.write(`note: the loss is the cross-entropy of probabilities, since ${error.message}\n`);
    return CROSSENTROPY;
  }
}

const CROSSENTROPY = "categorical_crossentropy";

/** `loss` for labels that are one-hot, as batches have them: that of class numbers is the same number. */
export function oneHotLoss(loss: LossName): LossName {
  return loss === "sparse_categorical_crossentropy" ? CROSSENTROPY : loss;
}

/** What a `.keras` file holds beside what Keras has in it: what pixels go through. */
export function preprocessingEntries(
  preprocessing: Preprocessing,
  imageShape: ImageShape,
): ReadonlyMap<string, Uint8Array> {
  return new Map([[PREPROCESSING_ENTRY, writePreprocessing(preprocessing, imageShape)]]);
}

/** The bytes of a file that can be evaluated, and trained on, here and by Keras. `.h5` has no place for preprocessing. */
export function trainedModelFile(
  path: string,
  { model, preprocessing, optimizer, loss }: TrainableModel & Training,
  imageShape: ImageShape,
): Uint8Array {
  const training = { optimizer, loss };
  if (!/\.keras$/i.test(path)) return writeModel(model, path, { training });
  return writeModel(model, path, { training, entries: preprocessingEntries(preprocessing, imageShape) });
}

/** What is said of the file `path`, which has no place for what pixels go through. */
export function preprocessingLeftOut(path: string): string {
  return `note: ${path} does not say what pixels go through before the model sees them; a .keras file does\n`;
}

function isModelFile(spec: string): boolean {
  return exists(spec) || /\.(keras|h5|hdf5|npz)$/i.test(spec);
}
