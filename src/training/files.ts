/**
 * Files of a training run. Node only: the file system is reached when a function is called, so that importing this costs
 * nothing elsewhere.
 *
 * @module
 */
import type fs from "node:fs";
import type { LogFile } from "./callbacks/logs.js";

type FileSystem = typeof fs;

function fileSystem(): FileSystem {
  const found = globalThis.process?.getBuiltinModule?.("node:fs");
  if (found === undefined) throw new Error("files: must run in Node, to have a file system. Received none.");
  return found;
}

/**
 * Writes `bytes` to `path` so that, whenever the process or the machine dies, the file there is whole: the old one or the new
 * one. They are written to a file beside it and forced to the disk before that takes the name.
 */
export function writeFileAtomically(path: string, bytes: Uint8Array): void {
  const disk = fileSystem();
  const temporary = `${path}.tmp`; // what a killed process left there is written over
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
    disk.rmSync(temporary, { force: true });
    throw error;
  }
  syncFolderOf(disk, path);
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

/** The file `path` as a log; it is made when the first line is written. */
export function logFile(path: string): LogFile {
  const disk = fileSystem();
  const exists = (): boolean => disk.existsSync(path);
  return {
    name: path,
    size: () => (exists() ? disk.statSync(path).size : 0),
    append: (text) => disk.appendFileSync(path, text),
    truncate(size) {
      if (exists()) disk.truncateSync(path, size);
    },
    sync() {
      if (!exists()) return;
      const file = disk.openSync(path, "r+");
      try {
        disk.fsyncSync(file);
      } finally {
        disk.closeSync(file);
      }
    },
  };
}
