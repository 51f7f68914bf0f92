import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import { wasmFunction } from "../../../src/assembly/code.js";
import { conv2DKernelGradientNaive } from "../../../src/kernels/conv2d-gradients.js";
import { createExecution, NO_VALUES, type OwnedExecution } from "../../../src/kernels/execution.js";
import { columnSumsNaive } from "../../../src/kernels/reduce.js";
import type { Accumulate } from "../../../src/kernels/rounding.js";
import {
  filterGradientBeside,
  simdFilterGradient,
  simdFilterGradientJob,
} from "../../../src/kernels/simd/filter-gradient.js";
import {
  countTiles,
  filterTile,
  planFilterGradient,
  planNumbers,
} from "../../../src/kernels/simd/filter-gradient-plan.js";
import { doubles, PANEL_VECTORS, singles } from "../../../src/kernels/simd/lanes.js";
import { outerProductKernels } from "../../../src/kernels/simd/outer-product-kernels.js";
import { kernelFunction } from "../../../src/kernels/simd/thread.js";
import { type Window2D, window2D } from "../../../src/kernels/window.js";
import { Arena, doublesInScope } from "../../../src/tensor/arena.js";
import { sharedHeap } from "../../../src/tensor/heap.js";
import { contiguous, copyInto, empty, type Tensor, tensorOf, zeros } from "../../../src/tensor/tensor.js";
import { assertSameBits, fill, nameOf, seedValues } from "../support.js";

const accumulations: readonly Accumulate[] = ["float64", "float32"];
const executions: readonly OwnedExecution[] = accumulations.flatMap((accumulate) =>
  [1, 2, 3].map((threads) => createExecution({ threads, accumulate, kernel: "simd" })),
);
after(() => executions.forEach((execution) => execution.close()));

/** Asserts the bits of the naive loops, on all threads and in panels of every width. */
function assertNaiveBits(x: Tensor, dy: Tensor, window: Window2D, groups: number): void {
  for (const accumulate of accumulations) {
    const expected = conv2DKernelGradientNaive(x, dy, window, groups, accumulate);
    const filters = dy.shape[3];
    const sums = columnSumsNaive(contiguous(dy).data, dy.size / filters, filters, accumulate);
    for (const execution of executions.filter((each) => each.accumulate === accumulate)) {
      for (const vectors of PANEL_VECTORS) {
        const what = `${nameOf(execution)}, ${vectors} vectors`;
        const { dKernel, dySums } = filterGradientBeside(x, dy, window, groups, execution, () => undefined, {
          vectors,
        });
        assertSameBits(dKernel, expected, `dKernel, ${what}`);
        if (dySums !== undefined) assert.deepEqual(dySums, sums, `dySums, ${what}`);
      }
    }
  }
}

const pair = (min: number, max: number): fc.Arbitrary<[number, number]> =>
  fc.tuple(fc.integer({ min, max }), fc.integer({ min, max }));

/** Filters of whole panels and of parts; channels of whole groups of four and of parts; windows of any kind. */
const cases = fc
  .record({
    batch: fc.integer({ min: 1, max: 3 }),
    image: fc.tuple(fc.integer({ min: 5, max: 7 }), fc.integer({ min: 8, max: 11 })),
    kernelSize: fc.oneof(fc.constant<[number, number]>([1, 1]), pair(1, 4)),
    strides: pair(1, 3),
    dilationRate: fc.tuple(fc.constant(1), fc.integer({ min: 1, max: 2 })),
    padding: fc.constantFrom("same" as const, "valid" as const),
    groups: fc.integer({ min: 1, max: 3 }),
    channels: fc.integer({ min: 1, max: 9 }),
    filters: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constantFrom(8, 16, 24)),
    xSeeds: seedValues,
    dySeeds: seedValues,
  })
  .map(({ image, kernelSize, strides, padding, dilationRate, ...rest }) => ({
    window: window2D(image, kernelSize, strides, padding, dilationRate),
    ...rest,
  }));

