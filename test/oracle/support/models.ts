/**
 * Models whose traces are judged, and the same with a mistake in one layer.
 *
 * @module
 */
import assert from "node:assert/strict";
import { randomStream } from "../../../src/arithmetic/random.js";
import { Activation } from "../../../src/layers/activation.js";
import { Add } from "../../../src/layers/add.js";
import { AveragePooling2D } from "../../../src/layers/average-pooling2d.js";
import { Dense } from "../../../src/layers/dense.js";
import { Flatten } from "../../../src/layers/flatten.js";
import { input } from "../../../src/layers/input-layer.js";
import type { LayerPass, SymbolicTensor } from "../../../src/layers/layer.js";
import { modelFromConfig } from "../../../src/models/from-config.js";
import { Model } from "../../../src/models/model.js";
import { resnetLayer } from "../../../src/models/resnet-v1.js";
import type { TraceJudgementOptions } from "../../../src/oracle/trace-arguments.js";
import { isKerasConfig, type KerasConfig } from "../../../src/serialization/config.js";
import { sizeOf } from "../../../src/tensor/shape.js";
import { type Tensor, tensor, tensorOf } from "../../../src/tensor/tensor.js";
import { mapped } from "../../support/tensors.js";

/** Two images. */
export function imagesOf(height: number, width: number): Tensor {
  const shape = [2, height, width, 3];
  return tensor(randomStream(1, "judged images").fillUniform(new Float32Array(sizeOf(shape))), shape);
}

const [HEIGHT, WIDTH] = [20, 16];
/** What traces of {@link network} are made of. */
export const images: Tensor = imagesOf(HEIGHT, WIDTH);
/** The loss of traces. */
export const goal: TraceJudgementOptions = {
  training: true,
  targets: [tensorOf([3, 7], [2])],
  loss: "sparse_categorical_crossentropy",
};

/** A block of ResNet v1. */
function block(x: SymbolicTensor, filters: number, strides: number): SymbolicTensor {
  const y = resnetLayer(resnetLayer(x, { filters, strides }), { filters, activation: false });
  const projection = { filters, strides, kernelSize: 1, activation: false, batchNormalization: false };
  const identity = strides === 1 ? x : resnetLayer(x, projection);
  return new Activation({ activation: "relu" }).apply(new Add({}).apply([identity, y]));
}

/** ResNet8 v1 with narrow layers and small images, so that a tenth of the elements are judged. */
function narrowResNet(): Model {
  const [first, second, third] = [6, 7, 9];
  const image = input({ shape: [HEIGHT, WIDTH, 3] });
  let x = block(resnetLayer(image, { filters: first }), first, 1);
  x = block(block(x, second, 2), third, 2);
  const pooled = new AveragePooling2D({ poolSize: [HEIGHT / 4, WIDTH / 4] }).apply(x);
  const y = new Dense({ units: 11, activation: "softmax" }).apply(new Flatten({}).apply(pooled));
  return new Model({ inputs: image, outputs: y, seed: 1 });
}

/** A small network with every weight away from where initializers put it, so that none is without effect. */
export function network(): Model {
  const model = narrowResNet();
  model.weights.forEach((weight, i) => {
    const noise = randomStream(2, `weight ${i}`).fillUniform(new Float32Array(weight.size));
    weight.assign(mapped(weight.value, (w) => w + (weight.value.dimension === 1 ? 0.1 : 0)));
    if (weight.value.dimension === 1)
      weight.assign(
        tensor(
          noise.map((v, j) => weight.value.data[j] + v / 4),
          weight.shape,
        ),
      );
  });
  return model;
}

/** `model` with other arguments for one layer, and the same weights where it still has them. */
export function variant(model: Model, layer: string, change: KerasConfig): Model {
  const config = structuredClone({ class_name: "Functional", config: model.getConfig() });
  const layers = config.config["layers"];
  assert.ok(Array.isArray(layers));
  for (const entry of layers) {
    if (isKerasConfig(entry) && isKerasConfig(entry["config"]) && entry["config"]["name"] === layer) {
      Object.assign(entry, { config: { ...entry["config"], ...change } });
    }
  }
  const other = modelFromConfig(config);
  const weights = model.weightsByPath();
  for (const [path, weight] of other.weightsByPath()) {
    const value = weights.get(path);
    assert.ok(value !== undefined);
    weight.assign(value.value);
  }
  return other;
}

/** `model` with what one layer does changed. */
export function meddled(
  model: Model,
  name: string,
  change: (inputs: readonly Tensor[], run: (inputs: readonly Tensor[]) => LayerPass) => LayerPass,
): Model {
  const other = variant(model, name, {});
  const layer = other.getLayer(name);
  const call = layer.call.bind(layer);
  layer.call = (inputs, context) => change(inputs, (xs) => call(xs, context));
  return other;
}

/** `value` in bfloat16. */
export function bfloat16(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer);
  bits[0] = (bits[0] + 0x7fff + ((bits[0] >>> 16) & 1)) & 0xffff0000;
  return new Float32Array(bits.buffer)[0];
}
