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

/** What the table needs of a layer class. */
interface LayerClass {
  fromConfig(config: KerasConfig): Layer;
}

/** By Keras class. Keras's other names (`MaxPool2D`, `Convolution2D`, ...) are the same classes and never written. */
const layers: Readonly<Record<string, LayerClass>> = {
  Activation,
  Add,
  AveragePooling2D,
  BatchNormalization,
  Concatenate,
  Conv2D,
  Dense,
  DepthwiseConv2D,
  Dropout,
  Flatten,
  GlobalAveragePooling2D,
  GlobalMaxPooling2D,
  InputLayer,
  LeakyReLU,
  MaxPooling2D,
  ReLU,
  Rescaling,
  Reshape,
  Softmax,
  ZeroPadding2D,
};

/**
 * The layer of Keras class `className` with the arguments in `config`.
 *
 * @throws RangeError when this project has no such layer; the message names class and layer.
 * @throws TypeError when an argument is not as Keras writes it.
 */
export function layerFromConfig(className: string, config: KerasConfig): Layer {
  if (!Object.hasOwn(layers, className)) {
    const name = typeof config["name"] === "string" ? config["name"] : describe(config["name"]);
    throw new RangeError(
      `model: every layer must be of a class that this project implements. Received \`${className}\` (layer \`${name}\`).`,
    );
  }
  return layers[className].fromConfig(config);
}
