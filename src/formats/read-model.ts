/**
 * Any model file, told apart by its first bytes.
 *
 * @module
 */
import { checkFromConfigOptions, type FromConfigOptions } from "../models/from-config.js";
import { checkModel } from "../models/check-model.js";
import type { Model } from "../models/model.js";
import type { LossName } from "../models/objective.js";
import { checkBytes } from "./byte-reader.js";
import { FormatError, oneLine } from "./format-error.js";
import { openHdf5 } from "./hdf5/open.js";
import {
  isKerasArchive,
  readArchiveLoss,
  readArchiveTraining,
  readArchiveWeights,
  readKerasArchive,
} from "./keras-archive.js";
import { readKerasWeights } from "./keras-weights.js";
import {
  isLegacyWeights,
  readLegacyLoss,
  readLegacyModel,
  readLegacyTraining,
  readLegacyWeights,
} from "./legacy-h5.js";
import { readNpz } from "./npz.js";
import { readNpzModel, readNpzWeights } from "./npz-model.js";
import type { Training } from "./training-config.js";
import { readZip } from "./zip.js";

const ZIP = [0x50, 0x4b];
const HDF5 = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];

function begins(bytes: Uint8Array, signature: readonly number[]): boolean {
  return signature.every((byte, i) => bytes[i] === byte);
}

function containerOf(bytes: Uint8Array, name: string): "zip" | "hdf5" {
  if (begins(bytes, ZIP)) return "zip";
  if (begins(bytes, HDF5)) return "hdf5";
  const head = Array.from(bytes.subarray(0, 4), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  throw new FormatError(
    name,
    "a model file must be a .keras archive, an HDF5 file, or an .npz.",
    bytes.length === 0 ? "an empty file" : `bytes ${head}`,
  );
}

/** `read()`, every complaint about the file beginning with its name. */
function named<Result>(name: string, read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    if (error instanceof FormatError || error instanceof RangeError || error instanceof TypeError) {
      if (error.message.startsWith(name)) throw error;
      error.message = `${name}: ${oneLine(error.message)}`;
    }
    throw error;
  }
}

/**
 * The model in `bytes`: a `.keras` archive, a legacy `.h5` of a whole model, or an `.npz` that `writeModel` made.
 *
 * @param name - The file's name, for messages.
 * @throws FormatError when the file is corrupt or holds no whole model.
 * @throws TypeError, RangeError when the configuration is not one that this project implements.
 * @throws TypeError when `bytes` are none, or an option is none of {@link FromConfigOptions}.
 */
export function readModel(bytes: Uint8Array, name: string, options: FromConfigOptions = {}): Model {
  checkBytes("readModel", bytes);
  checkFromConfigOptions("readModel", options);
  return named(name, () => {
    if (containerOf(bytes, name) === "hdf5") return readLegacyModel(openHdf5(bytes), options);
    const entries = readZip(bytes);
    return isKerasArchive(entries) ? readKerasArchive(entries, options) : readNpzModel(readNpz(bytes), options);
  });
}

/**
 * How the model in `bytes` is trained, with the state of its optimizer, so that `model` goes on where the file's did.
 * Undefined where the file says nothing of it: it was not compiled, or is an `.npz`.
 *
 * @param model - What {@link readModel} made of the same bytes.
 * @param name - The file's name, for messages.
 * @throws FormatError when the file is corrupt, or the optimizer's state does not fit the model.
 * @throws TypeError, RangeError when optimizer or loss are not ones that this project implements.
 */
export function readTraining(model: Model, bytes: Uint8Array, name: string): Training | undefined {
  checkModel("readTraining", model);
  checkBytes("readTraining", bytes);
  return named(name, () => {
    if (containerOf(bytes, name) === "hdf5") return readLegacyTraining(model, openHdf5(bytes));
    const entries = readZip(bytes);
    return isKerasArchive(entries) ? readArchiveTraining(model, entries) : undefined;
  });
}

/**
 * The loss that the model in `bytes` was compiled with, whatever its optimizer is; undefined where it was not compiled.
 *
 * @param name - The file's name, for messages.
 * @throws FormatError when the file is corrupt; RangeError when the loss is not one that this project implements.
 */
export function readLoss(bytes: Uint8Array, name: string): LossName | undefined {
  checkBytes("readLoss", bytes);
  return named(name, () => {
    if (containerOf(bytes, name) === "hdf5") return readLegacyLoss(openHdf5(bytes));
    const entries = readZip(bytes);
    return isKerasArchive(entries) ? readArchiveLoss(entries) : undefined;
  });
}

/**
 * Reads the weights in `bytes` into `model`: from any file of {@link readModel}, a `.weights.h5` of Keras 3, or the
 * weights of older Keras in `.h5`.
 *
 * @param name - The file's name, for messages.
 * @throws FormatError when the file is corrupt, or its weights do not fit the model.
 * @throws TypeError when `model` is no model, or `bytes` are none.
 */
export function loadWeights(model: Model, bytes: Uint8Array, name: string): void {
  checkModel("loadWeights", model);
  checkBytes("loadWeights", bytes);
  named(name, () => {
    if (containerOf(bytes, name) === "hdf5") {
      const root = openHdf5(bytes);
      const isLegacy = isLegacyWeights(root) || root.get("model_weights") !== undefined;
      (isLegacy ? readLegacyWeights : readKerasWeights)(model, root);
      return;
    }
    const entries = readZip(bytes);
    if (isKerasArchive(entries)) readArchiveWeights(model, entries);
    else readNpzWeights(model, readNpz(bytes));
  });
}
