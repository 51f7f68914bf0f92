/**
 * How kernels run: with which accumulation, on which path and on how many threads. Of these only the accumulation
 * changes results; paths and threads give the same bits.
 *
 * @module
 */
import type { JobRun } from "../parallel/job.js";
import { runAlone, WorkerPool } from "../parallel/pool.js";
import { runJobs } from "../parallel/recording.js";
import { expectOptions } from "../serialization/options.js";
import type { FloatArray } from "../tensor/dtype.js";
import { contiguous, type Tensor } from "../tensor/tensor.js";
import type { Accumulate } from "./rounding.js";
import type { PackedConstants } from "./simd/constants.js";
import { simdModule } from "./simd/module.js";
import { ROWS, TILE_ROWS } from "./tile.js";
import { isMostlyPadding, type Window2D } from "./window.js";

export type { Accumulate } from "./rounding.js";

/**
 * The path: the loops that define the bits; the blocked and register-tiled ones; or kernels assembled for the vector unit.
 * Float64 tensors take the scalar path where "simd" is chosen.
 */
export type KernelPath = "naive" | "scalar" | "simd";

/** How kernels run. */
export interface Execution {
  /** The precision of products and sums; results depend on it, and on nothing else here. */
  readonly accumulate: Accumulate;
  /** The path that kernels take. */
  readonly kernel: KernelPath;
  /** The threads that share the work; without it the calling thread does all of it. */
  readonly pool: WorkerPool | undefined;
  /** Kernels of convolutions and matrices that do not change; their packed copies are kept. */
  readonly constants?: PackedConstants | undefined;
}

/** What {@link createExecution} can be asked for. */
export interface ExecutionOptions {
  /** Threads that compute, the calling one included. @defaultValue 1 */
  readonly threads?: number;
  /** @defaultValue "float64" */
  readonly accumulate?: Accumulate;
  /** @defaultValue "simd" where there is WebAssembly with SIMD and shared memory, else "scalar" */
  readonly kernel?: KernelPath;
}

/** An execution whose threads belong to the caller. */
export interface OwnedExecution extends Execution {
  /** Ends the worker threads. The execution must not be used any more. */
  close(): void;
}

/** The fastest path that runs here. */
function fastestPath(): KernelPath {
  return simdModule() === undefined ? "scalar" : "simd";
}

/** One thread, float64 accumulation, the fastest path. */
export const serial: Execution = {
  accumulate: "float64",
  get kernel() {
    return fastestPath(); // found out when it is first asked for: nothing runs at import
  },
  pool: undefined,
};

/**
 * An execution with threads of its own; `close` ends them.
 *
 * @throws TypeError when there is an option that is none of {@link ExecutionOptions}.
 * @throws RangeError when an option has a value that is not listed.
 * @throws Error when `kernel` is "simd" where that cannot run.
 */
export function createExecution(options: ExecutionOptions = {}): OwnedExecution {
  expectOptions("createExecution", options, ["threads", "accumulate", "kernel"]);
  const { threads = 1, accumulate = "float64", kernel = fastestPath() } = options;
  if (!Number.isSafeInteger(threads) || threads < 1) {
    throw new RangeError(
      `createExecution: \`threads\` must be an integer of at least 1. Received threads=${String(threads)}.`,
    );
  }
  if (accumulate !== "float64" && accumulate !== "float32") {
    throw new RangeError(
      `createExecution: \`accumulate\` must be "float64" or "float32". Received accumulate=${String(accumulate)}.`,
    );
  }
  if (kernel !== "naive" && kernel !== "scalar" && kernel !== "simd") {
    throw new RangeError(
      `createExecution: \`kernel\` must be "naive", "scalar" or "simd". Received kernel=${String(kernel)}.`,
    );
  }
  const payload = kernel === "simd" ? simdModule() : undefined;
  if (kernel === "simd" && payload === undefined) {
    throw new Error(
      'createExecution: `kernel` "simd" needs WebAssembly with SIMD and shared memory. Received kernel=simd where one is missing.',
    );
  }
  const pool = threads > 1 ? new WorkerPool(threads, new URL("./jobs.js", import.meta.url), { payload }) : undefined;
  return { accumulate, kernel, pool, close: () => pool?.close() };
}

/** Whether products of tensors with such `data` run on assembled kernels. */
export function runsSimd({ kernel }: Execution, { data }: Pick<Tensor, "data">): boolean {
  return kernel === "simd" && data instanceof Float32Array && simdModule() !== undefined;
}

/** Whether a convolution of `x` seen through `window` does. */
export function windowRunsSimd(execution: Execution, x: Pick<Tensor, "data">, window: Window2D): boolean {
  return runsSimd(execution, x) && !isMostlyPadding(window);
}

/** The threads that share the work, the calling one included. */
export function threadsOf({ pool }: Execution): number {
  return pool?.threads ?? 1;
}

/** Computes all tiles of jobs that do not depend on each other on the threads of `execution`. */
export function runTiles({ pool }: Pick<Execution, "pool">, ...runs: readonly JobRun[]): void {
  runJobs(runs, (...all) => {
    if (pool !== undefined) pool.run(...all);
    else for (const run of all) runAlone(run);
  });
}

/** How many tiles a thread should have, so that one that was held up leaves the others something to take. */
const TILES_PER_THREAD = 4;

/**
 * The most rows in a tile, for work of `rows` rows whose tiles number `beside` next to each other: as many as fit, but
 * fewer where threads would have too few tiles. Never so few that packing costs more than it saves.
 */
export function tileRows(rows: number, beside: number, execution: Execution): number {
  const threads = threadsOf(execution);
  if (threads === 1) return ROWS;
  const wanted = Math.ceil((TILES_PER_THREAD * threads) / beside);
  const even = Math.ceil(rows / wanted / TILE_ROWS) * TILE_ROWS;
  return Math.min(ROWS, Math.max(8 * TILE_ROWS, even));
}

/** What jobs take where there is no bias, no addend, ... */
export const NO_VALUES: FloatArray = new Float32Array(0);

/** The values of an optional `bias` as jobs take them: an empty array where there is none. */
export function biasData(bias: Tensor | undefined): FloatArray {
  return bias === undefined ? NO_VALUES : contiguous(bias).data;
}
