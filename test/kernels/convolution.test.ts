import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import { conv2D, conv2DNaive } from "../../src/kernels/conv2d.js";
import { conv2DGradients, conv2DWeightGradients } from "../../src/kernels/conv2d-backward.js";
import {
  conv2DInputGradient,
  conv2DInputGradientNaive,
  conv2DKernelGradient,
  conv2DKernelGradientNaive,
} from "../../src/kernels/conv2d-gradients.js";
import {
  depthwiseConv2D,
  depthwiseConv2DInputGradient,
  depthwiseConv2DInputGradientNaive,
  depthwiseConv2DKernelGradient,
  depthwiseConv2DKernelGradientNaive,
  depthwiseConv2DNaive,
} from "../../src/kernels/depthwise.js";
import { createExecution, serial } from "../../src/kernels/execution.js";
import { columnSumsNaive } from "../../src/kernels/reduce.js";
import { type Pair, type Window2D, window2D } from "../../src/kernels/window.js";
import { sharedHeap } from "../../src/tensor/heap.js";
import { contiguous, type Tensor, tensorOf } from "../../src/tensor/tensor.js";
import { assertSameBits, dtypes, fastExecutions, fill, nameOf, seedValues } from "./support.js";

const { executions, closeAll } = fastExecutions();
after(closeAll);

const pair = (min: number, max: number): fc.Arbitrary<Pair> =>
  fc.tuple(fc.integer({ min, max }), fc.integer({ min, max }));

/** Windows with distinct height and width: any stride and dilation, asymmetric SAME padding included. */
const windows: fc.Arbitrary<Window2D> = fc
  .record({
    inputHeight: fc.integer({ min: 7, max: 9 }),
    inputWidth: fc.integer({ min: 10, max: 12 }),
    kernelSize: pair(1, 4),
    strides: pair(1, 3),
    padding: fc.constantFrom("same" as const, "valid" as const),
    dilationRate: pair(1, 2),
  })
  .map((w) => window2D([w.inputHeight, w.inputWidth], w.kernelSize, w.strides, w.padding, w.dilationRate));

const small = fc.integer({ min: 1, max: 4 });
const cases = fc.record({
  window: windows,
  batch: fc.integer({ min: 1, max: 3 }),
  groups: fc.integer({ min: 1, max: 3 }),
  channels: small,
  filters: small,
  xSeeds: seedValues,
  kernelSeeds: seedValues,
  dySeeds: seedValues,
  biased: fc.boolean(),
  dtype: dtypes,
});

/** Asserts that all products of a convolution have the bits of their naive loops, however they are run. */
function assertFastIsNaive(
  x: Tensor,
  kernel: Tensor,
  bias: Tensor | undefined,
  dy: Tensor,
  window: Window2D,
  groups: number,
): void {
  for (const execution of executions) {
    const { accumulate } = execution;
    const how = nameOf(execution);
    const y = conv2DNaive(x, kernel, bias, window, groups, accumulate);
    assertSameBits(conv2D(x, kernel, bias, window, groups, execution), y, `y, ${how}`);
    const dKernel = conv2DKernelGradientNaive(x, dy, window, groups, accumulate);
    assertSameBits(conv2DKernelGradient(x, dy, window, groups, execution), dKernel, `dKernel, ${how}`);
    const dx = conv2DInputGradientNaive(dy, kernel, window, groups, accumulate);
    assertSameBits(conv2DInputGradient(dy, kernel, window, groups, execution), dx, `dx, ${how}`);
    const both = conv2DGradients(x, dy, kernel, window, groups, execution);
    assertSameBits(both.dKernel, dKernel, `dKernel beside dx, ${how}`);
    assertSameBits(both.dx, dx, `dx beside dKernel, ${how}`);
    const alone = conv2DWeightGradients(x, dy, window, groups, execution);
    assertSameBits(alone.dKernel, dKernel, `dKernel beside dBias, ${how}`);
    assertSameBits(alone.dBias, both.dBias, `dBias beside dKernel, ${how}`);
    const rows = dy.size / dy.shape[3];
    const dBias = columnSumsNaive(contiguous(dy).data, rows, dy.shape[3], accumulate);
    assert.deepEqual(
      both.dBias.data,
      both.dBias.data.map((_, c) => dBias[c]),
      `dBias beside both, ${how}`,
    );
  }
}

