import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const root = new URL("../../", import.meta.url);
const readme = readFileSync(new URL("README.md", root), "utf8");

/** The fenced blocks of the README in `language`, in order. */
function blocks(language: string): string[] {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(([, block]) => block);
}

function run(...args: string[]): string {
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return stdout;
}

describe("README", () => {
  it("prints, in its example, every digit that it says it prints", () => {
    const folder = mkdtempSync(join(tmpdir(), "touchstone-readme-"));
    try {
      const file = join(folder, "example.mjs");
      writeFileSync(
        file,
        blocks("js")[0].replace('"touchstone"', JSON.stringify(new URL("build/src/index.js", root).href)),
      );
      assert.equal(run(file), blocks("text")[0]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("quotes lines of verify that verify prints", () => {
    const lines = blocks("text")[1]
      .split("\n")
      .filter((line) => /^(layers|models)\//.test(line));
    assert.ok(lines.length >= 3);
    const main = fileURLToPath(new URL("build/src/cli/main.js", root));
    for (const line of lines) {
      const [name] = line.split(" ");
      assert.ok(run(main, "verify", "--only", name, "--threads", "1").includes(line), `verify must print: ${line}`);
    }
  });

  it("names rooms and files that exist", () => {
    const links = [...readme.matchAll(/\]\(([^):]+)\)/g)].map(([, link]) => link);
    assert.ok(links.length > 10);
    for (const link of links) assert.ok(existsSync(new URL(link, root)), `README links to ${link}`);
    for (const row of readme.split("\n").filter((line) => line.startsWith("| [`src/"))) {
      const rooms = [...row.matchAll(/\]\((src\/[^)]+)\)/g)].map(([, room]) => room);
      const files = [...(row.split("|")[3] ?? "").matchAll(/`([\w-]+\.ts)`/g)].map(([, file]) => file);
      for (const file of files) {
        assert.ok(
          rooms.some((room) => existsSync(new URL(`${room}/${file}`, root))),
          `${file} must lie in one of ${rooms.join(", ")}`,
        );
      }
    }
  });
});
