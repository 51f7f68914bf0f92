import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { serial } from "../../src/kernels/execution.js";
import {
  AveragePooling2D,
  averagePooling2DBackward,
  averagePooling2DForward,
} from "../../src/layers/average-pooling2d.js";
import { depthwiseConv2DForward } from "../../src/layers/depthwise-conv2d.js";
import { input } from "../../src/layers/input-layer.js";
import { MaxPooling2D, maxPooling2DBackward, maxPooling2DForward } from "../../src/layers/max-pooling2d.js";
import type { Pooling2DConfig } from "../../src/layers/pooling2d.js";
import { inference } from "../../src/layers/layer.js";
import { layerFromConfig } from "../../src/layers/registry.js";
import { reluForward } from "../../src/layers/relu.js";
import { dtypeOf, type Tensor, tensorOf } from "../../src/tensor/tensor.js";
import { assertExactGradient, assertGradient, fakeLoss } from "../support/gradients.js";
import { assertGradients, assertRoundTrip, callLayer } from "../support/layers.js";
import {
  anyTensors,
  assertReadsViews,
  assertSameBits,
  distinctTensors,
  exactTensors,
  floatTensors,
  generate,
  indices,
  inner,
  mapped,
  permuted,
  smoothTensors,
} from "../support/tensors.js";
import { geometryOf, type WindowCase, windowCases } from "../support/windows.js";

interface Case {
  readonly window: WindowCase;
  readonly config: Required<Pooling2DConfig>;
  readonly x: Tensor;
  readonly dy: Tensor;
}

/** Poolings with their input and a gradient for their output. */
function cases(tensors: (shape: number[]) => fc.Arbitrary<Tensor>): fc.Arbitrary<Case> {
  return fc
    .record({
      window: windowCases({ dilation: false }),
      sizes: fc.uniqueArray(fc.integer({ min: 1, max: 4 }), { minLength: 2, maxLength: 2 }),
    })
    .chain(({ window, sizes: [batch, channels] }) =>
      fc.record({
        window: fc.constant(window),
        config: fc.constant({ poolSize: window.size, strides: window.strides, padding: window.padding }),
        x: tensors([batch, ...window.image, channels]),
        dy: tensors([batch, ...geometryOf(window).output, channels]),
      }),
    );
}

/** The indices in the image under the window at output [n, oh, ow, c], kh and kw ascending. */
function under({ window, x }: Case, [n, oh, ow, c]: number[]): number[][] {
  const { row, column } = geometryOf(window);
  return [...indices(window.size)]
    .map(([kh, kw]) => [n, row(oh, kh), column(ow, kw), c])
    .filter(([, h, w]) => h >= 0 && h < x.shape[1] && w >= 0 && w < x.shape[2]);
}

/** What every output gives, by `share`, to the elements under its window: the sum over oh and ow ascending. */
function spread(
  at: Case,
  share: (output: number[], seen: number[][]) => [number[], number][],
  round = (v: number) => v,
): Tensor {
  const sums = generate(at.x.shape, "float64", () => 0);
  for (const output of indices(at.dy.shape)) {
    for (const [index, value] of share(output, under(at, output))) {
      sums.set(...index, round(sums.get(...index) + round(value)));
    }
  }
  return generate(at.x.shape, dtypeOf(at.x), (...index) => sums.get(...index));
}

const range = (message: string): object => ({ name: "RangeError", message });
const type = (message: string): object => ({ name: "TypeError", message });

