/**
 * Measures Touchstone and its peers on the same work, one process at a time, and writes `docs/speed.md`.
 *
 *     node bench/peers/speed/run.mjs [WORKLOAD ...] [--peers a,b,c] [--seconds 4] [--slow]
 *
 * `--slow` includes what takes minutes a run: jax-js and tfjs-backend-cpu on training steps.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { writeModel, writeNpz } from "../../../build/src/index.js";
import { speedPage } from "./page.mjs";
import { modelNamed, planOf } from "./plan.mjs";
import { inputsOf, WORKLOADS } from "./work.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { peers: { type: "string" }, seconds: { type: "string", default: "4" }, slow: { type: "boolean" } },
});
const WIDE = "--experimental-wasm-revectorize";
const knowsWide = spawnSync(process.execPath, [WIDE, "-e", "0"]).status === 0;

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

const scratch = mkdtempSync(join(tmpdir(), "touchstone-speed-"));
const output = join(scratch, "result.json");

function pythonArguments(peer, workload, threads) {
  const model = modelNamed(workload.model);
  const { weights, ...plan } = planOf(model);
  const { x, y } = inputsOf(workload, plan);
  const arrays = new Map(
    [...weights, ["x", x], ["y", y]].map(([key, { data, shape }]) => [key, { dtype: "float32", shape, data }]),
  );
  const [npz, keras, job] = ["arrays.npz", "model.keras", "job.json"].map((file) => join(scratch, file));
  writeFileSync(npz, writeNpz(arrays));
  writeFileSync(keras, writeModel(model, keras));
  writeFileSync(
    job,
    JSON.stringify({ plan, arrays: npz, keras, kind: workload.kind, threads, seconds: Number(values.seconds) }),
  );
  const python = process.env[`TOUCHSTONE_PYTHON_${peer.toUpperCase()}`] ?? process.env.TOUCHSTONE_PYTHON ?? "python3";
  return [python, [join(here, "speed_peer.py"), peer, job, output]];
}

function commandOf(peer, workload, threads) {
  if (peer === "pytorch" || peer === "tensorflow") return pythonArguments(peer, workload, threads);
  if (!peer.startsWith("touchstone")) {
    return [process.execPath, [join(here, "measure.mjs"), peer, workload.name, threads, output, values.seconds]];
  }
  const flags = peer.includes("wide") ? [WIDE] : [];
  const accumulate = peer.includes("float64") ? "float64" : "float32";
  return [
    process.execPath,
    [...flags, join(here, "touchstone.mjs"), workload.name, threads, accumulate, output, values.seconds],
  ];
}

/** Results further apart than this share of the greatest are of other work. How exact each peer is, docs/peers.md says. */
const SAME_WORK = 1e-2;

/** Whether `result` is that of the peer measured first. */
function agrees(result, first) {
  const greatest = Math.max(...first.map(Math.abs));
  return first.every((value, i) => Math.abs(result[i] - value) <= SAME_WORK * greatest);
}

const results = [];
for (const workload of WORKLOADS) {
  if (positionals.length > 0 && !positionals.includes(workload.name)) continue;
  for (const [peer, kinds, threadCounts, slow] of PEERS) {
    if (!kinds.includes(workload.kind) || (slow && !values.slow) || (peer.includes("wide") && !knowsWide)) continue;
    if (values.peers !== undefined && !values.peers.split(",").includes(peer.split(",")[0])) continue;
    for (const threads of threadCounts) {
      rmSync(output, { force: true });
      const [command, given] = commandOf(peer, workload, threads);
      const { status, stderr } = spawnSync(command, given.map(String), {
        stdio: ["ignore", "ignore", "pipe"],
        encoding: "utf8",
      });
      const measured = status === 0 ? JSON.parse(readFileSync(output, "utf8")) : { failed: lastError(stderr) };
      const first = results.find((other) => other.workload === workload.name && other.result !== undefined);
      if (measured.result && first && !agrees(measured.result, first.result)) {
        throw new Error(
          `${workload.name}: ${String(peer)} gives ${measured.result}, and ${first.peer} ${first.result}`,
        );
      }
      results.push({ workload: workload.name, peer, threads, ...measured });
      console.error(
        workload.name,
        peer,
        threads,
        measured.failed ?? `${measured.median.toFixed(1)} ms, ${measured.peakMegabytes.toFixed(0)} MB`,
      );
    }
  }
}
rmSync(scratch, { recursive: true });
const docs = join(here, "../../../docs");
writeFileSync(join(docs, "speed.md"), speedPage(results, process.argv.slice(2)));

function lastError(stderr) {
  return (
    stderr
      .trim()
      .split("\n")
      .findLast((line) => /Error/.test(line)) ?? "failed"
  );
}