describe("simdFilterGradient", () => {
  it("has those bits where the memory must grow for its sums, after dKernel has been made", () => {
    const [batch, side, channels, filters] = [4, 16, 13, 3];
    const window = window2D([side, side], [3, 3], [1, 1], "same", [1, 1]);
    const x = fill([1.5, -2.25, 0.3], [batch, side, side, channels], "float32");
    const dy = fill([0.7, -1.1], [batch, side, side, filters], "float32");
    const heap = sharedHeap();
    for (const execution of executions.filter(({ pool }) => pool === undefined)) {
      const expected = conv2DKernelGradientNaive(x, dy, window, 1, execution.accumulate);
      const arena = new Arena();
      const left = arena.run(() => {
        arena.allocate("float32", 16); // a page of the arena, which has room for dKernel
        return heap.view("float32", 0, 1).buffer.byteLength - heap.peak; // of what the memory has now
      });
      const filled = left > 0 ? [heap.allocate(left)] : [];
      try {
        const actual = arena.run(() => simdFilterGradient(x, dy, window, 1, execution));
        assertSameBits(actual, expected, nameOf(execution));
      } finally {
        arena.reset();
        for (const offset of filled) heap.free(offset);
      }
    }
  });

  it("is NaN where dy is infinite at an output that sees nothing but padding, along either axis", () => {
    for (const along of [0, 1]) {
      // along that axis taps are 5 apart, around an image of 2: none of them meets it
      const of = (near: number, far: number): [number, number] => (along === 0 ? [far, near] : [near, far]);
      const window = window2D(of(4, 2), of(3, 2), [1, 1], "same", of(1, 5));
      const x = fill([5, 9], [3, window.inputHeight, window.inputWidth, 5], "float32");
      const dy = fill([7, 2], [3, window.outputHeight, window.outputWidth, 6], "float32");
      dy.set(1, 0, 1, 2, Number.POSITIVE_INFINITY);
      assert.ok(conv2DKernelGradientNaive(x, dy, window, 1, "float32").data.some(Number.isNaN));
      assertNaiveBits(x, dy, window, 1);
    }
  });

  it("has the bits of the naive loops for any window, groups and values, in panels of every width", () => {
    fc.assert(
      fc.property(cases, ({ window, batch, groups, channels, filters, xSeeds, dySeeds }) => {
        const x = fill(xSeeds, [batch, window.inputHeight, window.inputWidth, groups * channels], "float32");
        const dyShape = [batch, window.outputHeight, window.outputWidth, groups * filters];
        assertNaiveBits(x, fill(dySeeds, dyShape, "float32"), window, groups);
      }),
      { numRuns: 40 },
    );
  });

  // [what is reached, batch, image, channels, filters, kernel, stride]
  const large = [
    ["long pixels of both, packed, in several blocks of images", 33, [3, 5], 67, 70, [2, 1], [1, 1]],
    ["long pixels of x only, every second of which is seen", 2, [9, 12], 130, 5, [1, 1], [2, 2]],
    ["long pixels of dy only, in several tiles of filters", 1, [4, 6], 2, 261, [1, 3], [1, 1]],
    ["blocks of rows", 1, [75, 40], 3, 4, [3, 2], [1, 1]],
    ["rows longer than a block", 1, [2, 2100], 1, 2, [1, 3], [1, 1]],
    ["1 x 1 windows over more pixels than a block has", 3, [31, 29], 5, 6, [1, 1], [1, 1]],
    ["many channels, in several tiles", 1, [3, 4], 137, 9, [2, 3], [1, 1]],
    ["panels of channels, in several tiles, packed, against three filters", 1, [3, 4], 1037, 3, [2, 3], [1, 1]],
    ["panels of channels, read where they lie, against two filters", 2, [5, 4], 16, 2, [3, 3], [2, 1]],
  ] as const;
  for (const [what, batch, image, channels, filters, kernelSize, strides] of large) {
    it(`has the bits of the naive loops with ${what}`, () => {
      const window = window2D(image, kernelSize, strides, "same", [1, 1]);
      const x = fill([0.7, -1.3, 2.9, 0.1, -0.4], [batch, ...image, channels], "float32");
      const dyShape = [batch, window.outputHeight, window.outputWidth, filters];
      assertNaiveBits(x, fill([1.1, -0.6, 0.3, -2.2, 1.7, 0.9, -3.1], dyShape, "float32"), window, 1);
    });
  }

  it("multiplies the zeros of the padding: an infinity of dy in a corner gives NaN where a tap is outside there", () => {
    const window = window2D([4, 5], [3, 3], [1, 1], "same", [1, 1]);
    const corners = [0, 3].flatMap((h) => [0, 4].map((w) => ({ h, w })));
    for (const { h, w } of corners) {
      for (const [channels, filters] of [
        [6, 9],
        [21, 3], // panels of channels
      ]) {
        const x = fill([1, 2, 3], [1, 4, 5, channels], "float32");
        const dy = zeros([1, 4, 5, filters], "float32");
        dy.set(0, h, w, filters - 2, Number.POSITIVE_INFINITY);
        for (const execution of executions) {
          const dKernel = simdFilterGradient(x, dy, window, 1, execution);
          for (let kh = 0; kh < 3; kh++) {
            for (let kw = 0; kw < 3; kw++) {
              const isOutside = kh === (h === 0 ? 0 : 2) || kw === (w === 0 ? 0 : 2);
              const expected = isOutside ? Number.NaN : Number.POSITIVE_INFINITY;
              const last = dKernel.get(kh, kw, channels - 1, filters - 2);
              assert.equal(
                last,
                expected,
                `${nameOf(execution)}, (${h}, ${w}), tap ${kh}, ${kw} of ${filters} filters`,
              );
              assert.equal(dKernel.get(kh, kw, channels - 1, filters - 3), 0);
            }
          }
        }
      }
    }
  });

  it("does so where an output sees nothing but padding, so that no tap inside of the image could tell", () => {
    const window = window2D([1, 1], [2, 2], [1, 1], "same", [5, 5]);
    const dKernel = simdFilterGradient(
      tensorOf([1, 2, 3], [1, 1, 1, 3]),
      tensorOf([4, Number.NEGATIVE_INFINITY], [1, 1, 1, 2]),
      window,
      1,
      executions[0],
    );
    assert.deepEqual(Array.from(dKernel.data.slice(0, 4)), [0, Number.NaN, 0, Number.NaN]);
  });

  it("keeps the sign of sums that underflow, although zeros of the padding are added to them", () => {
    const window = window2D([1, 2], [1, 3], [1, 1], "same", [1, 1]);
    const x = tensorOf([-0, 1e-30], [1, 1, 2, 1]);
    const dy = tensorOf([1e-30, -1e-30], [1, 1, 2, 1]);
    assertNaiveBits(x, dy, window, 1);
    const exact = executions.find(({ accumulate }) => accumulate === "float64") ?? executions[0];
    assert.deepEqual(Array.from(simdFilterGradient(x, dy, window, 1, exact).data), [0, -0, 0]);
  });

  it("sums dy for the bias in one tile for each filter, where filters are whole vectors", () => {
    const window = window2D([5, 6], [3, 2], [1, 1], "same", [1, 1]);
    const [channels, filters, groups] = [24, 48, 2];
    const plan = planFilterGradient({ batch: 2, channels, filters, groups, window }, singles, 1, 64);
    assert.ok(plan.taps.count > 1 && plan.groupChannels.count > 1 && plan.groupFilters.count > 1);
    const arena = new Arena();
    arena.run(() => {
      const [x, dy] = [fill([1, 2], [2, 5, 6, channels], "float32"), fill([3, 4], [2, 5, 6, filters], "float32")];
      const inHeap = (of: Tensor): Tensor => copyInto(empty(of.shape, of), of);
      const [images, gradients, dKernel] = [x, dy, zeros([3, 2, channels / groups, filters], "float32")].map(inHeap);
      const scratch = empty([2 ** 20], "float32").data;
      const found = empty([countTiles(plan)], "float32").data;
      const dySums = doublesInScope(filters);
      const arrays = [images.data, gradients.data, NO_VALUES, scratch, dKernel.data, found, dySums];
      const compute = simdFilterGradientJob.prepare(arrays, [...planNumbers(plan), 0, 0, scratch.byteLength]);
      const written = new Float64Array(filters);
      for (let tile = 0; tile < countTiles(plan); tile++) {
        dySums.fill(Number.NaN);
        compute(tile);
        for (let filter = 0; filter < filters; filter++) written[filter] += Number.isNaN(dySums[filter]) ? 0 : 1;
      }
      assert.deepEqual(written, new Float64Array(filters).fill(1));
    });
    arena.reset();
  });

  it("gives zeros for a batch of no images", () => {
    const window = window2D([3, 3], [1, 1], [1, 1], "same", [1, 1]);
    const dKernel = simdFilterGradient(
      zeros([0, 3, 3, 2], "float32"),
      zeros([0, 3, 3, 1], "float32"),
      window,
      1,
      executions[0],
    );
    assert.deepEqual(Array.from(dKernel.data), [0, 0]);
  });
});

