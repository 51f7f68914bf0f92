import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import {
  depthwiseConv2DInputGradient,
  depthwiseConv2DInputGradientNaive,
  depthwiseConv2DKernelGradientNaive,
  depthwiseConv2DNaive,
} from "../../../src/kernels/depthwise.js";
import { createExecution, type OwnedExecution } from "../../../src/kernels/execution.js";
import type { Accumulate } from "../../../src/kernels/rounding.js";
import { isDepthwise, simdDepthwise, simdDepthwiseInputGradient } from "../../../src/kernels/simd/depthwise.js";
import { simdDepthwiseKernelGradient } from "../../../src/kernels/simd/depthwise-kernel-gradient.js";
import { depthwiseKernels } from "../../../src/kernels/simd/depthwise-kernels.js";
import { PANEL_VECTORS, singles } from "../../../src/kernels/simd/lanes.js";
import { type Window2D, window2D } from "../../../src/kernels/window.js";
import { type Tensor, tensorOf, zeros } from "../../../src/tensor/tensor.js";
import { assertSameBits, fill, nameOf, seedValues } from "../support.js";

const accumulations: readonly Accumulate[] = ["float64", "float32"];
const executions: readonly OwnedExecution[] = accumulations.flatMap((accumulate) =>
  [1, 2, 3].map((threads) => createExecution({ threads, accumulate, kernel: "simd" })),
);
after(() => executions.forEach((execution) => execution.close()));

/** Asserts the bits of the naive loops in all three products, on all threads and in panels of every width. */
function assertNaiveBits(x: Tensor, kernel: Tensor, bias: Tensor | undefined, dy: Tensor, window: Window2D): void {
  for (const accumulate of accumulations) {
    const y = depthwiseConv2DNaive(x, kernel, bias, window, accumulate);
    const dKernel = depthwiseConv2DKernelGradientNaive(x, dy, window, accumulate);
    const dx = depthwiseConv2DInputGradientNaive(dy, kernel, window, accumulate);
    for (const execution of executions.filter((each) => each.accumulate === accumulate)) {
      const how = nameOf(execution);
      assertSameBits(depthwiseConv2DInputGradient(dy, kernel, window, execution), dx, `dx, ${how}`);
      for (const vectors of PANEL_VECTORS) {
        const what = `${how}, ${vectors} vectors`;
        assertSameBits(simdDepthwise(x, kernel, bias, window, execution, vectors), y, `y, ${what}`);
        assertSameBits(simdDepthwiseKernelGradient(x, dy, window, execution, vectors), dKernel, `dKernel, ${what}`);
        const fast = simdDepthwiseInputGradient(dy, kernel, window, execution, vectors);
        assert.equal(fast !== undefined, kernel.data.every(Number.isFinite), what);
        if (fast !== undefined) assertSameBits(fast, dx, `dx, ${what}`);
      }
    }
  }
}

const pair = (min: number, max: number): fc.Arbitrary<[number, number]> =>
  fc.tuple(fc.integer({ min, max }), fc.integer({ min, max }));

const windows = fc
  .record({
    image: fc.tuple(fc.integer({ min: 5, max: 7 }), fc.integer({ min: 8, max: 12 })),
    kernelSize: pair(1, 4),
    strides: pair(1, 3),
    dilationRate: fc.tuple(fc.constant(1), fc.integer({ min: 1, max: 2 })),
    padding: fc.constantFrom("same" as const, "valid" as const),
  })
  .map((w) => window2D(w.image, w.kernelSize, w.strides, w.padding, w.dilationRate));

