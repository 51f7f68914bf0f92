import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { CIFAR10_ARCHIVE } from "../../../src/training/data/cifar10-download.js";
import { PREPROCESSING_ENTRY } from "../../../src/training/preprocessing.js";
import { folderOf } from "./folder.js";

const page = readFileSync(new URL("../../../../docs/data.md", import.meta.url), "utf8");
const block = (language: string): string =>
  new RegExp(`^\`\`\`${language}\n([^\`]*)\`\`\`$`, "m").exec(page)?.[1] ?? "";

describe("docs/data.md", () => {
  it("prints, in its example, what it says it prints", (test) => {
    const folder = folderOf(test, {});
    const rooms = ["data-loader", "preprocessing"].map((name) => {
      const url = new URL(`../../../src/training/${name}.js`, import.meta.url);
      return `export * from ${JSON.stringify(url.href)};\n`;
    });
    writeFileSync(join(folder, "library.mjs"), rooms.join(""));
    writeFileSync(join(folder, "example.mjs"), block("js").replace('"touchstone"', '"./library.mjs"'));
    const { stdout, stderr } = spawnSync(process.execPath, [join(folder, "example.mjs")], { encoding: "utf8" });
    assert.deepEqual({ stdout, stderr }, { stdout: block("text"), stderr: "" });
  });

  it("names the archive and the entry that the code uses", () => {
    for (const said of [CIFAR10_ARCHIVE.sha256, String(CIFAR10_ARCHIVE.bytes), PREPROCESSING_ENTRY]) {
      assert.ok(page.includes(said), said);
    }
  });
});
