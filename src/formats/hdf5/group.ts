/**
 * Groups: named children, like the folders of a file system.
 *
 * Hard links could make any graph of groups, cycles included. Files of models are trees, and a tree can be walked without
 * care, so a group with two parents is an error here; a dataset may have several names.
 *
 * @module
 */
import { FormatError } from "../format-error.js";
import { type Hdf5Attribute, readAttributes } from "./attributes.js";
import { Hdf5Dataset } from "./dataset.js";
import { fail, type Hdf5File } from "./file.js";
import type { GlobalHeap } from "./global-heap.js";
import { type Link, readLinks } from "./links.js";
import { MESSAGE, type ObjectHeader, readObjectHeader } from "./object-header.js";

/** Groups nest at most so deep: a walk of the tree by recursion does not run out of stack. */
const MAX_DEPTH = 128;

/** What the objects of one file share. */
export interface ObjectStore {
  readonly file: Hdf5File;
  readonly heap: GlobalHeap;
  /** Objects by address, each read once. */
  readonly objects: Map<number, Hdf5Group | Hdf5Dataset>;
}

/** A group of a file. Attributes and links are read when they are asked for. */
export class Hdf5Group {
  readonly kind = "group";
  /** Names from the root to here; `/` is the root. */
  readonly path: string;
  readonly #store: ObjectStore;
  readonly #header: ObjectHeader;
  readonly #depth: number;
  #attributes: Map<string, Hdf5Attribute> | undefined;
  #links: Map<string, Link> | undefined;

  constructor(store: ObjectStore, header: ObjectHeader, path: string, depth: number) {
    this.#store = store;
    this.#header = header;
    this.path = path;
    this.#depth = depth;
  }

  /** The attributes by name. */
  get attributes(): ReadonlyMap<string, Hdf5Attribute> {
    this.#attributes ??= readAttributes(this.#store.file, this.#store.heap, this.#header);
    return this.#attributes;
  }

  /** The names of the children, sorted by code point, as h5py lists them. */
  keys(): string[] {
    return [...this.#readLinks().keys()];
  }

  /**
   * The child of this name, or its descendant where `path` has several names with `/` between; `undefined` where there is
   * none.
   *
   * @throws FormatError when it is behind a soft or external link, or cannot be read.
   */
  get(path: string): Hdf5Group | Hdf5Dataset | undefined {
    let object: Hdf5Group | Hdf5Dataset = this;
    for (const name of path.split("/")) {
      if (name === "") continue;
      if (object.kind === "dataset") return undefined;
      const child = object.#child(name);
      if (child === undefined) return undefined;
      object = child;
    }
    return object;
  }

  #readLinks(): Map<string, Link> {
    this.#links ??= readLinks(this.#store.file, this.#header);
    return this.#links;
  }

  #child(name: string): Hdf5Group | Hdf5Dataset | undefined {
    const link = this.#readLinks().get(name);
    if (link === undefined) return undefined;
    const path = `${this.#depth === 0 ? "" : this.path}/${name}`;
    if (link.kind !== "hard") fail("links must be hard links.", `${JSON.stringify(path)}, a ${link.kind} link`);
    try {
      return openObject(this.#store, link.address, path, this.#depth + 1);
    } catch (cause) {
      if (!(cause instanceof FormatError)) throw cause;
      throw new FormatError("HDF5", `${JSON.stringify(path)} must be readable.`, `"${cause.message}"`, { cause });
    }
  }
}

/** The object at `address`, from the store where it was opened before. */
export function openObject(
  store: ObjectStore,
  address: number | undefined,
  path: string,
  depth: number,
): Hdf5Group | Hdf5Dataset {
  if (address === undefined) fail("a link must lead to an object.", "no address");
  const known = store.objects.get(address);
  if (known !== undefined) {
    if (known.kind === "group" && known.path !== path) {
      fail("a group must have one parent.", `${JSON.stringify(path)}, which is also ${JSON.stringify(known.path)}`);
    }
    return known;
  }
  if (depth > MAX_DEPTH) fail(`groups must nest at most ${MAX_DEPTH} deep.`, `an object ${depth} deep`);
  const header = readObjectHeader(store.file, address);
  const object = createObject(store, header, path, depth);
  store.objects.set(address, object);
  return object;
}

function createObject(store: ObjectStore, header: ObjectHeader, path: string, depth: number): Hdf5Group | Hdf5Dataset {
  if (header.has(MESSAGE.layout)) return new Hdf5Dataset(store.file, store.heap, header, path);
  if ([MESSAGE.symbolTable, MESSAGE.linkInfo, MESSAGE.link, MESSAGE.groupInfo].some((type) => header.has(type))) {
    return new Hdf5Group(store, header, path, depth);
  }
  return fail("an object must be a group or a dataset.", header.has(MESSAGE.datatype) ? "a named datatype" : "neither");
}
