// Runs every compiled *.test.js with node:test. Node 20 takes files, not globs, so they are listed here.
//   node scripts/test.mjs [part of a path ...]
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../build/test/", import.meta.url));
const wanted = process.argv.slice(2);
const files = readdirSync(root, { recursive: true })
  .filter((file) => file.endsWith(".test.js"))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .sort()
  .map((file) => root + file);
if (files.length === 0) {
  console.error(`test: no test file matches ${wanted.join(", ")}.`);
  process.exit(2);
}
const { status } = spawnSync(process.execPath, ["--test", ...files], { stdio: "inherit" });
process.exit(status ?? 1);
