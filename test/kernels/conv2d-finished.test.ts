import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import { conv2DNaive, conv2DFinished } from "../../src/kernels/conv2d.js";
import { serial } from "../../src/kernels/execution.js";
import { type Epilogue, normalizeNaive, type Prologue } from "../../src/kernels/normalize.js";
import type { Accumulate } from "../../src/kernels/rounding.js";
import { sumTensorsNaive } from "../../src/kernels/sum-tensors.js";
import { type Window2D, window2D } from "../../src/kernels/window.js";
import { type Tensor, tensor, tensorOf } from "../../src/tensor/tensor.js";
import { assertSameBits, dtypes, fastExecutions, fill, mapOf, nameOf, seedValues } from "./support.js";

const { executions, closeAll } = fastExecutions();
after(closeAll);

/** What follows a convolution, by the naive loops. */
function finishNaive(y: Tensor, { map, addend, rectify }: Epilogue, accumulate: Accumulate): Tensor {
  if (map !== undefined) return normalizeNaive(y, map, { addend, rectify }, accumulate);
  const sum = addend === undefined ? y : sumTensorsNaive([y, addend], { start: -0 });
  return rectify === true
    ? tensor(
        sum.data.map((v) => (v > 0 || Number.isNaN(v) ? v : 0)),
        sum.shape,
      )
    : sum;
}

/** Asserts the bits of the naive loops, one after another, on every path. */
function assertBitsApart(
  x: Tensor,
  kernel: Tensor,
  bias: Tensor | undefined,
  window: Window2D,
  groups: number,
  epilogue: Epilogue & { readonly prologue?: Prologue | undefined },
): void {
  const { prologue } = epilogue;
  for (const execution of executions) {
    const { accumulate } = execution;
    const read =
      prologue === undefined ? x : normalizeNaive(x, prologue.map, { rectify: prologue.rectify }, accumulate);
    const convolved = conv2DNaive(read, kernel, bias, window, groups, accumulate);
    const expected = finishNaive(convolved, epilogue, accumulate);
    const actual = conv2DFinished(x, kernel, bias, window, groups, epilogue, execution);
    assertSameBits(actual, expected, nameOf(execution));
  }
}

