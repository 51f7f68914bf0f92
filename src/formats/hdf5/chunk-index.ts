/**
 * Chunk indexes: where each chunk of a dataset is stored.
 *
 * ```
 * B-tree (version 1)  key: u32 stored size, u32 filters skipped, u64 first element in each dimension, u64 0
 * single              the one chunk is at the address
 * implicit            chunks lie one after the other, unfiltered
 * fixed array         "FAHD", 0, client, entry size, page bits, length, address of the block, checksum
 *                     "FADB", 0, client, address of the header, [bits of pages], entries, checksum
 *                     entry: address [, stored size, u32 filters skipped: client 1]
 *                     more than 2^page bits entries are cut into pages, each with its checksum
 * ```
 *
 * @module
 */
import { readBtree1 } from "./btree1.js";
import { expectSignature, expectVersion, fail, type Hdf5File, type Hdf5Reader } from "./file.js";
import type { ChunkIndex } from "./layout.js";

/** One stored chunk. */
export interface Chunk {
  /** Place among the chunks, row-major. */
  readonly ordinal: number;
  readonly address: number;
  /** Bytes as stored. */
  readonly size: number;
  /** Bit i: filter i was not applied. */
  readonly skipped: number;
}

/** How a dataset is cut: what an index is read with. */
export interface ChunkGrid {
  readonly shape: readonly number[];
  readonly chunkShape: readonly number[];
  /** Chunks in each dimension, and in all. */
  readonly counts: readonly number[];
  readonly count: number;
  /** Bytes of an unpacked chunk. */
  readonly chunkBytes: number;
  readonly isFiltered: boolean;
}

const CHUNK_BTREE = 1;
const WHAT = "a fixed array";

/** The chunks that are stored; the others hold the fill value. */
export function readChunkIndex(file: Hdf5File, index: ChunkIndex, grid: ChunkGrid): Chunk[] {
  if (index.address === undefined) return [];
  switch (index.kind) {
    case "btree1":
      return readTree(file, index.address, grid);
    case "single":
      if (grid.count !== 1) fail("a dataset of a single chunk must be as large.", `a shape of ${grid.count} chunks`);
      return [
        {
          ordinal: 0,
          address: index.address,
          size: grid.isFiltered ? index.size : grid.chunkBytes,
          skipped: index.skipped,
        },
      ];
    case "implicit": {
      const { address } = index;
      file.peek("the chunks of a dataset", address, grid.count * grid.chunkBytes);
      return Array.from({ length: grid.count }, (_, ordinal) => ({
        ordinal,
        address: address + ordinal * grid.chunkBytes,
        size: grid.chunkBytes,
        skipped: 0,
      }));
    }
    case "fixed array":
      return readFixedArray(file, index.address, grid);
  }
}

function readTree(file: Hdf5File, address: number, { shape, chunkShape, counts }: ChunkGrid): Chunk[] {
  const rank = shape.length;
  const chunks: Chunk[] = [];
  const seen = new Set<number>();
  for (const { key, address: at } of readBtree1(file, address, CHUNK_BTREE, 8 + 8 * (rank + 1))) {
    const size = key.u32();
    const skipped = key.u32();
    let ordinal = 0;
    for (let axis = 0; axis < rank; axis++) {
      const first = key.uint(8);
      if (first >= shape[axis] || first % chunkShape[axis] !== 0) {
        fail(
          `a chunk must begin inside the shape [${shape.join(", ")}], at a multiple of [${chunkShape.join(", ")}].`,
          `${first} in dimension ${axis}`,
        );
      }
      ordinal = ordinal * counts[axis] + first / chunkShape[axis];
    }
    if (at === undefined) fail("a chunk of a B-tree must be stored.", "no address");
    if (seen.has(ordinal)) fail("a chunk must be stored once.", `chunk ${ordinal} twice`);
    seen.add(ordinal);
    chunks.push({ ordinal, address: at, size, skipped });
  }
  return chunks;
}

function readFixedArray(file: Hdf5File, address: number, grid: ChunkGrid): Chunk[] {
  const { offsetSize, lengthSize } = file.widths;
  const headerSize = 12 + offsetSize + lengthSize;
  const header = file.claim(WHAT, address, headerSize);
  expectSignature(header, WHAT, "FAHD");
  file.verify(WHAT, address, headerSize);
  expectVersion(WHAT, header.u8(), [0]);
  const isFiltered = header.u8() === 1;
  const entrySize = header.u8();
  const pageBits = header.u8();
  const length = header.length();
  const sizeBytes = entrySize - offsetSize - 4;
  const isEntryValid = isFiltered ? sizeBytes >= 1 && sizeBytes <= 8 : entrySize === offsetSize;
  if (!isEntryValid || isFiltered !== grid.isFiltered || length !== grid.count || pageBits > 31) {
    fail(`${WHAT} must fit the ${grid.count} chunks of its dataset.`, `${length} entries of ${entrySize} bytes`);
  }
  const readEntry = (entries: Hdf5Reader, ordinal: number, chunks: Chunk[]): void => {
    const at = entries.address();
    const size = isFiltered ? entries.uint(sizeBytes) : grid.chunkBytes;
    const skipped = isFiltered ? entries.u32() : 0;
    if (at !== undefined) chunks.push({ ordinal, address: at, size, skipped });
  };

  const block = header.address();
  if (block === undefined) return [];
  const prefixSize = 6 + offsetSize;
  const chunks: Chunk[] = [];
  const pageLength = 2 ** pageBits;
  if (length <= pageLength) {
    const size = prefixSize + length * entrySize + 4;
    const entries = file.claim(WHAT, block, size);
    expectSignature(entries, WHAT, "FADB");
    file.verify(WHAT, block, size);
    entries.position = prefixSize;
    for (let i = 0; i < length; i++) readEntry(entries, i, chunks);
    return chunks;
  }
  // pages follow each other; a bit for each tells whether it was ever written
  const pages = Math.ceil(length / pageLength);
  const bitmapSize = Math.ceil(pages / 8);
  const prefix = file.claim(WHAT, block, prefixSize + bitmapSize + 4);
  expectSignature(prefix, WHAT, "FADB");
  file.verify(WHAT, block, prefixSize + bitmapSize + 4);
  let at = block + prefixSize + bitmapSize + 4;
  for (let page = 0; page < pages; page++) {
    const entriesHere = Math.min(pageLength, length - page * pageLength);
    const size = entriesHere * entrySize + 4;
    const isWritten = (prefix.bytes[prefixSize + (page >> 3)] >> (7 - (page & 7))) & 1;
    if (isWritten) {
      const entries = file.claim(WHAT, at, size);
      file.verify(WHAT, at, size);
      for (let i = 0; i < entriesHere; i++) readEntry(entries, page * pageLength + i, chunks);
    }
    at += size;
  }
  return chunks;
}
