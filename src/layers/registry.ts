/**
 * Every layer that a Keras file may name, and how it is read.
 *
 * @module
 */
import { describe, type KerasConfig } from "../serialization/config.js";
import { Activation } from "./activation.js";
import { Add } from "./add.js";
import { AveragePooling2D } from "./average-pooling2d.js";
import { BatchNormalization } from "./batch-normalization.js";
import { Concatenate } from "./concatenate.js";
import { Conv2D } from "./conv2d.js";
import { Dense } from "./dense.js";
import { DepthwiseConv2D } from "./depthwise-conv2d.js";
import { Dropout } from "./dropout.js";
import { Flatten } from "./flatten.js";
import { GlobalAveragePooling2D } from "./global-average-pooling2d.js";
import { GlobalMaxPooling2D } from "./global-max-pooling2d.js";
import { InputLayer } from "./input-layer.js";
import type { Layer } from "./layer.js";
import { LeakyReLU } from "./leaky-relu.js";
import { MaxPooling2D } from "./max-pooling2d.js";
import { ReLU } from "./relu.js";
import { Rescaling } from "./rescaling.js";
import { Reshape } from "./reshape.js";
import { Softmax } from "./softmax.js";
import { ZeroPadding2D } from "./zero-padding2d.js";

/** Keras class -> layer. Keras's other names (`MaxPool2D`, `Convolution2D`, ...) are the same classes, and never written. */
const layers: ReadonlyMap<string, (config: KerasConfig) => Layer> = new Map<string, (config: KerasConfig) => Layer>([
  ["Activation", Activation.fromConfig],
  ["Add", Add.fromConfig],
  ["AveragePooling2D", AveragePooling2D.fromConfig],
  ["BatchNormalization", BatchNormalization.fromConfig],
  ["Concatenate", Concatenate.fromConfig],
  ["Conv2D", Conv2D.fromConfig],
  ["Dense", Dense.fromConfig],
  ["DepthwiseConv2D", DepthwiseConv2D.fromConfig],
  ["Dropout", Dropout.fromConfig],
  ["Flatten", Flatten.fromConfig],
  ["GlobalAveragePooling2D", GlobalAveragePooling2D.fromConfig],
  ["GlobalMaxPooling2D", GlobalMaxPooling2D.fromConfig],
  ["InputLayer", InputLayer.fromConfig],
  ["LeakyReLU", LeakyReLU.fromConfig],
  ["MaxPooling2D", MaxPooling2D.fromConfig],
  ["ReLU", ReLU.fromConfig],
  ["Rescaling", Rescaling.fromConfig],
  ["Reshape", Reshape.fromConfig],
  ["Softmax", Softmax.fromConfig],
  ["ZeroPadding2D", ZeroPadding2D.fromConfig],
]);

/**
 * The layer of Keras class `className` with the arguments in `config`.
 *
 * @throws RangeError when this project has no such layer; the message names class and layer.
 * @throws TypeError when an argument is not as Keras writes it.
 */
export function layerFromConfig(className: string, config: KerasConfig): Layer {
  const fromConfig = layers.get(className);
  if (fromConfig === undefined) {
    const name = typeof config["name"] === "string" ? config["name"] : describe(config["name"]);
    throw new RangeError(
      `model: layer class \`${className}\` (layer \`${name}\`) is not one that this project implements.`,
    );
  }
  return fromConfig(config);
}
