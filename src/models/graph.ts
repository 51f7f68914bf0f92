/**
 * The graph under a model: from output tensors back to inputs, and into the order in which Keras lists and runs layers.
 *
 * The depth of a node is its distance from the outputs: 0 for an output, and one more than the deepest node that reads
 * it. Layers of equal depth keep the order in which a depth-first walk from the outputs first meets them. Nodes run by
 * decreasing depth; those of equal depth in the order in which their readers, latest first, ask for them. Files, summaries
 * and the moving statistics of a shared layer depend on these orders, so they are Keras's
 * (`keras/src/ops/function.py: map_graph`).
 *
 * @module
 */
import type { Layer, LayerNode, SymbolicTensor } from "../layers/layer.js";

/** The nodes between inputs and outputs, and their layers. */
export interface Graph {
  /** In an order in which each can run after those before it. */
  readonly nodes: readonly LayerNode[];
  /** Each layer once, in Keras's order. */
  readonly layers: readonly Layer[];
}

interface Walk {
  /** Every node after all that it reads. */
  readonly finished: readonly LayerNode[];
  /** When each layer was first met, counted from 0. */
  readonly firstMet: ReadonlyMap<Layer, number>;
}

/** Depth-first from the outputs; with a stack of its own, since a chain of layers may be longer than the call stack. */
function walk(inputs: ReadonlySet<LayerNode>, outputs: readonly SymbolicTensor[]): Walk {
  const finished = new Set<LayerNode>();
  const firstMet = new Map<Layer, number>();
  const meet = ({ layer }: LayerNode): void => {
    if (!firstMet.has(layer)) firstMet.set(layer, firstMet.size);
  };
  for (const output of outputs) {
    const path = [{ node: output.node, next: 0 }];
    meet(output.node);
    while (path.length > 0) {
      const step = path[path.length - 1];
      const parents = inputs.has(step.node) ? [] : step.node.inputs;
      if (finished.has(step.node) || step.next === parents.length) {
        finished.add(step.node);
        path.pop();
      } else {
        const parent = parents[step.next++].node;
        if (finished.has(parent)) continue;
        meet(parent);
        path.push({ node: parent, next: 0 });
      }
    }
  }
  return { finished: [...finished], firstMet };
}

/**
 * The graph from `inputs` to `outputs`.
 *
 * @throws RangeError when an output depends on an input layer that is not among `inputs`.
 */
export function mapGraph(inputs: readonly SymbolicTensor[], outputs: readonly SymbolicTensor[]): Graph {
  const entrances = new Set(inputs.map((x) => x.node));
  const { finished, firstMet } = walk(entrances, outputs);
  const missing = finished.find((node) => node.inputs.length === 0 && !entrances.has(node));
  if (missing !== undefined) {
    throw new RangeError(
      `Model: \`inputs\` must contain every input that \`outputs\` depend on. Received no \`${missing.layer.name}\`.`,
    );
  }

  const nodeDepth = new Map<LayerNode, number>();
  const layerDepth = new Map<Layer, number>();
  for (const node of [...finished].reverse()) {
    const depth = Math.max(nodeDepth.get(node) ?? 0, layerDepth.get(node.layer) ?? 0);
    nodeDepth.set(node, depth);
    layerDepth.set(node.layer, depth);
    if (entrances.has(node)) continue;
    for (const { node: parent } of node.inputs) nodeDepth.set(parent, Math.max(depth + 1, nodeDepth.get(parent) ?? 0));
  }
  // inputs that no output reads still belong to the model
  for (const node of entrances) {
    if (layerDepth.has(node.layer)) continue;
    nodeDepth.set(node, 0);
    layerDepth.set(node.layer, 0);
  }

  const order = (layer: Layer): number => firstMet.get(layer) ?? -1;
  const layers = [...layerDepth.keys()].sort(
    (a, b) => depthOf(layerDepth, b) - depthOf(layerDepth, a) || order(a) - order(b),
  );
  // a stable sort: nodes of equal depth keep the order in which their depths were first set
  const nodes = [...nodeDepth.keys()].sort((a, b) => depthOf(nodeDepth, b) - depthOf(nodeDepth, a));
  return { nodes, layers };
}

function depthOf<Key>(depths: ReadonlyMap<Key, number>, key: Key): number {
  return depths.get(key) ?? 0;
}
