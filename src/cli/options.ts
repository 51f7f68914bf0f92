/**
 * Options that several commands share, and how their values are read.
 *
 * @module
 */
import { availableParallelism } from "node:os";
import { InvalidArgumentError, Option } from "commander";
import { createExecution, type OwnedExecution } from "../kernels/execution.js";

/** A whole number of at least `min`. */
export function wholeNumber(min: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (!/^\d+$/.test(value) || !Number.isSafeInteger(number) || number < min) {
      throw new InvalidArgumentError(`It must be a whole number of at least ${min}.`);
    }
    return number;
  };
}

/** `64,64,3` as [64, 64, 3]. */
export function dimensions(value: string): readonly number[] {
  return value.split(",").map(wholeNumber(1));
}

/** `--threads`. */
export function threadsOption(): Option {
  return new Option("--threads <n>", "threads that compute; results do not depend on it")
    .argParser(wholeNumber(1))
    .default(availableParallelism(), "all cores");
}

/** `--accumulate`. */
export function accumulateOption(): Option {
  return new Option("--accumulate <precision>", "precision of products and sums")
    .choices(["float64", "float32"])
    .default("float64");
}

/** What {@link threadsOption} and {@link accumulateOption} give. */
export interface ExecutionFlags {
  readonly threads: number;
  readonly accumulate: "float64" | "float32";
}

/** Runs `work` with the threads that were asked for, and ends them. */
export function withExecution<Result>(flags: ExecutionFlags, work: (execution: OwnedExecution) => Result): Result {
  const execution = createExecution(flags);
  try {
    return work(execution);
  } finally {
    execution.close();
  }
}
