/** Reads whole HDF5 files, and changes bytes of them. */
import assert from "node:assert/strict";
import { FormatError } from "../../../src/formats/format-error.js";
import { Hdf5Dataset } from "../../../src/formats/hdf5/dataset.js";
import type { Hdf5Group } from "../../../src/formats/hdf5/group.js";
import type { Hdf5Data } from "../../../src/formats/hdf5/values.js";

/** A plain picture of a tree: `path: dtype [shape]` and `path@attribute: ...`, each with its elements. */
export type Picture = Map<string, string>;

/** Everything in `group`. What cannot be read is pictured by its error, or thrown. */
export function picture(group: Hdf5Group, onError: "throw" | "picture" = "throw"): Picture {
  const result: Picture = new Map();
  const attempt = (path: string, read: () => string): void => {
    try {
      result.set(path, read());
    } catch (error) {
      if (onError === "throw" || !(error instanceof FormatError)) throw error;
      result.set(path, error.message);
    }
  };
  const visit = (object: Hdf5Group | Hdf5Dataset): void => {
    for (const [name, value] of object.attributes) {
      attempt(`${object.path}@${name}`, () => describe(value.dtype, value.shape, value.read()));
    }
    if (object instanceof Hdf5Dataset) {
      attempt(object.path, () => describe(object.dtype, object.shape, object.read()));
      return;
    }
    result.set(object.path, "group");
    for (const name of object.keys()) {
      attempt(`${object.path}/${name}`.replace("//", "/"), () => {
        const child = object.get(name);
        assert.ok(child);
        visit(child);
        return result.get(child.path) ?? "";
      });
    }
  };
  visit(group);
  return result;
}

function describe(dtype: string, shape: readonly number[], data: Hdf5Data): string {
  const elements = Array.from<unknown>(data).slice(0, 10).map(String).join(" ");
  return `${dtype} [${shape.join(", ")}] ${elements}`;
}

/** Where the text `signature` stands for the n-th time, counted from 0. */
export function find(bytes: Uint8Array, signature: string, n = 0): number {
  let at = -1;
  for (let i = 0; i <= n; i++) at = Buffer.from(bytes).indexOf(signature, at + 1, "latin1");
  assert.ok(at >= 0, `no ${signature}`);
  return at;
}

/** A copy of `bytes` with a little-endian field of `size` bytes replaced. */
export function patch(bytes: Uint8Array, at: number, size: number, value: number | bigint): Uint8Array {
  const copy = bytes.slice();
  for (let i = 0; i < size; i++) copy[at + i] = Number((BigInt(value) >> BigInt(8 * i)) & 255n);
  return copy;
}
