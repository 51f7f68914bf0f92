import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { log } from "../../src/arithmetic/log.js";
import {
  categoricalCrossentropyBackward,
  categoricalCrossentropyForward,
} from "../../src/losses/categorical-crossentropy.js";
import {
  sparseCategoricalCrossentropyBackward,
  sparseCategoricalCrossentropyForward,
  type SparseCategoricalCrossentropyOptions,
} from "../../src/losses/sparse-categorical-crossentropy.js";
import { type Tensor, tensorOf } from "../../src/tensor/tensor.js";
import { assertGradient } from "../support/gradients.js";
import {
  assertReadsViews,
  assertSameBits,
  distinctShapes,
  generate,
  mapped,
  smoothTensors,
} from "../support/tensors.js";

const f64 = (values: number[], shape: number[]): Tensor => tensorOf(values, shape, "float64");
const loss = (yTrue: Tensor, yPred: Tensor, options?: SparseCategoricalCrossentropyOptions): number =>
  sparseCategoricalCrossentropyForward(yTrue, yPred, options).loss;
const gradient = (yTrue: Tensor, yPred: Tensor, options?: SparseCategoricalCrossentropyOptions): Tensor =>
  sparseCategoricalCrossentropyBackward(sparseCategoricalCrossentropyForward(yTrue, yPred, options).cache);

/** Predictions of rank 2 or 3 with at least 2 classes, and a class for every row. */
const cases = fc
  .integer({ min: 2, max: 3 })
  .chain((rank) => distinctShapes(rank))
  .filter((shape) => shape[shape.length - 1] > 1)
  .chain((shape) => fc.record({ logits: smoothTensors(shape), seed: fc.nat(100) }))
  .map(({ logits, seed }) => {
    const classes = logits.shape[logits.dimension - 1];
    const classOf = (...index: number[]): number =>
      index.reduce((sum, i, axis) => sum + (axis + 2) * i, seed) % classes;
    return {
      logits,
      probabilities: mapped(logits, (v) => 0.5 + v / 5), // between 0.1 and 0.9: none is clipped
      yTrue: generate(logits.shape.slice(0, -1), "float64", classOf),
      oneHot: generate(logits.shape, "float64", (...index) =>
        classOf(...index.slice(0, -1)) === index.at(-1) ? 1 : 0,
      ),
    };
  });

