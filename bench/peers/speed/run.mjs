/**
 * Measures Touchstone and its peers on the same work, one process at a time, and writes `docs/speed.md`. On a machine that is
 * slower for a while, with `--rounds`, so that it is slower for all of them.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { speedPage, together } from "./page.mjs";
import { WORKLOADS } from "./work.mjs";

/** [peer, kinds of work, thread counts, whether it takes minutes] */
const PEERS = [
  ["touchstone, float32 sums, wide vectors", ["step", "forward"], [1, 2], false],
  ["touchstone, float64 sums, wide vectors", ["step", "forward"], [1, 2], false],
  ["touchstone, float32 sums", ["step", "forward"], [1, 2], false],
  ["touchstone, float64 sums", ["step", "forward"], [1, 2], false],
  ["pytorch", ["step", "forward"], [1, 2], false],
  ["tensorflow", ["step", "forward"], [1, 2], false],
  ["onnxruntime-node", ["forward"], [1, 2], false],
  ["onnxruntime-web", ["forward"], [1, 2], false],
  ["tfjs-backend-wasm", ["forward"], [1], false],
  ["jax-js", ["step", "forward"], [1], true],
  ["tfjs-backend-cpu", ["step", "forward"], [1], true],
];
const family = (peer) => peer.split(",")[0];

const USAGE = `Usage: node bench/peers/speed/run.mjs [WORKLOAD ...] [options]

Workloads (all of them, if none is named):
${WORKLOADS.map(({ name }) => `  ${name}`).join("\n")}

Options:
  --peers A,B    only these: ${[...new Set(PEERS.map(([peer]) => family(peer)))].join(", ")}
  --threads 1,2  only these numbers of threads
  --warm 10      seconds, and at least twelve runs, of warming up before: engines of JavaScript still compile meanwhile
  --seconds 4    how long to measure each then
  --rounds 1     how often to measure each, in turn with the others; ratios are medians of those of the rounds
  --slow         also what takes minutes a run: jax-js and tfjs-backend-cpu
  --out FILE     the page; must be given where not everything is measured, else it is docs/speed.md

A page that is not complete yet is FILE.partial. Python is TOUCHSTONE_PYTHON_TENSORFLOW, TOUCHSTONE_PYTHON_PYTORCH,
TOUCHSTONE_PYTHON or python3.`;

/** Gives the names in a comma-separated `list`, all of which `known` must have. */
function chosen(list, known) {
  if (list === undefined) return known;
  const names = list.split(",");
  const wrong = names.filter((name) => !known.includes(name));
  if (wrong.length > 0) fail(`must be of ${known.join(", ")}. Received ${wrong.join(", ")}.`);
  return names;
}

function fail(message) {
  console.error(`run.mjs: ${message}\n\n${USAGE}`);
  process.exit(1);
}

const here = fileURLToPath(new URL(".", import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    peers: { type: "string" },
    threads: { type: "string" },
    warm: { type: "string", default: "10" },
    seconds: { type: "string", default: "4" },
    rounds: { type: "string", default: "1" },
    slow: { type: "boolean" },
    out: { type: "string" },
    help: { type: "boolean", short: "h" },
  },
});
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
for (const name of ["seconds", "warm"]) {
  if (!(Number(values[name]) > 0)) fail(`--${name} must be a number above 0. Received ${values[name]}.`);
}
const durations = [values.seconds, values.warm];
const roundCount = Number(values.rounds);
if (!Number.isSafeInteger(roundCount) || roundCount < 1) {
  fail(`--rounds must be a whole number of at least 1. Received ${values.rounds}.`);
}
const isPart = positionals.length > 0 || values.peers !== undefined || values.threads !== undefined;
if (isPart && values.out === undefined) fail("--out must be given where not everything is measured. Received none.");
const page = values.out ?? join(here, "../../../docs/speed.md");
const workloads = chosen(
  positionals.length > 0 ? positionals.join(",") : undefined,
  WORKLOADS.map(({ name }) => name),
);
const families = chosen(
  values.peers,
  PEERS.map(([peer]) => family(peer)),
);
const threadCounts = chosen(values.threads, ["1", "2"]).map(Number);

const WIDE = "--experimental-wasm-revectorize";
const knowsWide = spawnSync(process.execPath, [WIDE, "-e", "0"]).status === 0;
const scratch = mkdtempSync(join(tmpdir(), "touchstone-speed-"));
const output = join(scratch, "result.json");

