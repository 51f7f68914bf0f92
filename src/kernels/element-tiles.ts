/**
 * How element-wise passes and reductions are cut into tiles for threads.
 *
 * A pass whose outputs do not depend on each other is cut into ranges of elements, or of rows. A sum is never cut along
 * its index: the sums of the columns of a matrix are cut into ranges of columns, and each tile walks down all rows.
 *
 * @module
 */
import { withArraysInHeap } from "../parallel/borrow.js";
import { MAX_JOBS } from "../parallel/control.js";
import type { JobRun } from "../parallel/job.js";
import type { Tensor } from "../tensor/tensor.js";
import { type Execution, runsSimd, runTiles } from "./execution.js";
import { ranges } from "./simd/axes.js";

/** Elements of a tile: so many that claiming it costs nothing, so few that what it reads and writes fits the cache. */
const MOST_ELEMENTS = 16384;
const LEAST_ELEMENTS = 2048;

/** How many tiles a thread should have, so that one that was held up leaves the others something to take. */
const TILES_PER_THREAD = 4;

/** Float32 values in a cache line: threads that write should not share one. */
const LINE = 16;

/** The fewest columns of a tile: what one vector of float32 holds. */
export const LEAST_COLUMNS = 4;

/** The most columns of a tile: their sums stay in the fastest cache, and the rest is left to other threads. */
const MOST_COLUMNS = 64;

/** How many elements of `size` a tile has; a multiple of a cache line. */
export function elementsPerTile(size: number, { pool }: Execution): number {
  const even = Math.ceil(size / (TILES_PER_THREAD * (pool?.threads ?? 1)) / LINE) * LINE;
  return Math.min(MOST_ELEMENTS, Math.max(LEAST_ELEMENTS, even));
}

/** How many of `rows` rows of `columns` elements a tile has. */
export function rowsPerTile(rows: number, columns: number, execution: Execution): number {
  return Math.max(1, Math.floor(elementsPerTile(rows * columns, execution) / Math.max(1, columns)));
}

/**
 * How many of `columns` columns a tile sums: whole cache lines where every thread can have one, else so few that every
 * thread has some.
 */
export function columnsPerTile(columns: number, { pool }: Execution): number {
  const even = columns / (pool?.threads ?? 1);
  const unit = even < LINE ? LEAST_COLUMNS : LINE;
  return Math.min(MOST_COLUMNS, Math.max(unit, Math.ceil(even / unit) * unit));
}

/** Whether a pass over `x` runs on assembled kernels: float32, in rows of whole vectors of 4 where it goes by rows. */
export function passRunsSimd(
  execution: Execution,
  x: Pick<Tensor, "data" | "size">,
  columns: number = LEAST_COLUMNS,
): boolean {
  return runsSimd(execution, x) && columns % LEAST_COLUMNS === 0 && x.size > 0;
}

/**
 * Computes all tiles of a pass. With `simd`, all arrays lie in the heap, where assembled kernels reach them. The job is
 * told by one number more, the last.
 */
export function runPass(execution: Execution, simd: boolean, run: JobRun): void {
  withPass(simd, run, (ready) => runTiles(execution, ready));
}

/** A pass, and whether it runs on assembled kernels. */
export interface Pass {
  readonly run: JobRun;
  readonly simd: boolean;
}

/** {@link runPass} for passes that do not depend on each other: threads wait for each other once, or once for many. */
export function runPasses(execution: Execution, passes: readonly Pass[]): void {
  for (const { from, to } of ranges(passes.length, MAX_JOBS)) {
    const ready: JobRun[] = [];
    const prepareFrom = (i: number): void => {
      if (i === to) runTiles(execution, ...ready);
      else {
        withPass(passes[i].simd, passes[i].run, (run) => {
          ready.push(run);
          prepareFrom(i + 1);
        });
      }
    };
    prepareFrom(from);
  }
}

/** What `use` returns for `run` as {@link runPass} runs it. */
function withPass<Result>(simd: boolean, run: JobRun, use: (run: JobRun) => Result): Result {
  const { job, tiles } = run;
  const numbers = [...run.numbers, Number(simd)];
  if (!simd) return use({ job, reads: run.reads, writes: run.writes, numbers, tiles });
  return withArraysInHeap(run.reads, run.writes, (reads, writes) =>
    use({ job, reads, writes, numbers, tiles, inHeap: true }),
  );
}