describe("MaxPooling2D", () => {
  const forward = ({ x, config }: Case): Tensor => maxPooling2DForward(x, config).y;
  const backward = ({ x, dy, config }: Case): Tensor => maxPooling2DBackward(dy, maxPooling2DForward(x, config).cache);

  it("takes the largest value under every window, and hands its gradient to where it came from", () => {
    const x = tensorOf([1, 5, 2, 0, 3, 4, 8, 7, 6], [1, 3, 3, 1]);
    const { y, cache } = maxPooling2DForward(x, { poolSize: [2, 2], strides: [1, 1] });
    assertSameBits(y, tensorOf([5, 5, 8, 7], [1, 2, 2, 1]));
    const dx = maxPooling2DBackward(tensorOf([1, 10, 100, 1000], y.shape), cache);
    assertSameBits(dx, tensorOf([0, 11, 0, 0, 0, 0, 100, 1000, 0], x.shape));
  });

  it("moves by the size of its window where it is told no strides", () => {
    const x = tensorOf([1, 5, 2, 0, 3, 4, 8, 7], [1, 2, 4, 1]);
    assertSameBits(maxPooling2DForward(x, { poolSize: [2, 2] }).y, tensorOf([5, 8], [1, 1, 2, 1]));
  });

  it("gives the gradient of equal maxima to the first one, kh and kw ascending, as TensorFlow on a CPU", () => {
    const x = tensorOf([1, 2, 2, 2, 1, 0, 2, 2, 2], [1, 3, 3, 1]);
    const { y, cache } = maxPooling2DForward(x, { poolSize: [2, 2], strides: [1, 1] });
    const dx = maxPooling2DBackward(tensorOf([1, 2, 3, 4], y.shape), cache);
    assertSameBits(dx, tensorOf([0, 3, 0, 3, 0, 0, 0, 4, 0], x.shape));
    const zeros = tensorOf([-0, 0, 0, -0], [1, 2, 2, 1]);
    assertSameBits(maxPooling2DForward(zeros, { poolSize: [2, 2] }).y, tensorOf([-0], [1, 1, 1, 1]));
  });

  it("never lets the border of SAME win: all inputs may be negative, even infinitely", () => {
    const x = tensorOf([-1, -2, -3, Number.NEGATIVE_INFINITY], [1, 1, 4, 1]);
    const config = { poolSize: [3, 3], strides: [1, 3], padding: "same" } as const;
    assertSameBits(maxPooling2DForward(x, config).y, tensorOf([-1, -3], [1, 1, 2, 1]));
    const lone = tensorOf([Number.NEGATIVE_INFINITY], [1, 1, 1, 1]);
    const { y, cache } = maxPooling2DForward(lone, config);
    assertSameBits(y, lone);
    assertSameBits(maxPooling2DBackward(tensorOf([2], y.shape), cache), tensorOf([2], y.shape));
  });

  it("lets NaN win, and hands the gradient to the first NaN", () => {
    const x = tensorOf([1, Number.NaN, 3, Number.NaN], [1, 2, 2, 1]);
    const { y, cache } = maxPooling2DForward(x, { poolSize: [2, 2] });
    assertSameBits(y, tensorOf([Number.NaN], [1, 1, 1, 1]));
    assertSameBits(maxPooling2DBackward(tensorOf([1], y.shape), cache), tensorOf([0, 1, 0, 0], x.shape));
  });

  it("keeps nothing where there is no way back, and says so when it is asked for one", () => {
    const x = tensorOf([1, 5, 2, 0, 3, 4, 8, 7, 6], [1, 3, 3, 1]);
    const layer = new MaxPooling2D({ poolSize: 2, strides: 1 });
    const pass = layer.call([x], { ...inference, release: () => {} });
    assertSameBits(pass.y, tensorOf([5, 5, 8, 7], [1, 2, 2, 1]));
    assert.throws(() => pass.backward(pass.y), {
      message: "internal: MaxPooling2D: where elements came from has not been kept; there is no way back.",
    });
  });

  it("equals the definition, forward and backward, to the bit", () => {
    fc.assert(
      fc.property(
        cases((shape) => anyTensors(shape)),
        (at) => {
          const largest = (seen: number[][]): number[] =>
            seen.reduce((best, index) => (at.x.get(...index) > at.x.get(...best) ? index : best));
          const expected = generate(at.dy.shape, "float32", (...output) => at.x.get(...largest(under(at, output))));
          assertSameBits(forward(at), expected);
          fc.pre(at.dy.data.every(Number.isFinite));
          const share = (output: number[], seen: number[][]): [number[], number][] => [
            [largest(seen), at.dy.get(...output)],
          ];
          assertSameBits(backward(at), spread(at, share));
          const { cache } = maxPooling2DForward(at.x, at.config, { ...serial, accumulate: "float32" });
          assertSameBits(maxPooling2DBackward(at.dy, cache), spread(at, share, Math.fround));
        },
      ),
    );
  });

  it("has gradients equal to central differences of L = sum r * y, where the maximum is clear", () => {
    fc.assert(
      fc.property(cases(distinctTensors), (at) => {
        const loss = (x: Tensor) => fakeLoss(forward({ ...at, x }), at.dy);
        assertGradient({ name: "dx", at: at.x, gradient: backward(at), loss });
      }),
      { numRuns: 40 },
    );
  });

  it("hands on the whole gradient, no more and no less", () => {
    fc.assert(
      fc.property(cases(exactTensors), (at) => {
        const ones = (t: Tensor): Tensor => mapped(t, () => 1);
        assert.equal(inner(backward(at), ones(at.x)), inner(at.dy, ones(at.dy)));
      }),
    );
  });

  it("may be exchanged with any function that never falls: a ReLU before is a ReLU behind", () => {
    fc.assert(
      fc.property(cases(anyTensors), (at) => {
        assertSameBits(forward({ ...at, x: reluForward(at.x).y }), reluForward(forward(at)).y);
      }),
    );
  });
});

