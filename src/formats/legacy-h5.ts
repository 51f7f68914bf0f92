/**
 * The older `.h5` files: whole models, and files of weights such as the published
 * `resnet50_weights_tf_dim_ordering_tf_kernels.h5`.
 *
 *     attribute model_config                    { class_name, config }; whole models only
 *     model_weights/                            whole models only; else what follows stands at the root
 *       attribute layer_names                   in the model's order; long lists are split: layer_names0, layer_names1, ...
 *       <layer>/
 *         attribute weight_names                trainable weights first
 *         <layer>/kernel, <layer>/kernel:0      the values, by those names
 *
 *     attribute training_config, optimizer_weights/   of a compiled model; see training-config.ts
 *
 * As in Keras, weights are matched by order: the n-th layer of the file that has weights is the n-th layer of the model
 * that has weights. Names need not agree.
 *
 * @module
 */
import type { Layer } from "../layers/layer.js";
import type { Variable } from "../layers/variable.js";
import { type FromConfigOptions, modelFromConfig } from "../models/from-config.js";
import { serializeLayer } from "../models/graph-config.js";
import type { Model } from "../models/model.js";
import type { LossName } from "../models/objective.js";
import { UniqueNames } from "../models/names.js";
import { assignAll, storedDataset } from "./assign.js";
import { FormatError, quote } from "./format-error.js";
import { GroupBuilder } from "./group-builder.js";
import type { Hdf5Group } from "./hdf5/group.js";
import { writeHdf5 } from "./hdf5/writer.js";
import { configText, parseConfig } from "./json.js";
import { KERAS_VERSION } from "./keras-archive.js";
import {
  legacyTrainingConfig,
  lossName,
  restoreState,
  stateDataset,
  type Training,
  trainingFromConfig,
} from "./training-config.js";

/** Attributes of HDF5 hold at most this many bytes; Keras's own limit, with room for the header. */
const ATTRIBUTE_LIMIT = 64512;

/** Weights of a model that belong to no layer; we have none, and Keras looks for the group. */
const TOP_LEVEL = "top_level_model_weights";

/** Where the optimizer's state is. */
const STATE = "optimizer_weights";

/** The weights of a layer in the order of these files: trainable ones first. */
function legacyOrder(layer: Layer): readonly Variable[] {
  const trainable = new Set(layer.trainableWeights);
  return [...trainable, ...layer.weights.filter((weight) => !trainable.has(weight))];
}

/** An attribute that is a list of names, in one piece or split. */
function namesOf(group: Hdf5Group, attribute: string): readonly string[] | undefined {
  const whole = group.attributes.get(attribute);
  const pieces = whole === undefined ? [] : [whole];
  for (let i = 0; whole === undefined; i++) {
    const piece = group.attributes.get(`${attribute}${i}`);
    if (piece === undefined) break;
    pieces.push(piece);
  }
  if (pieces.length === 0) return undefined;
  return pieces.flatMap((piece) => {
    const values = piece.read();
    // an empty list is written as one of numbers
    if (values.length === 0) return [];
    if (ArrayBuffer.isView(values)) {
      throw new FormatError("HDF5", `attribute ${attribute} of ${group.path} must hold names.`, "numbers");
    }
    return values;
  });
}

/** Whether `root` is a file of weights in this layout. */
export function isLegacyWeights(root: Hdf5Group): boolean {
  return root.attributes.has("layer_names") || root.attributes.has("layer_names0");
}

/**
 * The model of a whole-model file, with its weights.
 *
 * @throws FormatError when there is no configuration, or the weights do not fit it.
 */
export function readLegacyModel(root: Hdf5Group, options: FromConfigOptions = {}): Model {
  const [text] = root.attributes.get("model_config")?.read() ?? [];
  if (typeof text !== "string") {
    throw new FormatError(
      "HDF5",
      "a whole model must have an attribute model_config (a file of weights goes with a builder and --weights).",
      "none",
    );
  }
  const model = modelFromConfig(parseConfig("HDF5", text), options);
  readLegacyWeights(model, root);
  return model;
}

/**
 * Reads the weights of `model` from a file of weights, or from a whole model.
 *
 * @throws FormatError when layers or weights are of another number or shape.
 */
