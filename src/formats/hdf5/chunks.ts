/**
 * Chunked datasets: tiles of equal shape, each stored by itself and filtered.
 *
 * ```
 * shape [5, 7], chunks [2, 4]:   0 0 0 0 1 1 1     chunks at the edge are stored whole, and cut when they are
 *                                0 0 0 0 1 1 1     copied; a chunk that is not stored holds the fill value
 *                                2 2 2 2 3 3 3
 *                                2 2 2 2 3 3 3
 *                                4 4 4 4 5 5 5
 * ```
 *
 * @module
 */
import { type Chunk, type ChunkGrid, readChunkIndex } from "./chunk-index.js";
import { countElements } from "./dataspace.js";
import { fail, type Hdf5File } from "./file.js";
import { type FilterPipeline, undoFilters } from "./filters.js";
import type { ChunkIndex } from "./layout.js";

/** What a chunked dataset is read with. */
export interface ChunkedSource {
  readonly shape: readonly number[];
  readonly chunkShape: readonly number[];
  readonly elementSize: number;
  readonly index: ChunkIndex;
  readonly filters: FilterPipeline;
}

/** Copies all stored chunks into `elements`, which has the size of the dataset and holds its fill value. */
export function readChunks(file: Hdf5File, source: ChunkedSource, elements: Uint8Array): void {
  const { shape, elementSize, filters } = source;
  if (elements.length === 0) return;
  const grid = gridOf(source);
  const chunks = readChunkIndex(file, source.index, grid);
  const unpacked = chunks.length * grid.chunkBytes;
  if (!(unpacked <= file.maxBytes)) {
    fail(`the chunks of a dataset must unpack to at most ${file.maxBytes} bytes.`, `${unpacked} bytes`);
  }
  for (const { ordinal, address, size, skipped } of chunks) {
    const stored = file.claim("a chunk", address, size).bytes;
    const chunk = undoFilters(stored, filters, skipped, grid.chunkBytes, elementSize);
    copyChunk(elements, chunk, ordinal, grid, shape, elementSize);
  }
}

function gridOf({ shape, chunkShape, elementSize, filters }: ChunkedSource): ChunkGrid {
  if (chunkShape.length !== shape.length) {
    fail(`chunks must have as many dimensions as the shape [${shape.join(", ")}].`, `[${chunkShape.join(", ")}]`);
  }
  const counts = shape.map((size, axis) => Math.ceil(size / chunkShape[axis]));
  const chunkBytes = countElements(chunkShape) * elementSize;
  return { shape, chunkShape, counts, count: countElements(counts), chunkBytes, isFiltered: filters.length > 0 };
}

/** Copies the part of a chunk that lies inside the dataset, row by row of the last dimension. */
function copyChunk(
  elements: Uint8Array,
  chunk: Uint8Array,
  ordinal: Chunk["ordinal"],
  { chunkShape, counts }: ChunkGrid,
  shape: readonly number[],
  elementSize: number,
): void {
  const rank = shape.length;
  // first element and extent of the chunk in each dimension
  const first = new Array<number>(rank).fill(0);
  for (let axis = rank - 1, rest = ordinal; axis >= 0; axis--) {
    first[axis] = (rest % counts[axis]) * chunkShape[axis];
    rest = Math.floor(rest / counts[axis]);
  }
  const extent = shape.map((size, axis) => Math.min(chunkShape[axis], size - first[axis]));
  const rowBytes = extent[rank - 1] * elementSize;
  const rows = extent.slice(0, -1).reduce((product, size) => product * size, 1);
  const index = new Array<number>(rank - 1).fill(0);
  for (let row = 0; row < rows; row++) {
    let from = 0;
    let to = 0;
    for (let axis = 0; axis < rank; axis++) {
      const i = axis < rank - 1 ? index[axis] : 0;
      from = from * chunkShape[axis] + i;
      to = to * shape[axis] + first[axis] + i;
    }
    elements.set(chunk.subarray(from * elementSize, from * elementSize + rowBytes), to * elementSize);
    for (let axis = rank - 2; axis >= 0; axis--) {
      if (++index[axis] < extent[axis]) break;
      index[axis] = 0;
    }
  }
}
