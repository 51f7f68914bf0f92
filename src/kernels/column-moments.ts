/**
 * Mean and population variance of the columns of a matrix [M, C]: what batch normalization takes from a batch.
 *
 *     mean[c]     = (sum over m of x[m, c]) / M                      m ascending, one flat sum for every channel
 *     variance[c] = (sum over m of (x[m, c] - mean[c])^2) / M        a second pass, over the deviations from the mean
 *
 * Threads share the channels, and the second pass of a channel needs the mean of no other one: so both are one job, and
 * nobody waits for others in between.
 *
 * @module
 */
import type { Job } from "../parallel/job.js";
import { doublesInScope } from "../tensor/arena.js";
import type { FloatArray } from "../tensor/dtype.js";
import { contiguous, dtypeOf, type Tensor } from "../tensor/tensor.js";
import { columnsPerTile, LEAST_COLUMNS, passRunsSimd, runPass } from "./element-tiles.js";
import type { Execution } from "./execution.js";
import { columnSumsJob, columnSumsNaive } from "./reduce.js";
import { type Accumulate, roundingOf, roundsToFloat32 } from "./rounding.js";
import { type ColumnRange, deviationSquaresKernels, forEachStrip } from "./simd/column-kernels.js";
import { runKernel } from "./simd/thread.js";
import { blockOf, splitEvenly } from "./split.js";

/** Mean and population variance of every channel, [C] each. */
export interface Moments {
  readonly mean: Float64Array;
  readonly variance: Float64Array;
}

/** The moments of the columns of `x` [..., C], not rounded to the type of `x`. */
export function columnMoments(x: Tensor, execution: Execution): Moments {
  if (execution.kernel === "naive") return columnMomentsNaive(x, execution.accumulate);
  const channels = x.shape[x.dimension - 1];
  const [mean, variance] = [doublesInScope(channels), doublesInScope(channels)];
  const most = columnsPerTile(channels, execution);
  const single = roundsToFloat32(execution.accumulate, dtypeOf(x));
  runPass(execution, passRunsSimd(execution, x, channels), {
    job: columnMomentsJob,
    reads: [contiguous(x).data],
    writes: [mean, variance],
    numbers: [x.size / channels, channels, most, Number(single)],
    tiles: splitEvenly(channels, most, LEAST_COLUMNS).count,
  });
  return { mean, variance };
}

/** The moments of some of the columns. */
export const columnMomentsJob: Job = {
  name: "columnMoments",
  prepare([x, mean, variance], numbers) {
    const [rows, channels, most, single, simd] = numbers;
    const sum = columnSumsJob.prepare([x, mean], numbers);
    return (tile) => {
      const { from, to } = blockOf(splitEvenly(channels, most, LEAST_COLUMNS), tile);
      const part = { rows, channels, from, to };
      sum(tile);
      for (let c = from; c < to; c++) mean[c] /= rows;
      if (simd === 1) addSquares(x, mean, variance, part, single === 1);
      else variance.set(squaresOf(x, mean.slice(from, to), part, single === 1), from);
      for (let c = from; c < to; c++) variance[c] /= rows;
    };
  },
};

/** Sets `squares` of some columns to the sums of the squares of their deviations, on assembled kernels. */
function addSquares(x: FloatArray, mean: FloatArray, squares: FloatArray, part: ColumnRange, single: boolean): void {
  squares.fill(0, part.from, part.to);
  const { [single ? "single" : "double"]: strips } = deviationSquaresKernels;
  forEachStrip(strips, part, ({ kernel, column, at, rows }) => {
    runKernel(kernel, {
      x: x.byteOffset + 4 * at,
      stride: 4 * part.channels,
      rows,
      mean: mean.byteOffset + 8 * column,
      squares: squares.byteOffset + 8 * column,
    });
  });
}

/** The sums of the squares of the deviations of some columns from their `means`. */
function squaresOf(x: FloatArray, means: FloatArray, { channels, from }: ColumnRange, single: boolean): Float64Array {
  const sums = new Float64Array(means.length); // apart from those of other threads
  for (let row = from; row < x.length; row += channels) {
    for (let c = 0; c < means.length; c++) {
      const deviation = x[row + c] - means[c];
      const square = deviation * deviation;
      sums[c] = single ? Math.fround(sums[c] + Math.fround(square)) : sums[c] + square;
    }
  }
  return sums;
}

/** The loops that define the bits of {@link columnMoments}. */
export function columnMomentsNaive(x: Tensor, accumulate: Accumulate): Moments {
  const round = roundingOf(accumulate, dtypeOf(x));
  const { data } = contiguous(x);
  const channels = x.shape[x.dimension - 1];
  const rows = x.size / channels;
  const mean = columnSumsNaive(data, rows, channels, accumulate).map((sum) => sum / rows);
  const variance = mean.map((m, c) => {
    let sum = 0;
    for (let i = c; i < data.length; i += channels) sum = round(sum + round((data[i] - m) * (data[i] - m)));
    return sum / rows;
  });
  return { mean, variance };
}
