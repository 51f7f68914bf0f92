import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { serial } from "../../src/kernels/execution.js";
import { averagePooling2DBackward, averagePooling2DForward } from "../../src/layers/average-pooling2d.js";
import {
  GlobalAveragePooling2D,
  globalAveragePooling2DBackward,
  globalAveragePooling2DForward,
} from "../../src/layers/global-average-pooling2d.js";
import {
  GlobalMaxPooling2D,
  globalMaxPooling2DBackward,
  globalMaxPooling2DForward,
} from "../../src/layers/global-max-pooling2d.js";
import { input } from "../../src/layers/input-layer.js";
import { maxPooling2DBackward, maxPooling2DForward } from "../../src/layers/max-pooling2d.js";
import { layerFromConfig } from "../../src/layers/registry.js";
import { reshape, type Tensor, tensor, tensorOf } from "../../src/tensor/tensor.js";
import { assertGradient, fakeLoss } from "../support/gradients.js";
import { assertGradients, assertRoundTrip, callLayer } from "../support/layers.js";
import {
  anyTensors,
  assertReadsViews,
  assertSameBits,
  distinctShapes,
  distinctTensors,
  floatTensors,
  generate,
  mapped,
  permuted,
  smoothTensors,
} from "../support/tensors.js";

interface Case {
  readonly x: Tensor;
  readonly dy: Tensor;
}

/** Images whose dimensions are all distinct, and a gradient [N, C]. */
function cases(tensors: (shape: number[]) => fc.Arbitrary<Tensor>): fc.Arbitrary<Case> {
  return distinctShapes(4, 5).chain(([n, h, w, c]) => fc.record({ x: tensors([n, h, w, c]), dy: tensors([n, c]) }));
}

/** The window that is the whole image. */
const whole = (x: Tensor) => ({ poolSize: [x.shape[1], x.shape[2]] as const });

describe("GlobalAveragePooling2D", () => {
  const backward = ({ x, dy }: Case): Tensor =>
    globalAveragePooling2DBackward(dy, globalAveragePooling2DForward(x).cache);

  it("takes the mean of every channel, and shares its gradient equally", () => {
    const x = tensorOf([1, 10, 2, 20, 3, 30, 6, 60], [1, 2, 2, 2]);
    const { y, cache } = globalAveragePooling2DForward(x);
    assertSameBits(y, tensorOf([3, 30], [1, 2]));
    assertSameBits(
      globalAveragePooling2DBackward(tensorOf([4, 8], [1, 2]), cache),
      tensorOf([1, 2, 1, 2, 1, 2, 1, 2], x.shape),
    );
  });

  it("is average pooling with a window as large as the image, to the bit, in both accumulations", () => {
    fc.assert(
      fc.property(cases(floatTensors), fc.constantFrom("float64", "float32"), ({ x, dy }, accumulate) => {
        const global = globalAveragePooling2DForward(x, true, { ...serial, accumulate });
        const pooled = averagePooling2DForward(x, whole(x), { ...serial, accumulate });
        assertSameBits(global.y, pooled.y);
        const image = reshape(dy, global.y.shape);
        assertSameBits(
          globalAveragePooling2DBackward(image, global.cache),
          averagePooling2DBackward(image, pooled.cache),
        );
      }),
    );
  });

  it("has gradients equal to central differences of L = sum r * y", () => {
    fc.assert(
      fc.property(cases(smoothTensors), (at) => {
        const loss = (x: Tensor) => fakeLoss(globalAveragePooling2DForward(x).y, at.dy);
        assertGradient({ name: "dx", at: at.x, gradient: backward(at), loss });
      }),
      { numRuns: 30 },
    );
  });
});

describe("GlobalMaxPooling2D", () => {
  const backward = ({ x, dy }: Case): Tensor => globalMaxPooling2DBackward(dy, globalMaxPooling2DForward(x).cache);

  it("takes the largest value of every channel, and hands its gradient back", () => {
    const x = tensorOf([1, -10, 2, -20, 3, -30, 0, -60], [1, 2, 2, 2]);
    const { y, cache } = globalMaxPooling2DForward(x);
    assertSameBits(y, tensorOf([3, -10], [1, 2]));
    assertSameBits(
      globalMaxPooling2DBackward(tensorOf([4, 8], [1, 2]), cache),
      tensorOf([0, 8, 0, 0, 4, 0, 0, 0], x.shape),
    );
  });

  it("shares the gradient of equal maxima equally, as TensorFlow's reduce_max", () => {
    const x = tensorOf([1, 2, 2, 2, 1, 0], [1, 2, 3, 1]);
    const dx = backward({ x, dy: tensorOf([6], [1, 1]) });
    assertSameBits(dx, tensorOf([0, 2, 2, 2, 0, 0], x.shape));
    // those of one image: the next one begins with the same number
    const two = tensorOf([1, 5, 5, 3], [2, 1, 2, 1]);
    assertSameBits(backward({ x: two, dy: tensorOf([6, 8], [2, 1]) }), tensorOf([0, 6, 8, 0], two.shape));
  });

  it("lets NaN win, and spreads it over the gradient of its channel alone", () => {
    const { NaN: nan } = Number;
    const x = tensorOf([1, 1, nan, 2], [1, 1, 2, 2]);
    assertSameBits(globalMaxPooling2DForward(x).y, tensorOf([nan, 2], [1, 2]));
    assertSameBits(backward({ x, dy: tensorOf([1, 1], [1, 2]) }), tensorOf([nan, 0, nan, 1], x.shape));
  });

  it("is max pooling with a window as large as the image, to the bit, where the maximum is clear", () => {
    fc.assert(
      fc.property(cases(distinctTensors), ({ x, dy }) => {
        const global = globalMaxPooling2DForward(x, true);
        const pooled = maxPooling2DForward(x, whole(x));
        assertSameBits(global.y, pooled.y);
        const image = reshape(dy, global.y.shape);
        assertSameBits(globalMaxPooling2DBackward(image, global.cache), maxPooling2DBackward(image, pooled.cache));
      }),
    );
  });

  it("finds the largest of any numbers, infinities too", () => {
    fc.assert(
      fc.property(cases(anyTensors), ({ x }) => {
        const { y } = globalMaxPooling2DForward(x);
        const expected = generate(y.shape, "float32", (n, c) => Math.max(...pixels(x, n, c)));
        assertSameBits(y, expected);
      }),
    );
  });

  it("has gradients equal to central differences of L = sum r * y, where the maximum is clear", () => {
    fc.assert(
      fc.property(cases(distinctTensors), (at) => {
        const loss = (x: Tensor) => fakeLoss(globalMaxPooling2DForward(x).y, at.dy);
        assertGradient({ name: "dx", at: at.x, gradient: backward(at), loss });
      }),
      { numRuns: 30 },
    );
  });
});

