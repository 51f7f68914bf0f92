import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import { conv2DFinished } from "../../src/kernels/conv2d.js";
import { conv2DGradients, conv2DWeightGradients } from "../../src/kernels/conv2d-backward.js";
import { conv2DInputGradientNaive, conv2DKernelGradientNaive } from "../../src/kernels/conv2d-gradients.js";
import { type ChannelMap, normalizeNaive } from "../../src/kernels/normalize.js";
import { createExecution } from "../../src/kernels/execution.js";
import { normalizationGradient, normalizationSums } from "../../src/kernels/normalize-gradients.js";
import { columnSumsNaive } from "../../src/kernels/reduce.js";
import { filterGradientBeside } from "../../src/kernels/simd/filter-gradient.js";
import { PANEL_VECTORS } from "../../src/kernels/simd/lanes.js";
import { type Window2D, window2D } from "../../src/kernels/window.js";
import type { JobRun } from "../../src/parallel/job.js";
import { WorkerPool } from "../../src/parallel/pool.js";
import { Arena } from "../../src/tensor/arena.js";
import { sharedHeap } from "../../src/tensor/heap.js";
import { contiguous, copyInto, empty, type Tensor, tensorOf } from "../../src/tensor/tensor.js";
import { assertSameBits, dtypes, fastExecutions, fill, mapOf, nameOf, seedValues } from "./support.js";

const { executions, closeAll } = fastExecutions();
after(closeAll);

/** As if there were 64 threads: all that they would compute runs here, and leaves its name. */
class NamingPool extends WorkerPool {
  override readonly threads: number = 64;
  readonly names: string[] = [];

  constructor() {
    super(1, new URL("../../src/kernels/jobs.js", import.meta.url));
  }

  override run(...runs: readonly JobRun[]): void {
    this.names.push(...runs.map(({ job }) => job.name));
    for (const run of runs) super.run(run);
  }
}

/** A convolution of what a prologue makes of `x`, and the gradient of its output. */
interface Case {
  readonly x: Tensor;
  readonly kernel: Tensor;
  readonly dy: Tensor;
  readonly window: Window2D;
  readonly groups: number;
  readonly rectify: boolean;
  readonly map: ChannelMap;
}

/** Asserts the bits of the naive loops, one after another, on every path, and in panels of every width. */
function assertBitsApart({ x, kernel, dy, window, groups, map, rectify }: Case, tilesPrepare: boolean): void {
  const prologue = { map, rectify };
  for (const execution of executions) {
    const { accumulate } = execution;
    const how = nameOf(execution);
    const read = normalizeNaive(x, map, { rectify }, accumulate);
    const dKernel = conv2DKernelGradientNaive(read, dy, window, groups, accumulate);
    const filters = dy.shape[3];
    const dBias = columnSumsNaive(contiguous(dy).data, dy.size / filters, filters, accumulate);
    const all = conv2DGradients(x, dy, kernel, window, groups, execution, prologue);
    assertSameBits(all.dKernel, dKernel, `dKernel, ${how}`);
    assertSameBits(all.dx, conv2DInputGradientNaive(dy, kernel, window, groups, accumulate), `dx, ${how}`);
    const alone = conv2DWeightGradients(x, dy, window, groups, execution, prologue);
    assertSameBits(alone.dKernel, dKernel, `dKernel alone, ${how}`);
    for (const given of [all.dBias, alone.dBias]) {
      assert.deepEqual(
        given.data,
        given.data.map((_, f) => dBias[f]),
        `dBias, ${how}`,
      );
    }
    if (!tilesPrepare || execution.kernel !== "simd" || accumulate !== "float32") continue;
    for (const vectors of PANEL_VECTORS) {
      const options = { prologue, vectors };
      const beside = filterGradientBeside(x, dy, window, groups, execution, () => undefined, options);
      assertSameBits(beside.dKernel, dKernel, `dKernel, ${how}, ${vectors} vectors`);
    }
  }
}

