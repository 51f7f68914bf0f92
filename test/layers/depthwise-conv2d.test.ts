import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { conv2DForward } from "../../src/layers/conv2d.js";
import { DepthwiseConv2D, depthwiseConv2DBackward, depthwiseConv2DForward } from "../../src/layers/depthwise-conv2d.js";
import { input } from "../../src/layers/input-layer.js";
import { layerFromConfig } from "../../src/layers/registry.js";
import { l1 } from "../../src/regularizers/regularizer.js";
import { reshape, type Tensor, tensorOf } from "../../src/tensor/tensor.js";
import { assertExactGradient, fakeLoss } from "../support/gradients.js";
import { assertGradients, assertRoundTrip, callLayer } from "../support/layers.js";
import {
  assertReadsViews,
  assertSameBits,
  exactTensors,
  floatTensors,
  generate,
  inner,
  permuted,
} from "../support/tensors.js";
import { geometryOf, type WindowCase, windowCases } from "../support/windows.js";

interface Case {
  readonly window: WindowCase;
  readonly x: Tensor;
  readonly kernel: Tensor;
  readonly bias: Tensor;
  readonly dy: Tensor;
}

/** Depthwise convolutions with everything that they need; batch, channels and multiplier differ. */
function cases(tensors: (shape: number[]) => fc.Arbitrary<Tensor>): fc.Arbitrary<Case> {
  return fc
    .record({
      window: windowCases({ dilation: true }),
      sizes: fc.uniqueArray(fc.integer({ min: 1, max: 4 }), { minLength: 3, maxLength: 3 }),
    })
    .chain(({ window, sizes: [batch, channels, multiplier] }) =>
      fc.record({
        window: fc.constant(window),
        x: tensors([batch, ...window.image, channels]),
        kernel: tensors([...window.size, channels, multiplier]),
        bias: tensors([channels * multiplier]),
        dy: tensors([batch, ...geometryOf(window).output, channels * multiplier]),
      }),
    );
}

const forward = ({ x, kernel, bias, window }: Case): Tensor => depthwiseConv2DForward(x, { kernel, bias }, window).y;

