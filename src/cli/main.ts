#!/usr/bin/env node
/**
 * The command line: `touchstone <command>`. One file per command; this one only puts them together. Of the library nothing
 * is loaded before it is known what is asked for, and in which process: that is most of what a short command takes.
 *
 * @module
 */
import { Command, CommanderError } from "commander";
import { errorCode } from "../formats/file-reason.js";
import { EXIT, fileError, report } from "./errors.js";
import { version } from "./version.js";
import { startWithWideVectors, wideVectorsOption } from "./wide-vectors.js";

startWithWideVectors();

const program = new Command("touchstone")
  .description(
    "A reference implementation of residual networks: the same bits on every machine, verified against Keras.",
  )
  .version(version())
  .addOption(wideVectorsOption())
  .showHelpAfterError(false)
  .exitOverride()
  // what commander says of bad use is said by `report`, in one line
  .configureOutput({ outputError: () => {}, writeErr: () => {} });

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

/** Adds the command that is asked for; all of them where none is, for their list. */
async function addCommands(): Promise<void> {
  const asked = process.argv.slice(2).find((argument) => !argument.startsWith("-")) ?? "";
  const load = Object.hasOwn(COMMANDS, asked) ? [COMMANDS[asked]] : Object.values(COMMANDS);
  const made = await Promise.all(load.map((command) => command()));
  for (const make of made) program.addCommand(make().copyInheritedSettings(program));
}

function end(error: unknown): number {
  const { line, code } = report(error);
  process.stderr.write(`${line}\n`);
  if (code === EXIT.internal && process.env["TOUCHSTONE_DEBUG"] !== undefined) console.error(error);
  return code;
}

async function run(): Promise<number> {
  try {
    await addCommands();
    await program.parseAsync();
    return Number(process.exitCode ?? EXIT.success);
  } catch (error) {
    // --help and --version end in such an error
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.success;
    return end(error);
  }
}

// `touchstone ... | head`: the reader has left, which is no error, and there is nobody to tell
process.stdout.on("error", (error) => {
  process.exit(errorCode(error) === "EPIPE" ? EXIT.brokenPipe : end(fileError("written", "standard output", error)));
});
process.stderr.on("error", () => process.exit(EXIT.brokenPipe));

process.exitCode = await run();
