/**
 * The inner engine of every fast product: blocks of two matrices, packed as doubles, multiplied in register tiles.
 *
 *     sums[i, j] += sum over k of left[i, k] * right[k, j]        k ascending, onto what sums[i, j] holds already
 *
 * All products of matrices and all convolutions of the scalar path, but depthwise ones, end here. Callers cut their work
 * into blocks of at most ROWS x COLUMNS sums, and the index of the sums into pieces of at most DEPTH; they pack one piece of
 * both operands, call {@link multiplyBlocks}, and go on with the next piece. A partial sum rests in `sums` between pieces, as
 * a double that is not rounded (or, with float32 accumulation, as the float32 value that it is), so cutting changes no bit.
 *
 * Packing pays twice. Rows that are far apart in a tensor lie together in the cache; and float32 values are widened once
 * instead of in every product, which changes nothing, since a product of two float32 values is exact in a double.
 *
 * The three blocks are constants of this module, one set in each thread, and not parameters: an optimizing compiler then
 * knows their addresses and lengths, and the loop below runs half as fast again.
 *
 * @module
 */
import type { FloatArray } from "../tensor/dtype.js";

/** Rows of a tile of sums that are held in registers, and columns: 3 x 2 sums, 6 products and 5 operands just fit. */
export const TILE_ROWS = 3;
export const TILE_COLUMNS = 2;

/** The largest block of sums, and how many of their terms are packed at a time. Together they fill 544 KB of cache. */
export const ROWS = 96;
export const COLUMNS = 128;
export const DEPTH = 256;

/** The packed piece of the left operand, in the layout that the caller states to {@link multiplyBlocks}. */
const left = new Float64Array(ROWS * DEPTH);
/** The packed piece of the right operand: panels of two columns, [COLUMNS / 2][depth][2]. */
const right = new Float64Array(COLUMNS * DEPTH);
/** The sums, [ROWS, COLUMNS]. */
const sums = new Float64Array(ROWS * COLUMNS);

/** The block that callers pack their left operand into. */
export function leftBlock(): Float64Array {
  return left;
}

/** Sets the first `rows` rows of sums to +0. */
export function clearSums(rows: number): void {
  sums.fill(0, 0, roundUp(rows, TILE_ROWS) * COLUMNS);
}

/** `value`, or the next multiple of `unit`. */
function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}

/**
 * Packs `count` rows of the right operand, as rows `from` and on of a piece of `depth` rows. Element [k, j] is
 * `source[at + k * rowStride + j * columnStride]`.
 */
export function packRight(
  source: FloatArray,
  at: number,
  rowStride: number,
  columnStride: number,
  columns: number,
  count: number,
  from: number,
  depth: number,
): void {
  for (let j = 0; j < columns; j += 2) {
    const second = j + 1 < columns ? columnStride : 0; // an odd last panel repeats its column
    let read = at + j * columnStride;
    let to = (j * depth + from * 2) | 0;
    const end = (to + count * 2) | 0;
    while (to < end) {
      right[to | 0] = source[read];
      right[(to + 1) | 0] = source[read + second];
      to = (to + 2) | 0;
      read += rowStride;
    }
  }
}

/**
 * Adds the product of the packed pieces to the sums [rows, columns]. Element [i, k] of the left piece is
 * `left[i * rowStride + k * depthStride]`. With `single`, every product and every sum is rounded to float32.
 *
 * Where `rows` or `columns` is no multiple of the tile, the tile covers sums outside the block, which nobody reads.
 */
export function multiplyBlocks(
  rows: number,
  columns: number,
  depth: number,
  rowStride: number,
  depthStride: number,
  single: boolean,
): void {
  for (let j = 0, panel = 0; j < columns; j += TILE_COLUMNS, panel += depth * TILE_COLUMNS) {
    for (let i = 0; i < rows; i += TILE_ROWS) {
      if (single) multiplyTileSingle(i * rowStride, rowStride, depthStride, panel, depth, i * COLUMNS + j);
      else multiplyTile(i * rowStride, rowStride, depthStride, panel, depth, i * COLUMNS + j);
    }
  }
}

