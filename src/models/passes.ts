/**
 * Forward and backward over the graph of a model.
 *
 * Forward runs every node once, in order. Backward runs them in the opposite order; each node is given the sum of the
 * gradients that its readers left for its output, and leaves one gradient for each of its inputs.
 *
 * Memory: every layer's output stays until the pass is dropped, since backward reads it. With `release` there is no way
 * back, and a tensor's memory is handed on once its last reader has run; the outputs, and the logits of those that are a
 * softmax, stay.
 *
 * @module
 */
import type { Execution } from "../kernels/execution.js";
import { sumTensors } from "../kernels/sum-tensors.js";
import type { CallContext, LayerGradients, LayerNode, LayerPass } from "../layers/layer.js";
import type { Variable } from "../layers/variable.js";
import { addRegularizationGradient, regularizationLoss } from "../regularizers/regularizer.js";
import type { FloatArray } from "../tensor/dtype.js";
import { cast, type Tensor, zeros } from "../tensor/tensor.js";
import type { Model } from "./model.js";

/** What a forward pass over a model left. */
export interface ModelPass {
  /** The model's outputs, in its order. */
  readonly outputs: readonly Tensor[];
  /** Every node's own pass; where memory was released, those of the outputs alone. */
  readonly passes: ReadonlyMap<LayerNode, LayerPass>;
  /** New values of moving statistics. They have not been assigned yet. */
  readonly updates: ReadonlyMap<Variable, Tensor>;
  /** How it ran; backward runs in the same way. */
  readonly execution: Execution;
}

/** The derivative of the loss for one output: for the output itself, or for what the softmax was taken of. */
export interface OutputGradient {
  /** For the output. */
  readonly dy: Tensor;
  /** For the logits; backward then starts there, and `dy` is only reported. */
  readonly dLogits?: Tensor;
}

/** Gradients of the loss for all that a pass has read. */
export interface ModelGradients {
  /** For every input, in the model's order. */
  readonly dInputs: readonly Tensor[];
  /** For every trainable weight, by path; without the regularizers. */
  readonly dWeights: ReadonlyMap<string, Tensor>;
  /** For the output of every node. */
  readonly dOutputs: ReadonlyMap<LayerNode, Tensor>;
}

/** Counts who has yet to read a piece of memory, which several tensors may share (Flatten), and releases it after the last. */
class Readers {
  readonly #counts = new Map<FloatArray, number>();
  readonly #release: (data: FloatArray) => void;

  constructor(release: (data: FloatArray) => void) {
    this.#release = release;
  }

  /** `data` will be read `times` more times. */
  expect(data: FloatArray, times: number): void {
    this.#counts.set(data, (this.#counts.get(data) ?? 0) + times);
  }

