import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import { conv2D, conv2DNaive } from "../../../src/kernels/conv2d.js";
import { conv2DInputGradient, conv2DInputGradientNaive } from "../../../src/kernels/conv2d-gradients.js";
import { createExecution, NO_VALUES, type OwnedExecution } from "../../../src/kernels/execution.js";
import type { Accumulate } from "../../../src/kernels/rounding.js";
import type { Convolution } from "../../../src/kernels/simd/convolve.js";
import { convolveFewFilters } from "../../../src/kernels/simd/few-filters.js";
import { panelVectors } from "../../../src/kernels/simd/wide.js";
import { window2D } from "../../../src/kernels/window.js";
import { sharedHeap } from "../../../src/tensor/heap.js";
import { type Tensor, tensorOf, zeros } from "../../../src/tensor/tensor.js";
import { assertSameBits, fill, nameOf, seedValues, withWideVectors } from "../support.js";

const accumulations: readonly Accumulate[] = ["float64", "float32"];
const executions: readonly OwnedExecution[] = accumulations.flatMap((accumulate) =>
  [1, 2, 3].map((threads) => createExecution({ threads, accumulate, kernel: "simd" })),
);
after(() => executions.forEach((execution) => execution.close()));

/** A convolution of `x` [1, H, W, C] with a kernel [kH, kW, C, F] as these kernels are given it, into `y`. */
function convolutionOf(x: Tensor, kernel: Tensor, y: Tensor): Convolution {
  const [batch, height, width, channels] = x.shape;
  const [kernelHeight, kernelWidth, , columns] = kernel.shape;
  const [, outputHeight, outputWidth] = y.shape;
  const depth = kernelWidth * channels;
  return {
    images: x.data,
    kernel: kernel.data,
    ...{ batch, channels, bias: NO_VALUES, isFinite: () => true },
    window: window2D([height, width], [kernelHeight, kernelWidth], [1, 1], "valid", [1, 1]),
    right: {
      ...{ offset: 0, groups: 1, groupStride: columns, columns, columnStride: 1, inner: 1, innerStride: 0 },
      ...{ outer: kernelHeight, outerStride: depth * columns, depth, depthStride: columns },
    },
    result: {
      data: y.data,
      ...{ offset: 0, image: outputHeight * outputWidth * columns, line: outputWidth * columns, position: columns },
    },
  };
}

describe("convolutions with few filters on the vector unit", () => {
  it("have the bits of the naive loops, forward and for an input of few channels, for any window, groups and values", () => {
    const cases = fc.record({
      image: fc.tuple(fc.integer({ min: 3, max: 7 }), fc.integer({ min: 8, max: 37 })),
      kernelSize: fc.constantFrom<[number, number]>([1, 2], [3, 3], [2, 3], [4, 1], [1, 5]),
      strides: fc.constantFrom<[number, number]>([1, 1], [1, 1], [2, 2], [3, 1], [1, 3]),
      dilationRate: fc.constantFrom<[number, number]>([1, 1], [2, 1], [1, 2]),
      batch: fc.integer({ min: 1, max: 3 }),
      groups: fc.constantFrom(1, 1, 1, 2),
      channels: fc.integer({ min: 1, max: 9 }),
      filters: fc.integer({ min: 1, max: 4 }),
      biased: fc.boolean(),
      xSeeds: seedValues,
      kernelSeeds: seedValues,
    });
    fc.assert(
      fc.property(cases, ({ image, kernelSize, strides, dilationRate, batch, groups, biased, ...rest }) => {
        const window = window2D(image, kernelSize, strides, "same", dilationRate);
        const [many, few] = [rest.channels * groups, rest.filters * groups];
        const x = fill(rest.xSeeds, [batch, ...image, many], "float32");
        const kernel = fill(rest.kernelSeeds, [...kernelSize, rest.channels, few], "float32");
        const bias = biased ? fill(rest.xSeeds, [few], "float32") : undefined;
        const back = fill(rest.kernelSeeds, [...kernelSize, rest.filters, many], "float32");
        const dy = fill(rest.xSeeds, [batch, window.outputHeight, window.outputWidth, many], "float32");
        for (const accumulate of accumulations) {
          const y = conv2DNaive(x, kernel, bias, window, groups, accumulate);
          const dx = conv2DInputGradientNaive(dy, back, window, groups, accumulate);
          withWideVectors(() => {
            for (const execution of executions.filter((each) => each.accumulate === accumulate)) {
              const how = nameOf(execution);
              assertSameBits(conv2D(x, kernel, bias, window, groups, execution), y, `y, ${how}`);
              assertSameBits(conv2DInputGradient(dy, back, window, groups, execution), dx, `dx, ${how}`);
            }
          });
        }
      }),
      { numRuns: 60 },
    );
  });

  it("compute a sum by hand, and keep no memory", () => {
    const before = sharedHeap().used;
    const x = tensorOf([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [1, 1, 10, 1]);
    const kernel = tensorOf([1, 10, 2, 20], [1, 2, 1, 2]); // y[ow] = x[ow] + 2 x[ow + 1], and ten times that
    const y = zeros([1, 1, 9, 2], "float32");
    withWideVectors(() => assert.ok(convolveFewFilters(convolutionOf(x, kernel, y), executions[0])));
    const sums = [5, 8, 11, 14, 17, 20, 23, 26, 29];
    assert.deepEqual(
      [...y.data],
      sums.flatMap((sum) => [sum, 10 * sum]),
    );
    assert.equal(sharedHeap().used, before);
  });

  it("leave what they gain nothing for: narrow vectors, one tap, short rows, more filters, something that follows", () => {
    const takes = (width: number, size: readonly [number, number], filters: number, more: object = {}): boolean => {
      const x = fill([1], [1, 3, width, 2], "float32");
      const kernel = fill([1], [...size, 2, filters], "float32");
      const y = zeros([1, 4 - size[0], width + 1 - size[1], filters], "float32");
      return convolveFewFilters({ ...convolutionOf(x, kernel, y), ...more }, executions[0]);
    };
    withWideVectors(() => {
      assert.ok(takes(9, [1, 2], 4));
      assert.ok(!takes(8, [1, 2], 4));
      assert.ok(!takes(9, [1, 1], 4));
      assert.ok(!takes(9, [1, 2], 5));
      assert.ok(!takes(9, [1, 2], 4, { finish: { map: NO_VALUES, addend: NO_VALUES, rectify: true } }));
    });
    if (panelVectors() === 2) assert.ok(!takes(9, [1, 2], 4));
  });
});
