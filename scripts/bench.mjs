// Runs every compiled *.bench.js, one process each, one after the other.
//   node scripts/bench.mjs [part of a path ...]
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../build/bench/", import.meta.url));
const wanted = process.argv.slice(2);
const files = readdirSync(root, { recursive: true })
  .filter((file) => file.endsWith(".bench.js"))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .sort()
  .map((file) => root + file);
if (files.length === 0) {
  console.error(`bench: no bench file matches ${wanted.join(", ")}.`);
  process.exit(2);
}
for (const file of files) {
  const { status } = spawnSync(process.execPath, [file], { stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}
