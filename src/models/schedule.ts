/**
 * What of a pass does not depend on its numbers: in what units the graph is walked, and who reads what. A graph never
 * changes, so this is worked out once for a model, not in every step.
 *
 * @module
 */
import type { LayerNode } from "../layers/layer.js";
import type { Model } from "./model.js";
import { applicationsOf } from "./node-names.js";
import { joinedUnits, singleUnits, type Unit } from "./units.js";

/** How the graph of a model is walked. */
export interface Schedule {
  /** In the order in which they run forward. */
  readonly units: readonly Unit[];
  /** Which application of its layer, within the model, a node is. */
  readonly applications: ReadonlyMap<LayerNode, number>;
  /** Which input of the model enters at a node. */
  readonly entrances: ReadonlyMap<LayerNode, number>;
  /** How often the output of a node is read: by units, and as an output of the model. */
  readonly readCount: ReadonlyMap<LayerNode, number>;
  /** The nodes whose outputs are the model's. */
  readonly outputs: ReadonlySet<LayerNode>;
}

/** Whether nodes run one by one, or joined as far as a training step or inference allows. */
export type Joining = "single" | "training" | "inference";

const schedules: Readonly<Record<Joining, WeakMap<Model, Schedule>>> = {
  single: new WeakMap(),
  training: new WeakMap(),
  inference: new WeakMap(),
};

/** How the graph of `model` is walked. */
export function scheduleOf(model: Model, joining: Joining): Schedule {
  const known = schedules[joining].get(model);
  if (known !== undefined) return known;
  const { graphNodes, inputs, outputs } = model;
  const units =
    joining === "single" ? singleUnits(graphNodes) : joinedUnits(graphNodes, outputs, joining === "inference");
  const readCount = new Map<LayerNode, number>();
  for (const { node } of [...units.flatMap((unit) => unit.inputs), ...outputs]) {
    readCount.set(node, (readCount.get(node) ?? 0) + 1);
  }
  const schedule = {
    units,
    applications: applicationsOf(graphNodes),
    entrances: new Map(inputs.map(({ node }, i) => [node, i] as const).reverse()), // of one given twice the first
    readCount,
    outputs: new Set(outputs.map(({ node }) => node)),
  };
  schedules[joining].set(model, schedule);
  return schedule;
}
