/**
 * The model that learns from a data set, or is measured on it, and what its pixels go through before.
 *
 * @module
 */
import { readZip } from "../formats/zip.js";
import type { Model } from "../models/model.js";
import { formatShape, shapesAgree } from "../tensor/shape.js";
import { type Dataset, imageShapeOf } from "../training/dataset.js";
import {
  PREPROCESSING_ENTRY,
  type Preprocessing,
  preprocessingFor,
  readPreprocessing,
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
  const isFile = exists(spec) || /\.(keras|h5|hdf5|npz)$/i.test(spec);
  const { weights, seed, subtractMean } = options;
  const sizes = isFile ? {} : { classes: training.classNames.length, inputShape: imageShapeOf(training) };
  const model = resolveModel(spec, { seed, ...(weights !== undefined && { weights }), ...sizes });
  checkFit(model, training);
  const preprocessing =
    (isFile ? preprocessingOfFile(spec) : undefined) ?? preprocessingFor(training, { subtractMean });
  return { model, preprocessing };
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

function preprocessingOfFile(path: string): Preprocessing | undefined {
  if (!/\.keras$/i.test(path)) return undefined;
  const entry = readZip(readBytes(path)).get(PREPROCESSING_ENTRY);
  return entry === undefined ? undefined : readPreprocessing(entry.read());
}
