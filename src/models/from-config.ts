/**
 * Models from Keras 3 and Keras 2 configurations.
 *
 * All layers are made first, then connected. Nothing in a configuration is trusted: whatever is wrong with it ends in an
 * error of one line that names the layer.
 *
 * @module
 */
import { InputLayer } from "../layers/input-layer.js";
import type { Layer, SymbolicTensor } from "../layers/layer.js";
import { layerFromConfig } from "../layers/registry.js";
import { describe, isKerasConfig, type KerasConfig, readConfig } from "../serialization/config.js";
import { expectOptions } from "../serialization/options.js";
import type { DType } from "../tensor/dtype.js";
import type { SymbolicShape } from "../tensor/shape.js";
import { Connections, readApplication, referencesIn } from "./connect.js";
import { Model } from "./model.js";
import { Sequential } from "./sequential.js";

/** How a model is made from a configuration. */
export interface FromConfigOptions {
  /** The element type of every layer, whatever the file says. */
  readonly dtype?: DType;
  /** How many models may lie one within the other, the outermost included. @defaultValue 16 */
  readonly maxDepth?: number;
}

/** @throws TypeError when an option of the function `caller` is none of {@link FromConfigOptions}. */
export function checkFromConfigOptions(caller: string, options: FromConfigOptions): void {
  expectOptions(caller, options, ["dtype", "maxDepth"]);
}

/** The options, and how deep the model that is read lies: the outermost on level 1. */
interface Reading extends FromConfigOptions {
  readonly level: number;
}

const MODELS = ["Functional", "Model", "Sequential"];
const MAX_DEPTH = 16;
const MAX_NAME = 256;
/** Of Keras 3, of Keras 2, and of Keras within TensorFlow. */
const KERAS_MODULE = /^(?:tf_|tensorflow\.(?:python\.)?)?keras(?:\.|$)/;

/**
 * The model of `serialized`, `{ class_name, config }`, with weights as initialized.
 *
 * @throws TypeError, RangeError when the configuration is not one, a class is unknown (it is named), the graph has a
 *   cycle, or an option is none of {@link FromConfigOptions}.
 */
export function modelFromConfig(serialized: unknown, options: FromConfigOptions = {}): Model {
  checkFromConfigOptions("modelFromConfig", options);
  return readModel(serialized, { ...options, level: 1 });
}

function readModel(serialized: unknown, reading: Reading): Model {
  const { className, config } = classAndConfig(serialized, "the model's configuration");
  checkName(config["name"]);
  if (!MODELS.includes(className)) {
    throw new TypeError(
      `model: the class must be one of Functional, Model, Sequential. Received ${describe(className)}.`,
    );
  }
  return className === "Sequential" ? sequential(config, reading) : functional(config, reading);
}

function classAndConfig(serialized: unknown, what: string): { className: string; config: KerasConfig } {
  if (isKerasConfig(serialized)) {
    const { class_name: className, config } = serialized;
    if (typeof className === "string" && isKerasConfig(config)) return { className, config };
    // Keras 1 and early 2 wrote a Sequential's layers as the configuration itself
    if (typeof className === "string" && Array.isArray(config)) return { className, config: { layers: config } };
  }
  throw new TypeError(`model: ${what} must be { class_name, config }. Received ${describe(serialized)}.`);
}

/** Refuses names that no message could repeat in a line. */
function checkName(name: unknown): void {
  if (typeof name === "string" && (name.length === 0 || name.length > MAX_NAME || /\p{Cc}/u.test(name))) {
    throw new RangeError(
      `model: names must have 1 to ${MAX_NAME} characters, none of them a control character. ` +
        `Received ${describe(name)}.`,
    );
  }
}

/** A class of somebody else's may be called like one of Keras's: then `registered_name` or `module` tells. */
function checkKeras(serialized: KerasConfig, className: string): void {
  const { module, registered_name: registered } = serialized;
  const isForeign = typeof module === "string" && !KERAS_MODULE.test(module);
  if (isForeign || (typeof registered === "string" && registered.includes(">"))) {
    const from = isForeign ? module : registered;
    throw new RangeError(`model: layer classes must be Keras's own. Received \`${className}\` of ${describe(from)}.`);
  }
}

/** What `make` gives; an error in it says which layer it is about. */
function inLayer<Result>(name: string, make: () => Result): Result {
  try {
    return make();
  } catch (error) {
    if ((error instanceof RangeError || error instanceof TypeError) && !error.message.includes(`\`${name}\``)) {
      error.message = `layer \`${name}\`: ${error.message}`;
    }
    throw error;
  }
}

