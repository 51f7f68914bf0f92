/**
 * What the command line does with its arguments: finds the command, runs it, and says in one line why it could not.
 *
 * @module
 */
import { Command, CommanderError } from "commander";
import { EXIT, report } from "./errors.js";
import { version } from "./version.js";
import { wideVectorsOption } from "./wide-vectors.js";

/** The commands, loaded when asked for, in the order of `--help`. */
const COMMANDS: Readonly<Record<string, () => Promise<() => Command>>> = {
  summary: async () => (await import("./summary.js")).summaryCommand,
  predict: async () => (await import("./predict.js")).predictCommand,
  trace: async () => (await import("./trace.js")).traceCommand,
  train: async () => (await import("./train.js")).trainCommand,
  evaluate: async () => (await import("./evaluate.js")).evaluateCommand,
  verify: async () => (await import("./verify.js")).verifyCommand,
  judge: async () => (await import("./judge.js")).judgeCommand,
  conform: async () => (await import("./conform.js")).conformCommand,
  convert: async () => (await import("./convert.js")).convertCommand,
};

function emptyProgram(): Command {
  return (
    new Command("touchstone")
      .description(
        "A reference implementation of residual networks: the same bits on every machine, verified against Keras.",
      )
      .version(version())
      .addOption(wideVectorsOption())
      .showHelpAfterError(false)
      .exitOverride()
      // `--no-wide-vectors` is an option of every command
      .configureHelp({ showGlobalOptions: true })
      // what commander says of bad use is said by `report`, in one line
      .configureOutput({ outputError: () => {}, writeErr: () => {} })
  );
}

/** The command that is asked for; all of them where none is, for their list. */
async function programFor(args: readonly string[]): Promise<Command> {
  const asked = args.find((argument) => !argument.startsWith("-")) ?? "";
  const load = Object.hasOwn(COMMANDS, asked) ? [COMMANDS[asked]] : Object.values(COMMANDS);
  const made = await Promise.all(load.map((command) => command()));
  const program = emptyProgram();
  for (const make of made) program.addCommand(make().copyInheritedSettings(program));
  return program;
}

/** Says what `error` is on stderr; returns the exit code that goes with it. */
export function endWith(error: unknown): number {
  const { line, code } = report(error);
  process.stderr.write(`${line}\n`);
  if (code === EXIT.internal && process.env["TOUCHSTONE_DEBUG"] !== undefined) console.error(error);
  return code;
}

/** Runs the command that this process was started with; returns its exit code. */
export async function runCommand(): Promise<number> {
  try {
    const program = await programFor(process.argv.slice(2));
    await program.parseAsync();
    return Number(process.exitCode ?? EXIT.success);
  } catch (error) {
    // --help and --version end in such an error
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.success;
    return endWith(error);
  }
}
