/**
 * How kernels run: with which accumulation, on which path and on how many threads. Of these only the accumulation
 * changes results; paths and threads give the same bits.
 *
 * @module
 */
import { WorkerPool } from "../parallel/pool.js";
import type { Accumulate } from "./rounding.js";

export type { Accumulate } from "./rounding.js";

/** The path: the loops that define the bits, or the blocked and register-tiled ones. */
export type KernelPath = "naive" | "scalar";

/** How kernels run. */
export interface Execution {
  readonly accumulate: Accumulate;
  readonly kernel: KernelPath;
  /** The threads that share the work; without it the calling thread does all of it. */
  readonly pool: WorkerPool | undefined;
}

/** What {@link createExecution} can be asked for. */
export interface ExecutionOptions {
  /** Threads that compute, the calling one included. @defaultValue 1 */
  readonly threads?: number;
  /** @defaultValue "float64" */
  readonly accumulate?: Accumulate;
  /** @defaultValue "scalar" */
  readonly kernel?: KernelPath;
}

/** An execution whose threads belong to the caller. */
export interface OwnedExecution extends Execution {
  /** Ends the worker threads. The execution must not be used any more. */
  close(): void;
}

/** One thread, float64 accumulation. */
export const serial: Execution = { accumulate: "float64", kernel: "scalar", pool: undefined };

/**
 * An execution with threads of its own; `close` ends them.
 *
 * @throws RangeError when an option has a value that is not listed.
 */
export function createExecution(options: ExecutionOptions = {}): OwnedExecution {
  const { threads = 1, accumulate = "float64", kernel = "scalar" } = options;
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
  if (kernel !== "naive" && kernel !== "scalar") {
    throw new RangeError(`createExecution: \`kernel\` must be "naive" or "scalar". Received kernel=${String(kernel)}.`);
  }
  const pool = threads > 1 ? new WorkerPool(threads) : undefined;
  return { accumulate, kernel, pool, close: () => pool?.close() };
}
