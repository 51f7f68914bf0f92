/**
 * The links of a group, written: names in a local heap, nodes of links, and a B-tree over the nodes.
 *
 * ```
 *                 TREE level 1                    at most 32 children a node
 *               /              \
 *        TREE level 0       TREE level 0
 *        /    |    \          /    \
 *     SNOD  SNOD  SNOD     SNOD   SNOD            at most 8 links a node, sorted by name
 * ```
 *
 * The layouts are drawn in `links.ts`, `btree1.ts` and `local-heap.ts`.
 *
 * @module
 */
import { align8, type FileImage } from "./image.js";

/** K of HDF5: a node of links holds 2 * 4 of them, a node of the tree has 2 * 16 children. The superblock tells both. */
export const LEAF_K = 4;
export const INTERNAL_K = 16;

const ENTRY_SIZE = 40;
const SNOD_SIZE = 8 + 2 * LEAF_K * ENTRY_SIZE;
const TREE_SIZE = 24 + 2 * INTERNAL_K * 8 + (2 * INTERNAL_K + 1) * 8;
/** HDF5's mark for a heap without free blocks. */
const NO_FREE_BLOCK = 1;

/** A child of a group with its header's address. */
export interface PlannedLink {
  readonly name: string;
  readonly address: number;
}

/** Where the tree and the names of a group are. */
export interface SymbolTable {
  readonly tree: number;
  readonly heap: number;
}

/** A link with the offset of its name in the heap. */
interface NamedLink {
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly address: number;
}

/** A node of any level, and the offset of the last name below it. */
interface Node {
  readonly address: number;
  readonly lastName: number;
}

/** Gives the links of a group their places; `links` are sorted by code point. */
export function planSymbolTable(image: FileImage, links: readonly PlannedLink[]): SymbolTable {
  const named: NamedLink[] = [];
  // offset 0 is the empty name, the first key of every tree
  let heapLength = 8;
  for (const { name, address } of links) {
    const bytes = new TextEncoder().encode(name);
    named.push({ bytes, offset: heapLength, address });
    heapLength += align8(bytes.length + 1);
  }
  const heap = planHeap(image, named, heapLength);
  let nodes: Node[] = [];
  for (let i = 0; i < named.length; i += 2 * LEAF_K) {
    const group = named.slice(i, i + 2 * LEAF_K);
    nodes.push({ address: planLinks(image, group), lastName: group[group.length - 1].offset });
  }
  for (let level = 0; ; level++) {
    nodes = planLevel(image, nodes, level);
    if (nodes.length === 1) return { tree: nodes[0].address, heap };
  }
}

function planHeap(image: FileImage, links: readonly NamedLink[], length: number): number {
  const data = image.allocate(length, (writer) => {
    const start = writer.position;
    for (const { bytes, offset } of links) {
      writer.position = start + offset;
      writer.bytes(bytes);
    }
  });
  return image.allocate(32, (writer) => {
    writer.ascii("HEAP").u8(0).skip(3).u64(length).u64(NO_FREE_BLOCK).u64(data);
  });
}

/** A node of at most 2 * {@link LEAF_K} links. It takes its full size even when it holds fewer. */
function planLinks(image: FileImage, links: readonly NamedLink[]): number {
  return image.allocate(SNOD_SIZE, (writer) => {
    writer.ascii("SNOD").u8(1).skip(1).u16(links.length);
    // name, header, no cache
    for (const { offset, address } of links) writer.u64(offset).u64(address).skip(24);
  });
}

/** The tree's nodes of one level over `children`; a group without links has one empty node. */
function planLevel(image: FileImage, children: readonly Node[], level: number): Node[] {
  const width = 2 * INTERNAL_K;
  const count = Math.max(1, Math.ceil(children.length / width));
  const nodes: Node[] = [];
  for (let i = 0; i < count; i++) {
    const below = children.slice(i * width, (i + 1) * width);
    const firstKey = i === 0 ? 0 : children[i * width - 1].lastName;
    const address = image.allocate(TREE_SIZE, (writer) => {
      writer.ascii("TREE").u8(0).u8(level).u16(below.length);
      writer
        .u64(nodes[i - 1]?.address)
        .u64(nodes[i + 1]?.address)
        .u64(firstKey);
      for (const child of below) writer.u64(child.address).u64(child.lastName);
    });
    nodes.push({ address, lastName: below.at(-1)?.lastName ?? 0 });
  }
  return nodes;
}