function makeLayer(serialized: unknown, what: string, reading: Reading): Layer {
  const { className, config } = classAndConfig(serialized, what);
  checkName(className);
  checkName(config["name"]);
  const name = typeof config["name"] === "string" ? config["name"] : className;
  return inLayer(name, () => {
    if (isKerasConfig(serialized)) checkKeras(serialized, className);
    if (!MODELS.includes(className)) {
      return layerFromConfig(className, reading.dtype === undefined ? config : { ...config, dtype: reading.dtype });
    }
    const { maxDepth = MAX_DEPTH, level } = reading;
    if (level >= maxDepth) {
      throw new RangeError(`model: models must not be nested deeper than ${maxDepth}. Received a deeper one.`);
    }
    return readModel(serialized, { ...reading, level: level + 1 });
  });
}

function listOf(config: KerasConfig, key: string, model: string): readonly unknown[] {
  const list = config[key];
  if (!Array.isArray(list)) {
    throw new TypeError(`model \`${model}\`: \`${key}\` must be a list. Received ${describe(list)}.`);
  }
  return list;
}

function sequential(config: KerasConfig, reading: Reading): Model {
  const name = readConfig("Sequential", config).optionalString("name");
  const serialized = listOf(config, "layers", name ?? "sequential");
  const layers = serialized.map((layer, i) => makeLayer(layer, `layer ${i}`, reading));
  const [first, ...rest] = layers;
  const late = rest.find((layer) => layer instanceof InputLayer);
  if (late !== undefined) {
    throw new RangeError(`Sequential: an InputLayer must be the first layer. Received \`${late.name}\` after others.`);
  }
  const batchShape = first instanceof InputLayer ? first.batchShape : inputShapeOf(serialized[0], config);
  return new Sequential({
    name,
    batchShape,
    inputName: first instanceof InputLayer ? first.givenName : undefined,
    layers: first instanceof InputLayer ? rest : layers,
  });
}

/** Without an input layer, the shape stands in the first layer (Keras 2), in the model, or in the first inner model. */
function inputShapeOf(firstLayer: unknown, config: KerasConfig): SymbolicShape {
  const inner = isKerasConfig(firstLayer) && isKerasConfig(firstLayer["config"]) ? firstLayer["config"] : {};
  const innerLayers = Array.isArray(inner["layers"]) ? inner["layers"] : [];
  if (innerLayers.length > 0 && inner["batch_input_shape"] === undefined && inner["build_input_shape"] === undefined) {
    const innermost: unknown = innerLayers[0];
    if (isKerasConfig(innermost) && isKerasConfig(innermost["config"])) {
      const shape = innermost["config"]["batch_shape"] ?? innermost["config"]["batch_input_shape"];
      return readConfig("Sequential", { batch_shape: shape }).shape("batch_shape");
    }
  }
  const shape =
    inner["batch_shape"] ?? inner["batch_input_shape"] ?? config["build_input_shape"] ?? inner["build_input_shape"];
  return readConfig("Sequential", { build_input_shape: shape }).shape("build_input_shape");
}

/** Keras 2 writes an application of a layer as a list, Keras 3 as a dictionary. */
function isOfKeras2(entry: unknown): boolean {
  const nodes = isKerasConfig(entry) ? entry["inbound_nodes"] : undefined;
  return Array.isArray(nodes) && nodes.some(Array.isArray);
}

function functional(config: KerasConfig, reading: Reading): Model {
  const read = readConfig("Functional", config);
  const name = read.optionalString("name");
  const model = name ?? "functional";
  const layers = new Map<string, Layer>();
  const entries = listOf(config, "layers", model);
  const connections = new Connections(model, layers, entries.some(isOfKeras2));
  for (const serialized of entries) {
    const layer = makeLayer(serialized, "a layer", reading);
    const entry = isKerasConfig(serialized) ? serialized : {};
    const layerName = readConfig(`model \`${model}\`: a layer`, entry).optionalString("name") ?? layer.name;
    checkName(layerName);
    layer.name = layerName;
    if (layers.has(layerName)) {
      throw new RangeError(`model \`${model}\`: layer names must be unique. Received \`${layerName}\` twice.`);
    }
    layers.set(layerName, layer);
    const nodes = entry["inbound_nodes"] === undefined ? [] : listOf(entry, "inbound_nodes", model);
    if (layer instanceof InputLayer) layer.apply([]);
    else for (const node of nodes) connections.add(layer, readApplication(node));
  }
  connections.run((layer, inputs, call) => inLayer(layer.name, () => layer.apply(inputs, call)));
  const tensors = (key: string): readonly SymbolicTensor[] =>
    referencesIn(config[key]).map((reference) => connections.output(reference, key));
  return new Model({
    name,
    trainable: read.boolean("trainable", true),
    inputs: tensors("input_layers"),
    outputs: tensors("output_layers"),
  });
}
