/**
 * B-trees of version 2: they index links and attributes where there are many ("dense" storage).
 *
 * ```
 * header    "BTHD", 0, type, u32 node size, u16 record size, u16 depth, split %, merge %,
 *           root address, u16 records in the root, records in all, checksum
 * internal  "BTIN", 0, type, records, children: address, number of records [, records below], checksum
 * leaf      "BTLF", 0, type, records, checksum
 * ```
 *
 * Unlike in version 1 every node holds records, the internal ones between those of their children. How wide the counts
 * in an internal node are follows from how many records could fit; see {@link nodeWidths}.
 *
 * @module
 */
import { expectSignature, expectVersion, fail, type Hdf5File, type Hdf5Reader } from "./file.js";

const WHAT = "a version 2 B-tree";
/** Even trees of two records a node hold more than 2^40 records at this depth. */
const MAX_DEPTH = 24;
/** Signature, version, type; and the checksum at the end. */
const PREFIX = 6;
const CHECKSUM = 4;

interface Tree {
  readonly file: Hdf5File;
  readonly type: number;
  readonly recordSize: number;
  /** Bytes of a child's record count. */
  readonly countWidth: number;
  /** By depth of the child: bytes of the count of all records below it; 0 for leaves. */
  readonly totalWidths: readonly number[];
}

/**
 * All records of the tree at `address`.
 *
 * @param type - What the records are, for example 5: links by the hash of their name.
 * @throws FormatError when the tree is of another type, or not a tree.
 */
export function readBtree2(file: Hdf5File, address: number | undefined, type: number): Hdf5Reader[] {
  const { offsetSize, lengthSize } = file.widths;
  const size = 22 + offsetSize + lengthSize;
  const header = file.claim(WHAT, address, size);
  expectSignature(header, WHAT, "BTHD");
  file.verify(WHAT, address ?? 0, size);
  expectVersion(WHAT, header.u8(), [0]);
  const found = header.u8();
  if (found !== type) fail(`${WHAT} must have records of type ${type} here.`, `type ${found}`);
  const nodeSize = header.u32();
  const recordSize = header.u16();
  const depth = header.u16();
  header.skip(2);
  const root = header.address();
  const count = header.u16();
  if (depth > MAX_DEPTH) fail(`${WHAT} must be at most ${MAX_DEPTH} levels deep.`, `depth ${depth}`);
  if (recordSize === 0) fail(`${WHAT} must have records of at least one byte.`, "record size 0");
  const records: Hdf5Reader[] = [];
  if (count === 0 && depth === 0) return records;
  const tree: Tree = { file, type, recordSize, ...nodeWidths(nodeSize, recordSize, depth, offsetSize) };
  readNode(tree, root, count, depth, records);
  return records;
}

/** How many bytes a number up to `limit` takes. */
export function bytesFor(limit: number): number {
  let bytes = 1;
  for (let rest = Math.floor(limit / 256); rest > 0; rest = Math.floor(rest / 256)) bytes++;
  return bytes;
}

function nodeWidths(nodeSize: number, recordSize: number, depth: number, offsetSize: number): NodeWidths {
  const inLeaf = Math.floor((nodeSize - PREFIX - CHECKSUM) / recordSize);
  const countWidth = bytesFor(inLeaf);
  const totalWidths = [0];
  // the most records in a subtree, growing with its depth
  let most = inLeaf;
  for (let level = 1; level < depth; level++) {
    const pointerSize = offsetSize + countWidth + totalWidths[level - 1];
    const inNode = Math.floor((nodeSize - PREFIX - CHECKSUM - pointerSize) / (recordSize + pointerSize));
    most = (inNode + 1) * most + inNode;
    totalWidths.push(Math.min(8, bytesFor(most)));
  }
  return { countWidth, totalWidths };
}

type NodeWidths = Pick<Tree, "countWidth" | "totalWidths">;

function readNode(tree: Tree, address: number | undefined, count: number, depth: number, records: Hdf5Reader[]): void {
  const { file, type, recordSize, countWidth } = tree;
  const totalWidth = depth > 0 ? tree.totalWidths[depth - 1] : 0;
  const childSize = depth > 0 ? file.widths.offsetSize + countWidth + totalWidth : 0;
  const children = depth > 0 ? count + 1 : 0;
  const size = PREFIX + count * recordSize + children * childSize + CHECKSUM;
  const node = file.claim(WHAT, address, size);
  expectSignature(node, `a node of ${WHAT}`, depth > 0 ? "BTIN" : "BTLF");
  file.verify(`a node of ${WHAT}`, address ?? 0, size);
  expectVersion(`a node of ${WHAT}`, node.u8(), [0]);
  const found = node.u8();
  if (found !== type) fail(`${WHAT} must have records of type ${type} here.`, `type ${found}`);
  for (let i = 0; i < count; i++) records.push(node.window("a B-tree record", recordSize));
  for (let i = 0; i < children; i++) {
    const child = node.address();
    const childCount = node.uint(countWidth);
    node.skip(totalWidth);
    readNode(tree, child, childCount, depth - 1, records);
  }
}
