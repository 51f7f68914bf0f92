/**
 * Tensors side by side, and taken apart again. In row-major memory each of them is a matrix with a row for every index before
 * the axis; a row of the whole is the rows of all parts one behind the other.
 *
 *     part [R, Ki]    whole [R, K0 + K1 + ...]
 *
 * A tile is some rows of what is written, or some columns of one row where rows are long: so there are many along any axis.
 *
 * @module
 */
import { MAX_ARRAYS } from "../parallel/control.js";
import type { Job } from "../parallel/job.js";
import type { FloatArray } from "../tensor/dtype.js";
import { type Shape, sizeOf } from "../tensor/shape.js";
import { contiguous, empty, type Tensor } from "../tensor/tensor.js";
import { elementsPerTile, passRunsSimd, rowsPerTile, runPass, runPasses } from "./element-tiles.js";
import type { Execution } from "./execution.js";
import { copyRowsKernel } from "./simd/copy-kernel.js";
import { runKernel } from "./simd/thread.js";

/** Some of a matrix. */
interface Block {
  readonly row: number;
  readonly rows: number;
  readonly column: number;
  readonly columns: number;
}

/** How a matrix is cut into tiles: how many rows and columns a tile has, and how many tiles there are. */
interface Cut {
  readonly numbers: readonly [rows: number, columns: number, rowsEach: number, columnsEach: number];
  readonly tiles: number;
}

function cutOf(rows: number, columns: number, execution: Execution): Cut {
  const rowsEach = rowsPerTile(rows, columns, execution);
  const columnsEach = rowsEach > 1 ? columns : Math.min(columns, elementsPerTile(rows * columns, execution));
  const tiles = columns === 0 ? 0 : Math.ceil(rows / rowsEach) * Math.ceil(columns / columnsEach);
  return { numbers: [rows, columns, rowsEach, columnsEach], tiles };
}

function blockOf(tile: number, [rows, columns, rowsEach, columnsEach]: readonly number[]): Block {
  const across = Math.ceil(columns / columnsEach);
  const row = Math.floor(tile / across) * rowsEach;
  const column = (tile % across) * columnsEach;
  return {
    ...{ row, rows: Math.min(rowsEach, rows - row) },
    ...{ column, columns: Math.min(columnsEach, columns - column) },
  };
}

/** A place in a matrix: an element, and how many there are from one row to the next. */
interface Place {
  readonly data: FloatArray;
  readonly at: number;
  readonly stride: number;
}

/** Copies `rows` rows of `columns` elements. */
function copyRows(from: Place, to: Place, rows: number, columns: number, simd: boolean): void {
  if (simd) {
    runKernel(copyRowsKernel, {
      ...{ from: from.data.byteOffset + 4 * from.at, to: to.data.byteOffset + 4 * to.at },
      ...{ rows, fromStride: 4 * from.stride, toStride: 4 * to.stride, columns },
    });
    return;
  }
  for (let row = 0; row < rows; row++) {
    const [read, write] = [from.at + row * from.stride, to.at + row * to.stride];
    for (let column = 0; column < columns; column++) to.data[write + column] = from.data[read + column];
  }
}

/** `inputs` one behind the other along `axis`, as a tensor of `shape`. */
export function joinTensors(inputs: readonly Tensor[], shape: Shape, axis: number, execution: Execution): Tensor {
  const whole = empty(shape, inputs[0]);
  const reads = inputs.map((x) => contiguous(x).data);
  const rows = sizeOf(shape.slice(0, axis));
  const columns = sizeOf(shape.slice(axis));
  if (reads.length >= MAX_ARRAYS) {
    joinBlock(reads, whole.data, rows, { row: 0, rows, column: 0, columns }, false); // a job names only so many arrays
    return whole;
  }
  const simd = [whole, ...inputs].every((x) => x.size === 0 || passRunsSimd(execution, x));
  runPass(execution, simd, { job: joinJob, reads, writes: [whole.data], ...cutOf(rows, columns, execution) });
  return whole;
}

/** Some of the whole. */
export const joinJob: Job = {
  name: "join",
  prepare(arrays, numbers) {
    const parts = arrays.slice(0, -1);
    const whole = arrays[arrays.length - 1];
    const [rows, , , , simd] = numbers;
    return (tile) => joinBlock(parts, whole, rows, blockOf(tile, numbers), simd === 1);
  },
};

function joinBlock(parts: readonly FloatArray[], whole: FloatArray, rows: number, block: Block, simd: boolean): void {
  const stride = whole.length / rows;
  let start = 0; // of this part in each row
  for (const data of parts) {
    const width = data.length / rows;
    const column = Math.max(block.column, start);
    const columns = Math.min(block.column + block.columns, start + width) - column;
    if (columns > 0) {
      const from = { data, at: block.row * width + column - start, stride: width };
      const to = { data: whole, at: block.row * stride + column, stride };
      copyRows(from, to, block.rows, columns, simd);
    }
    start += width;
  }
}

/** The parts of `whole` that tensors of `shapes` became when they were joined along `axis`. */
export function splitTensor(
  whole: Tensor,
  shapes: readonly Shape[],
  axis: number,
  execution: Execution,
): readonly Tensor[] {
  const reads = [contiguous(whole).data];
  const rows = sizeOf(whole.shape.slice(0, axis));
  const parts = shapes.map((shape) => empty(shape, whole));
  let start = 0; // of this part in each row
  const passes = parts.map((part) => {
    const columns = sizeOf(part.shape.slice(axis));
    const { numbers, tiles } = cutOf(rows, columns, execution);
    const run = { job: splitJob, reads, writes: [part.data], numbers: [...numbers, start], tiles };
    start += columns;
    return { run, simd: passRunsSimd(execution, part) };
  });
  runPasses(execution, passes);
  return parts;
}

/** Some of one part. */
export const splitJob: Job = {
  name: "split",
  prepare([whole, part], numbers) {
    const [allRows, width, , , start, simd] = numbers;
    const stride = whole.length / allRows;
    return (tile) => {
      const { row, rows, column, columns } = blockOf(tile, numbers);
      const from = { data: whole, at: row * stride + start + column, stride };
      copyRows(from, { data: part, at: row * width + column, stride: width }, rows, columns, simd === 1);
    };
  },
};
