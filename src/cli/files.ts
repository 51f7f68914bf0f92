/**
 * Files in and out. Outputs are checked before any work begins, and replaced in one step when it is done: neither a crash
 * nor Ctrl-C half way leaves anything but the earlier file.
 *
 * @module
 */
import {
  accessSync,
  constants,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileError, UsageError } from "./errors.js";

/** Files of this size and above are refused before they are read; Node reads no more at once. */
const MAX_FILE_BYTES = 2 * 2 ** 30;

/**
 * The bytes of the file at `path`.
 *
 * @throws UsageError when it cannot be read, is not a file (a device has no end), or has 2 GiB or more.
 */
export function readBytes(path: string): Uint8Array {
  return withReason("read", path, () => {
    const stat = statSync(path);
    if (!stat.isFile()) throw new UsageError(`${path}: must be a file.`, kindOf(stat));
    if (stat.size >= MAX_FILE_BYTES) throw new UsageError(`${path}: must be smaller than 2 GiB.`, `${stat.size} bytes`);
    return readFileSync(path);
  });
}

function kindOf(stat: { isDirectory(): boolean }): string {
  return stat.isDirectory() ? "a directory" : "a device or a pipe";
}

/** Whether there is a file or directory at `path`: not where a part of the path is a file, or too long a name. */
export function exists(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false;
  }
}

/** An output that was checked before the work. */
export interface Output {
  /** Where it goes. */
  readonly path: string;
  /** Writes a temporary file beside it, then renames. @throws UsageError when that fails. */
  write(bytes: Uint8Array | string): void;
  /** Takes it away, if it is there. @throws UsageError when that fails. */
  remove(): void;
}

/**
 * Checks that `path` can be written, before any work is done.
 *
 * @param what - What the command line calls it, for messages.
 * @param endings - What its name may end in, with the dot.
 * @throws UsageError when its name has another ending, its directory does not exist or cannot be written to, or there is
 *   something else than a file that may be replaced.
 */
export function prepareOutput(path: string, what: string, endings: readonly string[]): Output {
  if (!endings.some((ending) => path.toLowerCase().endsWith(ending))) {
    throw new UsageError(`${what} must end in ${endings.join(" or ")}.`, path === "" ? "an empty name" : path);
  }
  const { target, temporary } = withReason("written", path, () => {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat !== undefined && !stat.isFile()) {
      throw new UsageError(`${path}: must be a file, or the name of a new one.`, kindOf(stat));
    }
    // behind a symbolic link it is the file that is replaced, not the link
    const target = stat === undefined ? path : realpathSync(path);
    if (stat !== undefined) accessSync(target, constants.W_OK);
    const temporary = join(dirname(target), `.touchstone-${process.pid}.tmp`);
    // access rights are not the whole truth (read-only mounts, odd file systems): only writing is
    writeFileSync(temporary, "");
    rmSync(temporary);
    return { target, temporary };
  });
  return {
    path,
    write(bytes) {
      withReason("written", path, () => {
        holdSignals();
        try {
          writeFileSync(temporary, bytes);
          renameSync(temporary, target);
        } catch (error) {
          rmSync(temporary, { force: true });
          throw error;
        }
      });
    },
    remove() {
      withReason("written", path, () => rmSync(target, { force: true }));
    },
  };
}

/** `work()`; what the file system refuses is said in words. */
function withReason<Result>(action: "read" | "written", path: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw error instanceof UsageError ? error : fileError(action, path, error);
  }
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * From here on a signal ends the process between two synchronous steps, not within one. Called when the long work is
 * done: before, Ctrl-C must work at once, and there is no temporary file.
 */
function holdSignals(): void {
  for (const signal of SIGNALS) {
    if (process.listenerCount(signal) === 0) process.once(signal, () => process.kill(process.pid, signal));
  }
}