/** The command that measures `peer` on the job in `folder`. */
function commandOf(peer, folder, threads) {
  if (peer === "pytorch" || peer === "tensorflow") {
    const python = process.env[`TOUCHSTONE_PYTHON_${peer.toUpperCase()}`] ?? process.env.TOUCHSTONE_PYTHON ?? "python3";
    return [python, [join(here, "speed_peer.py"), peer, folder, threads, output, ...durations]];
  }
  if (!peer.startsWith("touchstone")) {
    return [process.execPath, [join(here, "measure.mjs"), peer, folder, threads, output, ...durations]];
  }
  const flags = peer.includes("wide") ? [WIDE] : [];
  const accumulate = peer.includes("float64") ? "float64" : "float32";
  return [
    process.execPath,
    [...flags, join(here, "touchstone.mjs"), folder, threads, accumulate, output, ...durations],
  ];
}

/** Runs a command to its end; says what was wrong, or nothing. A run that takes longer than an hour is stopped. */
function wrongOf(command, given) {
  const { status, signal, stderr, error } = spawnSync(command, given.map(String), {
    stdio: ["ignore", "ignore", "pipe"],
    encoding: "utf8",
    timeout: 3_600_000,
    maxBuffer: 2 ** 28,
  });
  if (error !== undefined) return error.message;
  if (status === 0) return undefined;
  const line = stderr
    .trim()
    .split("\n")
    .findLast((text) => /Error/.test(text));
  return line?.trim() ?? (signal === null ? `exit status ${status}` : `ended by ${signal}`);
}

/** Results further apart than this share of the greatest are of other work. How exact each peer is, docs/peers.md says. */
const SAME_WORK = 1e-2;

/** Whether `result` is that of the peer measured first. */
function agrees(result, first) {
  const greatest = Math.max(...first.map(Math.abs));
  return first.every((value, i) => Math.abs(result[i] - value) <= SAME_WORK * greatest);
}

/** What one peer makes of one job. */
function measured(peer, folder, threads, first) {
  rmSync(output, { force: true });
  const failed = wrongOf(...commandOf(peer, folder, threads));
  if (failed !== undefined) return { failed };
  const result = JSON.parse(readFileSync(output, "utf8"));
  if (first === undefined || agrees(result.result, first.result)) return result;
  return { failed: `it gives ${result.result.slice(0, 3)} ..., and ${first.peer} ${first.result.slice(0, 3)} ...` };
}

const partial = `${page}.partial`;
const { out: _, ...published } = values;
if (roundCount === 1) delete published.rounds;
const options = Object.entries(published).map(([name, value]) => (value === true ? `--${name}` : `--${name} ${value}`));
const results = [];

/** Adds a round to what is known of `peer`. */
function add(workload, peer, threads, round) {
  let known = results.find((other) => other.workload === workload && other.peer === peer && other.threads === threads);
  if (known === undefined) results.push((known = { workload, peer, threads, rounds: [] }));
  known.rounds.push(round);
  Object.assign(known, together(known.rounds));
  writeFileSync(partial, speedPage(results, [...positionals, ...options]));
  const { failed, median, quarter, busy, peakMegabytes } = round;
  const numbers = () =>
    `${median.toFixed(1)} ms (best quarter ${(quarter ?? median).toFixed(1)}), ${busy.toFixed(2)} cores, ${peakMegabytes.toFixed(0)} MB`;
  console.error(workload, peer, threads, failed ?? numbers());
}

/** The peers that do this `kind` of work, in the order of the page. */
function peersFor(kind, threads) {
  return PEERS.filter(([peer, kinds, counts, slow]) => {
    if (!kinds.includes(kind) || (slow && !values.slow) || (peer.includes("wide") && !knowsWide)) return false;
    return families.includes(family(peer)) && counts.includes(threads);
  }).map(([peer]) => peer);
}

for (const { name: workload, kind } of WORKLOADS.filter(({ name }) => workloads.includes(name))) {
  const folder = join(scratch, workload);
  mkdirSync(folder);
  const unprepared = wrongOf(process.execPath, [join(here, "prepare.mjs"), workload, folder]);
  for (const threads of threadCounts) {
    for (let round = 0; round < roundCount; round++) {
      for (const peer of peersFor(kind, threads)) {
        const first = results.find((other) => other.workload === workload && other.result !== undefined);
        const outcome = unprepared === undefined ? measured(peer, folder, threads, first) : { failed: unprepared };
        add(workload, peer, threads, outcome);
      }
    }
  }
  rmSync(folder, { recursive: true });
}
rmSync(scratch, { recursive: true });
if (results.length === 0) fail("nothing to measure: no peer of these does this work with so many threads.");
renameSync(partial, page);
if (results.some(({ failed }) => failed !== undefined)) process.exitCode = 1;
