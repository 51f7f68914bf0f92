/**
 * What ends a command, and with which exit code: 0 success, 1 a judgement failed, 2 bad use or bad input.
 *
 * Bad input gets one line on stderr that states the rule and ends in what was received. All that this project throws for
 * bad input has that form; an error of another form comes from the engine, and is ours to mend, not the user's.
 *
 * @module
 */
import { CommanderError } from "commander";
import { errorCode, fileReason } from "../formats/file-reason.js";

/** Bad use or bad input, found by the command line itself. */
export class UsageError extends Error {
  /**
   * @param rule - The rule as a sentence, with its full stop.
   * @param received - What came instead, without a full stop.
   */
  constructor(rule: string, received: string) {
    super(`${rule} Received ${received}.`);
  }
}

/** Exit codes. */
export const EXIT = { success: 0, judgementFailed: 1, badInput: 2, internal: 3, brokenPipe: 141 } as const;

/** Why a file could not be read or written, in words. */
export function fileError(action: "read" | "written", path: string, error: unknown): UsageError {
  return new UsageError(`${path}: must be a file that can be ${action}.`, `"${fileReason(error)}"`);
}

/** What engines say when memory runs out. */
const OUT_OF_MEMORY = /allocat|out of memory|Invalid (typed )?array (buffer )?length|Invalid string length/i;

/** The line for stderr and the exit code for whatever a command threw. */
export function report(error: unknown): { line: string; code: number } {
  if (error instanceof CommanderError) return { line: `touchstone: ${badUse(error)}`, code: EXIT.badInput };
  const message = oneLine(error instanceof Error ? error.message : String(error));
  // Node's own errors, which have codes, say "Received" too
  if (message.includes(" Received ") && errorCode(error) === undefined && !message.startsWith("internal:")) {
    return { line: `touchstone: ${message}`, code: EXIT.badInput };
  }
  if (error instanceof RangeError && OUT_OF_MEMORY.test(message)) {
    const rule = "the model and what it computes must fit into the memory of this process.";
    return { line: `touchstone: ${rule} Received "${message}".`, code: EXIT.badInput };
  }
  return { line: `touchstone: internal error, please report it: ${message}`, code: EXIT.internal };
}

/** `text` in one line, and without what would move a terminal's cursor: names in it may come from a file. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+\s*/gu, " ");
}

/** What commander found, as a rule and what was received. */
function badUse({ code, message }: CommanderError): string {
  const text = oneLine(message.replace(/^error: /, ""));
  const quoted = /'(.*?)'/.exec(text)?.[1] ?? "";
  const hint = / \(Did you mean (.*)\?\)$/.exec(text)?.[1];
  const received = hint === undefined ? quoted : `${quoted} (did you mean ${hint}?)`;
  switch (code) {
    case "commander.unknownCommand":
      return `the command must be one that touchstone --help lists. Received ${received}.`;
    case "commander.unknownOption":
      return `options must be among those that --help lists. Received ${received}.`;
    case "commander.missingArgument":
      return `<${quoted}> must be given. Received nothing.`;
    case "commander.optionMissingArgument":
      return `${quoted} must have a value. Received none.`;
    case "commander.missingMandatoryOptionValue":
      return `${quoted} must be given. Received nothing.`;
    case "commander.excessArguments":
      return `${text.replace(/^.*Expected (.*) but got (.*)\.$/, `\`touchstone ${quoted}\` must have $1. Received $2.`)}`;
    case "commander.help":
      return `a command must be given, one that touchstone --help lists. Received ${process.argv.slice(2).join(" ") || "none"}.`;
    default:
      return text;
  }
}
