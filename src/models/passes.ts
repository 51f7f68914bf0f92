/**
 * Forward and backward over the graph of a model.
 *
 * Forward runs every node once, in order. Backward runs them in the opposite order; each node is given the sum of the
 * gradients that its readers left for its output, and leaves one gradient for each of its inputs.
 *
 * How much is wanted of a pass decides about memory. Where every layer's output and gradient is (a trace), all of it
 * stays. A training step wants the gradients of the weights alone: what backward will not read is given back at once,
 * and what it has read as soon as it has; and nodes whose outputs nobody else reads run as one (`units.ts`). Inference
 * keeps nothing but the outputs. The numbers are the same.
 *
 * @module
 */
import { type Execution, serial } from "../kernels/execution.js";
import type { Prologue } from "../kernels/normalize.js";
import { sumTensors } from "../kernels/sum-tensors.js";
import type { CallContext, Layer, LayerGradients, LayerNode, LayerPass } from "../layers/layer.js";
import type { Variable } from "../layers/variable.js";
import { addRegularizationGradients, regularizationLossOfAll } from "../regularizers/regularizer.js";
import { cast, dtypeOf, type Tensor, zeros } from "../tensor/tensor.js";
import type { Model } from "./model.js";
import { Readers, type Release } from "./readers.js";
import { type Schedule, scheduleOf } from "./schedule.js";
import type { Unit } from "./units.js";

/** What a forward pass over a model left. */
export interface ModelPass {
  /** The model's outputs, in its order. */
  readonly outputs: readonly Tensor[];
  /** Every node's own pass; of those that ran as one, the last one's. Of inference, those of the outputs. */
  readonly passes: ReadonlyMap<LayerNode, LayerPass>;
  /** New values of moving statistics. They have not been assigned yet. */
  readonly updates: ReadonlyMap<Variable, Tensor>;
  /** How it ran; backward runs in the same way. */
  readonly execution: Execution;
  /** What was wanted of it. */
  readonly want: Wanted;
  /** How it walked the graph. */
  readonly schedule: Schedule;
  /** For every unit, by its last node, the tensors that backward will read. */
  readonly kept: ReadonlyMap<LayerNode, readonly Tensor[]>;
  /** Who has yet to read what. */
  readonly readers: Readers;
}

/** The derivative of the loss for one output: for the output itself, or for what the softmax was taken of. */
export interface OutputGradient {
  /** For the output. */
  readonly dy: Tensor;
  /** For the logits; backward then starts there, and `dy` is only reported, where everything is wanted. */
  readonly dLogits?: Tensor | undefined;
}

/** Gradients of the loss for all that a pass has read. */
export interface ModelGradients {
  /** For every input, in the model's order; none where only those of the weights were wanted. */
  readonly dInputs: readonly Tensor[];
  /** For every trainable weight, by path; without the regularizers. */
  readonly dWeights: ReadonlyMap<string, Tensor>;
  /** For the output of every node, where everything was wanted. */
  readonly dOutputs: ReadonlyMap<LayerNode, Tensor>;
}

/**
 * What is wanted of a pass: all that its layers compute, the gradients of weights and inputs, those of the trained
 * weights alone, or the outputs.
 */
export type Wanted = "everything" | "gradients" | "weightGradients" | "outputs";

/** What else a forward pass can be asked for. */
export interface ForwardOptions {
  /** Less of it takes less memory and time. @defaultValue "everything" */
  readonly want?: Wanted;
  /** Takes memory that nobody will read any more. With `want` "everything" there is none. */
  readonly release?: Release | undefined;
  /** Runs a unit instead of `run`, which runs it as ever. */
  readonly runUnit?: ((unit: Unit, run: () => LayerPass) => LayerPass) | undefined;
  /** What a node reads instead of `xs`, which earlier nodes gave: to judge one layer at a time, on another's values. */
  readonly replaceInputs?: ((node: LayerNode, xs: readonly Tensor[]) => readonly Tensor[]) | undefined;
}