describe("AveragePooling2D", () => {
  const forward = ({ x, config }: Case): Tensor => averagePooling2DForward(x, config).y;
  const backward = ({ x, dy, config }: Case): Tensor =>
    averagePooling2DBackward(dy, averagePooling2DForward(x, config).cache);

  it("takes the mean under every window, and shares its gradient equally", () => {
    const x = tensorOf([1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 3, 3, 1]);
    const { y, cache } = averagePooling2DForward(x, { poolSize: [2, 2], strides: [1, 1] });
    assertSameBits(y, tensorOf([3, 4, 6, 7], [1, 2, 2, 1]));
    const dx = averagePooling2DBackward(tensorOf([4, 8, 12, 16], y.shape), cache);
    assertSameBits(dx, tensorOf([1, 3, 2, 4, 10, 6, 3, 7, 4], x.shape));
  });

  it("does not count the border of SAME, as TensorFlow does not", () => {
    const x = tensorOf([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], [1, 3, 4, 1]);
    const { y } = averagePooling2DForward(x, { poolSize: [3, 3], strides: [2, 2], padding: "same" });
    assertSameBits(y, tensorOf([4, 5.5, 8, 9.5], [1, 2, 2, 1]));
  });

  it("gives no element -0, since its gradient is a sum that begins at 0", () => {
    const x = tensorOf([1, 2, 3, 4, 5, 6], [1, 1, 6, 1]);
    const { cache } = averagePooling2DForward(x, { poolSize: [1, 2], strides: [1, 3], padding: "valid" });
    assertSameBits(
      averagePooling2DBackward(tensorOf([-0, 4], [1, 1, 2, 1]), cache),
      tensorOf([0, 0, 0, 2, 2, 0], x.shape),
    );
  });

  it("equals the definition, forward and backward, to the bit, in both accumulations", () => {
    fc.assert(
      fc.property(cases(floatTensors), (at) => {
        for (const [accumulate, round] of [
          ["float64", (v: number): number => v],
          ["float32", Math.fround],
        ] as const) {
          const expected = generate(at.dy.shape, "float32", (...output) => {
            const values = under(at, output).map((index) => at.x.get(...index));
            return values.reduce((sum, v) => round(sum + v), 0) / values.length;
          });
          const { y, cache } = averagePooling2DForward(at.x, at.config, { ...serial, accumulate });
          assertSameBits(y, expected);
          const share = (output: number[], seen: number[][]): [number[], number][] =>
            seen.map((index) => [index, at.dy.get(...output) / seen.length]);
          assertSameBits(averagePooling2DBackward(at.dy, cache), spread(at, share, round));
        }
      }),
    );
  });

  it("has gradients equal to central differences of L = sum r * y", () => {
    fc.assert(
      fc.property(cases(smoothTensors), (at) => {
        const loss = (x: Tensor) => fakeLoss(forward({ ...at, x }), at.dy);
        assertGradient({ name: "dx", at: at.x, gradient: backward(at), loss });
      }),
      { numRuns: 40 },
    );
  });

  // windows of a power of two of elements divide exactly
  const exact = cases(exactTensors).filter(({ window: { size, padding } }) => padding === "valid" && !size.includes(3));

  it("is exactly the derivative, adjoint and linear, where the window has a power of two of elements", () => {
    fc.assert(
      fc.property(exact, (at) => {
        const gradient = backward(at);
        assertExactGradient({ name: "dx", at: at.x, gradient, loss: (x) => fakeLoss(forward({ ...at, x }), at.dy) });
        assert.equal(inner(gradient, at.x), inner(at.dy, forward(at)));
      }),
      { numRuns: 40 },
    );
  });

  it("is a depthwise convolution with 1 / size everywhere in its kernel", () => {
    fc.assert(
      fc.property(exact, (at) => {
        const [height, width] = at.window.size;
        const kernel = generate([height, width, at.x.shape[3], 1], "float64", () => 1 / (height * width));
        assertSameBits(
          mapped(forward(at), (v) => v + 0),
          mapped(depthwiseConv2DForward(at.x, { kernel }, { strides: at.window.strides }).y, (v) => v + 0),
        );
      }),
    );
  });
});