describe("conv2D", () => {
  const window = window2D([3, 3], [2, 2], [1, 1], "valid", [1, 1]);
  const x = tensorOf([1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 3, 3, 1]);
  const kernel = tensorOf([1, 10, 100, 1000], [2, 2, 1, 1]);

  it("weighs every 2 x 2 patch of a 3 x 3 image, without flipping the kernel, and adds the bias", () => {
    const y = conv2D(x, kernel, tensorOf([0.5], [1]), window, 1, serial);
    assert.deepEqual(Array.from(y.data), [5421.5, 6532.5, 8754.5, 9865.5]);
  });

  it("sends gradients back through the same taps", () => {
    const dy = tensorOf([1, 0, 0, 2], [1, 2, 2, 1]);
    const dx = conv2DInputGradient(dy, kernel, window, 1, serial);
    assert.deepEqual(Array.from(dx.data), [1, 10, 0, 100, 1002, 20, 0, 200, 2000]);
    const dKernel = conv2DKernelGradient(x, dy, window, 1, serial);
    assert.deepEqual(Array.from(dKernel.data), [1 + 10, 2 + 12, 4 + 16, 5 + 18]);
  });

  it("multiplies the zeros of the padding: an infinite weight there gives NaN", () => {
    const same = window2D([3, 3], [2, 2], [1, 1], "same", [1, 1]); // pads below and to the right
    const infinite = tensorOf([1, 1, 1, Number.POSITIVE_INFINITY], [2, 2, 1, 1]);
    for (const execution of executions) {
      const y = conv2D(x, infinite, undefined, same, 1, execution).data;
      assert.deepEqual([y[0], y[4], y[8]], [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, Number.NaN]);
    }
  });

  it("adds no term to dx for outputs that do not exist: an infinite weight there changes nothing", () => {
    const infinite = tensorOf([1, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 1], [2, 2, 1, 1]);
    const dy = tensorOf([1, 1, 1, 1], [1, 2, 2, 1]);
    for (const execution of executions) {
      const dx = conv2DInputGradient(dy, infinite, window, 1, execution).data;
      assert.deepEqual([dx[0], dx[8]], [1, 1], nameOf(execution));
      const both = conv2DGradients(x, dy, infinite, window, 1, execution);
      assert.deepEqual(both.dx.data, dx, nameOf(execution));
      assertSameBits(both.dKernel, conv2DKernelGradient(x, dy, window, 1, serial), nameOf(execution));
    }
  });

  it("gives inputs that no window sees the gradient +0", () => {
    const skipping = window2D([5, 4], [1, 1], [2, 2], "valid", [1, 1]);
    const dy = tensorOf(new Array(6).fill(-1), [1, 3, 2, 1]);
    for (const execution of executions) {
      const dx = conv2DInputGradient(dy, tensorOf([0], [1, 1, 1, 1]), skipping, 1, execution);
      assert.ok(Object.is(dx.get(0, 1, 1, 0), 0), nameOf(execution));
    }
  });

  it("has the bits of the naive loops in all three products, for any window, groups and values", () => {
    fc.assert(
      fc.property(
        cases,
        ({ window, batch, groups, channels, filters, xSeeds, kernelSeeds, dySeeds, biased, dtype }) => {
          const { inputHeight, inputWidth, kernelHeight, kernelWidth, outputHeight, outputWidth } = window;
          const inC = channels * groups;
          const outC = filters * groups;
          // views: channels first in memory, and a slice of a larger kernel
          const x = fill(xSeeds, [batch, inC, inputHeight, inputWidth], dtype).transpose(0, 2, 3, 1);
          const kernel = fill(kernelSeeds, [kernelHeight, kernelWidth, channels + 1, outC], dtype).lo(0, 0, 1, 0);
          const dy = fill(dySeeds, [outputHeight, batch, outputWidth, outC], dtype).transpose(1, 0, 2, 3);
          assertFastIsNaive(x, kernel, biased ? fill(dySeeds, [outC], dtype) : undefined, dy, window, groups);
        },
      ),
    );
  });

  it("has the bits of the naive loops where rows, columns and depth each take more than one block", () => {
    // 9 taps x 30 channels > DEPTH; 130 filters > COLUMNS; 2 x 7 x 8 positions > ROWS; taps x 130 > DEPTH for dx
    const wide = window2D([7, 8], [3, 3], [1, 1], "same", [1, 1]);
    const seeds = [1.1, -2.3, 0.7, 1e-40, -5.9, 3.3, -0];
    const x = fill(seeds, [2, 7, 8, 30], "float32");
    const kernel = fill([0.3, -1.7, 2.9, 4.1, -0.01], [3, 3, 30, 130], "float32");
    assertFastIsNaive(x, kernel, undefined, fill(seeds, [2, 7, 8, 130], "float32"), wide, 1);
  });

  it("sums more positions than one piece holds for the kernel's gradient, and more filters for the input's", () => {
    const pointwise = window2D([17, 18], [1, 1], [1, 1], "valid", [1, 1]); // 306 positions > DEPTH
    const seeds = [1.1, -2.3, 0.7, -5.9, 3.3];
    const x = fill(seeds, [1, 17, 18, 2], "float32");
    const kernel = fill([0.3, -1.7, 2.9], [1, 1, 2, 259], "float32"); // 259 filters > DEPTH
    assertFastIsNaive(x, kernel, undefined, fill(seeds, [1, 17, 18, 259], "float32"), pointwise, 1);
  });

  it("takes no memory for the padding where dilation goes far beyond the image", () => {
    const far = window2D([3, 4], [3, 2], [1, 1], "same", [700, 1100]);
    const [x, kernel, dy] = [
      fill([1.5, -0.7], [2, 3, 4, 5], "float32"),
      fill([0.3, 2.1, -1], [3, 2, 5, 6], "float32"),
      fill([1, -2.5], [2, 3, 4, 6], "float32"),
    ];
    const before = sharedHeap().peak;
    assertFastIsNaive(x, kernel, undefined, dy, far, 1);
    const own = fill([0.3, 2.1, -1], [3, 2, 5, 1], "float32");
    for (const execution of executions) {
      const y = depthwiseConv2DNaive(x, own, undefined, far, execution.accumulate);
      assertSameBits(depthwiseConv2D(x, own, undefined, far, execution), y, nameOf(execution));
    }
    assert.ok(sharedHeap().peak - before < 2 ** 20, `${sharedHeap().peak - before} bytes`);
  });

  it("gives an empty batch an empty result", () => {
    assert.deepEqual(conv2D(tensorOf([], [0, 3, 3, 1]), kernel, undefined, window, 1, serial).shape, [0, 2, 2, 1]);
  });

  it("rejects what does not fit the window, the groups or the other tensors", () => {
    const wrong = tensorOf([1, 2, 3, 4], [1, 2, 2, 1]);
    const errors: [() => unknown, string][] = [
      [
        () => conv2D(wrong, kernel, undefined, window, 1, serial),
        "internal: conv2D: `x` must have shape [1, 3, 3, 1]. Received x.shape=[1, 2, 2, 1].",
      ],
      [
        () => conv2D(tensorOf(new Array(18).fill(1), [1, 3, 3, 2]), kernel, undefined, window, 2, serial),
        "internal: conv2D: 2 groups must divide 1 filters.",
      ],
      [
        () => conv2DKernelGradient(x, x, window, 1, serial),
        "internal: conv2DKernelGradient: `dy` must have shape [1, 2, 2, 1]. Received dy.shape=[1, 3, 3, 1].",
      ],
      [
        () => conv2DKernelGradient(x, wrong, window, 2, serial),
        "internal: conv2DKernelGradient: 2 groups must divide 1 channels and 1 filters.",
      ],
      [
        () => conv2DInputGradient(x, kernel, window, 1, serial),
        "internal: conv2DInputGradient: `dy` must have shape [1, 2, 2, 1]. Received dy.shape=[1, 3, 3, 1].",
      ],
      [
        () => conv2DInputGradient(wrong, kernel, window, 2, serial),
        "internal: conv2DInputGradient: 2 groups must divide 1 filters.",
      ],
    ];
    for (const [call, message] of errors) assert.throws(call, { name: "Error", message });
  });
});