describe("DepthwiseConv2D", () => {
  it("gives every channel its own filters, and puts the outputs of one channel side by side", () => {
    const x = tensorOf([1, 10, 2, 20, 3, 30], [1, 1, 3, 2]); // channels 1 2 3 and 10 20 30
    const kernel = tensorOf([1, 2, 3, 4, 1, 0, 0, 1], [1, 2, 2, 2]);
    const { y } = depthwiseConv2DForward(x, { kernel, bias: tensorOf([0, 0.5, 0, 0], [4]) });
    // 1*1 + 2*1, 1*2 + 2*0, 10*3 + 20*0, 10*4 + 20*1
    assertSameBits(y, tensorOf([3, 2.5, 30, 60, 5, 4.5, 60, 110], [1, 1, 2, 4]));
  });

  it("equals the sum in its equation, to the bit", () => {
    fc.assert(
      fc.property(cases(floatTensors), (at) => {
        const { output, row, column } = geometryOf(at.window);
        const [kernelHeight, kernelWidth, channels, multiplier] = at.kernel.shape;
        const [batch, height, width] = at.x.shape;
        const expected = generate([batch, ...output, channels * multiplier], "float32", (n, oh, ow, f) => {
          const [c, m] = [Math.floor(f / multiplier), f % multiplier];
          let sum = 0;
          for (let kh = 0; kh < kernelHeight; kh++) {
            for (let kw = 0; kw < kernelWidth; kw++) {
              const [h, w] = [row(oh, kh), column(ow, kw)];
              if (h >= 0 && h < height && w >= 0 && w < width)
                sum += at.x.get(n, h, w, c) * at.kernel.get(kh, kw, c, m);
            }
          }
          return sum + at.bias.get(f);
        });
        assertSameBits(forward(at), expected);
      }),
    );
  });

  it("has gradients equal to differences of L = sum r * y", () => {
    fc.assert(
      fc.property(cases(exactTensors), (at) => {
        const { cache } = depthwiseConv2DForward(at.x, at, at.window);
        const { dx, dKernel, dBias } = depthwiseConv2DBackward(at.dy, cache);
        const loss = (changed: Partial<Case>) => fakeLoss(forward({ ...at, ...changed }), at.dy);
        assertExactGradient({ name: "dx", at: at.x, gradient: dx, loss: (x) => loss({ x }) });
        assertExactGradient({ name: "dKernel", at: at.kernel, gradient: dKernel, loss: (kernel) => loss({ kernel }) });
        assertExactGradient({ name: "dBias", at: at.bias, gradient: dBias, loss: (bias) => loss({ bias }) });
      }),
      { numRuns: 50 },
    );
  });

  it("has backward passes that are adjoint to forward: <dy, y> = <dx, x> = <dKernel, kernel> without a bias", () => {
    fc.assert(
      fc.property(cases(exactTensors), ({ x, kernel, dy, window }) => {
        const { y, cache } = depthwiseConv2DForward(x, { kernel }, window);
        const { dx, dKernel } = depthwiseConv2DBackward(dy, cache);
        assert.equal(inner(dx, x), inner(dy, y));
        assert.equal(inner(dKernel, kernel), inner(dy, y));
      }),
    );
  });

  it("is Conv2D with a group for every channel", () => {
    fc.assert(
      fc.property(cases(floatTensors), (at) => {
        const [kernelHeight, kernelWidth, channels, multiplier] = at.kernel.shape;
        const kernel = reshape(at.kernel, [kernelHeight, kernelWidth, 1, channels * multiplier]);
        const { y } = conv2DForward(at.x, { kernel, bias: at.bias }, { ...at.window, groups: channels });
        assertSameBits(forward(at), y);
      }),
    );
  });

  it("permutes its outputs with its channels", () => {
    fc.assert(
      fc.property(cases(floatTensors), (at) => {
        const [channels, multiplier] = at.kernel.shape.slice(2);
        const order = Array.from({ length: channels }, (_, c) => (c + 1) % channels);
        const outputs = order.flatMap((c) => Array.from({ length: multiplier }, (_, m) => c * multiplier + m));
        const moved = {
          ...at,
          x: permuted(at.x, 3, order),
          kernel: permuted(at.kernel, 2, order),
          bias: permuted(at.bias, 0, outputs),
        };
        assertSameBits(forward(moved), permuted(forward(at), 3, outputs));
      }),
    );
  });

  it("reads strided views like their contiguous copies, and changes none of its arguments", () => {
    fc.assert(
      fc.property(cases(floatTensors), ({ x, kernel, bias, dy, window }) => {
        assertReadsViews([x, kernel, bias, dy], (x, kernel, bias, dy) => {
          const { y, cache } = depthwiseConv2DForward(x, { kernel, bias }, window);
          const { dx, dKernel, dBias } = depthwiseConv2DBackward(dy, cache);
          return [y, dx, dKernel, dBias];
        });
      }),
      { numRuns: 30 },
    );
  });

  it("refuses shapes that do not fit together", () => {
    const [x, kernel] = [tensorOf(Array(27).fill(0), [1, 3, 3, 3]), tensorOf(Array(24).fill(0), [2, 2, 3, 2])];
    const range = (message: string): object => ({ name: "RangeError", message });
    assert.throws(
      () => depthwiseConv2DForward(tensorOf([1], [1, 1, 1]), { kernel }),
      range(
        "DepthwiseConv2D: `x` and `kernel` must have 4 dimensions. Received x.shape=[1, 1, 1], kernel.shape=[2, 2, 3, 2].",
      ),
    );
    assert.throws(
      () => depthwiseConv2DForward(tensorOf([1, 2], [1, 1, 1, 2]), { kernel }),
      range(
        "DepthwiseConv2D: `kernel` must have 2 input channels for an input of shape [1, 1, 1, 2]. " +
          "Received kernel.shape=[2, 2, 3, 2].",
      ),
    );
    assert.throws(
      () => depthwiseConv2DForward(x, { kernel, bias: tensorOf([1, 2, 3], [3]) }),
      range("DepthwiseConv2D: `bias` must have shape [6] for a kernel of shape [2, 2, 3, 2]. Received bias.shape=[3]."),
    );
  });
});

