import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const root = new URL("../../", import.meta.url);
const readme = readFileSync(new URL("README.md", root), "utf8");

/** The fenced blocks of a page in `language`, in order. */
function blocks(language: string, page = readme): string[] {
  return [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(([, block]) => block);
}

function run(...args: string[]): string {
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return stdout;
}

/** What the first example of a page prints. */
function runExample(page: string): string {
  const folder = mkdtempSync(join(tmpdir(), "touchstone-example-"));
  try {
    const file = join(folder, "example.mjs");
    const library = JSON.stringify(new URL("build/src/index.js", root).href);
    writeFileSync(file, blocks("js", page)[0].replace('"touchstone"', library));
    return run(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("README", () => {
  it("prints, in its example, every digit that it says it prints", () => {
    assert.equal(runExample(readme), blocks("text")[0]);
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
      const files = [...(row.split("|")[3] ?? "").matchAll(/`([\w/-]+\.ts)`/g)].map(([, file]) => file);
      for (const file of files) {
        assert.ok(
          rooms.some((room) => existsSync(new URL(`${room}/${file}`, root))),
          `${file} must lie in one of ${rooms.join(", ")}`,
        );
      }
    }
  });
});

describe("docs/backprop.md", () => {
  const page = readFileSync(new URL("docs/backprop.md", root), "utf8");

  it("prints, in its example, what it says it prints", () => {
    assert.equal(runExample(page), blocks("text", page)[0]);
  });
});

/** A heading as the anchor that leads to it: small letters, blanks as hyphens, without other signs. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");
}

function withoutCode(page: string): string {
  return page.replaceAll(/^ *```[\s\S]*?^ *```$/gm, "");
}

function anchorsOf(page: string): readonly string[] {
  return [...withoutCode(page).matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchorOf(heading));
}

describe("Every page", () => {
  const docs = readdirSync(new URL("docs", root)).filter((name) => name.endsWith(".md"));
  const others = ["README.md", "CONTRIBUTING.md", "models/README.md", "fixtures/README.md", "bench/peers/README.md"];
  for (const name of [...others, ...docs.map((doc) => `docs/${doc}`)]) {
    it(`links to files and headings that exist: ${name}`, () => {
      const at = new URL(name, root);
      for (const [, link] of withoutCode(readFileSync(at, "utf8")).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^https?:/.test(link)) continue;
        const [, anchor] = link.split("#");
        const target = new URL(link, at);
        target.hash = "";
        assert.ok(existsSync(target), `${name} links to ${link}`);
        if (anchor === undefined) continue;
        assert.ok(anchorsOf(readFileSync(target, "utf8")).includes(anchor), `${name} links to ${link}`);
      }
    });
  }
});
