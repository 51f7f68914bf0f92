/**
 * A graph as a Keras 3 configuration: `layers`, each with its `inbound_nodes`, then `input_layers` and `output_layers`.
 *
 * A tensor is written as the layer that makes it, the number of that layer's application, and the number of its output.
 * Applications are counted within the model that is written; for a model inside, `output_layers` alone counts one more,
 * since Keras counts the application that made the inner model itself.
 *
 * @module
 */
import type { Layer, LayerNode, SymbolicTensor } from "../layers/layer.js";
import type { KerasConfig } from "../serialization/config.js";

/** What of a model is written. */
export interface GraphModel {
  readonly inputs: readonly SymbolicTensor[];
  readonly outputs: readonly SymbolicTensor[];
  readonly layers: readonly Layer[];
  readonly graphNodes: readonly LayerNode[];
}

/** How Keras names the module of a layer class. */
export function serializeLayer(layer: Layer): KerasConfig {
  const isModel = layer.className === "Functional" || layer.className === "Sequential";
  const inputShapes = layer.nodes[0]?.inputs.map((x) => x.shape) ?? [];
  const builds = !isModel && layer.weights.length > 0;
  return {
    module: isModel ? (layer.className === "Sequential" ? "keras" : "keras.src.models.functional") : "keras.layers",
    class_name: layer.className,
    config: layer.getConfig(),
    registered_name: layer.className === "Functional" ? "Functional" : null,
    ...(builds && { build_config: { input_shape: inputShapes[0] } }),
  };
}

/** The arguments of a functional model: its layers and how they are connected. */
export function graphToConfig({ inputs, outputs, layers, graphNodes }: GraphModel): KerasConfig {
  const applications = new Map<Layer, LayerNode[]>(layers.map((layer) => [layer, []]));
  for (const node of graphNodes) applications.get(node.layer)?.push(node);
  for (const nodes of applications.values()) nodes.sort((a, b) => a.index - b.index);
  const number = (node: LayerNode): number => applications.get(node.layer)?.indexOf(node) ?? 0;

  const tensorConfig = (x: SymbolicTensor): KerasConfig => ({
    class_name: "__keras_tensor__",
    config: {
      shape: x.shape,
      dtype: x.node.layer.dtype,
      keras_history: [x.node.layer.name, number(x.node), 0],
    },
  });
  const nodeConfig = (node: LayerNode): KerasConfig => {
    const tensors = node.inputs.map(tensorConfig);
    const kwargs = node.training === undefined ? {} : { training: node.training };
    return { args: tensors.length === 1 ? tensors : [tensors], kwargs };
  };
  const reference = ({ node }: SymbolicTensor): readonly unknown[] => {
    const offset = node.layer.className === "Functional" ? 1 : 0;
    return [node.layer.name, number(node) + offset, 0];
  };
  const references = (tensors: readonly SymbolicTensor[]): readonly unknown[] =>
    tensors.length === 1 ? reference(tensors[0]) : tensors.map(reference);

  return {
    layers: layers.map((layer) => ({
      ...serializeLayer(layer),
      name: layer.name,
      inbound_nodes: (applications.get(layer) ?? []).filter((node) => node.inputs.length > 0).map(nodeConfig),
    })),
    input_layers: references(inputs),
    output_layers: references(outputs),
  };
}
