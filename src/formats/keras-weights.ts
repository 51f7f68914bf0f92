/**
 * Weights in the layout of Keras 3: in HDF5 (read and written) and in npz (read).
 *
 * @module
 */
import type { Model } from "../models/model.js";
import { assignAll, type StoredValue, storedArray, storedDataset } from "./assign.js";
import { FormatError } from "./format-error.js";
import { GroupBuilder } from "./group-builder.js";
import type { Hdf5Group } from "./hdf5/group.js";
import type { Hdf5GroupSpec } from "./hdf5/spec.js";
import { weightGroups } from "./keras-layout.js";
import type { NpyArray } from "./npy.js";

/** Keras 2.13 and its kin call the top group so. */
const OLD_ROOT = "_layer_checkpoint_dependencies";

/**
 * Reads the weights of `model` from `root`.
 *
 * @throws FormatError when a layer's group is missing, or weights are of another number or shape.
 */
export function readKerasWeights(model: Model, root: Hdf5Group): void {
  const top = root.get("layers") === undefined && root.get(OLD_ROOT) !== undefined ? OLD_ROOT : "layers";
  for (const { path, layer, weights } of weightGroups(model, top)) {
    if (weights.length === 0) continue;
    const group = root.get(`${path}/vars`);
    if (group === undefined || group.kind !== "group") {
      throw new FormatError("HDF5", `the file must have a group ${path}/vars for layer \`${layer.name}\`.`, "none");
    }
    const values = group.keys().map((_, i): StoredValue => storedDataset(group.get(String(i)), `${path}/vars/${i}`));
    assignAll("HDF5", layer.name, weights, values);
  }
}

/**
 * Reads the weights of `model` from the arrays of a `model.weights.npz`: `layers/conv2d/vars/0`, or one dictionary a group.
 *
 * @throws FormatError when a layer's group is missing, or weights are of another number or shape.
 */
export function readKerasNpz(model: Model, arrays: ReadonlyMap<string, NpyArray>): void {
  for (const { path, layer, weights } of weightGroups(model)) {
    const prefixes = [`${path}/vars/`, `${path}/`];
    const values = weights.map((_, i): StoredValue => {
      for (const prefix of prefixes) {
        const array = arrays.get(`${prefix}${i}`);
        if (array !== undefined) return storedArray(array, `${prefix}${i}`);
      }
      throw new FormatError(
        "npz",
        `the archive must have ${path}/vars/${i} for layer \`${layer.name}\`.`,
        "no such array",
      );
    });
    assignAll("npz", layer.name, weights, values);
  }
}

/** The groups and datasets of the weights of `model`, as Keras writes them. */
export function kerasWeightsSpec(model: Model): Hdf5GroupSpec {
  const root = new GroupBuilder();
  for (const { path, layer, weights } of weightGroups(model)) {
    const vars = root.at(`${path}/vars`);
    vars.attributes.set("name", layer.name);
    for (const [i, weight] of weights.entries()) vars.addWeight(String(i), weight);
  }
  root.at("vars").attributes.set("name", model.name);
  return root;
}
