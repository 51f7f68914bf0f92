/**
 * Sums over the rows of a matrix [rows, channels]: over batch, height and width at once when an NHWC tensor is read
 * as such a matrix. Every channel is one flat sum, row ascending; threads share the channels.
 *
 * @module
 */
import type { Job } from "../parallel/job.js";
import { computeHere } from "../parallel/recording.js";
import { doublesInScope } from "../tensor/arena.js";
import type { FloatArray } from "../tensor/dtype.js";
import { contiguous, dtypeOf, empty, type Tensor } from "../tensor/tensor.js";
import { columnsPerTile, LEAST_COLUMNS, passRunsSimd, runPass } from "./element-tiles.js";
import type { Execution } from "./execution.js";
import { type Accumulate, roundingOf, roundsToFloat32 } from "./rounding.js";
import { type ColumnRange, columnSumsKernels, forEachStrip } from "./simd/column-kernels.js";
import { runKernel } from "./simd/thread.js";
import { blockOf, splitEvenly } from "./split.js";

function dtypeOfArray(x: FloatArray): "float32" | "float64" {
  return x instanceof Float64Array ? "float64" : "float32";
}

function expectMatrix(kernel: string, x: FloatArray, rows: number, channels: number): void {
  if (x.length !== rows * channels) {
    throw new Error(
      `internal: ${kernel}: a matrix [${rows}, ${channels}] must hold ${rows * channels} values. Received ${x.length}.`,
    );
  }
}

/**
 * sums[c] = sum over r of x[r, c], not yet rounded to the type of `x`.
 *
 * @throws Error when `x` does not hold rows * channels values.
 */
export function columnSums(x: FloatArray, rows: number, channels: number, execution: Execution): Float64Array {
  if (execution.kernel === "naive") return columnSumsNaive(x, rows, channels, execution.accumulate);
  expectMatrix("columnSums", x, rows, channels);
  const sums = doublesInScope(channels);
  const most = columnsPerTile(channels, execution);
  const single = roundsToFloat32(execution.accumulate, dtypeOfArray(x));
  runPass(execution, passRunsSimd(execution, { data: x, size: x.length }, channels), {
    job: columnSumsJob,
    reads: [x],
    writes: [sums],
    numbers: [rows, channels, most, Number(single)],
    tiles: splitEvenly(channels, most, LEAST_COLUMNS).count,
  });
  return sums;
}

/** The sums of some of the columns. */
export const columnSumsJob: Job = {
  name: "columnSums",
  prepare:
    ([x, sums], [rows, channels, most, single, simd]) =>
    (tile) => {
      const part = { rows, channels, ...blockOf(splitEvenly(channels, most, LEAST_COLUMNS), tile) };
      sumColumns(x, sums, part, single === 1, simd === 1);
    },
};

/** Makes `sums` those of some of the columns of `x`; with `simd`, on assembled kernels. */
export function sumColumns(x: FloatArray, sums: FloatArray, part: ColumnRange, single: boolean, simd: boolean): void {
  const { rows, channels, from, to } = part;
  if (simd) {
    sums.fill(0, from, to);
    addColumns(x.byteOffset, sums.byteOffset, part, single);
    return;
  }
  const columns = to - from;
  const totals = new Float64Array(columns); // apart from those of other threads
  for (let r = 0, row = from; r < rows; r++, row += channels) {
    if (single) for (let c = 0; c < columns; c++) totals[c] = Math.fround(totals[c] + x[row + c]);
    else for (let c = 0; c < columns; c++) totals[c] += x[row + c];
  }
  sums.set(totals, from);
}

/**
 * Adds the columns `from` to `to` of a matrix of float32 at address `x`, a number of whole vectors, to float64 sums at
 * address `sums`, on assembled kernels.
 */
export function addColumns(x: number, sums: number, part: ColumnRange, single: boolean): void {
  if (part.rows === 0) return;
  forEachStrip(single ? columnSumsKernels.single : columnSumsKernels.double, part, ({ kernel, column, at, rows }) => {
    runKernel(kernel, { x: x + 4 * at, stride: 4 * part.channels, rows, sums: sums + 8 * column });
  });
}

/** The loops that define the bits of {@link columnSums}. */
export function columnSumsNaive(x: FloatArray, rows: number, channels: number, accumulate: Accumulate): Float64Array {
  expectMatrix("columnSums", x, rows, channels);
  const round = roundingOf(accumulate, dtypeOfArray(x));
  const sums = new Float64Array(channels);
  for (let c = 0; c < channels; c++) {
    let sum = 0;
    for (let r = 0; r < rows; r++) sum = round(sum + x[r * channels + c]);
    sums[c] = sum;
  }
  return sums;
}

/** dBias[c] = sum of `dy` [..., channels] over all axes but the last. */
export function biasGradient(dy: Tensor, execution: Execution): Tensor {
  const channels = dy.shape[dy.dimension - 1];
  const rows = channels === 0 ? 0 : dy.size / channels;
  return roundedSums(columnSums(contiguous(dy).data, rows, channels, execution), dy);
}

/** `sums` as a tensor with the element type of `like`. */
export function roundedSums(sums: Float64Array, like: Tensor): Tensor {
  const rounded = empty([sums.length], dtypeOf(like));
  computeHere([sums], [rounded.data], () => {
    for (let c = 0; c < sums.length; c++) rounded.data[c] = sums[c];
  });
  return rounded;
}
