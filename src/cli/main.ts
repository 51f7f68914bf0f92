#!/usr/bin/env node
/**
 * The command line: `touchstone <command>`. One file per command; this one only puts them together.
 *
 * @module
 */
import { Command, CommanderError } from "commander";
import { convertCommand } from "./convert.js";
import { EXIT, report } from "./errors.js";
import { predictCommand } from "./predict.js";
import { summaryCommand } from "./summary.js";
import { traceCommand } from "./trace.js";
import { verifyCommand } from "./verify.js";
import { version } from "./version.js";

const program = new Command("touchstone")
  .description(
    "A reference implementation of residual networks: the same bits on every machine, verified against Keras.",
  )
  .version(version())
  .showHelpAfterError(false)
  .exitOverride()
  .configureOutput({ outputError: () => {} });

for (const make of [summaryCommand, predictCommand, traceCommand, verifyCommand, convertCommand]) {
  program.addCommand(make().copyInheritedSettings(program));
}

async function run(): Promise<number> {
  try {
    await program.parseAsync();
    return Number(process.exitCode ?? EXIT.success);
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT.success;
      if (error.code === "commander.help") return EXIT.badInput;
      process.stderr.write(`touchstone: ${error.message.replace(/^error: /, "")}\n`);
      return EXIT.badInput;
    }
    const { line, code } = report(error);
    process.stderr.write(`${line}\n`);
    if (code === EXIT.internal && process.env["TOUCHSTONE_DEBUG"] !== undefined) console.error(error);
    return code;
  }
}

process.exitCode = await run();
