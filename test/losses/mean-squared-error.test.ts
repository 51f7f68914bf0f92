import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { meanSquaredErrorBackward, meanSquaredErrorForward } from "../../src/losses/mean-squared-error.js";
import { type Tensor, tensorOf } from "../../src/tensor/tensor.js";
import { assertGradient } from "../support/gradients.js";
import {
  assertReadsViews,
  assertSameBits,
  distinctShapes,
  floatTensors,
  generate,
  mapped,
  smoothTensors,
} from "../support/tensors.js";

const pairs = (tensors: (shape: number[]) => fc.Arbitrary<Tensor>) =>
  fc
    .integer({ min: 1, max: 3 })
    .chain((rank) => distinctShapes(rank).chain((shape) => fc.tuple(tensors(shape), tensors(shape))));
const loss = (yTrue: Tensor, yPred: Tensor): number => meanSquaredErrorForward(yTrue, yPred).loss;
const gradient = (yTrue: Tensor, yPred: Tensor): Tensor =>
  meanSquaredErrorBackward(meanSquaredErrorForward(yTrue, yPred).cache);

describe("MeanSquaredError", () => {
  it("is the mean of the squared differences", () => {
    const [yTrue, yPred] = [tensorOf([1, 2, 3, 4], [2, 2]), tensorOf([1, 4, 2, 4], [2, 2])];
    assert.equal(loss(yTrue, yPred), 1.25);
    assertSameBits(gradient(yTrue, yPred), tensorOf([0, 1, -0.5, 0], [2, 2]));
  });

  it("equals the sum of its equation in float64, to the bit", () => {
    fc.assert(
      fc.property(pairs(floatTensors), ([yTrue, yPred]) => {
        const squares = Array.from(yPred.data, (v, i) => (v - yTrue.data[i]) * (v - yTrue.data[i]));
        assert.equal(loss(yTrue, yPred), squares.reduce((sum, v) => sum + v, 0) / yPred.size);
      }),
    );
  });

  it("has gradients equal to central differences", () => {
    fc.assert(
      fc.property(pairs(smoothTensors), ([yTrue, yPred]) => {
        const value = (at: Tensor) => ({ value: loss(yTrue, at), scale: 16 });
        assertGradient({ name: "dYPred", at: yPred, gradient: gradient(yTrue, yPred), loss: value });
      }),
      { numRuns: 40 },
    );
  });

  it("does not see which is which, and scales with the square of both", () => {
    fc.assert(
      fc.property(pairs(floatTensors), fc.integer({ min: -8, max: 8 }), ([yTrue, yPred], exponent) => {
        assert.equal(loss(yPred, yTrue), loss(yTrue, yPred));
        const scaled = (x: Tensor): Tensor => mapped(x, (v) => v * 2 ** exponent);
        assert.equal(loss(scaled(yTrue), scaled(yPred)), loss(yTrue, yPred) * 4 ** exponent);
      }),
    );
  });

  it("compares [N] with [N, 1], as Keras does; the gradient has the shape of the predictions", () => {
    const [yTrue, yPred] = [tensorOf([1, 2, 3], [3]), tensorOf([2, 2, 2], [3, 1])];
    assert.equal(loss(yTrue, yPred), 2 / 3);
    assert.deepEqual(gradient(yTrue, yPred).shape, [3, 1]);
    assert.equal(loss(tensorOf([1, 2], [1, 2]), tensorOf([1, 4], [1, 2, 1])), 2);
    assert.deepEqual(gradient(yPred, yTrue).shape, [3]);
  });

  it("reads strided views like their contiguous copies, and changes none of its arguments", () => {
    fc.assert(
      fc.property(pairs(floatTensors), ([yTrue, yPred]) => {
        assertReadsViews([yTrue, yPred], (yTrue, yPred) => {
          const { loss, cache } = meanSquaredErrorForward(yTrue, yPred);
          return [tensorOf([loss], [1], "float64"), meanSquaredErrorBackward(cache)];
        });
      }),
      { numRuns: 30 },
    );
  });

  it("refuses labels of another shape, and labels that are no numbers", () => {
    const yPred = generate([2, 3], "float32", (n, k) => n + k);
    assert.throws(() => loss(tensorOf([1, 2], [2]), yPred), {
      name: "RangeError",
      message:
        "MeanSquaredError: `yTrue` must have the shape of `yPred`, and there must be values. " +
        "Received yTrue.shape=[2], yPred.shape=[2, 3].",
    });
    assert.throws(
      () =>
        loss(
          mapped(yPred, (v) => (v === 2 ? Number.NaN : v)),
          yPred,
        ),
      {
        name: "RangeError",
        message: "MeanSquaredError: `yTrue` must be made of finite numbers. Received NaN at [0, 2].",
      },
    );
  });
});
