import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { input } from "../../src/layers/input-layer.js";
import { layerFromConfig } from "../../src/layers/registry.js";
import {
  type Padding2D,
  ZeroPadding2D,
  zeroPadding2DBackward,
  zeroPadding2DForward,
} from "../../src/layers/zero-padding2d.js";
import { type Tensor, tensorOf } from "../../src/tensor/tensor.js";
import { assertExactGradient, fakeLoss } from "../support/gradients.js";
import { assertGradients, assertRoundTrip, callLayer } from "../support/layers.js";
import {
  anyTensors,
  assertReadsViews,
  assertSameBits,
  distinctShapes,
  exactTensors,
  floatTensors,
  generate,
  inner,
} from "../support/tensors.js";

interface Case {
  readonly padding: Padding2D;
  readonly x: Tensor;
  readonly dy: Tensor;
}

function cases(tensors: (shape: number[]) => fc.Arbitrary<Tensor>): fc.Arbitrary<Case> {
  const count = fc.integer({ min: 0, max: 3 });
  return fc
    .record({ shape: distinctShapes(4, 5), padding: fc.tuple(fc.tuple(count, count), fc.tuple(count, count)) })
    .chain(({ shape: [n, h, w, c], padding }) => {
      const [[top, bottom], [left, right]] = padding;
      return fc.record({
        padding: fc.constant(padding),
        x: tensors([n, h, w, c]),
        dy: tensors([n, top + h + bottom, left + w + right, c]),
      });
    });
}

describe("ZeroPadding2D", () => {
  it("puts zeros around the image, and cuts them off the gradient", () => {
    const { y, cache } = zeroPadding2DForward(tensorOf([1, 2], [1, 1, 2, 1]), [
      [1, 0],
      [0, 2],
    ]);
    assertSameBits(y, tensorOf([0, 0, 0, 0, 1, 2, 0, 0], [1, 2, 4, 1]));
    assertSameBits(
      zeroPadding2DBackward(tensorOf([1, 2, 3, 4, 5, 6, 7, 8], y.shape), cache),
      tensorOf([5, 6], [1, 1, 2, 1]),
    );
  });

  it("equals its equation at every index", () => {
    fc.assert(
      fc.property(
        cases((shape) => anyTensors(shape, { noNaN: false })),
        ({ x, padding, dy }) => {
          const expected = generate(dy.shape, "float32", (n, ph, pw, c) => {
            const [h, w] = [ph - padding[0][0], pw - padding[1][0]];
            return h >= 0 && h < x.shape[1] && w >= 0 && w < x.shape[2] ? x.get(n, h, w, c) : 0;
          });
          assertSameBits(zeroPadding2DForward(x, padding).y, expected);
        },
      ),
    );
  });

  it("has gradients equal to differences of L = sum r * y, and adjoint to forward", () => {
    fc.assert(
      fc.property(cases(exactTensors), ({ x, padding, dy }) => {
        const { y, cache } = zeroPadding2DForward(x, padding);
        const gradient = zeroPadding2DBackward(dy, cache);
        const loss = (at: Tensor) => fakeLoss(zeroPadding2DForward(at, padding).y, dy);
        assertExactGradient({ name: "dx", at: x, gradient, loss });
        assert.equal(inner(gradient, x), inner(dy, y));
        assertSameBits(zeroPadding2DBackward(y, cache), x);
      }),
      { numRuns: 50 },
    );
  });

  it("reads strided views like their contiguous copies, and changes none of its arguments", () => {
    fc.assert(
      fc.property(cases(floatTensors), ({ x, padding, dy }) => {
        assertReadsViews([x, dy], (x, dy) => {
          const { y, cache } = zeroPadding2DForward(x, padding);
          return [y, zeroPadding2DBackward(dy, cache)];
        });
      }),
      { numRuns: 30 },
    );
  });

  it("is a layer that joins the pair, and leaves open what is open", () => {
    const x = generate([2, 3, 4, 1], "float32", (n, h, w) => 12 * n + 4 * h + w);
    const pass = callLayer(new ZeroPadding2D({ padding: [1, 2] }), [x]);
    const { y, cache } = zeroPadding2DForward(x, [
      [1, 1],
      [2, 2],
    ]);
    assertSameBits(pass.y, y);
    assertGradients(pass, y, [zeroPadding2DBackward(y, cache)]);
    assert.deepEqual(new ZeroPadding2D().apply(input({ shape: [null, 4, 3] })).shape, [null, null, 6, 3]);
    assert.deepEqual(new ZeroPadding2D().apply(input({ shape: [4, null, 3] })).shape, [null, 6, null, 3]);
  });

  it("takes one number, two, or two pairs, and keeps its configuration as two pairs, as Keras does", () => {
    const nested = (padding: unknown): unknown => layerFromConfig("ZeroPadding2D", { padding }).getConfig()["padding"];
    assert.deepEqual(nested(3), [
      [3, 3],
      [3, 3],
    ]);
    assert.deepEqual(layerFromConfig("ZeroPadding2D", {}).getConfig()["padding"], nested(1));
    assert.deepEqual(nested([1, 2]), [
      [1, 1],
      [2, 2],
    ]);
    assert.deepEqual(nested([[1, 2], 3]), [
      [1, 2],
      [3, 3],
    ]);
    assertRoundTrip(
      new ZeroPadding2D({
        padding: [
          [0, 1],
          [2, 3],
        ],
      }),
    );
  });

  it("refuses anything else", () => {
    for (const padding of [-1, 1.5, "same", [1], [1, 2, 3], [[1, 2, 3], 1], [[1], [2]], {}]) {
      assert.throws(() => layerFromConfig("ZeroPadding2D", { padding }), {
        name: "TypeError",
        message:
          "ZeroPadding2D: `padding` must be a number, [height, width], or [[top, bottom], [left, right]], " +
          `all whole numbers of at least 0. Received ${JSON.stringify(padding)}.`,
      });
    }
    assert.throws(
      () =>
        zeroPadding2DForward(tensorOf([1], [1, 1]), [
          [0, 0],
          [0, 0],
        ]),
      {
        name: "RangeError",
        message: "ZeroPadding2D: `x` must have 4 dimensions. Received x.shape=[1, 1].",
      },
    );
    const cropping: Padding2D = [
      [-1, 0],
      [0, 0],
    ];
    assert.throws(() => zeroPadding2DForward(tensorOf([1, 2], [1, 2, 1, 1]), cropping), {
      name: "TypeError",
      message:
        /^ZeroPadding2D: `padding` must be .* all whole numbers of at least 0\. Received \[\[-1,0\],\[0,0\]\]\.$/,
    });
    assert.throws(() => layerFromConfig("ZeroPadding2D", { data_format: "channels_first" }), {
      name: "TypeError",
      message: 'ZeroPadding2D: `data_format` must be "channels_last". Received "channels_first".',
    });
  });
});
