import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { serial } from "../../src/kernels/execution.js";
import { normalize } from "../../src/kernels/normalize.js";
import { Activation } from "../../src/layers/activation.js";
import { Conv2D, type Conv2DConfig, conv2DBackward, conv2DForward } from "../../src/layers/conv2d.js";
import { input } from "../../src/layers/input-layer.js";
import { layerFromConfig } from "../../src/layers/registry.js";
import { l2 } from "../../src/regularizers/regularizer.js";
import { dtypeOf, type Tensor, tensorOf } from "../../src/tensor/tensor.js";
import { assertExactGradient, fakeLoss } from "../support/gradients.js";
import { assertGradients, assertRoundTrip, callLayer } from "../support/layers.js";
import {
  assertReadsViews,
  assertSameBits,
  assertSameNumbers,
  exactTensors,
  floatTensors,
  generate,
  inner,
  mapped,
  permuted,
  plus,
} from "../support/tensors.js";
import { geometryOf, type WindowCase, windowCases } from "../support/windows.js";

interface Case {
  readonly config: Required<Conv2DConfig>;
  readonly window: WindowCase;
  readonly x: Tensor;
  readonly kernel: Tensor;
  readonly bias: Tensor;
  readonly dy: Tensor;
}

/** Convolutions with everything that they need, filled by `tensors`; batch, channels and filters differ. */
function cases(tensors: (shape: number[]) => fc.Arbitrary<Tensor>): fc.Arbitrary<Case> {
  return fc
    .record({
      window: windowCases({ dilation: true }),
      sizes: fc.uniqueArray(fc.integer({ min: 1, max: 4 }), { minLength: 3, maxLength: 3 }),
      groups: fc.integer({ min: 1, max: 2 }),
    })
    .chain(({ window, sizes: [batch, channels, filters], groups }) =>
      fc.record({
        config: fc.constant({ ...window, groups }),
        window: fc.constant(window),
        x: tensors([batch, ...window.image, channels * groups]),
        kernel: tensors([...window.size, channels, filters * groups]),
        bias: tensors([filters * groups]),
        dy: tensors([batch, ...geometryOf(window).output, filters * groups]),
      }),
    );
}

/** The equation at the top of the layer's file; `round` is applied to every product and sum. */
function reference({ config, window, x, kernel, bias }: Case, round: (v: number) => number): Tensor {
  const { output, row, column } = geometryOf(window);
  const [kernelHeight, kernelWidth, channels, filters] = kernel.shape;
  const [batch, height, width] = x.shape;
  return generate([batch, ...output, filters], dtypeOf(x), (n, oh, ow, f) => {
    const group = Math.floor(f / (filters / config.groups));
    let sum = 0;
    for (let kh = 0; kh < kernelHeight; kh++) {
      for (let kw = 0; kw < kernelWidth; kw++) {
        for (let c = 0; c < channels; c++) {
          const [h, w] = [row(oh, kh), column(ow, kw)];
          const inside = h >= 0 && h < height && w >= 0 && w < width;
          const value = inside ? x.get(n, h, w, group * channels + c) : 0;
          sum = round(sum + round(value * kernel.get(kh, kw, c, f)));
        }
      }
    }
    return round(sum + bias.get(f));
  });
}

const forward = ({ x, kernel, bias, config }: Case): Tensor => conv2DForward(x, { kernel, bias }, config).y;

