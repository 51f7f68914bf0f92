/**
 * The links of a group: the names in it, and the object that each leads to.
 *
 * Three ways of storing them, as groups grow and HDF5 aged:
 *
 * ```
 * symbol table  message 0x11: address of a B-tree (version 1), address of a local heap
 *               B-tree -> "SNOD", 1, 0, u16 n, n entries: name offset, object header, cache (4 + 4 + 16 bytes)
 * compact       message 0x06 for each link: 1, flags, [kind], [u64 order], [charset], name length, name, target
 * dense         message 0x02: 0, flags, [u64 order], fractal heap, B-tree (version 2) of type 5
 *               B-tree -> u32 hash of the name, id in the heap -> the body of a message 0x06
 * ```
 *
 * @module
 */
import { readBtree1 } from "./btree1.js";
import { readBtree2 } from "./btree2.js";
import { expectSignature, expectVersion, fail, type Hdf5File, type Hdf5Reader } from "./file.js";
import { FractalHeap } from "./fractal-heap.js";
import { LocalHeap } from "./local-heap.js";
import { MESSAGE, type ObjectHeader } from "./object-header.js";

/** Where a link leads: to an object of this file, or (soft, external: not followed) elsewhere. */
export type Link =
  | { readonly kind: "hard"; readonly address: number | undefined }
  | { readonly kind: "soft" | "external" | "unknown" };

const GROUP_BTREE = 0;
const LINKS_BY_NAME = 5;
const SOFT_CACHE = 2;

/** The links of a group by name, sorted as h5py shows them: by code point. */
export function readLinks(file: Hdf5File, header: ObjectHeader): Map<string, Link> {
  const links: [string, Link][] = [];
  const table = header.find(MESSAGE.symbolTable);
  if (table !== undefined) readSymbolTable(file, table, links);
  for (const message of header.all(MESSAGE.link)) links.push(readLink(message));
  const info = header.find(MESSAGE.linkInfo);
  if (info !== undefined) readDense(file, info, links);

  // with an empty name, or one that is a path itself, a group could be its own descendant under one and the same path
  for (const [name] of links) {
    if (name === "" || name.includes("/"))
      fail("names in a group must be neither empty nor paths.", JSON.stringify(name));
  }
  links.sort(([a], [b]) => compareCodePoints(a, b));
  for (let i = 1; i < links.length; i++) {
    if (links[i][0] === links[i - 1][0])
      fail("names in a group must be unique.", `${JSON.stringify(links[i][0])} twice`);
  }
  return new Map(links);
}

/** Order of Unicode code points, which is that of UTF-8 bytes. Surrogates sort above the rest of the first plane. */
export function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    let x = a.charCodeAt(i);
    let y = b.charCodeAt(i);
    if (x === y) continue;
    if (x >= 0xd800 && y >= 0xd800) {
      x = x >= 0xe000 ? x - 0x800 : x + 0x2000;
      y = y >= 0xe000 ? y - 0x800 : y + 0x2000;
    }
    return x - y;
  }
  return a.length - b.length;
}

function readSymbolTable(file: Hdf5File, message: Hdf5Reader, links: [string, Link][]): void {
  const tree = message.address();
  const heap = new LocalHeap(file, message.address());
  const { offsetSize, lengthSize } = file.widths;
  for (const { address } of readBtree1(file, tree, GROUP_BTREE, lengthSize)) {
    const what = "a symbol table node";
    const prefix = file.claim(what, address, 8);
    expectSignature(prefix, what, "SNOD");
    expectVersion(what, prefix.u8(), [1]);
    prefix.skip(1);
    const count = prefix.u16();
    const entries = file.claim(what, (address ?? 0) + 8, count * (2 * offsetSize + 24));
    for (let i = 0; i < count; i++) {
      const name = heap.name(entries.uint(offsetSize));
      const target = entries.address();
      const isSoft = entries.u32() === SOFT_CACHE;
      entries.skip(20);
      links.push([name, isSoft ? { kind: "soft" } : { kind: "hard", address: target }]);
    }
  }
}

function readLink(message: Hdf5Reader): [string, Link] {
  expectVersion("a link", message.u8(), [1]);
  const flags = message.u8();
  const kind = flags & 8 ? message.u8() : 0;
  if (flags & 4) message.skip(8);
  if (flags & 16) message.skip(1);
  const name = message.text(message.uint(1 << (flags & 3)));
  if (kind === 0) return [name, { kind: "hard", address: message.address() }];
  return [name, { kind: kind === 1 ? "soft" : kind === 64 ? "external" : "unknown" }];
}

function readDense(file: Hdf5File, message: Hdf5Reader, links: [string, Link][]): void {
  expectVersion("link information", message.u8(), [0]);
  if (message.u8() & 1) message.skip(8);
  const heapAddress = message.address();
  const tree = message.address();
  if (heapAddress === undefined) return;
  const heap = new FractalHeap(file, heapAddress);
  for (const record of readBtree2(file, tree, LINKS_BY_NAME)) {
    record.skip(4);
    links.push(readLink(heap.read(record)));
  }
}
