import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";

/** The built module at `url` and all modules of this package that it imports, statically. */
function reachable(url: URL, seen: Map<string, string>): Map<string, string> {
  if (seen.has(url.href)) return seen;
  const source = readFileSync(url, "utf8");
  seen.set(url.href, source);
  for (const [, specifier] of source.matchAll(/^(?:import|export)[^"';]*["'](\.[^"']+)["']/gm)) {
    reachable(new URL(specifier, url), seen);
  }
  return seen;
}

describe("the library", () => {
  it("imports nothing that only Node has, so that it runs in a browser's worker", () => {
    const modules = reachable(new URL("../src/index.js", import.meta.url), new Map());
    assert.ok(modules.size > 80, `${modules.size} modules`);
    for (const [url, source] of modules) assert.doesNotMatch(source, /(from|import\()\s*["']node:/, url);
  });
});