describe("SparseCategoricalCrossentropy", () => {
  it("is the logarithm of what the true class was given, the mean over the batch", () => {
    const yPred = f64([0.25, 0.5, 0.25, 0.5, 0.25, 0.25], [2, 3]);
    assert.equal(loss(tensorOf([1, 2], [2]), yPred), (-log(0.5) - log(0.25)) / 2);
    assertSameBits(gradient(tensorOf([0], [1]), f64([0, 0], [1, 2]), { fromLogits: true }), f64([-0.5, 0.5], [1, 2]));
  });

  it("gives what Keras gives, from probabilities, which it clips and then normalizes", () => {
    // printed by Keras 3.15 with TensorFlow 2.21 in float64
    const yPred = f64([0.2, 0.5, 0.9, 1 - 1e-9, 0, 1e-9], [2, 3]);
    // Keras sums in another order: some ulps of the largest term, 16, divided by two rows
    assert.ok(Math.abs(loss(tensorOf([1, 2], [2]), yPred) - 8.640623280381998) <= 8 * 2 ** -49);
    // exact up to two roundings of 1/3.2 and 1/1.6 - 1/0.5
    const given = gradient(tensorOf([1, 2], [2]), yPred).data;
    [0.3125, -0.6875, 0.3125, 0, 0, 0].forEach((v, i) => assert.ok(Math.abs(given[i] - v) <= 4 * 2 ** -53));
  });

  it("has gradients equal to central differences, from probabilities and from logits", () => {
    fc.assert(
      fc.property(cases, fc.boolean(), ({ yTrue, logits, probabilities }, fromLogits) => {
        const at = fromLogits ? logits : probabilities;
        const value = (yPred: Tensor) => ({ value: loss(yTrue, yPred, { fromLogits }), scale: 10 });
        assertGradient({ name: "dYPred", at, gradient: gradient(yTrue, at, { fromLogits }), loss: value });
      }),
      { numRuns: 60 },
    );
  });

  it("is categorical cross-entropy with one-hot labels, to the bit, from logits", () => {
    fc.assert(
      fc.property(cases, ({ yTrue, oneHot, logits }) => {
        const other = categoricalCrossentropyForward(oneHot, logits, { fromLogits: true });
        assert.equal(loss(yTrue, logits, { fromLogits: true }), other.loss);
        assertSameBits(gradient(yTrue, logits, { fromLogits: true }), categoricalCrossentropyBackward(other.cache));
      }),
    );
  });

  it("takes labels with a last dimension of 1 as well", () => {
    const yPred = f64([0.25, 0.5, 0.25, 0.5, 0.25, 0.25], [2, 3]);
    assert.equal(loss(tensorOf([1, 2], [2, 1]), yPred), loss(tensorOf([1, 2], [2]), yPred));
  });

  it("sends no gradient to what it clips", () => {
    const [yTrue, yPred] = [tensorOf([1], [1]), f64([1, 0], [1, 2])];
    // log of the sum of both bounds, which is 1 up to rounding, minus log of the lower one
    assert.ok(Math.abs(loss(yTrue, yPred) + log(1e-7)) <= 2 ** -50);
    assertSameBits(gradient(yTrue, yPred), f64([0, 0], [1, 2]));
  });

  it("has a slope at the bounds themselves, as Keras's clipping has", () => {
    // printed by Keras 3.15 with TensorFlow 2.21 in float64; 1e-7 and 1 - 1e-7 have the sum 1
    const yPred = f64([1e-7, 1 - 1e-7], [1, 2]);
    assertSameBits(gradient(tensorOf([0], [1]), yPred), f64([-9999999, 1], [1, 2]));
  });

  it("subtracts the greatest logit of the row alone", () => {
    const logits = f64([0, 0, 1000, 1000], [2, 2]);
    assert.equal(loss(tensorOf([0, 1], [2]), logits, { fromLogits: true }), log(2));
  });

  it("does not hide NaN in the predictions", () => {
    for (const fromLogits of [false, true]) {
      const [yTrue, yPred] = [tensorOf([0], [1]), tensorOf([Number.NaN, 1], [1, 2])];
      assert.ok(Number.isNaN(loss(yTrue, yPred, { fromLogits })));
      assert.ok(Number.isNaN(gradient(yTrue, yPred, { fromLogits }).data[0]));
    }
  });

  it("reads strided views like their contiguous copies, and changes none of its arguments", () => {
    fc.assert(
      fc.property(cases, fc.boolean(), ({ yTrue, probabilities }, fromLogits) => {
        assertReadsViews([yTrue, probabilities], (yTrue, yPred) => {
          const { loss, cache } = sparseCategoricalCrossentropyForward(yTrue, yPred, { fromLogits });
          return [f64([loss], [1]), sparseCategoricalCrossentropyBackward(cache)];
        });
      }),
      { numRuns: 30 },
    );
  });

  it("refuses options that it does not have: it cannot smooth labels", () => {
    assert.throws(() => loss(tensorOf([1], [1]), tensorOf([3, 4], [1, 2]), { labelSmoothing: 0.1 } as object), {
      name: "TypeError",
      message: "SparseCategoricalCrossentropy: its options must be among fromLogits. Received `labelSmoothing`.",
    });
  });

  it("refuses a `fromLogits` that is text: false as text would be taken for true", () => {
    assert.throws(() => loss(tensorOf([1], [1]), tensorOf([0.5, 0.5], [1, 2]), { fromLogits: "false" } as object), {
      name: "TypeError",
      message: 'SparseCategoricalCrossentropy: `fromLogits` must be true or false. Received "false".',
    });
  });

  it("refuses labels that are no classes, naming the first, and shapes that do not fit", () => {
    const yPred = tensorOf([0.5, 0.5, 0.5, 0.5], [2, 2]);
    for (const label of [Number.NaN, 2, -1, 0.5, Number.POSITIVE_INFINITY]) {
      assert.throws(() => loss(tensorOf([1, label], [2]), yPred), {
        name: "RangeError",
        message:
          "SparseCategoricalCrossentropy: `yTrue` must be made of whole numbers from 0 to 1. " +
          `Received ${label} at [1].`,
      });
    }
    assert.throws(() => loss(tensorOf([1, 0, 1], [3]), yPred), {
      name: "RangeError",
      message:
        "SparseCategoricalCrossentropy: `yTrue` must have shape [2] for predictions of shape [2, 2]. " +
        "Received yTrue.shape=[3].",
    });
    assert.throws(() => loss(tensorOf([], [0]), tensorOf([], [0, 2])), {
      name: "RangeError",
      message:
        "SparseCategoricalCrossentropy: `yPred` must have shape [batch, ..., classes], with at least one of each. " +
        "Received yPred.shape=[0, 2].",
    });
  });
});
