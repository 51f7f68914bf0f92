/**
 * Names of a layer's applications: `<layer>`, `<layer>:1`, `<layer>:2`, ...
 *
 * Traces, outputs and targets go by them, since a layer may be applied again, and to an output of the model each time.
 *
 * @module
 */
import type { Layer, LayerNode } from "../layers/layer.js";

/** A name for each of `nodes`, numbered by application, which need not be the order in which they run. */
export function nodeNames(nodes: readonly LayerNode[]): ReadonlyMap<LayerNode, string> {
  const applied = new Map<Layer, number>();
  const names = new Map<LayerNode, string>();
  for (const node of [...nodes].sort((a, b) => a.index - b.index)) {
    const times = applied.get(node.layer) ?? 0;
    applied.set(node.layer, times + 1);
    names.set(node, times === 0 ? node.layer.name : `${node.layer.name}:${times}`);
  }
  return names;
}

/** The names of the nodes that make `tensors`, numbered among all nodes of their model. */
export function tensorNames(
  model: { readonly graphNodes: readonly LayerNode[] },
  tensors: readonly { readonly node: LayerNode }[],
): readonly string[] {
  const names = nodeNames(model.graphNodes);
  return tensors.map(({ node }) => names.get(node) ?? node.layer.name);
}
