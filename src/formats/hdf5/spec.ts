/**
 * What is to be written: a tree of groups and datasets as plain values.
 *
 * @module
 */
import type { ElementArray } from "../elements.js";

/** Numbers of any shape, row-major. */
export interface Hdf5Numbers {
  /** [] is a scalar. */
  readonly shape: readonly number[];
  readonly data: ElementArray;
}

/**
 * The value of an attribute.
 *
 * A string becomes one of variable length (its text is in a global heap, so it may be long: a model's configuration); an
 * array of strings becomes one of fixed length, as numpy's byte strings do (`layer_names`, `weight_names`).
 */
export type Hdf5AttributeSpec = string | readonly string[] | Hdf5Numbers;

/** A dataset of numbers. */
export interface Hdf5DatasetSpec extends Hdf5Numbers {
  readonly kind: "dataset";
  readonly attributes?: ReadonlyMap<string, Hdf5AttributeSpec>;
}

/** A group: attributes and named children. */
export interface Hdf5GroupSpec {
  readonly kind: "group";
  readonly attributes?: ReadonlyMap<string, Hdf5AttributeSpec>;
  readonly children: ReadonlyMap<string, Hdf5GroupSpec | Hdf5DatasetSpec>;
}
