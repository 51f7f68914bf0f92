#!/usr/bin/env node
/**
 * The command line: `touchstone <command>`. One file per command; this one only puts them together.
 *
 * @module
 */
import { Command, CommanderError } from "commander";
import { errorCode } from "../formats/file-reason.js";
import { conformCommand } from "./conform.js";
import { convertCommand } from "./convert.js";
import { EXIT, fileError, report } from "./errors.js";
import { evaluateCommand } from "./evaluate.js";
import { judgeCommand } from "./judge.js";
import { predictCommand } from "./predict.js";
import { summaryCommand } from "./summary.js";
import { traceCommand } from "./trace.js";
import { trainCommand } from "./train.js";
import { verifyCommand } from "./verify.js";
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

const COMMANDS = [
  summaryCommand,
  predictCommand,
  traceCommand,
  trainCommand,
  evaluateCommand,
  verifyCommand,
  judgeCommand,
  conformCommand,
  convertCommand,
];
for (const make of COMMANDS) {
  program.addCommand(make().copyInheritedSettings(program));
}

function end(error: unknown): number {
  const { line, code } = report(error);
  process.stderr.write(`${line}\n`);
  if (code === EXIT.internal && process.env["TOUCHSTONE_DEBUG"] !== undefined) console.error(error);
  return code;
}

async function run(): Promise<number> {
  try {
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
