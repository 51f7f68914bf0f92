/**
 * Files in and out. Outputs are checked before any work begins, and replaced in one step when it is done: a crash half
 * way leaves the earlier file whole.
 *
 * @module
 */
import { accessSync, constants, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileError, UsageError } from "./errors.js";

/** Files above this size are refused before they are read. */
const MAX_FILE_BYTES = 4 * 2 ** 30 - 1;

/**
 * The bytes of the file at `path`.
 *
 * @throws UsageError when it cannot be read, is not a file, or is larger than 4 GiB.
 */
export function readBytes(path: string): Uint8Array {
  try {
    const stat = statSync(path);
    if (stat.isDirectory()) throw new UsageError(`${path}: must be a file. Received a directory.`);
    if (stat.size > MAX_FILE_BYTES) {
      throw new UsageError(`${path}: must be smaller than 4 GiB. Received ${stat.size} bytes.`);
    }
    return readFileSync(path);
  } catch (error) {
    throw error instanceof UsageError ? error : fileError("read", path, error);
  }
}

/** Whether there is a file or directory at `path`. */
export function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** An output that was checked before the work. */
export interface Output {
  /** Where it goes. */
  readonly path: string;
  /** Writes a temporary file beside it, then renames. @throws UsageError when that fails. */
  write(bytes: Uint8Array | string): void;
}

/**
 * Checks that `path` can be written, before any work is done.
 *
 * @throws UsageError when its directory does not exist or cannot be written to, or it is a directory itself.
 */
export function prepareOutput(path: string): Output {
  const directory = dirname(path);
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) {
      throw new UsageError(`${path}: must be a file to be written. Received a directory.`);
    }
    if (!statSync(directory).isDirectory()) {
      throw new UsageError(`${path}: must lie in a directory. Received ${directory}, which is not one.`);
    }
    accessSync(directory, constants.W_OK);
    // access rights are not the whole truth (read-only mounts, full quotas): only writing is
    writeFileSync(temporary, "");
    rmSync(temporary);
  } catch (error) {
    throw error instanceof UsageError ? error : fileError("write", path, error);
  }
  return {
    path,
    write(bytes) {
      try {
        writeFileSync(temporary, bytes);
        renameSync(temporary, path);
      } catch (error) {
        rmSync(temporary, { force: true });
        throw fileError("write", path, error);
      }
    },
  };
}
