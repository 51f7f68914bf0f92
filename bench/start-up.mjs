/**
 * How long it takes to begin: processes that do next to nothing, of two builds or more by turns.
 *
 *     node bench/start-up.mjs TURNS BUILD BUILD...
 *
 * `command` is `touchstone predict --help`, from the beginning of the process to its end; `import` is the time until the
 * library is there, `kernels` that until its kernels are, assembled, compiled and compared with plain loops; `check` is that of
 * the second comparison, and `hot` that of the hundredth. `heap` is what is kept then, in MB. Node is that which runs this, with
 * its flags. What a BUILD is says `builds.mjs`.
 */
import { spawnSync } from "node:child_process";
import { cpus } from "node:os";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { checkBuilds } from "./builds.mjs";

const [turns = "10", ...builds] = process.argv.slice(2);
if (builds.length === 0) {
  console.error("usage: node bench/start-up.mjs TURNS BUILD...");
  process.exit(2);
}
checkBuilds(builds);

function run(...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...process.execArgv, ...args], { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

const clock = `async (what) => { const begin = performance.now(); await what(); return performance.now() - begin; }`;

/** Milliseconds of one turn. */
function turnOf(build) {
  const url = (path) => JSON.stringify(pathToFileURL(resolve(build, "src", path)).href);
  const begin = performance.now();
  run(resolve(build, "src/cli/main.js"), "predict", "--help");
  const command = performance.now() - begin;
  const program = `const clock = ${clock};
    const library = await clock(() => import(${url("index.js")}));
    const { checkKernels, simdModule } = await import(${url("kernels/simd/module.js")});
    const kernels = await clock(() => simdModule());
    gc();
    const heap = process.memoryUsage().heapUsed / 1e6;
    const checks = [];
    while (checks.length < 99) checks.push(await clock(() => checkKernels()));
    const [check, hot] = [checks[0], checks.at(-1)];
    console.log(JSON.stringify({ import: library, kernels, check, hot, heap }));`;
  return { command, ...JSON.parse(run("--expose-gc", "--input-type=module", "-e", program)) };
}

const results = builds.map(() => []);
for (let turn = 0; turn < Number(turns); turn++) {
  for (let i = 0; i < builds.length; i++) {
    const side = (turn + i) % builds.length;
    results[side].push(turnOf(builds[side]));
  }
}
const short = (value) => (value < 100 ? value.toPrecision(2) : value.toFixed(0));
const medianOf = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
console.log(`${cpus()[0].model}, Node ${process.versions.node}: ${turns} turns, medians in ms`);
console.table(
  builds.map((build, i) => ({
    build,
    ...Object.fromEntries(
      Object.keys(results[i][0]).map((key) => [key, short(medianOf(results[i].map((each) => each[key])))]),
    ),
  })),
);
