/**
 * Convolutions of every kind, in one build or several by turns in one process:
 *
 *     node bench/kernels/by-turns.mjs float32|float64 THREADS TURNS BUILD [BUILD ...]
 *
 * What a BUILD is says `../builds.mjs`. For each work and build: GFLOP/s where the best quarter of the turns ends, and in brackets
 * how many times slower that is than the first work, a 3x3 convolution of 128 channels.
 */
import { cpus } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { checkBuilds, placesOf } from "../builds.mjs";

const WARM_UP = 20;
const [accumulate, threads, turns, ...builds] = process.argv.slice(2);
const areNumbers = Number(threads) > 0 && Number(turns) > 0;
if ((accumulate !== "float32" && accumulate !== "float64") || !areNumbers || builds.length === 0) {
  console.error("usage: node bench/kernels/by-turns.mjs float32|float64 THREADS TURNS BUILD [BUILD ...]");
  process.exit(2);
}
checkBuilds(builds);

/**
 * [batch, side, channels, filters (0: depthwise), kernel, stride], and of which products. "kept": as in a prediction, with a
 * kernel that was packed long ago, and comes from memory.
 */
const WORKS = [
  [[2, 28, 128, 128, 3, 1], ["forward"]],
  [[1, 56, 64, 64, 1, 1], ["forward"]],
  [[1, 28, 128, 512, 1, 1], ["forward"]],
  [
    [2, 14, 384, 0, 7, 1],
    ["forward", "kernel", "input"],
  ],
  [
    [2, 56, 128, 0, 3, 1],
    ["forward", "kernel", "input"],
  ],
  [
    [2, 112, 64, 0, 3, 2],
    ["forward", "kernel", "input"],
  ],
  [[8, 32, 3, 64, 3, 1], ["input"]],
  [[1, 224, 3, 64, 7, 2], ["input"]],
  [[8, 32, 64, 5, 1, 1], ["forward"]],
  [[8, 32, 64, 10, 1, 1], ["forward"]],
  [[8, 32, 64, 3, 3, 1], ["kernel"]],
  [[32, 32, 16, 16, 3, 1], ["forward"]],
  [
    [32, 16, 32, 32, 3, 1],
    ["forward", "kernel"],
  ],
  [
    [32, 8, 64, 64, 3, 1],
    ["forward", "kernel"],
  ],
  [[32, 32, 64, 16, 1, 1], ["kernel"]],
  [[1, 7, 512, 2048, 1, 1], ["kept"]],
  [[1, 7, 512, 512, 3, 1], ["kept"]],
];

/** Kept kernels that are used in turn: more than a cache holds. */
const KEPT = 16;

const executions = [];

/** What a build does for each work: its name, operations, and a function. */
async function worksOf(place) {
  const load = (path) => import(pathToFileURL(join(place, path)).href);
  const [conv, gradients, depthwise] = await Promise.all(
    ["conv2d", "conv2d-gradients", "depthwise"].map((name) => load(`src/kernels/${name}.js`)),
  );
  const { window2D } = await load("src/kernels/window.js");
  const { createExecution } = await load("src/kernels/execution.js");
  const { Arena } = await load("src/tensor/arena.js");
  const { numbers } = await load("bench/kernels/report.js");
  const { PackedConstants } = await load("src/kernels/simd/constants.js");
  const execution = createExecution({ accumulate, threads: Number(threads) });
  executions.push(execution);
  const inputs = new Arena(); // in the heap, as in a training step
  return WORKS.flatMap(([[batch, side, channels, filters, size, stride], products]) => {
    const window = window2D([side, side], [size, size], [stride, stride], "same", [1, 1]);
    const { outputHeight, outputWidth } = window;
    const [x, kernel, dy] = inputs.run(() => [
      numbers([batch, side, side, channels]),
      numbers([size, size, channels, filters || 1]),
      numbers([batch, outputHeight, outputWidth, filters || channels]),
    ]);
    const all =
      filters === 0
        ? {
            forward: () => depthwise.depthwiseConv2D(x, kernel, undefined, window, execution),
            kernel: () => depthwise.depthwiseConv2DKernelGradient(x, dy, window, execution),
            input: () => depthwise.depthwiseConv2DInputGradient(dy, kernel, window, execution),
          }
        : {
            forward: () => conv.conv2D(x, kernel, undefined, window, 1, execution),
            kernel: () => gradients.conv2DKernelGradient(x, dy, window, 1, execution),
            input: () => gradients.conv2DInputGradient(dy, kernel, window, 1, execution),
          };
    if (products.includes("kept")) {
      const kernels = inputs.run(() => Array.from({ length: KEPT }, () => numbers(kernel.shape)));
      const predicting = { ...execution, constants: new PackedConstants(kernels.map(({ data }) => data)) };
      let turn = 0;
      all.kept = () => conv.conv2D(x, kernels[turn++ % KEPT], undefined, window, 1, predicting);
    }
    return products.map((product) => ({
      work: `${batch}x${side}x${side}x${channels}, ${filters || "depthwise"}, ${size}x${size}/${stride}, ${product}`,
      operations: 2 * batch * outputHeight * outputWidth * size ** 2 * channels * (filters || 1),
      milliseconds: [],
      run: () => {
        const arena = new Arena();
        arena.run(all[product]);
        arena.reset();
      },
    }));
  });
}

const sides = [];
for (const place of placesOf(builds)) sides.push(await worksOf(place));
for (let i = 0; i < sides[0].length; i++) {
  for (let turn = 0; turn < WARM_UP + Number(turns); turn++) {
    for (const side of sides) {
      const { run, milliseconds } = side[i];
      const begin = performance.now();
      run();
      if (turn >= WARM_UP) milliseconds.push(performance.now() - begin);
    }
  }
}
const rateOf = ({ operations, milliseconds }) =>
  operations / milliseconds.toSorted((a, b) => a - b)[Math.floor(milliseconds.length / 4)] / 1e6;
console.log(
  `${cpus()[0].model}, Node ${process.versions.node}, ${process.execArgv.join(" ")}: ${accumulate} sums, threads: ${threads}`,
);
console.table(
  sides[0].map(({ work }, i) => ({
    work,
    ...Object.fromEntries(
      sides.map((side, j) => {
        const rate = rateOf(side[i]);
        return [builds[j], `${rate.toFixed(1)} GFLOP/s (${(rateOf(side[0]) / rate).toFixed(1)})`];
      }),
    ),
  })),
);
for (const execution of executions) execution.close();
