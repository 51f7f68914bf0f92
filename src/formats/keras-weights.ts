/**
 * Weights in the layout of Keras 3: in HDF5 (read and written) and in npz (read).
 *
 * @module
 */
import type { Model } from "../models/model.js";
import { formatShape } from "../tensor/shape.js";
import { type Assignment, assignAll, type StoredValue, storedDataset } from "./assign.js";
import { FormatError, quote } from "./format-error.js";
import { GroupBuilder } from "./group-builder.js";
import type { Hdf5Group } from "./hdf5/group.js";
import { type WeightGroup, weightGroups } from "./keras-layout.js";
import { npyArray, splitNpy } from "./npy.js";
import { readPickledArrays } from "./pickle.js";
import { toTensor } from "./tensors.js";
import type { ZipEntry } from "./zip.js";

/** Keras 2.13 and its kin call the top group so. */
const OLD_ROOT = "_layer_checkpoint_dependencies";

/**
 * Reads the weights of `model` from `root`.
 *
 * @throws FormatError when a layer's group is missing, or weights are of another number or shape.
 */
export function readKerasWeights(model: Model, root: Hdf5Group): void {
  const top = root.get("layers") === undefined && root.get(OLD_ROOT) !== undefined ? OLD_ROOT : "layers";
  const assignments = withWeights(model, top).map(({ path, layer, weights }): Assignment => {
    const group = root.get(`${path}/vars`);
    if (group === undefined || group.kind !== "group") {
      throw new FormatError("HDF5", `the file must have a group ${path}/vars for layer \`${layer.name}\`.`, "none");
    }
    const values = group.keys().map((_, i): StoredValue => storedDataset(group.get(String(i)), `${path}/vars/${i}`));
    return { owner: layer.name, weights, values };
  });
  assignAll("HDF5", assignments);
}

function withWeights(model: Model, root?: string): readonly WeightGroup[] {
  return weightGroups(model, root).filter(({ weights }) => weights.length > 0);
}

/**
 * Reads the weights of `model` from the entries of a `model.weights.npz`: `layers/conv2d.npy` is one Python object,
 * the dictionary `{"0": kernel, "1": bias}`; see pickle.ts.
 *
 * @throws FormatError when a layer's dictionary is missing or corrupt, or weights are of another number or shape.
 */
export function readKerasNpz(model: Model, entries: ReadonlyMap<string, ZipEntry>): void {
  const assignments = withWeights(model).map(({ path, layer, weights }): Assignment => {
    const entry = entries.get(`${path}.npy`);
    if (entry === undefined) {
      throw new FormatError("npz", `the archive must have ${path}.npy for layer \`${layer.name}\`.`, "no such entry");
    }
    const { header, content } = splitNpy(entry.read());
    if (!/^\|O\d*$/.test(header.descr) || header.shape.length > 0) {
      const received = `shape ${formatShape(header.shape)} of ${quote(header.descr)}`;
      throw new FormatError("npz", `${path}.npy must be one Python object, as Keras writes it.`, received);
    }
    const arrays = readPickledArrays(content);
    const values = Array.from({ length: arrays.size }, (_, i): StoredValue => {
      const array = arrays.get(String(i));
      const key = `${path}.npy[${quote(String(i))}]`;
      if (array === undefined) throw new FormatError("npz", `there must be an array ${key}.`, "no such key");
      return { path: key, shape: array.shape, read: () => toTensor(npyArray(array, array.content)) };
    });
    return { owner: layer.name, weights, values };
  });
  assignAll("npz", assignments);
}

/** The groups and datasets of the weights of `model`, as Keras writes them. */
export function kerasWeightsSpec(model: Model): GroupBuilder {
  const root = new GroupBuilder();
  for (const { path, layer, weights } of weightGroups(model)) {
    const vars = root.at(`${path}/vars`);
    vars.attributes.set("name", layer.name);
    for (const [i, weight] of weights.entries()) vars.addWeight(String(i), weight);
  }
  root.at("vars").attributes.set("name", model.name);
  return root;
}