export function readLegacyWeights(model: Model, root: Hdf5Group): void {
  const inner = root.get("model_weights");
  const group = inner?.kind === "group" ? inner : root;
  const names = namesOf(group, "layer_names");
  if (names === undefined) throw new FormatError("HDF5", `${group.path} must have an attribute layer_names.`, "none");
  const stored = names
    .map((name) => {
      const layerGroup = group.get(name);
      if (layerGroup?.kind !== "group") throw new FormatError("HDF5", `layer ${quote(name)} must be a group.`, "none");
      return { name, layerGroup, weightNames: namesOf(layerGroup, "weight_names") ?? [] };
    })
    .filter(({ weightNames }) => weightNames.length > 0);
  const layers = model.layers.filter((layer) => layer.weights.length > 0);
  if (stored.length !== layers.length) {
    throw new FormatError(
      "HDF5",
      `model \`${model.name}\` must be given weights for its ${layers.length} layers with weights.`,
      `weights for ${stored.length} layers`,
    );
  }
  const assignments = stored.map(({ name, layerGroup, weightNames }, i) => ({
    owner: layers[i].name,
    weights: legacyOrder(layers[i]),
    values: weightNames.map((weight) => storedDataset(layerGroup.get(weight), `${name}/${weight}`)),
  }));
  assignAll("HDF5", assignments);
}

/** Sets `names` as an attribute of `group`, split where HDF5 could not hold them in one. */
function setNames(group: GroupBuilder, attribute: string, names: readonly string[]): void {
  if (names.length === 0) {
    group.attributes.set(attribute, { shape: [0], data: new Float64Array(0) });
    return;
  }
  const width = Math.max(1, ...names.map((name) => new TextEncoder().encode(name).length));
  const perPiece = Math.max(1, Math.floor(ATTRIBUTE_LIMIT / width));
  if (names.length <= perPiece) {
    group.attributes.set(attribute, names);
    return;
  }
  for (let i = 0, piece = 0; i < names.length; i += perPiece, piece++) {
    group.attributes.set(`${attribute}${piece}`, names.slice(i, i + perPiece));
  }
}

/**
 * How the model of a whole-model file is trained; undefined where it was not compiled.
 *
 * @param model - The model of the file.
 * @throws FormatError when the state of the optimizer does not fit the model.
 * @throws TypeError, RangeError when optimizer or loss are not implemented.
 */
export function readLegacyTraining(model: Model, root: Hdf5Group): Training | undefined {
  const [text] = root.attributes.get("training_config")?.read() ?? [];
  if (typeof text !== "string") return undefined;
  const config = parseConfig("HDF5", text);
  const training = trainingFromConfig(config["optimizer_config"], config);
  const state = root.get(STATE);
  // what was compiled and never trained may have no state
  if (state?.kind !== "group") return training;
  const values = (namesOf(state, "weight_names") ?? []).map((name) =>
    storedDataset(state.get(name), `${STATE}/${name}`),
  );
  restoreState("HDF5", training.optimizer, model.trainableWeights, values);
  return training;
}

/** The loss that the model of a file was compiled with, if any. @throws RangeError when it is not implemented. */
export function readLegacyLoss(root: Hdf5Group): LossName | undefined {
  const [text] = root.attributes.get("training_config")?.read() ?? [];
  if (typeof text !== "string") return undefined;
  const { loss } = parseConfig("HDF5", text);
  return loss === undefined ? undefined : lossName(loss);
}

/** Adds how `model` is trained to a file. */
function addTraining(root: GroupBuilder, model: Model, training: Training): void {
  const { optimizer } = training;
  optimizer.build(model.trainableWeights);
  root.attributes.set("training_config", configText(legacyTrainingConfig(training)));
  const state = root.at(STATE);
  const taken = new UniqueNames();
  const names = optimizer.variables().map(({ name }) => `${optimizer.name}/${taken.takeNumbered(name)}`);
  setNames(state, "weight_names", names);
  for (const [i, variable] of optimizer.variables().entries()) state.addDataset(names[i], stateDataset(variable));
}

/** The bytes of a whole-model file of `model`, compiled where `training` is given. */
export function writeLegacyModel(model: Model, training?: Training): Uint8Array {
  const root = new GroupBuilder();
  for (const [name, value] of [
    ["backend", "tensorflow"],
    ["keras_version", KERAS_VERSION],
  ]) {
    root.attributes.set(name, value);
    root.at("model_weights").attributes.set(name, value);
  }
  root.attributes.set("model_config", JSON.stringify(serializeLayer(model)));
  const weightsGroup = root.at("model_weights");
  const listed = model.layers.filter((layer) => model.className !== "Sequential" || layer.className !== "InputLayer");
  setNames(
    weightsGroup,
    "layer_names",
    listed.map((layer) => layer.name),
  );
  const paths = new Map(Array.from(model.weightsByPath(), ([path, weight]) => [weight, path]));
  for (const layer of listed) {
    const group = weightsGroup.at(layer.name);
    const weights = legacyOrder(layer);
    const names = weights.map((weight) => paths.get(weight) ?? `${layer.name}/${weight.name}`);
    setNames(group, "weight_names", names);
    for (const [i, weight] of weights.entries()) group.addWeight(names[i], weight);
  }
  if (!weightsGroup.children.has(TOP_LEVEL)) setNames(weightsGroup.at(TOP_LEVEL), "weight_names", []);
  if (training !== undefined) addTraining(root, model, training);
  return writeHdf5(root);
}