describe("depthwise convolution on the vector unit", () => {
  it("has the bits of the naive loops in all three products, for any window, multiplier and values, in panels of every width", () => {
    const cases = fc.record({
      window: windows,
      batch: fc.integer({ min: 1, max: 3 }),
      channels: fc.integer({ min: 1, max: 23 }),
      multiplier: fc.constantFrom(1, 1, 2, 3),
      xSeeds: seedValues,
      kernelSeeds: seedValues,
      dySeeds: seedValues,
      biased: fc.boolean(),
    });
    fc.assert(
      fc.property(cases, ({ window, batch, channels, multiplier, xSeeds, kernelSeeds, dySeeds, biased }) => {
        const { inputHeight, inputWidth, kernelHeight, kernelWidth, outputHeight, outputWidth } = window;
        const x = fill(xSeeds, [batch, inputHeight, inputWidth, channels], "float32");
        const kernel = fill(kernelSeeds, [kernelHeight, kernelWidth, channels, multiplier], "float32");
        const dy = fill(dySeeds, [batch, outputHeight, outputWidth, channels * multiplier], "float32");
        const bias = biased ? fill(dySeeds, [channels * multiplier], "float32") : undefined;
        assertNaiveBits(x, kernel, bias, dy, window);
      }),
      { numRuns: 30 },
    );
  });

  it("has them with whole vectors of channels and finite kernels, whose pixels are read where they lie", () => {
    const cases = fc.record({
      window: windows,
      batch: fc.integer({ min: 1, max: 3 }),
      vectors: fc.integer({ min: 1, max: 9 }),
      multiplier: fc.constantFrom(1, 1, 2),
      xSeeds: seedValues,
      kernelSeeds: fc.array(fc.double({ min: -8, max: 8, noNaN: true }), { minLength: 1, maxLength: 17 }),
      biased: fc.boolean(),
    });
    fc.assert(
      fc.property(cases, ({ window, batch, vectors, multiplier, xSeeds, kernelSeeds, biased }) => {
        const { inputHeight, inputWidth, kernelHeight, kernelWidth, outputHeight, outputWidth } = window;
        const channels = 4 * vectors;
        const x = fill(xSeeds, [batch, inputHeight, inputWidth, channels], "float32");
        const kernel = fill(kernelSeeds, [kernelHeight, kernelWidth, channels, multiplier], "float32");
        const dy = fill(xSeeds.toReversed(), [batch, outputHeight, outputWidth, channels * multiplier], "float32");
        const bias = biased ? fill(kernelSeeds, [channels * multiplier], "float32") : undefined;
        assertNaiveBits(x, kernel, bias, dy, window);
      }),
      { numRuns: 20 },
    );
  });

  // [what is reached, batch, image, channels, strides]
  const large = [
    ["several whole panels and a part of one", 2, [5, 6], 63, [1, 1]],
    ["many rows", 1, [61, 20], 29, [1, 1]],
    ["more channels than the lines of some outputs may have in the cache", 1, [3, 300], 150, [1, 1]],
    ["lines of which every second column is read in several parts", 1, [3, 67], 64, [1, 2]],
    ["one channel", 3, [4, 5], 1, [1, 1]],
    ["more filters than the first cache holds", 1, [4, 5], 1040, [1, 2]],
    ["phases of which some have a row and a column less than others", 2, [9, 11], 16, [2, 2]],
    ["phases that share lines packed in panels", 2, [9, 11], 23, [2, 3]],
    ["inputs that no output sees", 1, [9, 11], 16, [4, 3]],
  ] as const;
  for (const [what, batch, image, channels, strides] of large) {
    it(`has the bits of the naive loops with ${what}`, () => {
      const window = window2D(image, [3, 2], strides, "same", [1, 1]);
      const x = fill([0.7, -1.3, 2.9, 0.1, -0.4], [batch, ...image, channels], "float32");
      const kernel = fill([0.3, -1.1, 0.8], [3, 2, channels, 1], "float32");
      const dyShape = [batch, window.outputHeight, window.outputWidth, channels];
      const dy = fill([1.1, -0.6, 0.3, -2.2, 1.7, 0.9, -3.1], dyShape, "float32");
      assertNaiveBits(x, kernel, undefined, dy, window);
    });
  }

  it("has them where a weight at the border is infinite, and channels are whole vectors", () => {
    const window = window2D([5, 6], [3, 3], [1, 1], "same", [1, 1]);
    const x = fill([0.7, -1.3, 2.9], [2, 5, 6, 8], "float32");
    const kernel = fill([0.3, -1.1], [3, 3, 8, 1], "float32");
    kernel.data[2] = Number.NEGATIVE_INFINITY; // of tap (0, 0)
    assertNaiveBits(x, kernel, undefined, fill([1.1, -0.6], [2, 5, 6, 8], "float32"), window);
  });

  it("multiplies the zeros of every border in the gradient for the kernel, where pixels are read where they lie", () => {
    const window = window2D([5, 6], [3, 3], [1, 1], "same", [1, 1]);
    const [channels, at] = [8, 5];
    const x = fill([0.7, -1.3, 2.9], [2, 5, 6, channels], "float32");
    const kernel = fill([0.3, -1.1], [3, 3, channels, 1], "float32");
    for (const [oh, ow, taps] of [
      [0, 2, [0, 1, 2]], // what it sees of the padding
      [4, 3, [6, 7, 8]],
      [2, 0, [0, 3, 6]],
      [2, 5, [2, 5, 8]],
      [4, 5, [2, 5, 6, 7, 8]],
    ] as const) {
      const dy = fill([1.1, -0.6], [2, 5, 6, channels], "float32");
      dy.set(1, oh, ow, at, Number.POSITIVE_INFINITY);
      assertNaiveBits(x, kernel, undefined, dy, window);
      const execution = executions[3];
      const dKernel = simdDepthwiseKernelGradient(x, dy, window, execution).data;
      const ofChannel = Array.from({ length: 9 }, (_, tap) => tap).filter((tap) =>
        Number.isNaN(dKernel[tap * channels + at]),
      );
      assert.deepEqual([execution.accumulate, ofChannel], ["float32", taps]);
      assert.equal(dKernel.filter(Number.isNaN).length, taps.length);
    }
  });

  it("has them where several rows, and several columns, see the same padding", () => {
    const window = window2D([9, 11], [3, 3], [1, 1], "same", [2, 3]);
    for (const channels of [16, 23]) {
      const x = fill([0.7, -1.3, 2.9], [2, 9, 11, channels], "float32");
      const kernel = fill([0.3, -1.1], [3, 3, channels, 1], "float32");
      assertNaiveBits(x, kernel, undefined, fill([1.1, -0.6, 0.3], [2, 9, 11, channels], "float32"), window);
    }
  });

  it("gives zeros as gradient for an input that no output sees", () => {
    const window = window2D([1, 1], [2, 2], [2, 2], "same", [2, 2]);
    for (const channels of [3, 8]) {
      const kernel = fill([0.3, -1.1], [2, 2, channels, 1], "float32");
      const dy = fill([1.1, -0.6], [2, 1, 1, channels], "float32");
      assertNaiveBits(fill([0.7], [2, 1, 1, channels], "float32"), kernel, undefined, dy, window);
      for (const execution of executions) {
        const dx = simdDepthwiseInputGradient(dy, kernel, window, execution);
        assert.deepEqual([...(dx?.data ?? [])], new Array(2 * channels).fill(0), nameOf(execution));
      }
    }
  });

  it("multiplies the zeros of the padding, forward and in the gradient for the kernel, but not in that for the input", () => {
    const window = window2D([3, 4], [3, 3], [1, 1], "same", [1, 1]);
    const x = tensorOf(new Array(12).fill(1), [1, 3, 4, 1]);
    const kernel = tensorOf([Number.POSITIVE_INFINITY, 1, 1, 1, 1, 1, 1, 1, 1], [3, 3, 1, 1]);
    const dy = zeros([1, 3, 4, 1], "float32");
    dy.set(0, 0, 0, 0, Number.NEGATIVE_INFINITY);
    for (const execution of executions) {
      const y = simdDepthwise(x, kernel, undefined, window, execution);
      assert.deepEqual(
        [y.get(0, 0, 0, 0), y.get(0, 1, 1, 0)],
        [Number.NaN, Number.POSITIVE_INFINITY],
        nameOf(execution),
      );
      const dKernel = simdDepthwiseKernelGradient(x, dy, window, execution);
      assert.deepEqual([dKernel.get(0, 1, 0, 0), dKernel.get(1, 1, 0, 0)], [Number.NaN, Number.NEGATIVE_INFINITY]);
      const ones = tensorOf(new Array(12).fill(1), [1, 3, 4, 1]);
      const dx = depthwiseConv2DInputGradient(ones, kernel, window, execution);
      assert.deepEqual([dx.get(0, 2, 3, 0), dx.get(0, 0, 0, 0)], [4, Number.POSITIVE_INFINITY]);
    }
  });
});

describe("isDepthwise", () => {
  it("is for groups of one channel with few filters, of which there are several", () => {
    assert.deepEqual([isDepthwise(6, 1, 1), isDepthwise(6, 1, 4)], [true, true]);
    assert.deepEqual([isDepthwise(1, 1, 1), isDepthwise(6, 2, 1), isDepthwise(6, 1, 5)], [false, false, false]);
  });
});

describe("depthwiseKernels", () => {
  it("rejects a number of vectors that there is no kernel for", () => {
    assert.throws(() => depthwiseKernels(singles, 3), {
      name: "Error",
      message: "internal: simd: no panel is 3 vectors wide.",
    });
  });
});