/** The values of one channel of one image. */
function pixels(x: Tensor, n: number, c: number): number[] {
  const [, height, width] = x.shape;
  return Array.from({ length: height * width }, (_, i) => x.get(n, Math.floor(i / width), i % width, c));
}

for (const { name, layer, forward, backward } of [
  {
    name: "GlobalAveragePooling2D",
    layer: GlobalAveragePooling2D,
    forward: globalAveragePooling2DForward,
    backward: (dy: Tensor, x: Tensor) => globalAveragePooling2DBackward(dy, globalAveragePooling2DForward(x).cache),
  },
  {
    name: "GlobalMaxPooling2D",
    layer: GlobalMaxPooling2D,
    forward: globalMaxPooling2DForward,
    backward: (dy: Tensor, x: Tensor) => globalMaxPooling2DBackward(dy, globalMaxPooling2DForward(x).cache),
  },
]) {
  describe(`the layer ${name}`, () => {
    it("treats every image and every channel by itself, and scales with x by powers of two", () => {
      fc.assert(
        fc.property(cases(floatTensors), fc.integer({ min: -8, max: 8 }), ({ x }, exponent) => {
          const { y } = forward(x);
          for (const [axis, yAxis] of [
            [0, 0],
            [3, 1],
          ]) {
            const order = Array.from({ length: x.shape[axis] }, (_, i) => (i + 1) % x.shape[axis]);
            assertSameBits(forward(permuted(x, axis, order)).y, permuted(y, yAxis, order));
          }
          const scaled = (v: number): number => v * 2 ** exponent;
          assertSameBits(forward(mapped(x, scaled)).y, mapped(y, scaled));
        }),
      );
    });

    it("reads strided views like their contiguous copies, and changes none of its arguments", () => {
      fc.assert(
        fc.property(cases(floatTensors), ({ x, dy }) => {
          assertReadsViews([x, dy], (x, dy) => [forward(x).y, backward(dy, x)]);
        }),
        { numRuns: 30 },
      );
    });

    it("joins the pair of functions, with and without keepdims", () => {
      const x = generate([2, 5, 6, 3], "float32", (n, h, w, c) => ((7 * n + 5 * h + 3 * w + c) % 11) - 5);
      for (const keepdims of [false, true]) {
        const pass = callLayer(new layer({ keepdims }), [x]);
        assertSameBits(pass.y, tensor(forward(x).y.data, keepdims ? [2, 1, 1, 3] : [2, 3]));
        assertGradients(pass, pass.y, [backward(forward(x).y, x)]);
        assert.equal(assertRoundTrip(new layer({ keepdims }))["keepdims"], keepdims);
      }
      assert.deepEqual(new layer().apply(input({ shape: [null, null, 3] })).shape, [null, 3]);
      assert.equal(layerFromConfig(name, {}).getConfig()["keepdims"], false);
    });

    it("refuses arguments and inputs that it cannot take", () => {
      assert.throws(() => layerFromConfig(name, { keepdims: 1 }), {
        name: "TypeError",
        message: `${name}: \`keepdims\` must be true or false. Received 1.`,
      });
      assert.throws(() => layerFromConfig(name, { data_format: "channels_first" }), {
        name: "TypeError",
        message: `${name}: \`data_format\` must be "channels_last". Received "channels_first".`,
      });
      for (const shape of [
        [2, 3],
        [2, 0, 3, 4],
        [2, 3, 0, 4],
      ]) {
        assert.throws(() => forward(generate(shape, "float32", () => 0)), {
          name: "RangeError",
          message:
            `${name}: \`x\` must have 4 dimensions, and height and width of at least 1. ` +
            `Received x.shape=[${shape.join(", ")}].`,
        });
      }
    });
  });
}
