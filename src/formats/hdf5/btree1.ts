/**
 * B-trees of version 1: they index the links of a group, or the chunks of a dataset.
 *
 * ```
 * 0  "TREE", kind (0 group, 1 chunks), level, u16 number of children
 * 8  address of the left and of the right neighbour
 *    key 0, child 0, key 1, child 1, ..., child n-1, key n
 * ```
 *
 * Level 0 is the lowest: its children are what the tree indexes. Child i holds what lies between keys i and i + 1.
 *
 * @module
 */
import { expectSignature, fail, type Hdf5File, type Hdf5Reader } from "./file.js";

const WHAT = "a B-tree node";

/** A child of the lowest level: the key before it, and its address. */
export interface Btree1Entry {
  readonly key: Hdf5Reader;
  readonly address: number | undefined;
}

/**
 * What the tree at `address` indexes, in order.
 *
 * @param kind - 0 for the links of a group, 1 for the chunks of a dataset.
 * @param keySize - Bytes of a key.
 */
export function readBtree1(file: Hdf5File, address: number | undefined, kind: number, keySize: number): Btree1Entry[] {
  // level by level from the root down: nothing recurses, and 255 levels are all that a node can tell
  const root: Btree1Entry[] = [];
  let level = readNode(file, address, kind, keySize, root);
  let entries = root;
  while (level > 0) {
    level--;
    const below: Btree1Entry[] = [];
    for (const entry of entries) {
      const found = readNode(file, entry.address, kind, keySize, below);
      if (found !== level) fail(`${WHAT} must be one level below its parent, on level ${level}.`, `level ${found}`);
    }
    entries = below;
  }
  return entries;
}

/** Appends the children of one node to `entries` and returns its level. */
function readNode(
  file: Hdf5File,
  address: number | undefined,
  kind: number,
  keySize: number,
  entries: Btree1Entry[],
): number {
  const { offsetSize } = file.widths;
  const prefixSize = 8 + 2 * offsetSize;
  const prefix = file.claim(WHAT, address, prefixSize);
  expectSignature(prefix, WHAT, "TREE");
  const found = prefix.u8();
  if (found !== kind) fail(`${WHAT} must be of kind ${kind}.`, `kind ${found}`);
  const level = prefix.u8();
  const count = prefix.u16();
  const body = file.claim(WHAT, (address ?? 0) + prefixSize, count * (keySize + offsetSize));
  for (let i = 0; i < count; i++) entries.push({ key: body.window("a B-tree key", keySize), address: body.address() });
  return level;
}
