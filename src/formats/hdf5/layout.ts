/**
 * Layouts: where the elements of a dataset lie.
 *
 * ```
 * version 3, 4   version, class
 *   0 compact      u16 size, the elements themselves
 *   1 contiguous   address, length
 *   2 chunked, 3   rank + 1, address of a B-tree (version 1), u32 sizes of a chunk, the last one of an element
 *   2 chunked, 4   flags, rank + 1, bytes per size, sizes of a chunk, kind of index, its parameters, its address
 * version 1, 2   version, rank, class, 5 reserved, [address], u32 sizes, [u32 element size or u32 size and elements]
 * ```
 *
 * @module
 */
import { expectVersion, fail, type Hdf5Reader } from "./file.js";

/** How the chunks of a dataset are found. */
export type ChunkIndex =
  | { readonly kind: "btree1"; readonly address: number | undefined }
  | { readonly kind: "single"; readonly address: number | undefined; readonly size: number; readonly skipped: number }
  | { readonly kind: "implicit"; readonly address: number | undefined }
  | { readonly kind: "fixed array"; readonly address: number | undefined };

/** Where elements lie. */
export type Layout =
  | { readonly kind: "compact"; readonly elements: Uint8Array }
  | { readonly kind: "contiguous"; readonly address: number | undefined }
  | { readonly kind: "chunked"; readonly chunkShape: readonly number[]; readonly index: ChunkIndex };

const COMPACT = 0;
const CONTIGUOUS = 1;
const CHUNKED = 2;
const SINGLE_CHUNK_FILTERED = 2;

/** @throws FormatError when the layout is of an unknown version, or its chunks are indexed in a way we do not read. */
export function readLayout(message: Hdf5Reader): Layout {
  const version = message.u8();
  expectVersion("a data layout", version, [1, 2, 3, 4]);
  if (version < 3) return readOldLayout(message);
  const kind = message.u8();
  switch (kind) {
    case COMPACT:
      return { kind: "compact", elements: message.take(message.u16()) };
    case CONTIGUOUS:
      return { kind: "contiguous", address: message.address() };
    case CHUNKED:
      return version === 3 ? readChunked3(message) : readChunked4(message);
    default:
      return fail(
        "elements must be compact, contiguous or chunked.",
        kind === 3 ? "a virtual dataset" : `class ${kind}`,
      );
  }
}

function readOldLayout(message: Hdf5Reader): Layout {
  const rank = message.u8();
  const kind = message.u8();
  message.skip(5);
  const address = kind === COMPACT ? undefined : message.address();
  const sizes = Array.from({ length: rank }, () => message.u32());
  if (kind === CONTIGUOUS) return { kind: "contiguous", address };
  if (kind === COMPACT) return { kind: "compact", elements: message.take(message.u32()) };
  if (kind !== CHUNKED) fail("elements must be compact, contiguous or chunked.", `class ${kind}`);
  return { kind: "chunked", chunkShape: checkChunkShape(sizes.slice(0, -1)), index: { kind: "btree1", address } };
}

function readChunked3(message: Hdf5Reader): Layout {
  const rank = message.u8() - 1;
  const address = message.address();
  const chunkShape = Array.from({ length: Math.max(0, rank) }, () => message.u32());
  return { kind: "chunked", chunkShape: checkChunkShape(chunkShape), index: { kind: "btree1", address } };
}

function readChunked4(message: Hdf5Reader): Layout {
  const flags = message.u8();
  const rank = message.u8() - 1;
  const width = message.u8();
  if (width < 1 || width > 8) fail("the sizes of a chunk must take 1 to 8 bytes.", `${width} bytes`);
  const chunkShape = checkChunkShape(Array.from({ length: Math.max(0, rank) }, () => message.uint(width)));
  message.skip(width); // size of an element
  return { kind: "chunked", chunkShape, index: readIndex(message, flags) };
}

function readIndex(message: Hdf5Reader, flags: number): ChunkIndex {
  const kind = message.u8();
  switch (kind) {
    case 1: {
      const isFiltered = (flags & SINGLE_CHUNK_FILTERED) !== 0;
      const size = isFiltered ? message.length() : 0;
      const skipped = isFiltered ? message.u32() : 0;
      return { kind: "single", address: message.address(), size, skipped };
    }
    case 2:
      return { kind: "implicit", address: message.address() };
    case 3:
      message.skip(1); // bits of a page, repeated in the array's header
      return { kind: "fixed array", address: message.address() };
    default: {
      const name = kind === 4 ? "an extensible array" : kind === 5 ? "a version 2 B-tree" : `index kind ${kind}`;
      return fail("chunks must be found by a version 1 B-tree, a fixed array, or be one or in sequence.", name);
    }
  }
}

function checkChunkShape(shape: number[]): number[] {
  if (shape.length === 0 || shape.includes(0)) {
    fail("a chunk must have at least one dimension and one element.", `chunk shape [${shape.join(", ")}]`);
  }
  return shape;
}
