// Runs every compiled *.test.js with node:test, as many at once as there are cores: by itself it leaves one of them idle, which
// of two is half. Node 20 takes files, not globs, so they are listed here.
//   node scripts/test.mjs [part of a path ...]
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
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
const { status } = spawnSync(process.execPath, ["--test", `--test-concurrency=${availableParallelism()}`, ...files], {
  stdio: "inherit",
});
process.exit(status ?? 1);
