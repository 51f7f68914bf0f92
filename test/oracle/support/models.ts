/**
 * Models whose traces are judged, and the same with a mistake in one layer.
 *
 * @module
 */
import assert from "node:assert/strict";
import { randomStream } from "../../../src/arithmetic/random.js";
import type { LayerPass } from "../../../src/layers/layer.js";
import { modelFromConfig } from "../../../src/models/from-config.js";
import type { Model } from "../../../src/models/model.js";
import { resnetV1 } from "../../../src/models/resnet-v1.js";
import type { TraceJudgementOptions } from "../../../src/oracle/trace-judgement.js";
import { isKerasConfig, type KerasConfig } from "../../../src/serialization/config.js";
import { type Tensor, tensor, tensorOf } from "../../../src/tensor/tensor.js";
import { mapped } from "../../support/tensors.js";

/** What traces are made of. */
export const images: Tensor = tensor(
  randomStream(1, "judged images").fillUniform(new Float32Array(2 * 32 * 32 * 3)),
  [2, 32, 32, 3],
);
/** The loss of traces. */
export const goal: TraceJudgementOptions = {
  training: true,
  targets: [tensorOf([3, 7], [2])],
  loss: "sparse_categorical_crossentropy",
};

/** A small network with every weight away from where initializers put it, so that none is without effect. */
export function network(): Model {
  const model = resnetV1(8, { seed: 1 });
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
