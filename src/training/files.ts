/**
 * Files of a training run. Node only: the file system is reached when a function is called, so that importing this costs
 * nothing elsewhere.
 *
 * @module
 */
import type fs from "node:fs";
import { fileReason } from "../formats/file-reason.js";
import type { LogFile } from "./callbacks/logs.js";

type FileSystem = typeof fs;

function fileSystem(): FileSystem {
  const found = globalThis.process?.getBuiltinModule?.("node:fs");
  if (found === undefined) throw new Error("files: must run in Node, to have a file system. Received none.");
  return found;
}

/** `work()`, which writes to `path`; what the system refuses is said in words. */
function writing<Result>(path: string, work: () => Result): Result {
  try {
    return work();
  } catch (cause) {
    throw new Error(`${path}: must be a file that can be written. Received "${fileReason(cause)}".`, { cause });
  }
}

/**
 * Writes `bytes` to `path` so that, whenever the process or the machine dies, the file there is whole: the old one or the new
 * one. They are written to a file beside it and forced to the disk before that takes the name.
 *
 * @throws Error when they cannot be written; the file that was there is as it was.
 */
export function writeFileAtomically(path: string, bytes: Uint8Array): void {
  const disk = fileSystem();
  const temporary = `${path}.tmp`; // what a killed process left there is written over
  writing(path, () => replaceFile(disk, path, temporary, bytes));
  syncFolderOf(disk, path);
}

function replaceFile(disk: FileSystem, path: string, temporary: string, bytes: Uint8Array): void {
  try {
    const file = disk.openSync(temporary, "w");
    try {
      disk.writeFileSync(file, bytes);
      disk.fsyncSync(file);
    } finally {
      disk.closeSync(file);
    }
    disk.renameSync(temporary, path);
  } catch (error) {
    try {
      disk.rmSync(temporary, { force: true });
    } catch {
      // why it could not be written says more than why it could not be removed
    }
    throw error;
  }
}

/** Forces the content to the disk. */
function syncFile(disk: FileSystem, path: string): void {
  const file = disk.openSync(path, "r+");
  try {
    disk.fsyncSync(file);
  } finally {
    disk.closeSync(file);
  }
}

/** Forces the name itself to the disk, where the system lets folders be opened. */
function syncFolderOf(disk: FileSystem, path: string): void {
  let folder: number;
  try {
    folder = disk.openSync(path.replace(/[^/\\]*$/, "") || ".", "r");
  } catch {
    return; // Windows does not
  }
  try {
    disk.fsyncSync(folder);
  } finally {
    disk.closeSync(folder);
  }
}

/** The file `path` as a log; it is made when the first line is written. Its methods throw an Error where that is refused. */
export function logFile(path: string): LogFile {
  const disk = fileSystem();
  const exists = (): boolean => disk.existsSync(path);
  return {
    name: path,
    size: () => (exists() ? disk.statSync(path).size : 0),
    append: (text) => writing(path, () => disk.appendFileSync(path, text)),
    truncate(size) {
      if (exists()) writing(path, () => disk.truncateSync(path, size));
    },
    sync() {
      if (exists()) writing(path, () => syncFile(disk, path));
    },
  };
}
