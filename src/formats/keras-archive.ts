/**
 * The `.keras` archive of Keras 3: a zip of three files.
 *
 *     metadata.json       { keras_version, date_saved }
 *     config.json         { module, class_name, config, compile_config, ... }: the architecture, and how it is trained
 *     model.weights.h5    the weights, see keras-layout.ts; or model.weights.npz
 *
 * Other entries are left alone, by Keras as well: trained models keep there what pixels go through, and checkpoints what a run
 * needs to go on.
 *
 * What is written carries a fixed date, so that equal models give equal bytes.
 *
 * @module
 */
import { type FromConfigOptions, modelFromConfig } from "../models/from-config.js";
import { serializeLayer } from "../models/graph-config.js";
import type { Model } from "../models/model.js";
import type { LossName } from "../models/objective.js";
import { isKerasConfig, type KerasConfig } from "../serialization/config.js";
import { type StoredValue, storedDataset } from "./assign.js";
import { decodeUtf8 } from "./byte-reader.js";
import { FormatError } from "./format-error.js";
import { openHdf5 } from "./hdf5/open.js";
import { writeHdf5 } from "./hdf5/writer.js";
import { checkConfigSize, configText, parseConfig } from "./json.js";
import { kerasWeightsSpec, readKerasNpz, readKerasWeights } from "./keras-weights.js";
import {
  compileConfig,
  lossName,
  restoreState,
  stateDataset,
  type Training,
  trainingFromConfig,
} from "./training-config.js";
import { readZip, type ZipEntry } from "./zip.js";
import { writeZip } from "./zip-writer.js";

/** The version of Keras whose files these are. */
export const KERAS_VERSION = "3.15.1";

/** Where the optimizer's state is within the weights. */
const STATE = "optimizer/vars";

/** Whether the entries of a zip are those of a `.keras` archive. */
export function isKerasArchive(entries: ReadonlyMap<string, ZipEntry>): boolean {
  return entries.has("config.json");
}

/**
 * The model of an archive, with its weights.
 *
 * @throws FormatError when a file is missing or corrupt, or the weights do not fit the configuration.
 */
export function readKerasArchive(entries: ReadonlyMap<string, ZipEntry>, options: FromConfigOptions = {}): Model {
  const model = modelFromConfig(configOf(entries), options);
  readArchiveWeights(model, entries);
  return model;
}

function configOf(entries: ReadonlyMap<string, ZipEntry>): KerasConfig {
  const config = entries.get("config.json");
  if (config === undefined) throw new FormatError("keras", "the archive must have a config.json.", "none");
  checkConfigSize("keras", config.size);
  return parseConfig("keras", decodeUtf8("keras", "config.json", config.read()));
}

/**
 * Reads the weights of an archive into `model`.
 *
 * @throws FormatError when there are none, or they do not fit the model.
 */
export function readArchiveWeights(model: Model, entries: ReadonlyMap<string, ZipEntry>): void {
  const hdf5 = entries.get("model.weights.h5");
  const npz = entries.get("model.weights.npz");
  if (hdf5 !== undefined) readKerasWeights(model, openHdf5(hdf5.read()));
  else if (npz !== undefined) readKerasNpz(model, readZip(npz.read()));
  else throw new FormatError("keras", "the archive must have a model.weights.h5 or model.weights.npz.", "neither");
}

/**
 * How the model of an archive is trained; undefined where it was not compiled.
 *
 * @param model - The model of the archive.
 * @throws FormatError when the state of the optimizer is missing, or does not fit the model.
 * @throws TypeError, RangeError when optimizer or loss are not implemented.
 */
export function readArchiveTraining(model: Model, entries: ReadonlyMap<string, ZipEntry>): Training | undefined {
  const compiled = configOf(entries)["compile_config"];
  if (!isKerasConfig(compiled) || compiled["optimizer"] === undefined) return undefined;
  const training = trainingFromConfig(compiled["optimizer"], compiled);
  const hdf5 = entries.get("model.weights.h5");
  const state = hdf5 === undefined ? undefined : openHdf5(hdf5.read()).get(STATE);
  if (state?.kind !== "group") {
    throw new FormatError("keras", `a compiled model must have a group ${STATE} in its model.weights.h5.`, "none");
  }
  const values = state.keys().map((_, i): StoredValue => storedDataset(state.get(String(i)), `${STATE}/${i}`));
  restoreState("HDF5", training.optimizer, model.trainableWeights, values);
  return training;
}

/** The loss that the model of an archive was compiled with, if any. @throws RangeError when it is not implemented. */
export function readArchiveLoss(entries: ReadonlyMap<string, ZipEntry>): LossName | undefined {
  const compiled = configOf(entries)["compile_config"];
  return isKerasConfig(compiled) && compiled["loss"] !== undefined ? lossName(compiled["loss"]) : undefined;
}

/** The bytes of an archive of `model`, compiled where `training` is given, with `extra` entries behind Keras's own. */
export function writeKerasArchive(
  model: Model,
  training?: Training,
  extra: ReadonlyMap<string, Uint8Array> = new Map(),
): Uint8Array {
  const text = (value: unknown): Uint8Array => new TextEncoder().encode(configText(value));
  const root = kerasWeightsSpec(model);
  const config = { ...serializeLayer(model), ...(training && { compile_config: compileConfig(training) }) };
  if (training !== undefined) {
    const { optimizer } = training;
    optimizer.build(model.trainableWeights);
    const vars = root.at(STATE);
    vars.attributes.set("name", optimizer.name);
    for (const [i, variable] of optimizer.variables().entries()) vars.children.set(String(i), stateDataset(variable));
  }
  return writeZip(
    new Map([
      ["metadata.json", text({ keras_version: KERAS_VERSION, date_saved: "1980-01-01@00:00:00" })],
      ["config.json", text(config)],
      ["model.weights.h5", writeHdf5(root)],
      ...extra,
    ]),
  );
}
