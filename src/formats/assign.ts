/**
 * Numbers of a file into the weights of a model.
 *
 * @module
 */
import type { Variable } from "../layers/variable.js";
import { formatShape, shapesAgree } from "../tensor/shape.js";
import { type Tensor, tensor } from "../tensor/tensor.js";
import { FormatError } from "./format-error.js";
import type { Hdf5Dataset } from "./hdf5/dataset.js";
import type { Hdf5Group } from "./hdf5/group.js";
import type { NpyArray } from "./npy.js";
import { toTensor } from "./tensors.js";

/** A value of a file: where it stands, and what it is. */
export interface StoredValue {
  readonly path: string;
  readonly shape: readonly number[];
  /** Reads it; called only when the shape is right. */
  read(): Tensor;
}

/** A dataset as a stored value. */
export function storedDataset(object: Hdf5Group | Hdf5Dataset | undefined, path: string): StoredValue {
  if (object === undefined || object.kind === "group") {
    throw new FormatError("HDF5", `the file must have a dataset ${path}.`, object === undefined ? "none" : "a group");
  }
  const { shape } = object;
  return {
    path,
    shape,
    read() {
      const data = object.read();
      if (!ArrayBuffer.isView(data)) throw new FormatError("HDF5", `${path} must hold numbers.`, "strings");
      if (data instanceof Float32Array || data instanceof Float64Array) return tensor(data, shape);
      // a float32 could not count steps beyond 2^24
      return tensor(Float64Array.from(data, Number), shape);
    },
  };
}

/** An array of an npz archive as a stored value. */
export function storedArray(array: NpyArray, path: string): StoredValue {
  return { path, shape: array.shape, read: () => toTensor(array) };
}

/** The weights of a layer, and what a file has for them. */
export interface Assignment {
  /** The layer's name. */
  readonly owner: string;
  readonly weights: readonly Variable[];
  readonly values: readonly StoredValue[];
}

/**
 * Assigns the values of a file to weights, one to one. Numbers and shapes are checked for all layers before the first
 * weight is assigned, so that a file for another model changes nothing.
 *
 * @throws FormatError when a layer has more or fewer, or a shape is another.
 */
export function assignAll(what: string, assignments: readonly Assignment[]): void {
  for (const assignment of assignments) check(what, assignment);
  for (const { weights, values } of assignments) {
    for (const [i, weight] of weights.entries()) weight.assign(values[i].read());
  }
}

function check(what: string, { owner, weights, values }: Assignment): void {
  if (weights.length !== values.length) {
    throw new FormatError(what, `layer \`${owner}\` must have ${weights.length} weights.`, `${values.length} weights`);
  }
  for (const [i, weight] of weights.entries()) {
    const { shape, path } = values[i];
    if (!shapesAgree(shape, weight.shape)) {
      throw new FormatError(
        what,
        `weight \`${owner}/${weight.name}\` must have shape ${formatShape(weight.shape)}.`,
        `shape ${formatShape(shape)} in ${path}`,
      );
    }
  }
}
