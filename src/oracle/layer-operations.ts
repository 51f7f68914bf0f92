/**
 * Layers as operations: which operation a layer of Keras is, with which arguments, reading which weights.
 *
 * @module
 */
import { type ActivationName, activationFromConfig } from "../layers/activation.js";
import type { Layer } from "../layers/layer.js";
import type { KerasConfig } from "../serialization/config.js";
import type { Tensor } from "../tensor/tensor.js";
import { operationNamed } from "./operations/table.js";
import type { Operation } from "./operation.js";

/** A layer as an operation. */
export interface LayerOperation {
  readonly operation: Operation;
  /** Its gradients. */
  readonly backward: Operation;
  /** All arguments of both, in camelCase. */
  readonly args: KerasConfig;
  /** The weights that forward and backward read, by the names of their operands. */
  readonly weights: Readonly<Record<string, Tensor>>;
  /** Whether inputs are called `x0`, `x1`, ... */
  readonly takesList: boolean;
  /** What is applied behind it. */
  readonly activation: ActivationName;
}

/** Keras's classes that are one operation each. */
const OPERATIONS: Readonly<Record<string, string>> = {
  Add: "add",
  AveragePooling2D: "average-pooling2d",
  Concatenate: "concatenate",
  Conv2D: "conv2d",
  Dense: "dense",
  DepthwiseConv2D: "depthwise-conv2d",
  Flatten: "flatten",
  GlobalAveragePooling2D: "global-average-pooling2d",
  GlobalMaxPooling2D: "global-max-pooling2d",
  LeakyReLU: "leaky-relu",
  MaxPooling2D: "max-pooling2d",
  ReLU: "relu",
  Rescaling: "rescaling",
  Reshape: "reshape",
  Softmax: "softmax",
  ZeroPadding2D: "zero-padding2d",
};

/** The operation of `layer` in the given mode; undefined where it is none (a model, dropout in training). */
export function operationOf(layer: Layer, training: boolean): LayerOperation | undefined {
  const config = camelCased(layer.getConfig());
  const weights = Object.fromEntries(layer.weights.map((weight) => [camelCase(weight.name), weight.value]));
  if (layer.className === "Activation")
    return activationOperation(activationFromConfig(config["activation"], layer.name));
  const named = (name: string, takesList = false): LayerOperation => ({
    operation: operationNamed(name),
    backward: operationNamed(`${name}-backward`),
    args: operationNamed(name).complete(config),
    weights,
    takesList,
    activation: "kernel" in weights ? activationFromConfig(config["activation"], layer.name) : "linear",
  });
  if (layer.className === "BatchNormalization") {
    return named(training && layer.trainable ? "batch-normalization-training" : "batch-normalization");
  }
  const name = OPERATIONS[layer.className];
  return name === undefined ? undefined : named(name, name === "add" || name === "concatenate");
}

/** The operation of an activation; undefined for the linear one, which is none. */
export function activationOperation(activation: ActivationName): LayerOperation | undefined {
  if (activation === "linear") return undefined;
  const name = activation === "leaky_relu" ? "leaky-relu" : activation;
  // the slope of Keras's function; that of the layer LeakyReLU is another
  const args = activation === "leaky_relu" ? { negativeSlope: 0.2 } : {};
  const operation = operationNamed(name);
  return {
    operation,
    backward: operationNamed(`${name}-backward`),
    args: operation.complete(args),
    weights: {},
    takesList: false,
    activation: "linear",
  };
}

/** Keras's `moving_mean` as `movingMean`; `strides-height` too. */
export function camelCase(name: string): string {
  return name.replace(/[-_]([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

function camelCased(config: KerasConfig): KerasConfig {
  return Object.fromEntries(Object.entries(config).map(([key, value]) => [camelCase(key), value]));
}
