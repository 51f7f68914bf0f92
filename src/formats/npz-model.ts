/**
 * Models as `.npz`: for whoever has NumPy and no Keras.
 *
 *     conv2d/kernel, batch_normalization/gamma, ...    the weights by layer and weight name
 *     model_config                                     the configuration: UTF-8 JSON as bytes
 *
 * @module
 */
import { type FromConfigOptions, modelFromConfig } from "../models/from-config.js";
import { serializeLayer } from "../models/graph-config.js";
import type { Model } from "../models/model.js";
import { assignAll, storedArray } from "./assign.js";
import { decodeUtf8 } from "./byte-reader.js";
import { FormatError } from "./format-error.js";
import { checkConfigSize, parseConfig } from "./json.js";
import type { NpyArray } from "./npy.js";
import { writeNpz } from "./npz.js";
import { fromTensor } from "./tensors.js";

const CONFIG = "model_config";

/**
 * The model of the arrays of an archive.
 *
 * @throws FormatError when there is no configuration, or the weights do not fit it.
 */
export function readNpzModel(arrays: ReadonlyMap<string, NpyArray>, options: FromConfigOptions = {}): Model {
  const config = arrays.get(CONFIG);
  if (!(config?.data instanceof Uint8Array)) {
    throw new FormatError("npz", `a model must have an array ${CONFIG} of bytes.`, config?.dtype ?? "no such array");
  }
  checkConfigSize("npz", config.data.length);
  const model = modelFromConfig(parseConfig("npz", decodeUtf8("npz", CONFIG, config.data)), options);
  readNpzWeights(model, arrays);
  return model;
}

/**
 * Reads the weights of `model` from arrays named by layer and weight.
 *
 * @throws FormatError when one is missing or has another shape.
 */
export function readNpzWeights(model: Model, arrays: ReadonlyMap<string, NpyArray>): void {
  const assignments = Array.from(model.weightsByPath(), ([path, weight]) => {
    const array = arrays.get(path);
    if (array === undefined) throw new FormatError("npz", `the archive must have an array ${path}.`, "no such array");
    return { owner: path.slice(0, path.lastIndexOf("/")), weights: [weight], values: [storedArray(array, path)] };
  });
  assignAll("npz", assignments);
}

/** The bytes of an archive of `model`. */
export function writeNpzModel(model: Model): Uint8Array {
  const config = new TextEncoder().encode(JSON.stringify(serializeLayer(model)));
  const arrays = new Map<string, NpyArray>([[CONFIG, { dtype: "uint8", shape: [config.length], data: config }]]);
  for (const [path, weight] of model.weightsByPath()) arrays.set(path, fromTensor(weight.value));
  return writeNpz(arrays);
}
