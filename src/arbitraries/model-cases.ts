/**
 * What the arbitraries of models share: weights by regime, inputs, targets, and how a model prints.
 *
 * @module
 */
import fc from "fast-check";
import type { Model } from "../models/model.js";
import type { DType } from "../tensor/dtype.js";
import { formatShape, type SymbolicShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Plan, TensorPlan } from "./cases.js";
import { type Regime, REGIMES } from "./regimes.js";

/** A model with weights, and a batch for it. */
export interface ModelCase {
  /** Its weights are assigned. */
  readonly model: Model;
  /** For `model.forward`. */
  readonly inputs: readonly Tensor[];
  /** With the shape of the model's one output: a derivative to send back, or labels. */
  readonly targets: Tensor;
}

/** How the tensors of a model are drawn. */
export interface ModelRegimes {
  /** Of inputs and weights; moving variances are positive. */
  readonly values: Regime;
  readonly targets: Regime;
  readonly dtype: DType;
}

/** The plan of a case around the model that `create` gives, which has one output. */
export function modelPlan(
  create: () => Model,
  batch: number,
  { values, targets, dtype }: ModelRegimes,
): Plan<ModelCase> {
  const model = create();
  const withBatch = (shape: SymbolicShape): number[] => shape.map((size) => size ?? batch);
  const tensors: Record<string, TensorPlan> = {};
  for (const [i, { shape }] of model.inputs.entries()) {
    tensors[`inputs/${i}`] = { shape: withBatch(shape), dtype, regime: values };
  }
  for (const [path, { name, shape }] of model.weightsByPath()) {
    tensors[`weights/${path}`] = { shape, dtype, regime: name === "moving_variance" ? REGIMES.positive : values };
  }
  tensors["targets"] = { shape: withBatch(model.outputs[0].shape), dtype, regime: targets };
  return {
    tensors,
    build(drawn) {
      const model = create();
      for (const [path, weight] of model.weightsByPath()) weight.assign(drawn[`weights/${path}`]);
      const print = (): string => describeModel(model, drawn);
      Object.defineProperty(model, fc.toStringMethod, { value: print });
      return { model, inputs: model.inputs.map((_, i) => drawn[`inputs/${i}`]), targets: drawn["targets"] };
    },
  };
}

/** The layers of `model`, one a line, each with what it reads, its output shape and its weights. */
function describeModel(model: Model, drawn: Readonly<Record<string, Tensor>>): string {
  const lines = model.graphNodes.map(({ layer, inputs, output }) => {
    const weights = layer.weights.map((weight) => {
      const path = `${layer.name}/${weight.name}`;
      return `${weight.name}: ${fc.stringify(drawn[`weights/${path}`])}`;
    });
    const read = inputs.map((x) => x.node.layer.name).join(", ");
    const held = weights.length === 0 ? "" : ` { ${weights.join(", ")} }`;
    return `${layer.name} = ${layer.className}(${read}) ${formatShape(output.shape)}${held}`;
  });
  return `Model(${lines.join("; ")})`;
}
