/**
 * Element-wise passes and reductions: bytes of the tensors that are read and written, for each second, beside a plain copy.
 */
import { cpus } from "node:os";
import { Bench } from "tinybench";
import type { Execution } from "../../src/kernels/execution.js";
import { moments } from "../../src/kernels/moments.js";
import { normalize } from "../../src/kernels/normalize.js";
import { runPasses } from "../../src/kernels/element-tiles.js";
import { normalizationGradient, normalizationSums } from "../../src/kernels/normalize-gradients.js";
import { rectify } from "../../src/kernels/rectify.js";
import { columnSums } from "../../src/kernels/reduce.js";
import { areAllFinite } from "../../src/kernels/simd/finite.js";
import { sumTensors } from "../../src/kernels/sum-tensors.js";
import {
  adamUpdate,
  type Changes,
  penaltyGradients,
  penaltySumsOfAll,
  sgdUpdate,
} from "../../src/kernels/weight-updates.js";
import { Arena } from "../../src/tensor/arena.js";
import { empty, type Tensor, zeros } from "../../src/tensor/tensor.js";
import { executions, numbers, taskName } from "./report.js";

/** Batches of 32 images as matrices: [origin, rows, channels]. */
const shapes = [
  ["ResNet20v1, first stack", 32 * 32 * 32, 16],
  ["ResNet20v1, last stack", 32 * 8 * 8, 64],
  ["ResNet29v2, first stack", 32 * 32 * 32, 64],
] as const;

const L2 = { l1: 0, l2Twice: 2e-4 };
const ADAM = { alpha: 1e-3, momentumShare: 0.1, velocityShare: 1e-3, epsilon: 1e-7, decay: 0, learningRate: 1e-3 };
const SGD = { learningRate: 1e-3, momentum: 0.9, nesterov: false, decay: 0 };
const relu = { maxValue: Number.POSITIVE_INFINITY, negativeSlope: 0, threshold: 0 };

/** A pass: how many tensors it reads and writes, and what runs it. */
type TimedPass = [string, number, () => unknown];

/** Passes over `x` and others of its shape. */
function passesOver(x: Tensor, dy: Tensor, other: Tensor, execution: Execution): TimedPass[] {
  const channels = x.shape[1];
  const mean = new Float64Array(channels).fill(0.1);
  const map = { mean, scale: mean, offset: mean, shift: mean, slope: mean };
  const behind = { rectified: true, positive: other };
  const readsOutput = execution.accumulate === "float64"; // that of the ReLU; it is computed again with float32
  return [
    ["copy", 2, () => copyOf(x)],
    ["mean", 1, () => columnSums(x.data, x.shape[0], channels, execution)],
    ["mean and variance", 2, () => moments(x, execution)],
    ["normalize", 2, () => normalize(x, map, {}, execution)],
    ["normalize, add, rectify", 3, () => normalize(x, map, { addend: other, rectify: true }, execution)],
    ["sums of dy", 2, () => normalizationSums(dy, x, map, {}, execution)],
    ["sums behind a ReLU", readsOutput ? 3 : 2, () => normalizationSums(dy, x, map, behind, execution)],
    ["dx", 3, () => normalizationGradient(dy, x, map, {}, execution)],
    ["dx behind a ReLU", readsOutput ? 4 : 3, () => normalizationGradient(dy, x, map, behind, execution)],
    ["rectify", 2, () => rectify(x, relu, execution)],
    ["add", 3, () => sumTensors([x, dy], { start: 0 }, execution)],
    ["add behind a ReLU", 4, () => sumTensors([x, dy], { start: 0, positive: other }, execution)],
    ["sums of a penalty", 1, () => penaltySumsOfAll([x.data], execution)],
    ["gradient of a penalty", 3, () => penaltyGradients([{ gradient: dy, weight: x, factors: L2 }], execution)],
    ["finite", 1, () => areAllFinite([x.data], execution)],
  ];
}

/** Passes of optimizers, which change `w` and what is kept beside it, zeros at first. */
function updatesOf(w: Tensor, gradient: Tensor, execution: Execution): TimedPass[] {
  const [m, v] = arena.run(() => [0, 1].map(() => zeros(w.shape, w).data));
  const run = (changes: Changes): void => runPasses(execution, changes);
  return [
    ["Adam", 7, () => run(adamUpdate(w.data, gradient.data, m, v, undefined, ADAM, execution))],
    ["SGD with momentum", 5, () => run(sgdUpdate(w.data, gradient.data, m, SGD, execution))],
  ];
}

function copyOf(x: Tensor): Tensor {
  const copy = empty(x.shape, x);
  copy.data.set(x.data);
  return copy;
}

const arena = new Arena(); // in the heap, as in a training step
const all = executions();
for (const [origin, rows, channels] of shapes) {
  const [x, dy, other, w] = arena.run(() => [0, 1, 2, 3].map(() => numbers([rows, channels])));
  const bytes = x.data.byteLength;
  const bench = new Bench({ name: origin, time: 100, iterations: 5, warmupIterations: 5, throws: true });
  const moved: number[] = [];
  for (const execution of all) {
    for (const [pass, tensors, run] of [...passesOver(x, dy, other, execution), ...updatesOf(w, dy, execution)]) {
      moved.push(tensors * bytes);
      const inner = new Arena();
      bench.add(taskName(pass, execution), () => {
        inner.run(run);
        inner.reset();
      });
    }
  }
  await bench.run();
  console.log(`${origin}: [${rows}, ${channels}]\n${cpus()[0].model}, Node ${process.versions.node}`);
  console.table(
    bench.tasks.map(({ name, result }, i) => {
      if (!("latency" in result)) return { pass: name };
      const { min, p50 } = result.latency; // milliseconds
      return { pass: name, "best GB/s": (moved[i] / min / 1e6).toFixed(1), "median µs": (p50 * 1000).toFixed(0) };
    }),
  );
}
for (const execution of all) execution.close();