describe("Conv2D", () => {
  it("slides the kernel over the image, multiplies and adds", () => {
    const x = tensorOf([1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 3, 3, 1]);
    const kernel = tensorOf([1, 10, 100, 1000], [2, 2, 1, 1]);
    const { y } = conv2DForward(x, { kernel, bias: tensorOf([0.5], [1]) });
    assertSameBits(y, tensorOf([5421.5, 6532.5, 8754.5, 9865.5], [1, 2, 2, 1]));
  });

  it("puts the larger part of SAME's zeros below and to the right", () => {
    const x = tensorOf([1, 2, 3, 4], [1, 1, 4, 1]);
    const kernel = tensorOf([1, 10, 100], [1, 3, 1, 1]);
    const { y } = conv2DForward(x, { kernel }, { padding: "same", strides: [1, 2] });
    assertSameBits(y, tensorOf([321, 43], [1, 1, 2, 1]));
  });

  it("multiplies the zeros around the image: an infinite weight over the border gives NaN", () => {
    const kernel = tensorOf([Number.POSITIVE_INFINITY, 1], [1, 2, 1, 1]);
    const { y } = conv2DForward(tensorOf([1, 2], [1, 1, 2, 1]), { kernel }, { padding: "same" });
    assert.deepEqual([...y.data], [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
    const flipped = tensorOf([1, Number.POSITIVE_INFINITY], [1, 2, 1, 1]);
    const { y: bordered } = conv2DForward(tensorOf([1, 2], [1, 1, 2, 1]), { kernel: flipped }, { padding: "same" });
    assert.deepEqual([...bordered.data], [Number.POSITIVE_INFINITY, Number.NaN]);
  });

  it("equals the sum in its equation, to the bit, in both accumulations", () => {
    fc.assert(
      fc.property(cases(floatTensors), (at) => {
        assertSameBits(
          forward(at),
          reference(at, (v) => v),
        );
        const single = { ...serial, accumulate: "float32" as const };
        assertSameBits(conv2DForward(at.x, at, at.config, single).y, reference(at, Math.fround));
      }),
    );
  });

  it("has gradients equal to differences of L = sum r * y", () => {
    fc.assert(
      fc.property(cases(exactTensors), (at) => {
        const { cache } = conv2DForward(at.x, at, at.config);
        const { dx, dKernel, dBias } = conv2DBackward(at.dy, cache);
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
      fc.property(cases(exactTensors), ({ x, kernel, dy, config }) => {
        const { y, cache } = conv2DForward(x, { kernel }, config);
        const { dx, dKernel } = conv2DBackward(dy, cache);
        assert.equal(inner(dx, x), inner(dy, y));
        assert.equal(inner(dKernel, kernel), inner(dy, y));
      }),
    );
  });

  it("is linear in the image", () => {
    fc.assert(
      fc.property(
        cases(exactTensors).chain((at) => fc.tuple(fc.constant(at), exactTensors(at.x.shape))),
        ([{ x, kernel, config }, other]) => {
          const [a, b] = [x, other].map((image) => conv2DForward(image, { kernel }, config).y);
          assertSameNumbers(conv2DForward(plus(x, other), { kernel }, config).y, plus(a, b));
        },
      ),
    );
  });

  it("scales with the image by powers of two, to the bit", () => {
    fc.assert(
      fc.property(cases(floatTensors), fc.integer({ min: -8, max: 8 }), ({ x, kernel, config }, exponent) => {
        const scaled = (v: number): number => v * 2 ** exponent;
        const { y } = conv2DForward(mapped(x, scaled), { kernel }, config);
        assertSameBits(y, mapped(conv2DForward(x, { kernel }, config).y, scaled));
      }),
    );
  });

  it("permutes its outputs with its filters, and sees no order of channels", () => {
    fc.assert(
      fc.property(cases(exactTensors), (at) => {
        fc.pre(at.config.groups === 1);
        const order = (axisSize: number): number[] => Array.from({ length: axisSize }, (_, i) => axisSize - 1 - i);
        const filters = order(at.kernel.shape[3]);
        const byFilter = { ...at, kernel: permuted(at.kernel, 3, filters), bias: permuted(at.bias, 0, filters) };
        assertSameBits(forward(byFilter), permuted(forward(at), 3, filters));
        const channels = order(at.kernel.shape[2]);
        const byChannel = { ...at, x: permuted(at.x, 3, channels), kernel: permuted(at.kernel, 2, channels) };
        assertSameBits(
          mapped(forward(byChannel), (v) => v + 0),
          mapped(forward(at), (v) => v + 0),
        );
      }),
    );
  });

  it("convolves every group of channels by itself", () => {
    fc.assert(
      fc.property(cases(floatTensors), (at) => {
        const { groups } = at.config;
        const slice = (x: Tensor, axis: number, group: number): Tensor => {
          const size = x.shape[axis] / groups;
          return generate(x.shape.with(axis, size), dtypeOf(x), (...i) =>
            x.get(...i.with(axis, i[axis] + group * size)),
          );
        };
        for (let g = 0; g < groups; g++) {
          const part = { ...at, x: slice(at.x, 3, g), kernel: slice(at.kernel, 3, g), bias: slice(at.bias, 0, g) };
          assertSameBits(forward({ ...part, config: { ...at.config, groups: 1 } }), slice(forward(at), 3, g));
        }
      }),
    );
  });

  it("moves with the image: an image shifted by one step gives an output shifted by one", () => {
    fc.assert(
      fc.property(cases(floatTensors), (at) => {
        fc.pre(at.config.padding === "valid" && at.x.shape[2] > at.config.strides[1]);
        const step = at.config.strides[1];
        const narrower = at.x.shape.with(2, at.x.shape[2] - step);
        const shifted = generate(narrower, "float32", (n, h, w, c) => at.x.get(n, h, w + step, c));
        const y = forward(at);
        fc.pre(y.shape[2] > 1);
        const expected = generate(y.shape.with(2, y.shape[2] - 1), "float32", (n, h, w, f) => y.get(n, h, w + 1, f));
        assertSameBits(forward({ ...at, x: shifted }), expected);
      }),
    );
  });

  it("reads strided views like their contiguous copies, and changes none of its arguments", () => {
    fc.assert(
      fc.property(cases(floatTensors), ({ x, kernel, bias, dy, config }) => {
        assertReadsViews([x, kernel, bias, dy], (x, kernel, bias, dy) => {
          const { y, cache } = conv2DForward(x, { kernel, bias }, config);
          const { dx, dKernel, dBias } = conv2DBackward(dy, cache);
          return [y, dx, dKernel, dBias];
        });
      }),
      { numRuns: 30 },
    );
  });

  it("refuses shapes that do not fit together", () => {
    const [x, kernel] = [tensorOf(Array(54).fill(0), [1, 3, 3, 6]), tensorOf(Array(48).fill(0), [2, 2, 3, 4])];
    assert.throws(() => conv2DForward(tensorOf([1], [1, 1, 1]), { kernel }), {
      name: "RangeError",
      message:
        "Conv2D: `x` and `kernel` must have 4 dimensions. Received x.shape=[1, 1, 1], kernel.shape=[2, 2, 3, 4].",
    });
    assert.throws(() => conv2DForward(x, { kernel }), {
      name: "RangeError",
      message:
        "Conv2D: `kernel` must have 6 input channels for an input of shape [1, 3, 3, 6]. " +
        "Received kernel.shape=[2, 2, 3, 4].",
    });
    assert.throws(() => conv2DForward(x, { kernel }, { groups: 3 }), {
      name: "RangeError",
      message:
        "Conv2D: `kernel` must have 6 / 3 input channels and a multiple of 3 filters for an input of shape [1, 3, 3, 6]. " +
        "Received kernel.shape=[2, 2, 3, 4].",
    });
    assert.throws(() => conv2DForward(x, { kernel, bias: tensorOf([1, 2, 3], [3]) }, { groups: 2 }), {
      name: "RangeError",
      message: "Conv2D: `bias` must have shape [4] for a kernel of shape [2, 2, 3, 4]. Received bias.shape=[3].",
    });
    assert.throws(() => conv2DForward(tensorOf([1, 2, 3], [1, 1, 1, 3]), { kernel }), {
      name: "RangeError",
      message: /the window, dilation included, must not be larger than the input\. Received kernelSize=\[2, 2\]/,
    });
  });
});

describe("the layer Conv2D", () => {
  const options = { filters: 2, kernelSize: [2, 3], padding: "same", dtype: "float64" } as const;
  const x = generate([4, 5, 6, 3], "float64", (n, h, w, c) => ((7 * n + 5 * h + 3 * w + c) % 11) - 5);
  const kernel = generate([2, 3, 3, 2], "float64", (h, w, c, f) => ((3 * h + 5 * w + 2 * c + f) % 7) - 3);
  const bias = tensorOf([0.5, -2], [2], "float64");

  it("joins the pair of functions, with its activation behind it", () => {
    const pass = callLayer(new Conv2D({ ...options, activation: "relu" }), [x], { kernel, bias });
    const { y, cache } = conv2DForward(x, { kernel, bias }, { padding: "same" });
    const relu = callLayer(new Activation({ activation: "relu", dtype: "float64" }), [y]);
    assertSameBits(pass.y, relu.y);
    const dy = mapped(y, (v) => (v % 5) + 1);
    const { dx, dKernel, dBias } = conv2DBackward(relu.backward(dy).dInputs[0], cache);
    assertGradients(pass, dy, [dx], { kernel: dKernel, bias: dBias });
  });

  it("has neither weight nor gradient for a bias that it does not use", () => {
    const pass = callLayer(new Conv2D({ ...options, useBias: false }), [x], { kernel });
    const { y, cache } = conv2DForward(x, { kernel }, { padding: "same" });
    assertSameBits(pass.y, y);
    assertGradients(pass, y, [conv2DBackward(y, cache).dx], { kernel: conv2DBackward(y, cache).dKernel });
  });

  it("finishes its output in inference by a normalization and what follows, without a way back", () => {
    const layer = new Conv2D(options);
    layer.apply(input({ shape: [5, 6, 3], dtype: "float64" }));
    for (const [i, weight] of [kernel, bias].entries()) layer.weights[i].assign(weight);
    const context = { training: false, execution: serial, seed: 0, step: 0 };
    const map = { mean: Float64Array.of(1, 2), scale: Float64Array.of(0.5, 3), offset: Float64Array.of(-1, 4) };
    const pass = layer.callFinished([x], context, { map, rectify: true });
    const { y } = conv2DForward(x, { kernel, bias }, { padding: "same" });
    assertSameBits(pass.y, normalize(y, map, { rectify: true }, serial));
    assert.throws(() => pass.backward(y), {
      message: "internal: Conv2D: what was normalized behind it in inference has no way back.",
    });
  });

  it("normalizes what it reads, before its own activation, if its kernel is one pixel; its gradient is for the result", () => {
    const layer = new Conv2D({ filters: 2, kernelSize: 1, activation: "tanh", dtype: "float64" });
    assert.ok(layer.takesPrologue && !new Conv2D(options).takesPrologue);
    layer.apply(input({ shape: [5, 6, 3], dtype: "float64" }));
    const context = { training: false, execution: serial, seed: 0, step: 0 };
    const map = {
      mean: Float64Array.of(1, 2, 3),
      scale: Float64Array.of(0.5, 3, -2),
      offset: Float64Array.of(-1, 4, 1),
    };
    const pass = layer.callFinished([x], context, {}, { map, rectify: true });
    const apart = layer.call([normalize(x, map, { rectify: true }, serial)], context);
    assertSameBits(pass.y, apart.y);
    const dy = mapped(pass.y, (v) => (v % 5) + 1);
    const { dInputs, dWeights } = apart.backward(dy);
    assertGradients(pass, dy, dInputs, dWeights);
    assertSameBits(pass.backward(dy, { inputs: false }).dWeights["kernel"], dWeights["kernel"]);
  });

  it("leaves open what is open: an image of any height", () => {
    const image = input({ shape: [null, 6, 3] });
    assert.deepEqual(new Conv2D(options).apply(image).shape, [null, null, 6, 2]);
    assert.deepEqual(new Conv2D({ ...options, padding: "valid", strides: [1, 2] }).apply(image).shape, [
      null,
      null,
      2,
      2,
    ]);
  });

  it("fits into what is open however far its taps are apart", () => {
    const far = new Conv2D({ filters: 2, kernelSize: 3, dilationRate: 4 });
    assert.deepEqual(far.apply(input({ shape: [null, 20, 3] })).shape, [null, null, 12, 2]);
  });

  it("has the same gradients of its weights where that of its input is not wanted, in both accumulations", () => {
    const layer = new Conv2D({ filters: 2, kernelSize: [2, 3] });
    const image = generate([4, 5, 6, 3], "float32", (n, h, w, c) => (((7 * n + 5 * h + 3 * w + c) % 11) - 5) / 7);
    layer.apply(input({ shape: [5, 6, 3] }));
    for (const accumulate of ["float64", "float32"] as const) {
      const execution = { ...serial, accumulate };
      const pass = layer.call([image], { training: true, execution, seed: 0, step: 0 });
      const all = pass.backward(pass.y);
      const some = pass.backward(pass.y, { inputs: false });
      assert.deepEqual([all.dInputs.length, some.dInputs.length], [1, 0]);
      for (const name of ["kernel", "bias"]) assertSameBits(some.dWeights[name], all.dWeights[name], name);
    }
  });

  it("sees images of another size through the window for that size", () => {
    const layer = new Conv2D({ filters: 4, kernelSize: 3, strides: 2, padding: "same" });
    layer.apply(input({ shape: [null, null, 3] }));
    const [kernel, bias] = layer.weights.map(({ value }) => value);
    const sizes = [
      [8, 5],
      [6, 5],
      [6, 7],
      [8, 5],
    ];
    for (const [height, width] of sizes) {
      const x = generate([2, height, width, 3], "float32", (n, h, w, c) => 3 * n - h + w * c);
      const pass = layer.call([x], { training: true, execution: serial, seed: 0, step: 0 });
      const { y, cache } = conv2DForward(x, { kernel, bias }, { strides: [2, 2], padding: "same" });
      assertSameBits(pass.y, y);
      assertSameBits(pass.backward(y).dInputs[0], conv2DBackward(y, cache).dx);
    }
  });

  it("keeps its configuration", () => {
    const config = assertRoundTrip(
      new Conv2D({
        name: "first",
        filters: 4,
        kernelSize: [3, 2],
        strides: [2, 1],
        padding: "same",
        groups: 2,
        activation: "tanh",
        useBias: false,
        kernelInitializer: "he_normal",
        kernelRegularizer: l2(1e-4),
      }),
    );
    assert.equal(config["name"], "first");
    assert.deepEqual(config["kernel_size"], [3, 2]);
    assert.deepEqual(config["kernel_regularizer"], {
      module: "keras.regularizers",
      class_name: "L2",
      config: { l2: 1e-4 },
      registered_name: null,
    });
    assertRoundTrip(new Conv2D({ filters: 1, kernelSize: 1, dilationRate: 3 }));
  });

  it("reads a configuration of Keras 2, and one with nothing but the necessary", () => {
    const layer = layerFromConfig("Conv2D", {
      filters: 3,
      kernel_size: [5, 4],
      kernel_initializer: {
        class_name: "VarianceScaling",
        config: { scale: 2, mode: "fan_in", distribution: "normal" },
      },
      kernel_regularizer: { class_name: "L1L2", config: { l1: 0, l2: 0.5 } },
      batch_input_shape: [null, 8, 8, 3],
    });
    layer.apply(input({ shape: [8, 8, 3] }));
    assert.deepEqual(
      layer.weights.map(({ name, shape }) => [name, shape]),
      [
        ["kernel", [5, 4, 3, 3]],
        ["bias", [3]],
      ],
    );
    assert.equal(layer.weights[0].regularizer?.l2, 0.5);
  });

  it("refuses arguments that are not as Keras takes them", () => {
    const wrong =
      (config: object): (() => unknown) =>
      () =>
        layerFromConfig("Conv2D", { filters: 2, kernel_size: 3, ...config });
    const type = (message: string): object => ({ name: "TypeError", message });
    assert.throws(wrong({ filters: 0 }), type("Conv2D: `filters` must be a whole number of at least 1. Received 0."));
    assert.throws(
      wrong({ kernel_size: [3, 0] }),
      type("Conv2D: `kernel_size` must be one or two whole numbers of at least 1. Received [3,0]."),
    );
    assert.throws(
      wrong({ padding: "causal" }),
      type('Conv2D: `padding` must be one of "same", "valid". Received "causal".'),
    );
    assert.throws(
      wrong({ data_format: "channels_first" }),
      type('Conv2D: `data_format` must be "channels_last". Received "channels_first".'),
    );
    assert.throws(
      wrong({ kernel_constraint: { class_name: "MaxNorm" } }),
      type('Conv2D: `kernel_constraint` must be null (others are not implemented). Received {"class_name":"MaxNorm"}.'),
    );
    assert.throws(
      wrong({ activation: "elu" }),
      /^TypeError: Conv2D: `activation` must be one of "linear", .*Received "elu"\.$/,
    );
    assert.throws(wrong({ filters: 3, groups: 2 }), {
      name: "RangeError",
      message: "Conv2D: `filters` must be a multiple of `groups`. Received filters=3, groups=2.",
    });
    assert.throws(wrong({ strides: 2, dilation_rate: [1, 2] }), {
      name: "RangeError",
      message:
        "Conv2D: `strides` and `dilationRate` must not both be above 1, as in Keras. " +
        "Received strides=[2, 2], dilationRate=[1, 2].",
    });
  });

  it("refuses inputs that it cannot take", () => {
    const apply =
      (shape: (number | null)[], groups = 1): (() => unknown) =>
      () =>
        new Conv2D({ filters: 2, kernelSize: 3, groups }).apply(input({ shape }));
    const range = (message: string): object => ({ name: "RangeError", message });
    assert.throws(apply([8, 3]), range("Conv2D: the input must have 4 dimensions. Received shape [null, 8, 3]."));
    assert.throws(
      apply([8, 8, null]),
      range("Conv2D: axis 3 of the input must have a known size. Received shape [null, 8, 8, null]."),
    );
    assert.throws(
      apply([8, 8, 3], 2),
      range("Conv2D: the input's channels must be a multiple of `groups`=2. Received shape [null, 8, 8, 3]."),
    );
    const image = input({ shape: [8, 8, 3] });
    assert.throws(
      () => new Conv2D({ filters: 2, kernelSize: 3 }).apply([image, image]),
      range("Conv2D: must be applied to one input. Received 2 inputs."),
    );
  });
});
