/**
 * A folder that lasts as long as a test, for data that the test writes.
 *
 * @module
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";

/** A new folder with the given files, by their paths within it; where there are no bytes it is a folder. */
export function folderOf(test: TestContext, files: Readonly<Record<string, Uint8Array | undefined>>): string {
  const folder = mkdtempSync(join(tmpdir(), "touchstone-data-"));
  test.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const [path, bytes] of Object.entries(files)) {
    const target = join(folder, path);
    mkdirSync(bytes === undefined ? target : dirname(target), { recursive: true });
    if (bytes !== undefined) writeFileSync(target, bytes);
  }
  return folder;
}

/** A message in which `@` stands for the folder. */
export function inFolder(folder: string, message: string): string {
  return message.replaceAll("@", folder);
}