describe("depthwiseConv2D", () => {
  const window = window2D([2, 2], [2, 1], [1, 1], "valid", [1, 1]);
  const x = tensorOf([1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 2, 2]);
  const kernel = tensorOf([1, 10, 2, 20, 100, 0, 200, 0], [2, 1, 2, 2]); // [kH, kW, C, M]

  it("gives every channel its own filters, in the order channel, then filter", () => {
    const y = depthwiseConv2D(x, kernel, tensorOf([0, 0, 0, 0.5], [4]), window, serial);
    assert.deepEqual(Array.from(y.data), [501, 10, 1204, 40.5, 703, 30, 1608, 80.5]);
  });

  it("has the bits of the naive loops in all three products, for any window, multiplier and values", () => {
    fc.assert(
      fc.property(cases, ({ window, batch, channels, filters, xSeeds, kernelSeeds, dySeeds, biased, dtype }) => {
        const { inputHeight, inputWidth, kernelHeight, kernelWidth, outputHeight, outputWidth } = window;
        const outC = channels * filters;
        const x = fill(xSeeds, [batch, channels, inputHeight, inputWidth], dtype).transpose(0, 2, 3, 1);
        const kernel = fill(kernelSeeds, [kernelHeight, kernelWidth, filters, channels], dtype).transpose(0, 1, 3, 2);
        const dy = fill(dySeeds, [batch, outputHeight, outputWidth, outC], dtype);
        const bias = biased ? fill(dySeeds, [outC], dtype) : undefined;
        for (const execution of executions) {
          const { accumulate } = execution;
          const how = nameOf(execution);
          const y = depthwiseConv2DNaive(x, kernel, bias, window, accumulate);
          assertSameBits(depthwiseConv2D(x, kernel, bias, window, execution), y, `y, ${how}`);
          const dKernel = depthwiseConv2DKernelGradientNaive(x, dy, window, accumulate);
          assertSameBits(depthwiseConv2DKernelGradient(x, dy, window, execution), dKernel, `dKernel, ${how}`);
          const dx = depthwiseConv2DInputGradientNaive(dy, kernel, window, accumulate);
          assertSameBits(depthwiseConv2DInputGradient(dy, kernel, window, execution), dx, `dx, ${how}`);
        }
      }),
    );
  });

  it("runs the naive loops when asked to", () => {
    const naive = createExecution({ kernel: "naive" });
    const dy = depthwiseConv2D(x, kernel, undefined, window, naive);
    assertSameBits(dy, depthwiseConv2D(x, kernel, undefined, window, serial), "y");
    const dKernel = depthwiseConv2DKernelGradient(x, dy, window, naive);
    assertSameBits(dKernel, depthwiseConv2DKernelGradient(x, dy, window, serial), "dKernel");
    const dx = depthwiseConv2DInputGradient(dy, kernel, window, naive);
    assertSameBits(dx, depthwiseConv2DInputGradient(dy, kernel, window, serial), "dx");
  });

  it("rejects what does not fit the window or the channels", () => {
    assert.throws(() => depthwiseConv2D(tensorOf([1, 2], [1, 1, 1, 2]), kernel, undefined, window, serial), {
      message: "internal: depthwiseConv2D: `x` must have shape [1, 2, 2, 2]. Received x.shape=[1, 1, 1, 2].",
    });
    const dy = tensorOf(new Array(6).fill(1), [1, 1, 2, 3]);
    assert.throws(() => depthwiseConv2DKernelGradient(x, dy, window, serial), {
      message: "internal: depthwiseConv2D: 2 channels must divide the 3 channels of `dy`.",
    });
    assert.throws(() => depthwiseConv2DInputGradient(dy, kernel, window, serial), {
      message: "internal: depthwiseConv2D: `dy` must have shape [1, 1, 2, 4]. Received dy.shape=[1, 1, 2, 3].",
    });
  });
});
