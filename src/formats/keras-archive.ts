/**
 * The `.keras` archive of Keras 3: a zip of three files.
 *
 *     metadata.json       { keras_version, date_saved }
 *     config.json         { module, class_name, config, ... }: the architecture
 *     model.weights.h5    the weights, see keras-layout.ts; or model.weights.npz
 *
 * What is written carries a fixed date, so that equal models give equal bytes.
 *
 * @module
 */
import { type FromConfigOptions, modelFromConfig } from "../models/from-config.js";
import { serializeLayer } from "../models/graph-config.js";
import type { Model } from "../models/model.js";
import { decodeUtf8 } from "./byte-reader.js";
import { FormatError } from "./format-error.js";
import { openHdf5 } from "./hdf5/open.js";
import { writeHdf5 } from "./hdf5/writer.js";
import { checkConfigSize, parseConfig } from "./json.js";
import { kerasWeightsSpec, readKerasNpz, readKerasWeights } from "./keras-weights.js";
import { readZip, type ZipEntry } from "./zip.js";
import { writeZip } from "./zip-writer.js";

/** The version of Keras whose files these are. */
export const KERAS_VERSION = "3.15.1";

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
  const config = entries.get("config.json");
  if (config === undefined) throw new FormatError("keras", "the archive must have a config.json.", "none");
  checkConfigSize("keras", config.size);
  const model = modelFromConfig(parseConfig("keras", decodeUtf8("keras", "config.json", config.read())), options);
  readArchiveWeights(model, entries);
  return model;
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

/** The bytes of an archive of `model`. */
export function writeKerasArchive(model: Model): Uint8Array {
  const text = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
  return writeZip(
    new Map([
      ["metadata.json", text({ keras_version: KERAS_VERSION, date_saved: "1980-01-01@00:00:00" })],
      ["config.json", text(serializeLayer(model))],
      ["model.weights.h5", writeHdf5(kerasWeightsSpec(model))],
    ]),
  );
}