/** Runs every node of `model` on contiguous `inputs`. */
export function forwardPass(
  model: Model,
  inputs: readonly Tensor[],
  context: CallContext,
  { want = "everything", release, replaceInputs, runUnit = (_, run) => run() }: ForwardOptions = {},
): ModelPass {
  const isWhole = want === "everything";
  const inference = want === "outputs" && !context.training;
  const schedule = scheduleOf(model, isWhole ? "single" : inference ? "inference" : "training");
  const { units, applications, entrances, readCount, outputs } = schedule;
  const values = new Map<LayerNode, Tensor>();
  const prologues = new Map<LayerNode, Prologue>(); // of values that are left to their readers
  const passes = new Map<LayerNode, LayerPass>();
  const kept = new Map<LayerNode, readonly Tensor[]>();
  const updates = new Map<Variable, Tensor>(context.pending);
  const readers = new Readers((isWhole ? undefined : release) ?? (() => {}));
  const ofLayers = { ...context, pending: updates, release: want === "outputs" ? release : undefined };

  for (const unit of units) {
    const node = unit.last;
    const entrance = entrances.get(node);
    const read = entrance === undefined ? unit.inputs.map((x) => valueOf(values, x.node)) : [inputs[entrance]];
    // as in Keras, a layer computes in its own element type, whatever it reads
    const xs = read.map((x) => cast(x, node.layer.dtype));
    const inPlace = want === "outputs" && readers.isLast(xs[0].data);
    const here = { ...ofLayers, application: applications.get(unit.head) ?? 0 };
    const prologue = prologues.get(unit.head.inputs.at(0)?.node ?? unit.head);
    const pass = runUnit(unit, () => passOf(unit, replaceInputs?.(node, xs) ?? xs, here, inPlace, prologue));
    values.set(node, pass.y);
    if (pass.prologue !== undefined) prologues.set(node, pass.prologue);
    if (want !== "outputs" || outputs.has(node)) passes.set(node, pass);
    for (const [variable, value] of pass.updates ?? []) updates.set(variable, value);
    readers.expect(pass.y.data, readCount.get(node) ?? 0);
    if (want !== "outputs") {
      kept.set(node, pass.keeps ?? [...xs, pass.y]);
      for (const { data } of valueOf(kept, node)) readers.expect(data);
    }
    if (outputs.has(node) && pass.logits !== undefined) readers.expect(pass.logits.x.data); // for the loss
    if (entrance === undefined) for (const x of read) readers.done(x.data);
    else readers.expect(inputs[entrance].data); // the caller's
  }
  const { execution } = context;
  const results = model.outputs.map((x) => valueOf(values, x.node));
  return { outputs: results, passes, updates, execution, want, schedule, kept, readers };
}

/**
 * The pass of a unit: of its one layer, or of the head with what the others do to its output. `inPlace`: the first input
 * may be overwritten. `prologue`: what it still lacks.
 */
