/**
 * Where Keras 3 keeps weights: the layout of `model.weights.h5` inside a `.keras` archive, and of a `.weights.h5` file.
 *
 *     layers/conv2d/vars/0                      kernel of the first Conv2D of the model, whatever its name
 *     layers/conv2d/vars/1                      its bias
 *     layers/conv2d_1/vars/0                    kernel of the second Conv2D
 *     layers/functional/layers/conv2d/vars/0    kernel of the first Conv2D of the first inner model
 *
 * A group is named after the layer's class, and numbered among the layers of that class in the model's order. Weights are
 * numbered in the order of `layer.weights`.
 *
 * @module
 */
import type { Layer } from "../layers/layer.js";
import type { Variable } from "../layers/variable.js";
import { Model } from "../models/model.js";
import { snakeCase, UniqueNames } from "../models/names.js";

/** A layer and the group that its weights are in. */
export interface WeightGroup {
  /** `layers/conv2d_1`, without `vars`. */
  readonly path: string;
  /** The layer. */
  readonly layer: Layer;
  /** Its weights, in the order of their numbers. */
  readonly weights: readonly Variable[];
}

/** The groups of all layers of `model` that are not models themselves; a layer met again has its group where it was first. */
export function weightGroups(model: Model, root = "layers", seen: Set<Layer> = new Set()): readonly WeightGroup[] {
  const names = new UniqueNames();
  return model.layers.flatMap((layer) => {
    const path = `${root}/${names.takeNumbered(snakeCase(layer.className))}`;
    if (seen.has(layer)) return [];
    seen.add(layer);
    if (layer instanceof Model) return weightGroups(layer, `${path}/layers`, seen);
    return [{ path, layer, weights: layer.weights }];
  });
}
