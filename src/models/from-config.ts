/**
 * Models from Keras 3 and Keras 2 configurations.
 *
 * All layers are made first. Then every application of a layer waits for the tensors that it reads and for the layer's
 * application before it, and runs as soon as they are there. What still waits at the end is part of a cycle, or reads
 * something that is not in the file.
 *
 * @module
 */
import { InputLayer } from "../layers/input-layer.js";
import type { Layer, SymbolicTensor } from "../layers/layer.js";
import { layerFromConfig } from "../layers/registry.js";
import { describe, isKerasConfig, type KerasConfig, readConfig } from "../serialization/config.js";
import type { DType } from "../tensor/dtype.js";
import type { SymbolicShape } from "../tensor/shape.js";
import { Model } from "./model.js";
import { Sequential } from "./sequential.js";

/** How a model is made from a configuration. */
export interface FromConfigOptions {
  /** The element type of every layer, whatever the file says. */
  readonly dtype?: DType;
  /** How deep models may be nested. @defaultValue 16 */
  readonly maxDepth?: number;
}

/** A tensor as a configuration names it. */
interface Reference {
  readonly layer: string;
  readonly application: number;
  /** Whether it stands in a plain list, where applications of inner models are counted from 1; see `Applications`. */
  readonly listed: boolean;
}

const MODELS = ["Functional", "Model", "Sequential"];

/**
 * The model of `serialized`, `{ class_name, config }`, with weights as initialized.
 *
 * @throws TypeError, RangeError when the configuration is not one, a class is unknown (it is named), or the graph has a
 *   cycle.
 */