describe("kernelFunction", () => {
  it("rejects a kernel that is not in the module", () => {
    assert.throws(() => kernelFunction(wasmFunction("missing", {}, () => [])), {
      name: "Error",
      message: 'internal: simd: the module has no kernel "missing".',
    });
  });
});

describe("outerProductKernels", () => {
  it("rejects a width of panels that there is not", () => {
    assert.throws(() => outerProductKernels(singles, 3), {
      name: "Error",
      message: "internal: simd: no panel is 3 vectors wide.",
    });
  });
});

describe("planFilterGradient", () => {
  it("covers every element of dKernel once, with tiles for all threads where it is large enough", () => {
    const sizes = fc.record({
      channels: fc.integer({ min: 1, max: 300 }),
      filters: fc.integer({ min: 1, max: 300 }),
      groups: fc.integer({ min: 1, max: 3 }),
      kernelSize: pair(1, 3),
      threads: fc.integer({ min: 1, max: 64 }),
      lanes: fc.constantFrom(singles, doubles),
    });
    fc.assert(
      fc.property(sizes, ({ channels, filters, groups, kernelSize, threads, lanes }) => {
        const window = window2D([6, 7], kernelSize, [1, 1], "same", [1, 1]);
        const shape = { batch: 2, channels: channels * groups, filters: filters * groups, groups, window };
        const plan = planFilterGradient(shape, lanes, 2, threads);
        const taps = kernelSize[0] * kernelSize[1];
        const seen = new Uint8Array(taps * channels * filters * groups);
        for (let index = 0; index < countTiles(plan); index++) {
          const tile = filterTile(plan, index);
          for (let tap = tile.taps.from; tap < tile.taps.to; tap++) {
            for (let c = tile.channels.from; c < tile.channels.to; c++) {
              const row = ((tile.group * taps + tap) * channels + c) * filters;
              for (let f = tile.filters.from; f < tile.filters.to; f++) seen[row + f]++;
            }
          }
        }
        assert.ok(seen.every((count) => count === 1));
        const most = groups * taps * Math.ceil(channels / 4) * Math.ceil(filters / plan.kernels.width);
        assert.ok(countTiles(plan) >= Math.min(threads, Math.ceil(most / 4)));
      }),
      { numRuns: 60 },
    );
  });

  it("has work for 64 threads in every 3x3 layer of ResNet20", () => {
    for (const [side, channels, filters, stride] of [
      [32, 16, 16, 1],
      [32, 16, 32, 2],
      [16, 32, 32, 1],
      [16, 32, 64, 2],
      [8, 64, 64, 1],
    ]) {
      const window = window2D([side, side], [3, 3], [stride, stride], "same", [1, 1]);
      const plan = planFilterGradient({ batch: 32, channels, filters, groups: 1, window }, singles, 2, 64);
      assert.ok(countTiles(plan) >= 64, `${channels} to ${filters}: ${countTiles(plan)} tiles`);
    }
  });
});