describe("the layer DepthwiseConv2D", () => {
  const x = generate([4, 5, 6, 3], "float64", (n, h, w, c) => ((7 * n + 5 * h + 3 * w + c) % 11) - 5);
  const kernel = generate([2, 3, 3, 2], "float64", (h, w, c, m) => ((3 * h + 5 * w + 2 * c + m) % 7) - 3);
  const bias = tensorOf([0.5, -2, 3, 1, 0, -1], [6], "float64");
  const options = { kernelSize: [2, 3], depthMultiplier: 2, strides: 2, padding: "same", dtype: "float64" } as const;

  it("joins the pair of functions", () => {
    const pass = callLayer(new DepthwiseConv2D(options), [x], { kernel, bias });
    const { y, cache } = depthwiseConv2DForward(x, { kernel, bias }, { strides: [2, 2], padding: "same" });
    assertSameBits(pass.y, y);
    const { dx, dKernel, dBias } = depthwiseConv2DBackward(y, cache);
    assertGradients(pass, y, [dx], { kernel: dKernel, bias: dBias });
  });

  it("has neither weight nor gradient for a bias that it does not use", () => {
    const pass = callLayer(new DepthwiseConv2D({ ...options, useBias: false }), [x], { kernel });
    const { dx, dKernel } = depthwiseConv2DBackward(
      pass.y,
      depthwiseConv2DForward(x, { kernel }, { ...options, strides: [2, 2] }).cache,
    );
    assertGradients(pass, pass.y, [dx], { kernel: dKernel });
  });

  it("takes strides and dilation together, as Keras does here", () => {
    const layer = new DepthwiseConv2D({ kernelSize: 3, strides: 2, dilationRate: 2, padding: "same" });
    assert.deepEqual(layer.apply(input({ shape: [9, 8, 2] })).shape, [null, 5, 4, 2]);
  });

  it("keeps its configuration, under Keras's names", () => {
    const layer = new DepthwiseConv2D({
      kernelSize: [3, 2],
      depthMultiplier: 4,
      dilationRate: [1, 2],
      activation: "relu6",
      useBias: false,
      depthwiseInitializer: "he_normal",
      depthwiseRegularizer: l1(0.25),
    });
    const config = assertRoundTrip(layer);
    assert.equal(config["depth_multiplier"], 4);
    assert.deepEqual(config["depthwise_regularizer"], {
      module: "keras.regularizers",
      class_name: "L1",
      config: { l1: 0.25 },
      registered_name: null,
    });
    assert.ok("depthwise_initializer" in config && !("kernel_initializer" in config));
    layer.apply(input({ shape: [5, 6, 3] }));
    assert.deepEqual(
      layer.weights.map(({ name, shape, initializer, regularizer }) => [
        name,
        shape,
        initializer.className,
        regularizer?.l1,
      ]),
      [["kernel", [3, 2, 3, 4], "HeNormal", 0.25]],
    );
  });

  it("refuses arguments that are not as Keras takes them", () => {
    const wrong =
      (config: object): (() => unknown) =>
      () =>
        layerFromConfig("DepthwiseConv2D", { kernel_size: 3, ...config });
    const type = (message: string): object => ({ name: "TypeError", message });
    assert.throws(
      wrong({ depth_multiplier: 0 }),
      type("DepthwiseConv2D: `depth_multiplier` must be a whole number of at least 1. Received 0."),
    );
    assert.throws(
      wrong({ data_format: "channels_first" }),
      type('DepthwiseConv2D: `data_format` must be "channels_last". Received "channels_first".'),
    );
    assert.throws(
      wrong({ depthwise_constraint: "non_neg" }),
      type('DepthwiseConv2D: `depthwise_constraint` must be null (others are not implemented). Received "non_neg".'),
    );
    assert.throws(
      () => new DepthwiseConv2D({ kernelSize: 0 }),
      type("DepthwiseConv2D: `kernelSize` must be one or two whole numbers of at least 1. Received 0."),
    );
  });
});