export function modelFromConfig(serialized: unknown, options: FromConfigOptions = {}): Model {
  const { className, config } = classAndConfig(serialized, "the model's configuration");
  if (!MODELS.includes(className)) {
    throw new TypeError(
      `model: the class must be one of Functional, Model, Sequential. Received ${describe(className)}.`,
    );
  }
  return className === "Sequential" ? sequential(config, options) : functional(config, options);
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

function makeLayer(serialized: unknown, what: string, options: FromConfigOptions): Layer {
  const { className, config } = classAndConfig(serialized, what);
  if (MODELS.includes(className)) {
    const depth = options.maxDepth ?? 16;
    if (depth <= 1) throw new RangeError("model: models must not be nested deeper than 16. Received a deeper one.");
    return modelFromConfig(serialized, { ...options, maxDepth: depth - 1 });
  }
  return layerFromConfig(className, options.dtype === undefined ? config : { ...config, dtype: options.dtype });
}

function listOf(config: KerasConfig, key: string, model: string): readonly unknown[] {
  const list = config[key];
  if (!Array.isArray(list)) {
    throw new TypeError(`model \`${model}\`: \`${key}\` must be a list. Received ${describe(list)}.`);
  }
  return list;
}

function sequential(config: KerasConfig, options: FromConfigOptions): Model {
  const read = readConfig("Sequential", config);
  const name = read.optionalString("name");
  const serialized = listOf(config, "layers", name ?? "sequential");
  const layers = serialized.map((layer, i) => makeLayer(layer, `layer ${i}`, options));
  const [first] = layers;
  const batchShape = first instanceof InputLayer ? first.batchShape : inputShapeOf(serialized[0], config);
  return new Sequential({
    name,
    trainable: read.boolean("trainable", true),
    batchShape,
    inputName: first instanceof InputLayer ? first.givenName : undefined,
    layers: layers.filter((layer) => !(layer instanceof InputLayer)),
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

function functional(config: KerasConfig, options: FromConfigOptions): Model {
  const read = readConfig("Functional", config);
  const name = read.optionalString("name");
  const model = name ?? "functional";
  const layers = new Map<string, Layer>();
  const entries = listOf(config, "layers", model);
  const isKeras2 = !entries.some((entry) => isKerasConfig(entry) && "module" in entry);
  const waiting = new Applications(model, layers, isKeras2);
  for (const serialized of entries) {
    const layer = makeLayer(serialized, "a layer", options);
    const entry = isKerasConfig(serialized) ? serialized : {};
    const layerName = readConfig(`model \`${model}\`: a layer`, entry).optionalString("name") ?? layer.name;
    layer.name = layerName;
    if (layers.has(layerName)) {
      throw new RangeError(`model \`${model}\`: layer names must be unique. Received \`${layerName}\` twice.`);
    }
    layers.set(layerName, layer);
    const nodes = entry["inbound_nodes"] === undefined ? [] : listOf(entry, "inbound_nodes", model);
    if (layer instanceof InputLayer) layer.apply([]);
    else for (const node of nodes) waiting.add(layer, referencesIn(node));
  }
  waiting.run();
  const tensors = (key: string): readonly SymbolicTensor[] =>
    referencesIn(config[key]).map((reference) => waiting.output(reference, key));
  return new Model({
    name,
    trainable: read.boolean("trainable", true),
    inputs: tensors("input_layers"),
    outputs: tensors("output_layers"),
  });
}

/**
 * The tensors named in a node or in `input_layers`, in order: Keras 3 nests `__keras_tensor__` dictionaries in `args`,
 * Keras 2 writes lists `[layer, application, output, kwargs]`.
 */
function referencesIn(value: unknown, listed = true, depth = 0): readonly Reference[] {
  if (depth > 8)
    throw new TypeError("model: the arguments of a layer must not be nested deeper than 8. Received deeper ones.");
  if (Array.isArray(value)) {
    const [layer, application, output] = value;
    if (typeof layer === "string" && Number.isSafeInteger(application)) {
      if (output !== 0) {
        throw new RangeError(
          `model: layers must have one output. Received output ${describe(output)} of \`${layer}\`.`,
        );
      }
      return [{ layer, application: Number(application), listed }];
    }
    return value.flatMap((item) => referencesIn(item, listed, depth + 1));
  }
  if (!isKerasConfig(value)) return [];
  if (value["class_name"] === "__keras_tensor__" && isKerasConfig(value["config"])) {
    return referencesIn(value["config"]["keras_history"], false, depth + 1);
  }
  return Object.values(value).flatMap((item) => referencesIn(item, listed, depth + 1));
}

/** Applications of layers that wait for what they read. */
class Applications {
  readonly #model: string;
  readonly #layers: ReadonlyMap<string, Layer>;
  readonly #isKeras2: boolean;
  readonly #queues = new Map<Layer, (readonly Reference[])[]>();

  constructor(model: string, layers: ReadonlyMap<string, Layer>, isKeras2: boolean) {
    this.#isKeras2 = isKeras2;
    this.#model = model;
    this.#layers = layers;
  }

  add(layer: Layer, inputs: readonly Reference[]): void {
    this.#queues.set(layer, [...(this.#queues.get(layer) ?? []), inputs]);
  }

  /** Applies every layer as soon as it can be; each is looked at again only when something it waits for has come. */
  run(): void {
    const readers = new Map<Layer, Layer[]>();
    const ready = [...this.#queues.keys()];
    while (ready.length > 0) {
      const layer = ready.pop();
      if (layer === undefined) break;
      const queue = this.#queues.get(layer) ?? [];
      let applied = 0;
      for (const inputs of queue) {
        const missing = inputs.find((reference) => this.#find(reference) === undefined);
        if (missing !== undefined) {
          const source = this.#layer(missing);
          readers.set(source, [...(readers.get(source) ?? []), layer]);
          break;
        }
        layer.apply(inputs.map((reference) => this.output(reference, "inbound_nodes")));
        applied++;
      }
      if (applied === 0) continue;
      this.#queues.set(layer, queue.slice(applied));
      ready.push(...(readers.get(layer) ?? []));
      readers.delete(layer);
    }
    const stuck = [...this.#queues].filter(([, queue]) => queue.length > 0).map(([layer]) => layer.name);
    if (stuck.length > 0) {
      const names = stuck.slice(0, 5).join(", ") + (stuck.length > 5 ? ", ..." : "");
      throw new RangeError(
        `model \`${this.#model}\`: the graph must have no cycle, and read only what is in it. ` +
          `Received layers that wait for each other: ${names}.`,
      );
    }
  }

  /** The tensor that `reference` names. */
  output(reference: Reference, key: string): SymbolicTensor {
    const found = this.#find(reference);
    if (found === undefined) {
      throw new RangeError(
        `model \`${this.#model}\`: \`${key}\` must name applications of layers that exist. ` +
          `Received application ${reference.application} of \`${reference.layer}\`.`,
      );
    }
    return found;
  }

  #layer({ layer: name }: Reference): Layer {
    const layer = this.#layers.get(name);
    if (layer === undefined) {
      throw new RangeError(`model \`${this.#model}\`: layers must read layers of the model. Received \`${name}\`.`);
    }
    return layer;
  }

  /**
   * Keras counts the application that made an inner model itself, in plain lists: of Functional models in Keras 3, of
   * all models in Keras 2. Such a list never says 0.
   */
  #find(reference: Reference): SymbolicTensor | undefined {
    const layer = this.#layer(reference);
    const counted = layer instanceof Model && (this.#isKeras2 || layer.className === "Functional");
    const shift = reference.listed && counted && reference.application > 0 ? 1 : 0;
    return layer.nodes[reference.application - shift]?.output;
  }
}
