/**
 * The connections of a functional model, as its configuration names them.
 *
 * Every application of a layer waits for the tensors that it reads and for the layer's application before it, and runs as
 * soon as they are there. What still waits at the end is part of a cycle, or reads something that is not in the file. Each
 * reference is waited for at most once, so that a file of any shape takes time in proportion to its size.
 *
 * @module
 */
import type { ApplyOptions, Layer, SymbolicTensor } from "../layers/layer.js";
import { describe, isKerasConfig } from "../serialization/config.js";
import { Model } from "./model.js";

/** A tensor as a configuration names it. */
export interface Reference {
  /** The layer's name. */
  readonly layer: string;
  /** Which of its applications. */
  readonly application: number;
  /** Whether it stands in a plain list, where applications of inner models are counted from 1; see {@link Connections}. */
  readonly listed: boolean;
}

/**
 * The tensors named in a node or in `input_layers`, in order: Keras 3 nests `__keras_tensor__` dictionaries in `args`,
 * Keras 2 writes lists `[layer, application, output, kwargs]`.
 *
 * @throws RangeError when a layer is said to have a second output.
 * @throws TypeError when the arguments are nested deeper than 8.
 */
export function referencesIn(value: unknown, listed = true, depth = 0): readonly Reference[] {
  if (depth > 8) {
    throw new TypeError("model: the arguments of a layer must not be nested deeper than 8. Received deeper ones.");
  }
  if (Array.isArray(value)) {
    const [layer, application, output] = value;
    if (typeof layer === "string" && Number.isSafeInteger(application)) {
      if (output !== 0) {
        throw new RangeError(
          `model: layers must have one output. Received output ${describe(output)} of ${describe(layer)}.`,
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

/** An application of a layer as a configuration has it. */
export interface Application extends ApplyOptions {
  /** The tensors that it reads. */
  readonly inputs: readonly Reference[];
}

/**
 * Reads an entry of `inbound_nodes`.
 *
 * Keras 3 has the arguments of the call in `kwargs`, Keras 2 behind the first tensor. `training` is the one that matters.
 *
 * @throws TypeError when `training` is no truth value.
 */
export function readApplication(node: unknown): Application {
  const keywords: unknown = isKerasConfig(node)
    ? node["kwargs"]
    : Array.isArray(node) && Array.isArray(node[0])
      ? node[0][3]
      : undefined;
  const training = isKerasConfig(keywords) ? (keywords["training"] ?? undefined) : undefined;
  if (training !== undefined && typeof training !== "boolean") {
    throw new TypeError(`model: \`training\` must be true, false or null. Received ${describe(training)}.`);
  }
  return { inputs: referencesIn(node), training };
}

/** The applications of one layer that have not run: which is next, and which of its inputs may still be missing. */
interface Queue {
  readonly applications: Application[];
  application: number;
  input: number;
}

/** The layers of a model, and what they are applied to. */
export class Connections {
  readonly #model: string;
  readonly #layers: ReadonlyMap<string, Layer>;
  readonly #isKeras2: boolean;
  readonly #queues = new Map<Layer, Queue>();

  /** @param layers - By name; may still be filled until {@link run}. */
  constructor(model: string, layers: ReadonlyMap<string, Layer>, isKeras2: boolean) {
    this.#model = model;
    this.#layers = layers;
    this.#isKeras2 = isKeras2;
  }

  /** One more application of `layer`, to run after those before it. */
  add(layer: Layer, application: Application): void {
    const queue = this.#queues.get(layer);
    if (queue !== undefined) queue.applications.push(application);
    else this.#queues.set(layer, { applications: [application], application: 0, input: 0 });
  }

  /**
   * Applies every layer as soon as it can be.
   *
   * @param apply - Applies a layer to tensors.
   * @throws RangeError when layers wait for each other, or for what is not there.
   */
  run(apply: (layer: Layer, inputs: readonly SymbolicTensor[], options: ApplyOptions) => void): void {
    // by layer and application: who waits for it
    const waiting = new Map<Layer, Map<number, Layer[]>>();
    const ready = [...this.#queues.keys()];
    for (let layer = ready.pop(); layer !== undefined; layer = ready.pop()) {
      const queue = this.#queues.get(layer);
      while (queue !== undefined && queue.application < queue.applications.length) {
        const { inputs, training } = queue.applications[queue.application];
        while (queue.input < inputs.length && this.#find(inputs[queue.input]) !== undefined) queue.input++;
        if (queue.input < inputs.length) {
          this.#wait(waiting, layer, inputs[queue.input]);
          break;
        }
        const tensors = inputs.map((reference) => this.output(reference, "inbound_nodes"));
        apply(layer, tensors, { training });
        queue.application++;
        queue.input = 0;
        const made = layer.nodes.length - 1;
        for (const reader of waiting.get(layer)?.get(made) ?? []) ready.push(reader);
        waiting.get(layer)?.delete(made);
      }
    }
    this.#refuseStuck();
  }

  #wait(waiting: Map<Layer, Map<number, Layer[]>>, layer: Layer, reference: Reference): void {
    const { source, index } = this.#locate(reference);
    const byIndex = waiting.get(source) ?? new Map<number, Layer[]>();
    waiting.set(source, byIndex);
    const readers = byIndex.get(index);
    if (readers !== undefined) readers.push(layer);
    else byIndex.set(index, [layer]);
  }

  #refuseStuck(): void {
    const stuck = [...this.#queues]
      .filter(([, queue]) => queue.application < queue.applications.length)
      .map(([layer]) => layer.name);
    if (stuck.length === 0) return;
    const names = stuck.slice(0, 5).join(", ") + (stuck.length > 5 ? ", ..." : "");
    throw new RangeError(
      `model \`${this.#model}\`: the graph must have no cycle, and read only what is in it. ` +
        `Received layers that wait for each other: ${names}.`,
    );
  }

  /**
   * The tensor that `reference` names.
   *
   * @throws RangeError when there is none.
   */
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

  #find(reference: Reference): SymbolicTensor | undefined {
    const { source, index } = this.#locate(reference);
    return source.nodes[index]?.output;
  }

  /**
   * The layer and the number of its application.
   *
   * Keras counts the application that made an inner model itself, in plain lists: of Functional models in Keras 3, of
   * all models in Keras 2. Such a list never says 0.
   */
  #locate({ layer: name, application, listed }: Reference): { source: Layer; index: number } {
    const source = this.#layers.get(name);
    if (source === undefined) {
      throw new RangeError(
        `model \`${this.#model}\`: layers must read layers of the model. Received ${describe(name)}.`,
      );
    }
    const counted = source instanceof Model && (this.#isKeras2 || source.className === "Functional");
    const shift = listed && counted && application > 0 ? 1 : 0;
    return { source, index: application - shift };
  }
}
