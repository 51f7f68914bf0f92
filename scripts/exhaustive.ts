/**
 * Shows that `Math.fround(f(x))` is the correctly rounded float32 result for every float32 x, by trying all of them.
 *
 *     node build/scripts/exhaustive.js <exp|log|sigmoid|tanh|cos|sin> [--from 0] [--to 4294967296] [--step 1] [--threads 2]
 *
 * `--from` and `--to` are bit patterns; with `--step n` only every n-th is tried. For each pattern:
 *
 * 1. The engine's own function (`Math.exp` and so on, other code by other authors) gives z, and is trusted to within
 *    2^-40 |z| only, four thousand times the error that such functions have. Where both ends of z +- 2^-40 |z| round to
 *    the same float32, that is the right answer.
 * 2. Where they do not, which is about one input in 2^15, the answer is computed with 320 binary digits
 * (`exhaustive-truth.ts`). 3. Our result must be that answer, bit for bit (any NaN for a NaN).
 *
 * No other input is skipped. Exit code 0 where all agree, 1 where any differs, 2 on bad use.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { cos, sin } from "../src/arithmetic/cosine.js";
import { exp } from "../src/arithmetic/exp.js";
import { log } from "../src/arithmetic/log.js";
import { sigmoid } from "../src/arithmetic/sigmoid.js";
import { tanh } from "../src/arithmetic/tanh.js";
import { type FunctionName, roundedTruth } from "./exhaustive-truth.js";

interface Candidate {
  readonly ours: (x: number) => number;
  readonly engines: (x: number) => number;
}

const CANDIDATES: Record<FunctionName, Candidate> = {
  exp: { ours: exp, engines: Math.exp },
  log: { ours: log, engines: Math.log },
  sigmoid: { ours: sigmoid, engines: engineSigmoid },
  tanh: { ours: tanh, engines: Math.tanh },
  cos: { ours: cos, engines: Math.cos },
  sin: { ours: sin, engines: Math.sin },
};

function engineSigmoid(x: number): number {
  const e = Math.exp(-Math.abs(x));
  return x < 0 ? e / (1 + e) : 1 / (1 + e);
}

/** A run of bit patterns, `to` excluded. */
interface Job {
  readonly name: FunctionName;
  readonly from: number;
  readonly to: number;
  readonly step: number;
}

interface Tally {
  /** Inputs that needed 320 digits. */
  undecided: number;
  /** Those of them whose results lie nearest to the middle of two float32 values. */
  hardest: { readonly pattern: number; readonly fromTie: number }[];
  /** Bit patterns with a wrong result, the first hundred of them. */
  wrong: number[];
  wrongCount: number;
}

/** How far the engine's function is trusted, relative to its value. */
const TRUST = 2 ** -40;

function examine({ name, from, to, step }: Job): Tally {
  const { ours, engines } = CANDIDATES[name];
  const bits = new Uint32Array(1);
  const float = new Float32Array(bits.buffer);
  const tally: Tally = { undecided: 0, hardest: [], wrong: [], wrongCount: 0 };
  for (let pattern = from; pattern < to; pattern += step) {
    bits[0] = pattern;
    const x = float[0];
    const y = Math.fround(ours(x));
    const z = engines(x);
    let right = Math.fround(z * (1 - TRUST));
    if (right !== Math.fround(z * (1 + TRUST))) {
      if (z !== z) {
        if (y !== y) continue;
      } else {
        tally.undecided++;
        const truth = roundedTruth(name, x);
        right = truth.nearest;
        tally.hardest.push({ pattern, fromTie: truth.fromTie });
      }
    }
    if (y !== right || (y === 0 && !Object.is(y, right))) {
      tally.wrongCount++;
      if (tally.wrong.length < 100) tally.wrong.push(pattern);
    }
  }
  tally.hardest = hardestOf(tally.hardest);
  return tally;
}

function hardestOf(cases: Tally["hardest"]): Tally["hardest"] {
  return cases.sort((a, b) => a.fromTie - b.fromTie).slice(0, 4);
}

/** Examines [from, to) on `threads` workers, in pieces small enough to keep all of them busy to the end. */
async function examineAll(job: Job, threads: number): Promise<Tally> {
  const total: Tally = { undecided: 0, hardest: [], wrong: [], wrongCount: 0 };
  const piece = 2 ** 22 * job.step;
  let next = job.from;
  const run = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL(import.meta.url), { workerData: "exhaustive" });
      const hand = (): void => {
        if (next >= job.to) {
          worker.postMessage(null);
          return;
        }
        worker.postMessage({ ...job, from: next, to: Math.min(job.to, next + piece) });
        next += piece;
      };
      worker.on("message", (tally: Tally) => {
        total.undecided += tally.undecided;
        total.hardest = hardestOf([...total.hardest, ...tally.hardest]);
        total.wrongCount += tally.wrongCount;
        total.wrong = [...total.wrong, ...tally.wrong].sort((a, b) => a - b).slice(0, 100);
        hand();
      });
      worker.on("error", reject);
      worker.on("exit", () => resolve());
      hand();
    });
  await Promise.all(Array.from({ length: threads }, run));
  return total;
}

function hex(pattern: number): string {
  return `0x${pattern.toString(16).padStart(8, "0")}`;
}

function isFunctionName(name: string | undefined): name is FunctionName {
  return name !== undefined && Object.hasOwn(CANDIDATES, name);
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      from: { type: "string", default: "0" },
      to: { type: "string", default: String(2 ** 32) },
      step: { type: "string", default: "1" },
      threads: { type: "string", default: "2" },
    },
  });
  const name = positionals[0];
  const [from, to, step, threads] = [values.from, values.to, values.step, values.threads].map(Number);
  const sound =
    Number.isInteger(from) &&
    Number.isInteger(to) &&
    Number.isInteger(step) &&
    from >= 0 &&
    to <= 2 ** 32 &&
    step >= 1 &&
    threads >= 1;
  if (!isFunctionName(name) || !sound) {
    console.error(
      "exhaustive: give exp, log, sigmoid, tanh, cos or sin, and whole numbers with 0 <= from, to <= 4294967296, " +
        `step >= 1, threads >= 1. Received ${name} --from ${values.from} --to ${values.to} --step ${values.step} ` +
        `--threads ${values.threads}.`,
    );
    return 2;
  }
  const start = performance.now();
  const tally = await examineAll({ name, from, to, step }, threads);
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  console.log(
    `${name}: ${Math.ceil((to - from) / step)} inputs from pattern ${from}, ${tally.wrongCount} wrong, ` +
      `${tally.undecided} decided with 320 digits; ` +
      `Node ${process.version}, ${threads} threads, ${seconds} s`,
  );
  for (const { pattern, fromTie } of tally.hardest) {
    console.log(
      `  hard: pattern ${hex(pattern)}, 2^${Math.log2(fromTie).toFixed(1)} units from the middle of two float32 values`,
    );
  }
  for (const pattern of tally.wrong) console.log(`  wrong: pattern ${hex(pattern)}`);
  return tally.wrongCount === 0 ? 0 : 1;
}

if (isMainThread) {
  process.exitCode = await main();
} else if (workerData === "exhaustive") {
  parentPort?.on("message", (job: Job | null) => {
    if (job === null) parentPort?.close();
    else parentPort?.postMessage(examine(job));
  });
}
