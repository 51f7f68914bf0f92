/**
 * Names of a layer's applications: `<layer>`, `<layer>:1`, `<layer>:2`, ...
 *
 * Traces, outputs and targets go by them, since a layer may be applied again, and to an output of the model each time.
 *
 * @module
 */
import { callPath, type Layer, type LayerNode } from "../layers/layer.js";

/** Which application of its layer each of `nodes` is, from 0: those of other models do not count. */
export function applicationsOf(nodes: readonly LayerNode[]): ReadonlyMap<LayerNode, number> {
  const applied = new Map<Layer, number>();
  const applications = new Map<LayerNode, number>();
  for (const node of [...nodes].sort((a, b) => a.index - b.index)) {
    const times = applied.get(node.layer) ?? 0;
    applied.set(node.layer, times + 1);
    applications.set(node, times);
  }
  return applications;
}

/** A name for each of `nodes`, numbered by application, which need not be the order in which they run. */
export function nodeNames(nodes: readonly LayerNode[]): ReadonlyMap<LayerNode, string> {
  const applications = [...applicationsOf(nodes)];
  return new Map(applications.map(([node, application]) => [node, callPath(node.layer, { application })]));
}

/** The names of the nodes that make `tensors`, numbered among all nodes of their model. */
export function tensorNames(
  model: { readonly graphNodes: readonly LayerNode[] },
  tensors: readonly { readonly node: LayerNode }[],
): readonly string[] {
  const names = nodeNames(model.graphNodes);
  return tensors.map(({ node }) => names.get(node) ?? node.layer.name);
}
