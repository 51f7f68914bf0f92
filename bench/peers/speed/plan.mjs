/**
 * A model as a list of plain operations, which every peer can follow.
 *
 *     { inputShape, classes, nodes: [{ name, op, inputs, ...arguments, weights }], weights: Map(name -> { data, shape }) }
 *
 * Tensors are NHWC and kernels HWIO; SAME padding is written out as zeros `[[top, bottom], [left, right]]`.
 *
 * @module
 */
import { resnetV1, resnetV2, ResNet50 } from "../../../build/src/index.js";
import { zerosOf } from "../peer.mjs";

const MODELS = {
  resnet20v1: () => resnetV1(20, { seed: 1 }),
  resnet29v2: () => resnetV2(29, { seed: 1 }),
  resnet110v2: () => resnetV2(110, { seed: 1 }),
  resnet50: () => ResNet50({ seed: 1 }),
};

/** The model of this name as the reference builds it. */
export function modelNamed(name) {
  return MODELS[name]();
}

const activation = (name, input, kind) => ({ name: `${name}/${kind}`, op: kind, inputs: [input] });

/** What one layer does, as one operation or, with an activation in it, two. */
function operationsOf(layer, inputs, inputShape) {
  const { name, className } = layer;
  const config = layer.getConfig();
  const weights = Object.fromEntries(layer.weights.map((weight) => [weight.name, `${name}/${weight.name}`]));
  const node = (op, rest = {}) => [{ name, op, inputs, weights, ...rest }];
  const withActivation = (nodes) => {
    if (config.activation === undefined || config.activation === "linear") return nodes;
    return [...nodes, activation(name, name, config.activation)];
  };
  const window = (size) => ({
    strides: config.strides,
    zeros: zerosOf([1, ...inputShape.slice(1)], size, { strides: config.strides, padding: config.padding }),
  });
  switch (className) {
    case "InputLayer":
      return node("input");
    case "Conv2D":
      return withActivation(
        node("conv2d", { ...window(config.kernel_size), l2: config.kernel_regularizer?.config.l2 ?? 0 }),
      );
    case "Dense":
      return withActivation(node("dense"));
    case "BatchNormalization":
      return node("batch-normalization", { epsilon: config.epsilon, momentum: config.momentum });
    case "Activation":
      return node(config.activation);
    case "Add":
      return node("add");
    case "ZeroPadding2D":
      return node("zero-padding2d", { zeros: config.padding });
    case "MaxPooling2D":
      return node("max-pooling2d", { poolSize: config.pool_size, ...window(config.pool_size) });
    case "AveragePooling2D":
      return node("average-pooling2d", { poolSize: config.pool_size, ...window(config.pool_size) });
    case "GlobalAveragePooling2D":
      return node("global-average-pooling2d");
    case "Flatten":
      return node("flatten");
    default:
      throw new Error(`no plan for a ${className}`);
  }
}

/** The plan of a model of the reference. */
export function planOf(model) {
  const last = new Map(); // what the readers of a layer read: its activation, where it has one
  const nodes = [];
  for (const { layer, inputs } of model.graphNodes) {
    const read = inputs.map((x) => last.get(x.node.layer.name));
    const own = operationsOf(layer, read, inputs[0]?.shape ?? []);
    nodes.push(...own);
    last.set(layer.name, own.at(-1).name);
  }
  const weights = new Map(
    [...model.weightsByPath()].map(([path, { value }]) => [path, { data: value.data, shape: value.shape }]),
  );
  return {
    inputShape: model.inputs[0].shape.slice(1),
    classes: model.outputs[0].shape[1],
    nodes,
    output: last.get(model.outputs[0].node.layer.name),
    weights,
  };
}
