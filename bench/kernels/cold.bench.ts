/**
 * What surrounds the arithmetic of a convolution, from shapes to tiles: convolutions so small that there is hardly any
 * arithmetic, one after another, and each after much other memory was written, as it is between the passes of a step.
 */
import { cpus } from "node:os";
import { conv2D } from "../../src/kernels/conv2d.js";
import { conv2DInputGradient, conv2DKernelGradient } from "../../src/kernels/conv2d-gradients.js";
import { createExecution } from "../../src/kernels/execution.js";
import { window2D } from "../../src/kernels/window.js";
import { Arena } from "../../src/tensor/arena.js";
import { numbers } from "./report.js";

const WARM_UP = 2000;
const TURNS = 1000;
/** 16 MB: more than the first two caches hold. */
const other = new Float32Array(2 ** 22);
const execution = createExecution({ accumulate: "float32" });
const window = window2D([4, 4], [3, 3], [1, 1], "same", [1, 1]);
const inputs = new Arena(); // in the heap, as in a training step
const [x, kernel, dy] = inputs.run(() =>
  [
    [1, 4, 4, 16],
    [3, 3, 16, 16],
    [1, 4, 4, 16],
  ].map(numbers),
);
const products: Record<string, () => unknown> = {
  forward: () => conv2D(x, kernel, undefined, window, 1, execution),
  "kernel gradient": () => conv2DKernelGradient(x, dy, window, 1, execution),
  "input gradient": () => conv2DInputGradient(dy, kernel, window, 1, execution),
};

/** The median of the microseconds that `run` takes, after `before`. */
function microseconds(run: () => unknown, before: () => void): string {
  const times: number[] = [];
  for (let turn = 0; turn < WARM_UP + TURNS; turn++) {
    if (turn >= WARM_UP) before();
    const begin = performance.now();
    const arena = new Arena();
    arena.run(run);
    arena.reset();
    if (turn >= WARM_UP) times.push(performance.now() - begin);
  }
  times.sort((a, b) => a - b);
  return (1000 * times[TURNS / 2]).toFixed(1);
}

console.log(`${cpus()[0].model}, Node ${process.versions.node}: 3x3 convolution of 1x4x4x16, 16 filters, one thread`);
console.table(
  Object.entries(products).map(([product, run]) => ({
    product,
    "one after another, µs": microseconds(run, () => {}),
    "after writing 16 MB, µs": microseconds(run, () => {
      for (let i = 0; i < other.length; i += 16) other[i] += 1; // a value of each line of the cache
    }),
  })),
);
