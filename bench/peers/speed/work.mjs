/**
 * What is measured: the same work for every peer, read from a folder that `prepare.mjs` wrote, so that the process that is
 * measured holds nothing but the peer.
 *
 * A step is forward in training mode, categorical cross-entropy with the L2 penalties, backward, and one step of Adam on all
 * weights, moving statistics included. A forward pass is inference.
 *
 * @module
 */
import { closeSync, openSync, readFileSync, readSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** All workloads. */
export const WORKLOADS = [
  { name: "step-resnet20v1-32", kind: "step", model: "resnet20v1", batch: 32 },
  { name: "step-resnet29v2-32", kind: "step", model: "resnet29v2", batch: 32 },
  { name: "step-resnet110v2-32", kind: "step", model: "resnet110v2", batch: 32 },
  { name: "forward-resnet20v1-32", kind: "forward", model: "resnet20v1", batch: 32 },
  { name: "forward-resnet29v2-32", kind: "forward", model: "resnet29v2", batch: 32 },
  { name: "forward-resnet50-1", kind: "forward", model: "resnet50", batch: 1 },
  { name: "forward-resnet50-8", kind: "forward", model: "resnet50", batch: 8 },
];

/** The job in `folder`: workload, plan, inputs, the path of its ONNX model, and weights, read one by one as they are asked for. */
export function openJob(folder) {
  const { arrays, ...job } = JSON.parse(readFileSync(join(folder, "job.json"), "utf8"));
  const file = join(folder, "arrays.bin");
  const read = (name) => {
    const { offset, shape } = arrays[name];
    const data = new Float32Array(shape.reduce((product, n) => product * n, 1));
    const descriptor = openSync(file);
    readSync(descriptor, new Uint8Array(data.buffer), 0, data.byteLength, offset);
    closeSync(descriptor);
    return { data, shape };
  };
  const weights = function* () {
    for (const name of Object.keys(arrays)) if (name !== "x" && name !== "y") yield [name, read(name)];
  };
  return { ...job, onnx: join(folder, "model.onnx"), x: read("x"), y: read("y"), weights };
}

/**
 * Runs `once` until it is warm, for `warmSeconds` and twelve times at least, then for `seconds` or at least `least` times. Gives
 * milliseconds: the median, and the least and most of the middle half; and how many cores it kept busy.
 */
async function timed(once, { seconds, warmSeconds, least = 5, warmRuns = 12 }) {
  const started = performance.now();
  let warm = 0;
  while (warm < warmRuns || performance.now() - started < 1000 * warmSeconds) {
    const atFirst = process.cpuUsage();
    await once();
    const took = performance.now() - started;
    if (++warm === 1 && took > 20_000) return { median: took, runs: 1, busy: cpuMilliseconds(atFirst) / took };
  }
  const times = [];
  const before = process.cpuUsage();
  const begin = performance.now();
  while (times.length < least || performance.now() - begin < 1000 * seconds) {
    const from = performance.now();
    await once();
    times.push(performance.now() - from);
  }
  const busy = cpuMilliseconds(before) / (performance.now() - begin);
  times.sort((a, b) => a - b);
  const at = (share) => times[Math.min(times.length - 1, Math.floor(times.length * share))];
  return { median: at(0.5), quarter: at(0.25), threeQuarters: at(0.75), runs: times.length, busy };
}

/** The time of all of this process's threads since `before`. */
function cpuMilliseconds(before) {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** The most resident memory of this process. Linux's `maxRSS` also counts that of the process which started this one. */
function peakMegabytes() {
  if (process.platform !== "linux") return process.resourceUsage().maxRSS / 1024;
  return Number(/VmHWM:\s*(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]) / 1024;
}

/** Measures `once` and writes what came out; `shown` gives the numbers of its first result that are compared. */
export async function measure(once, { version, file, seconds, warmSeconds, shown = (result) => result }) {
  const result = Array.from(shown(await once())).slice(0, 10);
  const times = await timed(once, { seconds, warmSeconds });
  writeFileSync(file, JSON.stringify({ version, ...times, result, peakMegabytes: peakMegabytes() }));
}
