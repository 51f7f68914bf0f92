/**
 * Checks all peers that are installed and writes `docs/peers.md` and `docs/peers/*.npz`.
 *
 *     node bench/peers/run.mjs [PEER ...] [--cases 120] [--seed 0]
 *
 * Every peer runs in a process of its own. One that cannot be started is left out, and the page says why.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { peersPage } from "./page.mjs";

const PEERS = [
  "tensorflow",
  "pytorch",
  "onnxruntime-node",
  "onnxruntime-web",
  "tfjs-backend-cpu",
  "tfjs-backend-wasm",
  "jax-js",
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { cases: { type: "string", default: "120" }, seed: { type: "string", default: "0" } },
});
const here = fileURLToPath(new URL(".", import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), "touchstone-peers-"));
const checked = [];
const absent = [];
for (const name of positionals.length > 0 ? positionals : PEERS) {
  console.error(`${name} ...`);
  const output = join(scratch, `${name}.json`);
  const options = ["--output", output, "--cases", values.cases, "--seed", values.seed];
  const { status, stderr } = spawnSync(process.execPath, [join(here, "check-peer.mjs"), name, ...options], {
    stdio: ["ignore", "ignore", "pipe"],
    encoding: "utf8",
  });
  if (status === 0) checked.push(JSON.parse(readFileSync(output, "utf8")));
  else
    absent.push({
      name,
      why:
        stderr
          .trim()
          .split("\n")
          .findLast((line) => line.includes("Error")) ?? `exit ${status}`,
    });
}
rmSync(scratch, { recursive: true });

const command = `node bench/peers/run.mjs --cases ${values.cases} --seed ${values.seed}`;
const machine = `${cpus()[0].model}, ${process.platform} ${process.arch}, Node ${process.versions.node}`;
const { text, files } = peersPage({ checked, absent, command, machine });
const docs = join(here, "../../docs");
rmSync(join(docs, "peers"), { recursive: true, force: true });
mkdirSync(join(docs, "peers"), { recursive: true });
for (const [name, bytes] of files) writeFileSync(join(docs, "peers", name), bytes);
writeFileSync(join(docs, "peers.md"), text);
console.error(`docs/peers.md: ${checked.length} peers, ${files.size} reproductions`);