// Two habits of the loops below make them twice as fast. `| 0` says that an index is a 32-bit integer, which spares the
// test for overflow that a JavaScript number needs. And no exported constant is read in a loop (hence the plain 2 for
// TILE_COLUMNS): an engine fetches exports of a module anew each time.

function multiplyTile(a: number, rowStride: number, depthStride: number, b: number, depth: number, c: number): void {
  let a0 = a | 0;
  let a1 = (a + rowStride) | 0;
  let a2 = (a + 2 * rowStride) | 0;
  const c1 = c + COLUMNS;
  const c2 = c + 2 * COLUMNS;
  let s00 = sums[c];
  let s01 = sums[c + 1];
  let s10 = sums[c1];
  let s11 = sums[c1 + 1];
  let s20 = sums[c2];
  let s21 = sums[c2 + 1];
  const end = (b + depth * 2) | 0;
  while (b < end) {
    const x0 = left[a0];
    const x1 = left[a1];
    const x2 = left[a2];
    const y0 = right[b | 0];
    s00 += x0 * y0;
    s10 += x1 * y0;
    s20 += x2 * y0;
    const y1 = right[(b + 1) | 0];
    s01 += x0 * y1;
    s11 += x1 * y1;
    s21 += x2 * y1;
    a0 = (a0 + depthStride) | 0;
    a1 = (a1 + depthStride) | 0;
    a2 = (a2 + depthStride) | 0;
    b = (b + 2) | 0;
  }
  sums[c] = s00;
  sums[c + 1] = s01;
  sums[c1] = s10;
  sums[c1 + 1] = s11;
  sums[c2] = s20;
  sums[c2 + 1] = s21;
}

/** {@link multiplyTile} with every product and every sum rounded to float32. */
function multiplyTileSingle(
  a: number,
  rowStride: number,
  depthStride: number,
  b: number,
  depth: number,
  c: number,
): void {
  let a0 = a | 0;
  let a1 = (a + rowStride) | 0;
  let a2 = (a + 2 * rowStride) | 0;
  const c1 = c + COLUMNS;
  const c2 = c + 2 * COLUMNS;
  let s00 = sums[c];
  let s01 = sums[c + 1];
  let s10 = sums[c1];
  let s11 = sums[c1 + 1];
  let s20 = sums[c2];
  let s21 = sums[c2 + 1];
  const end = (b + depth * 2) | 0;
  while (b < end) {
    const x0 = left[a0];
    const x1 = left[a1];
    const x2 = left[a2];
    const y0 = right[b | 0];
    s00 = Math.fround(s00 + Math.fround(x0 * y0));
    s10 = Math.fround(s10 + Math.fround(x1 * y0));
    s20 = Math.fround(s20 + Math.fround(x2 * y0));
    const y1 = right[(b + 1) | 0];
    s01 = Math.fround(s01 + Math.fround(x0 * y1));
    s11 = Math.fround(s11 + Math.fround(x1 * y1));
    s21 = Math.fround(s21 + Math.fround(x2 * y1));
    a0 = (a0 + depthStride) | 0;
    a1 = (a1 + depthStride) | 0;
    a2 = (a2 + depthStride) | 0;
    b = (b + 2) | 0;
  }
  sums[c] = s00;
  sums[c + 1] = s01;
  sums[c1] = s10;
  sums[c1 + 1] = s11;
  sums[c2] = s20;
  sums[c2 + 1] = s21;
}

/**
 * Stores row `row` of the sums, after adding the bias where there is one (a `bias` of length 0 is none). Storing into a
 * Float32Array rounds: with float64 accumulation this is the one rounding, and with float32 accumulation that of adding
 * the bias, since the double sum of two float32 values rounds to their float32 sum.
 */
export function storeSums(
  row: number,
  columns: number,
  target: FloatArray,
  at: number,
  bias: FloatArray,
  biasAt: number,
): void {
  const from = row * COLUMNS;
  if (bias.length === 0) {
    for (let j = 0; j < columns; j++) target[at + j] = sums[from + j];
  } else {
    for (let j = 0; j < columns; j++) target[at + j] = sums[from + j] + bias[biasAt + j];
  }
}
