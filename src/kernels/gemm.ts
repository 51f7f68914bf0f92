/**
 * General matrix multiplication.
 *
 *     a [M, K], b [K, N], bias [N]  ->  c [M, N]
 *     c[m, n] = sum over k of a[m, k] * b[k, n]  (+ bias[n])
 *
 * The fast path cuts c into blocks. For each of them it runs through the index k in pieces: pack a piece of the block's
 * rows of `a` and of its columns of `b`, multiply, go on; `tile.ts` holds the arithmetic. Both operands are read through
 * their strides, so a transposed view costs no copy, and neither does a slice, unless it is of an array many times as large.
 *
 * @module
 */
import type { Job } from "../parallel/job.js";
import type { FloatArray } from "../tensor/dtype.js";
import { contiguous, dtypeOf, empty, type Tensor } from "../tensor/tensor.js";
import { expectRank, expectSameType, expectShape } from "./check.js";
import { biasData, type Execution, runsSimd, runTiles, tileRows } from "./execution.js";
import { type Accumulate, roundingOf, roundsToFloat32 } from "./rounding.js";
import { gemmSimd } from "./simd/gemm.js";
import { blockOf, splitEvenly } from "./split.js";
import { COLUMNS, clearSums, DEPTH, leftBlock, multiplyBlocks, packRight, storeSums, TILE_COLUMNS } from "./tile.js";

function check(a: Tensor, b: Tensor, bias: Tensor | undefined): void {
  expectRank("gemm", "a", a, 2);
  expectRank("gemm", "b", b, 2);
  expectShape("gemm", "b", b, [a.shape[1], b.shape[1]]);
  if (bias !== undefined) expectShape("gemm", "bias", bias, [b.shape[1]]);
  expectSameType("gemm", a, b, bias);
}

/**
 * The product of `a` [M, K] and `b` [K, N], plus `bias` [N] on every row.
 *
 * @throws TypeError when element types disagree; Error when shapes do.
 */
export function gemm(a: Tensor, b: Tensor, bias: Tensor | undefined, execution: Execution): Tensor {
  if (execution.kernel === "naive") return gemmNaive(a, b, bias, execution.accumulate);
  check(a, b, bias);
  return product(compact(a), compact(b), bias, execution);
}

/** A view of a small part of its array is copied: else all of the array might be, into the heap that threads share. */
function compact(x: Tensor): Tensor {
  return x.data.length > MOST_UNUSED * x.size ? contiguous(x) : x;
}

/** How many times as large as a view an array may be. */
const MOST_UNUSED = 4;

function product(a: Tensor, b: Tensor, bias: Tensor | undefined, execution: Execution): Tensor {
  const [rows, depth] = a.shape;
  const columns = b.shape[1];
  const c = empty([rows, columns], a);
  if (runsSimd(execution, a) && c.size * depth > 0) {
    gemmSimd(a, b, bias, c, execution);
    return c;
  }
  const most = tileRows(rows, Math.ceil(columns / COLUMNS), execution);
  const single = roundsToFloat32(execution.accumulate, dtypeOf(a));
  runTiles(execution, {
    job: gemmJob,
    reads: [a.data, b.data, biasData(bias)],
    writes: [c.data],
    numbers: [rows, columns, depth, most, Number(single), a.offset, ...a.stride, b.offset, ...b.stride],
    tiles: splitEvenly(rows, most, 1).count * splitEvenly(columns, COLUMNS, TILE_COLUMNS).count,
  });
  return c;
}

/** One block of c. Blocks that share rows of `a` follow each other. */
export const gemmJob: Job = {
  name: "gemm",
  prepare:
    ([a, b, bias, c], numbers) =>
    (tile) => {
      const [rows, columns, depth, most, single, aOffset, aRow, aColumn, bOffset, bRow, bColumn] = numbers;
      const across = splitEvenly(columns, COLUMNS, TILE_COLUMNS);
      const i = blockOf(splitEvenly(rows, most, 1), Math.floor(tile / across.count));
      const j = blockOf(across, tile % across.count);
      const height = i.to - i.from;
      const width = j.to - j.from;
      clearSums(height);
      for (let k = 0; k < depth; k += DEPTH) {
        const count = Math.min(DEPTH, depth - k);
        packLeft(a, aOffset + i.from * aRow + k * aColumn, aRow, aColumn, height, count);
        packRight(b, bOffset + k * bRow + j.from * bColumn, bRow, bColumn, width, count, 0, count);
        multiplyBlocks(height, width, count, count, 1, single === 1);
      }
      for (let m = 0; m < height; m++) {
        storeSums(m, width, c, (i.from + m) * columns + j.from, bias, j.from);
      }
    },
};

/** Packs rows of `a` as [rows, count]. */
function packLeft(a: FloatArray, at: number, aRow: number, aColumn: number, rows: number, count: number): void {
  const left = leftBlock();
  let to = 0;
  for (let m = 0; m < rows; m++) {
    let read = at + m * aRow;
    for (let k = 0; k < count; k++, to++, read += aColumn) left[to] = a[read];
  }
}

/** The loops that define the bits of {@link gemm}. */
export function gemmNaive(a: Tensor, b: Tensor, bias: Tensor | undefined, accumulate: Accumulate): Tensor {
  check(a, b, bias);
  const round = roundingOf(accumulate, dtypeOf(a));
  const [rows, depth] = a.shape;
  const columns = b.shape[1];
  const c = empty([rows, columns], a);
  for (let m = 0; m < rows; m++) {
    for (let n = 0; n < columns; n++) {
      let sum = 0;
      for (let k = 0; k < depth; k++) sum = round(sum + round(a.get(m, k) * b.get(k, n)));
      if (bias !== undefined) sum = round(sum + bias.get(n));
      c.set(m, n, sum);
    }
  }
  return c;
}
