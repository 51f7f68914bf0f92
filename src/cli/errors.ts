/**
 * What ends a command, and with which exit code: 0 success, 1 a judgement failed, 2 bad use or bad input.
 *
 * Bad input gets one line on stderr that states the rule and what was received.
 *
 * @module
 */
import { FormatError } from "../formats/format-error.js";

/** Bad use or bad input, found by the command line itself. */
export class UsageError extends Error {}

/** Exit codes. */
export const EXIT = { success: 0, judgementFailed: 1, badInput: 2, internal: 3 } as const;

/** The codes of Node's file system errors that users cause, in words. */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory",
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  EISDIR: "it is a directory",
  ENOTDIR: "a part of the path is not a directory",
  ENOSPC: "no space left on the device",
  EROFS: "the file system is read-only",
  ENAMETOOLONG: "the name is too long",
  ELOOP: "too many symbolic links",
};

function systemReason(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return undefined;
  return REASONS[error.code] ?? error.code;
}

/** Why a file could not be read or written, in words. */
export function fileError(action: "read" | "write", path: string, error: unknown): UsageError {
  const reason = systemReason(error) ?? (error instanceof Error ? error.message : String(error));
  return new UsageError(`${path}: must be a file that can be ${action === "read" ? "read" : "written"}: ${reason}.`);
}

/** The line for stderr and the exit code for whatever a command threw. */
export function report(error: unknown): { line: string; code: number } {
  const message = (error instanceof Error ? error.message : String(error)).replace(/\s*\n\s*/g, " ");
  const expected =
    error instanceof UsageError ||
    error instanceof FormatError ||
    ((error instanceof RangeError || error instanceof TypeError) && !message.startsWith("internal:"));
  if (expected) return { line: `touchstone: ${message}`, code: EXIT.badInput };
  return { line: `touchstone: internal error, please report it: ${message}`, code: EXIT.internal };
}
