/**
 * Groups of an HDF5 file to be written, made as their paths come.
 *
 * @module
 */
import type { Variable } from "../layers/variable.js";
import type { Hdf5AttributeSpec, Hdf5DatasetSpec, Hdf5GroupSpec } from "./hdf5/spec.js";

/** A group that grows. */
export class GroupBuilder implements Hdf5GroupSpec {
  readonly kind = "group";
  readonly attributes: Map<string, Hdf5AttributeSpec> = new Map();
  readonly children: Map<string, GroupBuilder | Hdf5DatasetSpec> = new Map();

  /** The group at `path` below this one, made where it does not exist. */
  at(path: string): GroupBuilder {
    let group: GroupBuilder = this;
    for (const name of path.split("/")) {
      const next = group.children.get(name) ?? new GroupBuilder();
      if (next.kind !== "group") throw new Error(`internal: HDF5: ${path} runs through a dataset.`);
      group.children.set(name, next);
      group = next;
    }
    return group;
  }

  /** Adds `dataset` at `path`. */
  addDataset(path: string, dataset: Hdf5DatasetSpec): void {
    const cut = path.lastIndexOf("/");
    const group = cut < 0 ? this : this.at(path.slice(0, cut));
    group.children.set(path.slice(cut + 1), dataset);
  }

  /** Adds the values of `weight` as the dataset at `path`. */
  addWeight(path: string, { shape, value }: Variable): void {
    this.addDataset(path, { kind: "dataset", shape, data: value.data });
  }
}
