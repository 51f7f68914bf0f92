/**
 * The mean of every column of a matrix [M, C], and how far the column strays from it.
 *
 *     mean[c]    = 1 / M sum over m of x[m, c]
 *     squares[c] = sum over m of (x[m, c] - mean[c])^2           m ascending, one flat sum for every channel, as that of the mean
 *
 * All in float64; with float32 accumulation the mean is rounded before it is subtracted, and so is every difference, product and
 * partial sum (`rounding.ts`).
 *
 * A tile is some of the columns. It goes down the rows twice, since the squares wait for the mean, but for that of its own columns
 * alone: so threads do not wait for each other in between.
 *
 * @module
 */
import type { Job } from "../parallel/job.js";
import { allocateInScope, doublesInScope } from "../tensor/arena.js";
import type { FloatArray } from "../tensor/dtype.js";
import { contiguous, dtypeOf, type Tensor } from "../tensor/tensor.js";
import { columnsPerTile, LEAST_COLUMNS, passRunsSimd, runPass } from "./element-tiles.js";
import { type Execution, NO_VALUES } from "./execution.js";
import { columnSumsNaive, sumColumns } from "./reduce.js";
import { type Accumulate, roundingOf, roundsToFloat32 } from "./rounding.js";
import { type ColumnRange, deviationSquaresKernels, forEachStrip } from "./simd/column-kernels.js";
import { runKernel } from "./simd/thread.js";
import { blockOf, splitEvenly } from "./split.js";

/** What {@link moments} finds, [C] each, not yet rounded to the type of the matrix. */
export interface Moments {
  readonly mean: Float64Array;
  readonly squares: Float64Array;
}

/** The moments of the columns of `x` [..., C], its rows taken as those of a matrix [M, C]. */
export function moments(x: Tensor, execution: Execution): Moments {
  if (execution.kernel === "naive") return momentsNaive(x, execution.accumulate);
  const channels = x.shape[x.dimension - 1];
  const [mean, squares] = [doublesInScope(channels), doublesInScope(channels)];
  const most = columnsPerTile(channels, execution);
  const single = roundsToFloat32(execution.accumulate, dtypeOf(x));
  runPass(execution, passRunsSimd(execution, x, channels), {
    job: momentsJob,
    reads: [contiguous(x).data],
    writes: [mean, squares, single ? allocateInScope("float32", channels) : NO_VALUES],
    numbers: [most],
    tiles: splitEvenly(channels, most, LEAST_COLUMNS).count,
  });
  return { mean, squares };
}

/** The moments of some of the columns. What is subtracted is `rounded`, where that holds values, and else the mean. */
export const momentsJob: Job = {
  name: "moments",
  prepare([x, mean, squares, rounded], [most, simd]) {
    const channels = mean.length;
    const rows = x.length / channels;
    const single = rounded.length > 0;
    return (tile) => {
      const { from, to } = blockOf(splitEvenly(channels, most, LEAST_COLUMNS), tile);
      const part = { rows, channels, from, to };
      sumColumns(x, mean, part, single, simd === 1);
      for (let c = from; c < to; c++) mean[c] /= rows;
      if (single) for (let c = from; c < to; c++) rounded[c] = mean[c];
      sumSquares(x, single ? rounded : mean, squares, part, single, simd === 1);
    };
  },
};

/** Makes `squares` those of the deviations of some of the columns of `x` from `mean`; with `simd`, on assembled kernels. */
function sumSquares(
  x: FloatArray,
  mean: FloatArray,
  squares: FloatArray,
  part: ColumnRange,
  single: boolean,
  simd: boolean,
): void {
  const { channels, from, to } = part;
  if (simd) {
    squares.fill(0, from, to);
    forEachStrip(deviationSquaresKernels[single ? "single" : "double"], part, ({ kernel, column, at, rows }) => {
      runKernel(kernel, {
        x: x.byteOffset + 4 * at,
        stride: 4 * channels,
        rows,
        mean: mean.byteOffset + mean.BYTES_PER_ELEMENT * column,
        squares: squares.byteOffset + 8 * column,
      });
    });
    return;
  }
  const columns = to - from;
  const means = mean.slice(from, to);
  const sums = new Float64Array(columns); // apart from those of other threads
  for (let row = from; row < x.length; row += channels) {
    for (let c = 0; c < columns; c++) {
      const exact = x[row + c] - means[c];
      const deviation = single ? Math.fround(exact) : exact;
      const square = deviation * deviation;
      sums[c] = single ? Math.fround(sums[c] + Math.fround(square)) : sums[c] + square;
    }
  }
  squares.set(sums, from);
}

/** The loops that define the bits of {@link moments}. */
export function momentsNaive(x: Tensor, accumulate: Accumulate): Moments {
  const round = roundingOf(accumulate, dtypeOf(x));
  const { data } = contiguous(x);
  const channels = x.shape[x.dimension - 1];
  const rows = data.length / channels;
  const mean = columnSumsNaive(data, rows, channels, accumulate).map((sum) => sum / rows);
  const squares = mean.map((m, c) => {
    let sum = 0;
    for (let i = c; i < data.length; i += channels) {
      const deviation = round(data[i] - round(m));
      sum = round(sum + round(deviation * deviation));
    }
    return sum;
  });
  return { mean, squares };
}