function passOf(
  { head: { layer }, inputs, finishes, normalization, isLeftToReader = false }: Unit,
  xs: readonly Tensor[],
  context: CallContext,
  inPlace: boolean,
  prologue: Prologue | undefined,
): LayerPass {
  if (isLeftToReader && layer.callAhead !== undefined) return layer.callAhead(xs, context, finishes.length > 0);
  const isPlain = prologue === undefined && finishes.length === 0 && !inPlace;
  if (layer.callFinished === undefined || isPlain) return layer.call(xs, context);
  const isAdded = finishes.includes("add");
  const addend = isAdded ? xs[inputs.length - 1] : undefined;
  const epilogue = {
    map: normalization?.channelMap?.(context),
    addend,
    rectify: finishes.includes("rectify"),
    inPlace,
  };
  return layer.callFinished(isAdded ? xs.slice(0, -1) : xs, context, epilogue, prologue);
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

/** Adds `term` before those that `key` has: nodes come in the opposite order, so that sums run in that of the readers. */
function leave<Key>(terms: Map<Key, Tensor[]>, key: Key, term: Tensor): void {
  const later = terms.get(key);
  if (later === undefined) terms.set(key, [term]);
  else later.unshift(term);
}

/**
 * The gradients of the loss, given its derivative for every output and the pass that gave them. Where not everything was
 * wanted of that pass, `dOutputs` are those of the inputs alone, and the pass has given up its memory: it serves once.
 */
export function backwardPass(
  model: Model,
  { want, passes, execution, schedule: { units, readCount }, kept, readers }: ModelPass,
  outputGradients: readonly OutputGradient[],
  trained: readonly Variable[] = model.trainableWeights,
): ModelGradients {
  const inputs = new Set(model.inputs.map((x) => x.node));
  const arriving = new Map<LayerNode, Tensor[]>();
  const weightTerms = new Map<Layer, Map<string, Tensor[]>>();
  const dOutputs = new Map<LayerNode, Tensor>();
  const isReported = (node: LayerNode): boolean => want === "everything" || inputs.has(node);
  const keep = (node: LayerNode, dy: Tensor): void => {
    if (!isReported(node)) return;
    dOutputs.set(node, dy);
    readers.expect(dy.data);
  };
  const arrive = (node: LayerNode, term: Tensor): void => {
    leave(arriving, node, term);
    readers.expect(term.data);
  };
  const leaveWeights = (layer: Layer, dWeights: Readonly<Record<string, Tensor>>): void => {
    const terms = weightTerms.get(layer) ?? new Map<string, Tensor[]>();
    weightTerms.set(layer, terms);
    for (const name in dWeights) leave(terms, name, dWeights[name]);
  };
  const atLogits = new Map<LayerNode, OutputGradient[]>();
  for (const [i, gradient] of [...outputGradients.entries()].reverse()) {
    const { node } = model.outputs[i];
    if (gradient.dLogits !== undefined) {
      atLogits.set(node, [gradient, ...(atLogits.get(node) ?? [])]);
      continue;
    }
    readers.expect(gradient.dy.data); // the caller's
    arrive(node, gradient.dy);
  }

  /** The gradient that the other of the two readers of a unit's first input has left for it: to be added on the way. */
  const otherTerm = ({ head, inputs }: Unit): Tensor | undefined => {
    const source = inputs.at(0)?.node;
    if (source === undefined || want === "everything" || !isNeeded(source) || readCount.get(source) !== 2)
      return undefined;
    const [term, ...more] = arriving.get(source) ?? [];
    if (term === undefined || more.length > 0 || dtypeOf(term) !== head.layer.dtype) return undefined;
    const addsItself = valueOf(passes, source).backwardOfTerms !== undefined;
    return addsItself ? undefined : term;
  };

  const needed = want === "weightGradients" ? nodesWithWeightsBefore(units, new Set(trained)) : undefined;
  const isNeeded = (node: LayerNode): boolean => needed?.has(node) ?? true;

  for (const unit of [...units].reverse()) {
    const node = unit.last;
    const pass = valueOf(passes, node);
    const gradients: LayerGradients[] = [];
    const terms = arriving.get(node) ?? [];
    const addend = otherTerm(unit);
    const options = { inputs: unit.inputs.some((x) => isNeeded(x.node)) || needed === undefined, addend };
    let dy: Tensor | undefined;
    if (terms.length > 1 && want !== "everything" && pass.backwardOfTerms !== undefined) {
      gradients.push(pass.backwardOfTerms(terms, options));
    } else if (terms.length > 0) {
      dy = meet(terms, execution);
      readers.expect(dy.data);
      keep(node, dy);
      gradients.push(pass.backward(dy, options));
    }
    const ofLogits = atLogits.get(node) ?? [];
    if (ofLogits.length > 0 && isReported(node)) {
      keep(node, meet([...terms, ...ofLogits.map((of) => of.dy)], execution));
    }
    for (const { dLogits } of ofLogits) {
      if (pass.logits !== undefined && dLogits !== undefined) gradients.push(pass.logits.backward(dLogits, options));
    }
    for (const { dInputs, dWeights, isSum } of gradients.reverse()) {
      if (isSum === true && addend !== undefined) {
        arriving.delete(unit.inputs[0].node); // where it was the only term
        readers.done(addend.data);
      }
      for (let i = unit.inputs.length - 1; i >= 0; i--) {
        const source = unit.inputs[i].node;
        if (isNeeded(source)) arrive(source, cast(dInputs[i], source.layer.dtype));
      }
      leaveWeights(unit.head.layer, dWeights);
    }
    for (const { data } of terms) readers.done(data);
    if (dy !== undefined) readers.done(dy.data);
    for (const { data } of valueOf(kept, node)) readers.done(data);
  }

  const wantedInputs = want === "weightGradients" ? [] : model.inputs;
  const dInputs = wantedInputs.map(
    (x) => dOutputs.get(x.node) ?? zeros(valueOf(passes, x.node).y.shape, valueOf(passes, x.node).y),
  );
  const dWeights = new Map<string, Tensor>();
  const trainable = new Set(trained);
  for (const { path, layer, name, weight } of model.weightPlaces()) {
    if (!trainable.has(weight)) continue;
    const terms = weightTerms.get(layer)?.get(name);
    dWeights.set(path, terms === undefined ? zeros(weight.shape, weight.value) : meet(terms, execution));
  }
  return { dInputs, dWeights, dOutputs };
}

/** The nodes that have weights of `trained`, or see a node that has: what is before them needs no gradient. */
function nodesWithWeightsBefore(units: readonly Unit[], trained: ReadonlySet<Variable>): ReadonlySet<LayerNode> {
  const nodes = new Set<LayerNode>();
  for (const { head, last, inputs } of units) {
    if (head.layer.weights.some((weight) => trained.has(weight)) || inputs.some((x) => nodes.has(x.node))) {
      nodes.add(last);
    }
  }
  return nodes;
}

/** The penalties on the trainable weights of `model`, each weight once. */
export function regularizationLosses(model: Model, execution: Execution = serial): number {
  return regularizationLossOfAll(model.trainableWeights, execution);
}

/**
 * The gradient of loss and penalties for each of `weights`, given the `dWeights` of {@link backwardPass}: a layer that
 * several models share has a path, and a term, in each.
 */
export function weightGradients(
  model: Model,
  dWeights: ReadonlyMap<string, Tensor>,
  weights: readonly Variable[] = model.trainableWeights,
  execution: Execution = serial,
): ReadonlyMap<Variable, Tensor> {
  const terms = new Map<Variable, Tensor[]>();
  for (const [path, weight] of model.weightsByPath()) {
    const dWeight = dWeights.get(path);
    if (dWeight !== undefined) terms.set(weight, [...(terms.get(weight) ?? []), dWeight]);
  }
  const gradients = new Map<Variable, Tensor>();
  for (const weight of weights) {
    const ofWeight = terms.get(weight);
    if (ofWeight === undefined) throw new Error(`internal: Model: no gradient for \`${weight.name}\`.`);
    gradients.set(weight, meet(ofWeight, execution));
  }
  const penalized = [...gradients].flatMap(([variable, dWeight]) => {
    const { regularizer, value } = variable;
    return regularizer === undefined ? [] : [{ variable, regularizer, weight: value, dWeight }];
  });
  for (const [i, sum] of addRegularizationGradients(penalized, execution).entries()) {
    gradients.set(penalized[i].variable, sum);
  }
  return gradients;
}

/** The same by path, in the order of `dWeights`; under every path of a weight all of its gradient. */
export function withRegularizers(model: Model, dWeights: ReadonlyMap<string, Tensor>): ReadonlyMap<string, Tensor> {
  const weights = model.weightsByPath();
  const gradients = weightGradients(model, dWeights);
  return new Map(
    [...dWeights].map(([path, dWeight]) => {
      const weight = weights.get(path);
      return [path, (weight && gradients.get(weight)) ?? dWeight];
    }),
  );
}
