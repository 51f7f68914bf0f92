import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const root = new URL("../../../", import.meta.url);
const page = readFileSync(new URL("docs/training.md", root), "utf8");

/** The fenced blocks of the page in `language`. */
function blocks(language: string): string[] {
  return [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(([, block]) => block);
}

function run(...args: string[]): string {
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return stdout;
}

describe("docs/training.md", () => {
  it("trains, in its example, an epoch on digits", () => {
    const folder = mkdtempSync(join(tmpdir(), "touchstone-training-"));
    try {
      const file = join(folder, "example.mjs");
      const library = JSON.stringify(new URL("build/src/index.js", root).href);
      writeFileSync(file, blocks("js")[0].replace('"touchstone"', library));
      const record: Record<string, unknown> = JSON.parse(run(file));
      assert.equal(record["epoch"], 1);
      assert.ok(Number(record["accuracy"]) > 0.2, "an epoch must do better than guessing among ten");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("uses options that the commands have", () => {
    const main = fileURLToPath(new URL("build/src/cli/main.js", root));
    const help = new Map(["train", "evaluate"].map((command) => [command, run(main, command, "--help")]));
    const lines = blocks("sh").flatMap((block) => block.trim().split("\n"));
    assert.ok(lines.length >= 5);
    for (const line of lines) {
      const [, , command, ...rest] = line.split(" ");
      for (const option of rest.filter((word) => word.startsWith("--"))) {
        assert.ok(help.get(command)?.includes(option), `${line}: ${option}`);
      }
    }
  });
});
