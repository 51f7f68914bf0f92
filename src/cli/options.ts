/**
 * Options that several commands share, and how their values are read.
 *
 * @module
 */
import { availableParallelism } from "node:os";
import { type Command, Option } from "commander";
import { createExecution, type OwnedExecution } from "../kernels/execution.js";
import { UsageError } from "./errors.js";

/** More threads than this help no machine; each takes memory of its own. */
const MAX_THREADS = 256;

/** Reads a whole number from `min` to `max` for the option `name`. */
export function wholeNumber(
  name: string,
  min: number,
  max: number = Number.MAX_SAFE_INTEGER,
): (text: string) => number {
  const limits = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
  return (text) => {
    const number = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(number) || number < min || number > max) {
      throw new UsageError(`${name} must be a whole number ${limits}.`, JSON.stringify(text));
    }
    return number;
  };
}

/** An option whose value is one of `choices`. */
export function choice(flags: string, description: string, choices: readonly string[]): Option {
  const [name] = flags.split(" ");
  return new Option(flags, description).choices(choices).argParser((text: string) => {
    if (!choices.includes(text))
      throw new UsageError(`${name} must be one of ${choices.join(", ")}.`, JSON.stringify(text));
    return text;
  });
}

/** The first of the options that `isMeant` by its name in camelCase and that the user has given. */
export function givenOption(command: Command, isMeant: (name: string) => boolean): Option | undefined {
  return command.options.find((option) => {
    const name = option.attributeName();
    return isMeant(name) && command.getOptionValueSource(name) === "cli";
  });
}

/** `--threads`. */
export function threadsOption(): Option {
  return new Option("--threads <n>", "threads that compute; results do not depend on it")
    .argParser(wholeNumber("--threads", 1, MAX_THREADS))
    .default(Math.min(availableParallelism(), MAX_THREADS), "all cores");
}

/** `--accumulate`. */
export function accumulateOption(): Option {
  return choice("--accumulate <precision>", "precision of products and sums", ["float64", "float32"]).default(
    "float64",
  );
}

/** What {@link threadsOption} and {@link accumulateOption} give. */
export interface ExecutionFlags {
  readonly threads: number;
  readonly accumulate: "float64" | "float32";
}

/** Runs `work` with the threads that were asked for, and ends them. */
export async function withExecution<Result>(
  { threads, accumulate }: ExecutionFlags,
  work: (execution: OwnedExecution) => Result | Promise<Result>,
): Promise<Result> {
  const execution = createExecution({ threads, accumulate });
  try {
    return await work(execution);
  } finally {
    execution.close();
  }
}
