/**
 * Opening HDF5 files: the entrance to this folder.
 *
 * To learn the format, read `file.ts` (addresses and the ledger), `superblock.ts` (where a file begins),
 * `object-header.ts` (what an object is), `links.ts` with `btree1.ts` and `local-heap.ts` (how a group finds its
 * children), then `dataset.ts`, `layout.ts` and `chunks.ts` (where elements lie). `writer.ts` is the same told backwards.
 *
 * @module
 */
import { fail, type Hdf5Options } from "./file.js";
import { GlobalHeap } from "./global-heap.js";
import { type Hdf5Group, openObject } from "./group.js";
import { readSuperblock } from "./superblock.js";

/**
 * The root group of an HDF5 file. Nothing else is read yet; whatever is read later stays in memory with `bytes`.
 *
 * @throws FormatError when `bytes` are not an HDF5 file, or use a part of HDF5 that this reader does not know.
 */
export function openHdf5(bytes: Uint8Array, options: Hdf5Options = {}): Hdf5Group {
  const { file, rootAddress } = readSuperblock(bytes, options);
  const root = openObject({ file, heap: new GlobalHeap(file), objects: new Map() }, rootAddress, "/", 0);
  if (root.kind !== "group") fail("the root of a file must be a group.", `a ${root.kind}`);
  return root;
}
