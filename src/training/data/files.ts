/**
 * Reading files and folders of data. It runs under Node only; data-loader.ts imports it when it needs it.
 *
 * @module
 */
import { closeSync, openSync, readdirSync, readFileSync, readSync, type Stats, statSync } from "node:fs";
import { fileReason } from "../../formats/file-reason.js";
import { FormatError } from "../../formats/format-error.js";

/** Files of this size and above are refused before they are read; Node reads no more at once. */
const MAX_FILE_BYTES = 2 * 2 ** 30;

/**
 * The size of the file at `path`.
 *
 * @throws FormatError when there is none that can be read, it is not a file, or it has 2 GiB or more.
 */
export function fileSize(path: string): number {
  const stat = attempt(path, "file", () => statSync(path));
  if (!stat.isFile()) {
    const received = stat.isDirectory() ? "a directory" : "a device or a pipe";
    throw new FormatError("data", `${path} must be a file.`, received);
  }
  if (stat.size >= MAX_FILE_BYTES) {
    throw new FormatError("data", `${path} must be smaller than 2 GiB.`, `${stat.size} bytes`);
  }
  return stat.size;
}

/**
 * The bytes of the file at `path`.
 *
 * @throws FormatError as {@link fileSize} does.
 */
export function readFile(path: string): Uint8Array {
  fileSize(path);
  return attempt(path, "file", () => readFileSync(path));
}

/**
 * Fills `target` with the bytes of the file at `path` from `from` on.
 *
 * @throws FormatError when it cannot be read, or ends before.
 */
export function readPart(path: string, target: Uint8Array, from: number): void {
  attempt(path, "file", () => {
    const file = openSync(path, "r");
    try {
      for (let at = 0; at < target.length; ) {
        const count = readSync(file, target, at, target.length - at, from + at);
        if (count === 0) {
          throw new FormatError("data", `${path} must have ${from + target.length} bytes.`, `${from + at}`);
        }
        at += count;
      }
    } finally {
      closeSync(file);
    }
  });
}

/** What is at `path`, behind symbolic links; nothing where there is nothing. */
export function statOf(path: string): Stats | undefined {
  return attempt(path, "file or directory", () => statSync(path, { throwIfNoEntry: false }));
}

/**
 * The names in the directory at `path`, in the order of their characters' numbers; hidden ones are left out.
 *
 * @throws FormatError when it cannot be read.
 */
export function listDirectory(path: string): readonly string[] {
  const names = attempt(path, "directory", () => readdirSync(path));
  return names.filter((name) => !name.startsWith(".")).sort();
}

function attempt<Result>(path: string, what: string, work: () => Result): Result {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    throw new FormatError("data", `${path} must be a ${what} that can be read.`, `"${fileReason(cause)}"`, { cause });
  }
}