describe("The gradients of a convolution of what was normalized on the way", () => {
  it("have the bits of one that reads what a pass has normalized before, for any window, groups and values", () => {
    const cases = fc.record({
      batch: fc.integer({ min: 1, max: 3 }),
      kernelSize: fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 3 })),
      stride: fc.integer({ min: 1, max: 2 }),
      padding: fc.constantFrom("same" as const, "valid" as const),
      groups: fc.constantFrom(1, 1, 2),
      channels: fc.integer({ min: 1, max: 8 }),
      filters: fc.integer({ min: 1, max: 9 }),
      dtype: dtypes,
      seeds: fc.tuple(seedValues, seedValues, seedValues, seedValues),
      rectify: fc.boolean(),
    });
    fc.assert(
      fc.property(cases, ({ batch, kernelSize, stride, padding, groups, channels, filters, dtype, seeds, rectify }) => {
        const window = window2D([5, 7], kernelSize, [stride, stride], padding, [1, 1]);
        const x = fill(seeds[0], [batch, 5, 7, groups * channels], dtype);
        const kernel = fill(seeds[1], [...kernelSize, channels, groups * filters], dtype);
        const dy = fill(seeds[2], [batch, window.outputHeight, window.outputWidth, groups * filters], dtype);
        const map = mapOf(groups * channels, seeds[3]);
        assertBitsApart({ x, kernel, dy, window, groups, map, rectify }, false);
      }),
      { numRuns: 40 },
    );
  });

  it("have them where tiles normalize the pixels that they read, whatever is left out between them", () => {
    const cases = fc.record({
      batch: fc.integer({ min: 1, max: 3 }),
      image: fc.uniqueArray(fc.integer({ min: 3, max: 19 }), { minLength: 2, maxLength: 2 }),
      strides: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
      vectors: fc.constantFrom(1, 2, 3, 5, 17, 20),
      filters: fc.constantFrom(1, 3, 6, 8, 160),
      seeds: fc.tuple(seedValues, seedValues, seedValues),
      rectify: fc.boolean(),
    });
    fc.assert(
      fc.property(cases, ({ batch, image: [height, width], strides, vectors, filters, seeds, rectify }) => {
        const window = window2D([height, width], [1, 1], strides, "same", [1, 1]);
        const x = fill(seeds[0], [batch, height, width, 4 * vectors], "float32");
        const kernel = fill(seeds[1], [1, 1, 4 * vectors, filters], "float32");
        const dy = fill(seeds[1], [batch, window.outputHeight, window.outputWidth, filters], "float32");
        assertBitsApart({ x, kernel, dy, window, groups: 1, map: mapOf(4 * vectors, seeds[2]), rectify }, true);
      }),
      { numRuns: 20 },
    );
  });

  it("keep nothing of what a pass has normalized for them", () => {
    const window = window2D([29, 31], [3, 3], [1, 1], "same", [1, 1]);
    const arena = new Arena();
    const [x, kernel, dy] = arena.run(() =>
      [
        [4, 29, 31, 16],
        [3, 3, 16, 24],
        [4, 29, 31, 24],
      ].map((shape) => copyInto(empty(shape, tensorOf([0], [1])), fill([0.3, -1.2, 0.7], shape, "float32"))),
    );
    const prologue = { map: mapOf(16, [0.5, -0.25]), rectify: true };
    for (const execution of executions) {
      const step = new Arena();
      const before = sharedHeap().used;
      const made = step.run(() => [
        conv2DFinished(x, kernel, undefined, window, 1, { prologue }, execution),
        ...Object.values(conv2DGradients(x, dy, kernel, window, 1, execution, prologue)),
      ]);
      const bytes = made.reduce((sum, { data }) => sum + data.byteLength, 0);
      assert.ok(sharedHeap().used - before < bytes + x.data.byteLength, nameOf(execution)); // small tensors lie in pages
      step.reset();
    }
    arena.reset();
  });

  it("are computed without a pass that normalizes, if every thread has some tiles of all columns", () => {
    const pool = new NamingPool();
    const execution = { ...createExecution({ accumulate: "float32" }), pool };
    const prologue = { map: mapOf(8, [0.5, -0.25]), rectify: true };
    for (const [batch, passes] of [
      [32, []],
      [2, ["normalize"]], // its tiles have some of the columns each, and would normalize the same lines
    ] as const) {
      const window = window2D([16, 16], [1, 1], [1, 1], "same", [1, 1]);
      const x = fill([0.3, -1.2, 0.7], [batch, 16, 16, 8], "float32");
      const kernel = fill([1.1, -0.6], [1, 1, 8, 256], "float32");
      const dy = fill([0.2, -0.9, 1.7], [batch, 16, 16, 256], "float32");
      pool.names.length = 0;
      conv2DFinished(x, kernel, undefined, window, 1, { prologue }, execution);
      assert.deepEqual(
        pool.names.filter((name) => name === "normalize"),
        passes,
        `batch ${batch}`,
      );
      pool.names.length = 0;
      conv2DGradients(x, dy, kernel, window, 1, execution, prologue);
      assert.ok(pool.names.includes("simdFilterGradient") && !pool.names.includes("normalize"), `batch ${batch}`);
    }
  });

  it("go on through the normalization and its ReLU without such a pass, for kernels with float32 sums compute its output", () => {
    const pool = new NamingPool();
    const execution = { ...createExecution({ accumulate: "float32" }), pool };
    const [x, dy] = [fill([0.3, -1.2, 0.7], [9, 8], "float32"), fill([0.2, -0.9], [9, 8], "float32")];
    const map = mapOf(8, [0.5, -0.25]);
    normalizationSums(dy, x, map, { rectified: true }, execution);
    normalizationGradient(dy, x, { ...map, shift: map.mean, slope: map.offset }, { rectified: true }, execution);
    assert.deepEqual(pool.names, ["normalizationSums", "normalizationGradient"]);
  });

  it("have them where pixels fill several blocks", () => {
    const [batch, height, width, channels, filters] = [5, 31, 29, 12, 24];
    const window = window2D([height, width], [1, 1], [1, 1], "valid", [1, 1]);
    const x = fill([0.7, -1.3, 2.9, 0.1, -0.4], [batch, height, width, channels], "float32");
    const kernel = fill([1.1, -0.6, 0.3], [1, 1, channels, filters], "float32");
    const dy = fill([0.8, -2.2, 1.7, -0.5, 0.2, 0.9, -1.1], [batch, height, width, filters], "float32");
    const map = mapOf(channels, [0.3, -1.9, 0.8]);
    assertBitsApart({ x, kernel, dy, window, groups: 1, map, rectify: true }, true);
  });
});