describe("conv2DFinished", () => {
  it("has the bits of the convolution and of what follows, apart, for any window, groups and values", () => {
    const cases = fc.record({
      batch: fc.integer({ min: 1, max: 3 }),
      kernelSize: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 4 })),
      stride: fc.integer({ min: 1, max: 2 }),
      padding: fc.constantFrom("same" as const, "valid" as const),
      groups: fc.constantFrom(1, 1, 2),
      channels: fc.integer({ min: 1, max: 5 }),
      filters: fc.oneof(
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 9 }).map((n) => 4 * n),
      ),
      dtype: dtypes,
      seeds: fc.tuple(seedValues, seedValues, seedValues),
      normalizes: fc.boolean(),
      adds: fc.boolean(),
      rectify: fc.boolean(),
      prepares: fc.boolean(),
    });
    fc.assert(
      fc.property(cases, ({ batch, kernelSize, stride, padding, groups, channels, filters, dtype, seeds, ...rest }) => {
        const window = window2D([6, 8], kernelSize, [stride, stride], padding, [1, 1]);
        const prologue = rest.prepares ? { map: mapOf(groups * channels, seeds[1]), rectify: rest.adds } : undefined;
        const x = fill(seeds[0], [batch, 6, 8, groups * channels], dtype);
        const kernel = fill(seeds[1], [...kernelSize, channels, groups * filters], dtype);
        const yShape = [batch, window.outputHeight, window.outputWidth, groups * filters];
        const addend = rest.adds ? fill(seeds[2], yShape, dtype) : undefined;
        const map = rest.normalizes ? mapOf(groups * filters, seeds[2]) : undefined;
        assertBitsApart(x, kernel, undefined, window, groups, { prologue, map, addend, rectify: rest.rectify });
      }),
      { numRuns: 60 },
    );
  });

  it("has them where a tile normalizes the pixels that it reads, whatever is left out between them", () => {
    const cases = fc.record({
      batch: fc.integer({ min: 1, max: 3 }),
      image: fc.uniqueArray(fc.integer({ min: 3, max: 37 }), { minLength: 2, maxLength: 2 }),
      strides: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
      padding: fc.constantFrom("same" as const, "valid" as const),
      vectors: fc.integer({ min: 1, max: 5 }),
      filters: fc.constantFrom(1, 6, 8, 300),
      seeds: fc.tuple(seedValues, seedValues, seedValues),
      normalizes: fc.boolean(),
      rectify: fc.boolean(),
    });
    fc.assert(
      fc.property(cases, ({ batch, image: [height, width], strides, padding, vectors, filters, seeds, ...rest }) => {
        const window = window2D([height, width], [1, 1], strides, padding, [1, 1]);
        const x = fill(seeds[0], [batch, height, width, 4 * vectors], "float32");
        const kernel = fill(seeds[1], [1, 1, 4 * vectors, filters], "float32");
        const prologue = { map: mapOf(4 * vectors, seeds[2]), rectify: rest.rectify };
        const map = rest.normalizes ? mapOf(filters, seeds[1]) : undefined;
        assertBitsApart(x, kernel, undefined, window, 1, { prologue, map });
      }),
      { numRuns: 20 },
    );
  });

  for (const [kernelSize, groups] of [
    [[3, 1], 1],
    [[1, 2], 1],
    [[1, 1], 2],
  ] as const) {
    it(`has them where [${kernelSize.join(", ")}] pixels of ${groups} groups are read, and normalized before`, () => {
      const window = window2D([5, 7], kernelSize, [1, 1], "same", [1, 1]);
      const x = fill([0.7, -1.3, 2.9, 0.1, -0.4], [2, 5, 7, 8 * groups], "float32");
      const kernel = fill([1.1, -0.6, 0.3], [...kernelSize, 8, 4 * groups], "float32");
      const prologue = { map: mapOf(8 * groups, [0.3, -1.9, 0.8]), rectify: false };
      assertBitsApart(x, kernel, undefined, window, groups, { prologue });
    });
  }

  // [what is reached, batch, image, channels, filters, kernel]
  const large = [
    ["many tiles, which begin and end within images", 3, [37, 29], 3, 12, [3, 3]],
    ["panels side by side, which are packed once for many tiles", 2, [41, 23], 3, 56, [3, 1]],
    ["tiles that have a part of the channels", 1, [2, 3], 5, 516, [1, 1]],
    ["one depthwise filter for each channel", 2, [5, 7], 1, 1, [3, 2]],
  ] as const;
  for (const [what, batch, image, channels, filters, kernelSize] of large) {
    it(`has them with ${what}`, () => {
      const groups = filters === 1 ? 8 : 1;
      const window = window2D(image, kernelSize, [1, 1], "same", [1, 1]);
      const x = fill([0.7, -1.3, 2.9, 0.1, -0.4], [batch, ...image, groups * channels], "float32");
      const kernel = fill([1.1, -0.6, 0.3], [...kernelSize, channels, groups * filters], "float32");
      const bias = fill([-0.2, 0.9], [groups * filters], "float32");
      const addend = fill([0.8, -2.2, 1.7, -0.5], [batch, ...image, groups * filters], "float32");
      const map = mapOf(groups * filters, [0.3, -1.9, 0.8]);
      assertBitsApart(x, kernel, bias, window, groups, { map, addend, rectify: true });
      assertBitsApart(x, kernel, bias, window, groups, { addend, rectify: true });
    });
  }

  it("rejects an addend of another shape or type", () => {
    const window = window2D([1, 2], [1, 1], [1, 1], "same", [1, 1]);
    const [x, kernel] = [tensorOf([1, 2], [1, 1, 2, 1]), tensorOf([3], [1, 1, 1, 1])];
    const run = (addend: Tensor): Tensor => conv2DFinished(x, kernel, undefined, window, 1, { addend }, serial);
    assert.throws(() => run(tensorOf([1, 2], [1, 2, 1, 1])), {
      message: "internal: conv2D: `addend` must have shape [1, 1, 2, 1]. Received addend.shape=[1, 2, 1, 1].",
    });
    assert.throws(() => run(tensorOf([1, 2], [1, 1, 2, 1], "float64")), {
      name: "TypeError",
      message: "conv2D: all tensors must have one element type. Received float32, float64.",
    });
  });
});
