import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import { conv2DNaive, conv2DNormalized } from "../../src/kernels/conv2d.js";
import { serial } from "../../src/kernels/execution.js";
import { type ChannelMap, normalizeNaive } from "../../src/kernels/normalize.js";
import { type Window2D, window2D } from "../../src/kernels/window.js";
import { type Tensor, tensorOf } from "../../src/tensor/tensor.js";
import { assertSameBits, dtypes, fastExecutions, fill, nameOf, seedValues } from "./support.js";

const { executions, closeAll } = fastExecutions();
after(closeAll);

/** As a map, the numbers of channels that `seeds` give. */
function mapOf(channels: number, seeds: readonly number[]): ChannelMap {
  const [mean, scale, offset] = [seeds, [1.5, -0.3, 2.7], seeds.toReversed()].map((values) =>
    Float64Array.from(fill(values, [channels], "float64").data),
  );
  return { mean, scale, offset };
}

/** Asserts the bits of the naive loops, one after another, on every path. */
function assertBitsApart(
  x: Tensor,
  kernel: Tensor,
  bias: Tensor | undefined,
  window: Window2D,
  groups: number,
  map: ChannelMap,
  addend: Tensor | undefined,
  rectify: boolean,
): void {
  for (const execution of executions) {
    const convolved = conv2DNaive(x, kernel, bias, window, groups, execution.accumulate);
    const expected = normalizeNaive(convolved, map, { addend, rectify });
    const actual = conv2DNormalized(x, kernel, bias, window, groups, map, { addend, rectify }, execution);
    assertSameBits(actual, expected, nameOf(execution));
  }
}

describe("conv2DNormalized", () => {
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
      adds: fc.boolean(),
      rectify: fc.boolean(),
    });
    fc.assert(
      fc.property(cases, ({ batch, kernelSize, stride, padding, groups, channels, filters, dtype, seeds, ...rest }) => {
        const window = window2D([6, 8], kernelSize, [stride, stride], padding, [1, 1]);
        const x = fill(seeds[0], [batch, 6, 8, groups * channels], dtype);
        const kernel = fill(seeds[1], [...kernelSize, channels, groups * filters], dtype);
        const yShape = [batch, window.outputHeight, window.outputWidth, groups * filters];
        const addend = rest.adds ? fill(seeds[2], yShape, dtype) : undefined;
        const map = mapOf(groups * filters, seeds[2]);
        assertBitsApart(x, kernel, undefined, window, groups, map, addend, rest.rectify);
      }),
      { numRuns: 40 },
    );
  });

  // [what is reached, batch, image, channels, filters, kernel]
  const large = [
    ["many tiles, which begin and end within images", 3, [37, 29], 3, 12, [3, 3]],
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
      assertBitsApart(x, kernel, bias, window, groups, map, addend, true);
    });
  }

  it("rejects an addend of another shape or type", () => {
    const window = window2D([1, 2], [1, 1], [1, 1], "same", [1, 1]);
    const [x, kernel] = [tensorOf([1, 2], [1, 1, 2, 1]), tensorOf([3], [1, 1, 1, 1])];
    const run = (addend: Tensor): Tensor =>
      conv2DNormalized(x, kernel, undefined, window, 1, mapOf(1, [1]), { addend }, serial);
    assert.throws(() => run(tensorOf([1, 2], [1, 2, 1, 1])), {
      message: "internal: conv2D: `addend` must have shape [1, 1, 2, 1]. Received addend.shape=[1, 2, 1, 1].",
    });
    assert.throws(() => run(tensorOf([1, 2], [1, 1, 2, 1], "float64")), {
      message: "internal: conv2D: all tensors must have one element type. Received float32, float64.",
    });
  });
});