for (const { name, layer, forward, backward } of [
  {
    name: "MaxPooling2D",
    layer: MaxPooling2D,
    forward: maxPooling2DForward,
    backward: (dy: Tensor, x: Tensor, config: Pooling2DConfig) =>
      maxPooling2DBackward(dy, maxPooling2DForward(x, config).cache),
  },
  {
    name: "AveragePooling2D",
    layer: AveragePooling2D,
    forward: averagePooling2DForward,
    backward: (dy: Tensor, x: Tensor, config: Pooling2DConfig) =>
      averagePooling2DBackward(dy, averagePooling2DForward(x, config).cache),
  },
]) {
  describe(`the layer ${name}`, () => {
    it("treats every image and every channel by itself, and scales with x by powers of two", () => {
      fc.assert(
        fc.property(cases(floatTensors), fc.integer({ min: -8, max: 8 }), ({ x, config }, exponent) => {
          const { y } = forward(x, config);
          for (const axis of [0, 3]) {
            const order = Array.from({ length: x.shape[axis] }, (_, i) => (i + 1) % x.shape[axis]);
            assertSameBits(forward(permuted(x, axis, order), config).y, permuted(y, axis, order));
          }
          const scaled = (v: number): number => v * 2 ** exponent;
          assertSameBits(forward(mapped(x, scaled), config).y, mapped(y, scaled));
        }),
      );
    });

    it("reads strided views like their contiguous copies, and changes none of its arguments", () => {
      fc.assert(
        fc.property(cases(floatTensors), ({ x, dy, config }) => {
          assertReadsViews([x, dy], (x, dy) => [forward(x, config).y, backward(dy, x, config)]);
        }),
        { numRuns: 30 },
      );
    });

    it("joins the pair of functions", () => {
      const x = generate([2, 5, 6, 3], "float32", (n, h, w, c) => ((7 * n + 5 * h + 3 * w + c) % 11) - 5);
      const config = { poolSize: [3, 2], strides: [1, 2], padding: "same" } as const;
      const pass = callLayer(new layer(config), [x]);
      assertSameBits(pass.y, forward(x, config).y);
      assertGradients(pass, pass.y, [backward(pass.y, x, config)]);
    });

    it("steps by its own size unless told otherwise, and leaves open what is open", () => {
      const image = input({ shape: [null, 7, 3] });
      assert.deepEqual(new layer().apply(image).shape, [null, null, 3, 3]);
      assert.deepEqual(new layer({ poolSize: [2, 3] }).apply(image).shape, [null, null, 2, 3]);
      assert.deepEqual(new layer({ poolSize: 3, strides: 1, padding: "same" }).apply(image).shape, [null, null, 7, 3]);
    });

    it("keeps its configuration", () => {
      const config = assertRoundTrip(new layer({ poolSize: [3, 2], strides: 4, padding: "same" }));
      assert.deepEqual([config["pool_size"], config["strides"], config["padding"]], [[3, 2], [4, 4], "same"]);
      const { strides } = layerFromConfig(name, { pool_size: [3, 2], strides: null }).getConfig();
      assert.deepEqual(strides, [3, 2]);
      assert.deepEqual(layerFromConfig(name, {}).getConfig()["pool_size"], [2, 2]);
    });

    it("refuses arguments and inputs that it cannot take", () => {
      const wrong =
        (config: object): (() => unknown) =>
        () =>
          layerFromConfig(name, { ...config });
      assert.throws(
        wrong({ pool_size: 0 }),
        type(`${name}: \`pool_size\` must be one or two whole numbers of at least 1. Received 0.`),
      );
      assert.throws(
        wrong({ padding: "full" }),
        type(`${name}: \`padding\` must be one of "same", "valid". Received "full".`),
      );
      assert.throws(
        wrong({ data_format: "channels_first" }),
        type(`${name}: \`data_format\` must be "channels_last". Received "channels_first".`),
      );
      assert.throws(
        () => forward(tensorOf([1, 2], [1, 2]), { poolSize: [1, 1] }),
        range(`${name}: \`x\` must have 4 dimensions. Received x.shape=[1, 2].`),
      );
      assert.throws(
        () => new layer().apply(input({ shape: [1, 4, 3] })),
        /^RangeError: .*must not be larger than the input\. Received kernelSize=\[2, 2\].*inputSize=\[1, 4\]/,
      );
    });
  });
}