  /** `data` has been read once. */
  done(data: FloatArray): void {
    const left = (this.#counts.get(data) ?? 0) - 1;
    this.#counts.set(data, left);
    if (left <= 0) this.#release(data);
  }
}

/** What else a forward pass can be asked for. */
export interface ForwardOptions {
  /** Where given, nothing is kept for backward, and memory that no later node reads is handed to it. */
  readonly release?: ((data: FloatArray) => void) | undefined;
  /** What a node reads instead of `xs`, which earlier nodes gave: to judge one layer at a time, on another's values. */
  readonly replaceInputs?: ((node: LayerNode, xs: readonly Tensor[]) => readonly Tensor[]) | undefined;
}

/** Runs every node of `model` on contiguous `inputs`. */
export function forwardPass(
  model: Model,
  inputs: readonly Tensor[],
  context: CallContext,
  { release, replaceInputs }: ForwardOptions = {},
): ModelPass {
  const values = new Map<LayerNode, Tensor>();
  const passes = new Map<LayerNode, LayerPass>();
  const updates = new Map<Variable, Tensor>(context.pending);
  const readers = new Readers(release ?? (() => {}));
  const readCount = new Map<LayerNode, number>();
  const count = (node: LayerNode): void => void readCount.set(node, (readCount.get(node) ?? 0) + 1);
  for (const node of model.graphNodes) for (const x of node.inputs) count(x.node);
  for (const output of model.outputs) count(output.node);

  for (const node of model.graphNodes) {
    const entrance = model.inputs.findIndex((x) => x.node === node);
    const read = entrance >= 0 ? [inputs[entrance]] : node.inputs.map((x) => valueOf(values, x.node));
    // as in Keras, a layer computes in its own element type, whatever it reads
    const xs = read.map((x) => cast(x, node.layer.dtype));
    const pass = node.layer.call(replaceInputs?.(node, xs) ?? xs, { ...context, pending: updates });
    values.set(node, pass.y);
    const isOutput = model.outputs.some((output) => output.node === node);
    if (release === undefined || isOutput) passes.set(node, pass);
    // the loss of a softmax reads what it was taken of
    if (isOutput && pass.logits !== undefined) readers.expect(pass.logits.x.data, 1);
    for (const [variable, value] of pass.updates ?? []) updates.set(variable, value);
    readers.expect(pass.y.data, readCount.get(node) ?? 0);
    if (entrance < 0) for (const x of read) readers.done(x.data);
  }
  return { outputs: model.outputs.map((x) => valueOf(values, x.node)), passes, updates, execution: context.execution };
}

function valueOf<Value>(values: ReadonlyMap<LayerNode, Value>, node: LayerNode): Value {
  const value = values.get(node);
  if (value === undefined) throw new Error(`internal: Model: \`${node.layer.name}\` has not run yet.`);
  return value;
}

/** The sum of gradients that meet; a single one is passed on as it is. */
function meet(terms: readonly Tensor[], execution: Execution): Tensor {
  return terms.length === 1 ? terms[0] : sumTensors(terms, { start: 0 }, execution);
}

/** The gradients of the loss, given its derivative for every output and the pass that gave them. */
export function backwardPass(
  model: Model,
  { passes, execution }: ModelPass,
  outputGradients: readonly OutputGradient[],
  trained: readonly Variable[] = model.trainableWeights,
): ModelGradients {
  const arriving = new Map<LayerNode, Tensor[]>();
  const weightTerms = new Map<string, Tensor[]>();
  const dOutputs = new Map<LayerNode, Tensor>();
  const leave = <Key>(terms: Map<Key, Tensor[]>, key: Key, term: Tensor): void => {
    // nodes come in the opposite order, so that a sum runs in the order of its readers
    terms.set(key, [term, ...(terms.get(key) ?? [])]);
  };
  for (const [i, { dy, dLogits }] of [...outputGradients.entries()].reverse()) {
    if (dLogits === undefined) leave(arriving, model.outputs[i].node, dy);
  }

  for (const node of [...model.graphNodes].reverse()) {
    const pass = valueOf(passes, node);
    const gradients: LayerGradients[] = [];
    const terms = arriving.get(node);
    if (terms !== undefined) {
      const dy = meet(terms, execution);
      dOutputs.set(node, dy);
      gradients.push(pass.backward(dy));
    }
    for (const [i, { dy, dLogits }] of outputGradients.entries()) {
      if (dLogits === undefined || model.outputs[i].node !== node || pass.logits === undefined) continue;
      dOutputs.set(node, terms === undefined ? dy : meet([...terms, dy], execution));
      gradients.push(pass.logits.backward(dLogits));
    }
    for (const { dInputs, dWeights } of gradients.reverse()) {
      for (const [i, { node: source }] of [...node.inputs.entries()].reverse()) {
        leave(arriving, source, cast(dInputs[i], source.layer.dtype));
      }
      for (const [name, dWeight] of Object.entries(dWeights)) leave(weightTerms, `${node.layer.name}/${name}`, dWeight);
    }
  }

  const dInputs = model.inputs.map(
    (x) => dOutputs.get(x.node) ?? zeros(valueOf(passes, x.node).y.shape, valueOf(passes, x.node).y),
  );
  const dWeights = new Map<string, Tensor>();
  const trainable = new Set(trained);
  for (const [path, weight] of model.weightsByPath()) {
    if (!trainable.has(weight)) continue;
    const terms = weightTerms.get(path);
    dWeights.set(path, terms === undefined ? zeros(weight.shape, weight.value) : meet(terms, execution));
  }
  return { dInputs, dWeights, dOutputs };
}

/** The penalties on the trainable weights of `model`, each weight once. */
export function regularizationLosses(model: Model): number {
  let sum = 0;
  for (const { regularizer, value } of model.trainableWeights) {
    if (regularizer !== undefined) sum += regularizationLoss(regularizer, value);
  }
  return sum;
}

/** `dWeights` of {@link backwardPass} with the gradients of the penalties added. */
export function withRegularizers(model: Model, dWeights: ReadonlyMap<string, Tensor>): ReadonlyMap<string, Tensor> {
  const weights = model.weightsByPath();
  return new Map(
    [...dWeights].map(([path, dWeight]) => {
      const weight = weights.get(path);
      if (weight?.regularizer === undefined) return [path, dWeight];
      return [path, addRegularizationGradient(weight.regularizer, weight.value, dWeight)];
    }),
  );
}
