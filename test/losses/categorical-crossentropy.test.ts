import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { log } from "../../src/arithmetic/log.js";
import { softmaxForward } from "../../src/layers/softmax.js";
import {
  categoricalCrossentropyBackward,
  categoricalCrossentropyForward,
  type CategoricalCrossentropyOptions,
} from "../../src/losses/categorical-crossentropy.js";
import { sparseCategoricalCrossentropyForward } from "../../src/losses/sparse-categorical-crossentropy.js";
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
const loss = (yTrue: Tensor, yPred: Tensor, options?: CategoricalCrossentropyOptions): number =>
  categoricalCrossentropyForward(yTrue, yPred, options).loss;
const gradient = (yTrue: Tensor, yPred: Tensor, options?: CategoricalCrossentropyOptions): Tensor =>
  categoricalCrossentropyBackward(categoricalCrossentropyForward(yTrue, yPred, options).cache);

/** One-hot labels of `yPred`'s shape; the classes depend on the row alone. */
function oneHot(yPred: Tensor): Tensor {
  return generate(yPred.shape, "float64", (...index) => {
    const classes = yPred.shape[yPred.dimension - 1];
    const row = index.slice(0, -1).reduce((sum, i, axis) => sum + (axis + 2) * i, 1);
    return index[index.length - 1] === row % classes ? 1 : 0;
  });
}

/** Predictions and labels of rank 2 or 3, at least 2 classes. */
function cases(predictions: (shape: number[]) => fc.Arbitrary<Tensor>) {
  return fc
    .integer({ min: 2, max: 3 })
    .chain((rank) => distinctShapes(rank))
    .filter((shape) => shape[shape.length - 1] > 1)
    .chain((shape) => fc.record({ yPred: predictions(shape), soft: smoothTensors(shape), hard: fc.boolean() }))
    .map(({ yPred, soft, hard }) => ({ yPred, yTrue: hard ? oneHot(yPred) : soft }));
}

/** Positive numbers, none of which is so small or large a share of its row that it is clipped. */
const probabilities = (shape: number[]) => smoothTensors(shape).map((x) => mapped(x, (v) => 1.25 + v / 2));

describe("CategoricalCrossentropy", () => {
  it("is the logarithm of what the true class was given, the mean over the batch", () => {
    const yTrue = f64([0, 1, 0, 0, 0, 1], [2, 3]);
    const yPred = f64([0.25, 0.5, 0.25, 0, 0.75, 0.25], [2, 3]);
    assert.equal(loss(yTrue, yPred), (-log(0.5) - log(0.25)) / 2);
    const rows = f64([0, 0], [1, 2]);
    assert.equal(loss(f64([1, 0], [1, 2]), rows, { fromLogits: true }), log(2));
    assertSameBits(gradient(f64([1, 0], [1, 2]), rows, { fromLogits: true }), f64([-0.5, 0.5], [1, 2]));
  });

  // printed by Keras 3.15 with TensorFlow 2.21 in float64; its 1e-7 bounds clip the whole second row
  const yTrue = f64([0, 1, 0, 0, 0, 1], [2, 3]);
  const yPred = f64([0.2, 0.5, 0.9, 1 - 1e-9, 0, 1e-9], [2, 3]);

  for (const { title, options, expected, dYPred } of [
    {
      title: "from probabilities, which it normalizes and clips",
      options: {},
      expected: 8.640623230382001,
      dYPred: [0.3125, -0.6875, 0.3125, 0, 0, 0],
    },
    {
      title: "from probabilities with smoothed labels",
      options: { labelSmoothing: 0.1 },
      expected: 8.377463372315562,
      dYPred: [0.22916667, -0.62083333, 0.29398148, 0, 0, 0],
    },
    {
      title: "from probabilities with labels that say nothing any more",
      options: { labelSmoothing: 1 },
      expected: 6.00902464971762,
      dYPred: [-0.52083333, -0.02083333, 0.12731481, 0, 0, 0],
    },
  ]) {
    it(`gives what Keras gives, ${title}`, () => {
      // Keras sums in another order: some ulps of the largest term, 16, divided by two rows
      assert.ok(Math.abs(loss(yTrue, yPred, options) - expected) <= 8 * 2 ** -49);
      const given = gradient(yTrue, yPred, options);
      // eight decimals were printed
      dYPred.forEach((v, i) =>
        assert.ok(Math.abs(given.data[i] - v) <= 0.5e-8 + 2 ** -50, `${i}: ${given.data[i]} and ${v}`),
      );
    });
  }

  it("has gradients equal to central differences, from probabilities", () => {
    fc.assert(
      fc.property(cases(probabilities), fc.constantFrom(0, 0.25), ({ yTrue, yPred }, labelSmoothing) => {
        const options = { labelSmoothing };
        const value = (at: Tensor) => ({ value: loss(yTrue, at, options), scale: 10 });
        assertGradient({ name: "dYPred", at: yPred, gradient: gradient(yTrue, yPred, options), loss: value });
      }),
      { numRuns: 40 },
    );
  });

  it("hands nothing back through a share that it clipped, and the rest through its neighbours", () => {
    // dq = [0, -4, 0], and dYPred = dq - the sum of dq q
    const yPred = f64([0, 0.25, 0.75], [1, 3]);
    assertSameBits(gradient(f64([0, 1, 0], [1, 3]), yPred), f64([1, -3, 1], [1, 3]));
  });

  it("has gradients equal to central differences, from logits, whatever the labels sum to", () => {
    fc.assert(
      fc.property(cases(smoothTensors), fc.constantFrom(0, 0.25), ({ yTrue, yPred }, labelSmoothing) => {
        const options = { labelSmoothing, fromLogits: true };
        const value = (at: Tensor) => ({ value: loss(yTrue, at, options), scale: 10 });
        assertGradient({ name: "dYPred", at: yPred, gradient: gradient(yTrue, yPred, options), loss: value });
      }),
      { numRuns: 40 },
    );
  });

  it("does not see a constant that is added to logits, nor a power of two that multiplies probabilities", () => {
    const exact = (shape: number[]) => smoothTensors(shape).map((x) => mapped(x, (v) => Math.round(8 * v) / 8));
    fc.assert(
      fc.property(cases(exact), fc.integer({ min: -40, max: 40 }), ({ yTrue, yPred }, shift) => {
        const shifted = mapped(yPred, (v) => v + shift);
        assert.equal(loss(yTrue, shifted, { fromLogits: true }), loss(yTrue, yPred, { fromLogits: true }));
      }),
    );
    fc.assert(
      fc.property(cases(probabilities), fc.integer({ min: -8, max: 8 }), ({ yTrue, yPred }, exponent) => {
        assert.equal(
          loss(
            yTrue,
            mapped(yPred, (v) => v * 2 ** exponent),
          ),
          loss(yTrue, yPred),
        );
      }),
    );
  });

  it("is the same of logits and of their softmax, up to rounding", () => {
    fc.assert(
      fc.property(cases(smoothTensors), ({ yPred }) => {
        const yTrue = oneHot(yPred);
        const [a, b] = [loss(yTrue, yPred, { fromLogits: true }), loss(yTrue, softmaxForward(yPred).y)];
        // logits of up to 2: shares of at least 1/(7 e^4), whose logarithm magnifies the few roundings of a share not at all
        assert.ok(Math.abs(a - b) <= 64 * 2 ** -53 * Math.max(1, a), `${a} and ${b}`);
      }),
    );
  });

  it("stays finite where a class has no probability or a logit is far away", () => {
    const [yTrue, none] = [tensorOf([1, 0], [1, 2]), tensorOf([0, 1], [1, 2])];
    assert.equal(loss(yTrue, none), -log(1e-7));
    assert.equal(loss(yTrue, tensorOf([-1000, 1000], [1, 2]), { fromLogits: true }), 2000);
    assertSameBits(gradient(yTrue, tensorOf([-1000, 1000], [1, 2]), { fromLogits: true }), tensorOf([-1, 1], [1, 2]));
  });

  it("multiplies a label of 0 by an infinite logarithm, as Keras does; the gradient and sparse labels do not", () => {
    const logits = tensorOf([Number.NEGATIVE_INFINITY, 4], [1, 2]);
    const [ruledOut, other] = [tensorOf([1, 0], [1, 2]), tensorOf([0, 1], [1, 2])];
    // printed by Keras 3.15 with TensorFlow 2.21
    assert.equal(loss(other, logits, { fromLogits: true }), Number.NaN);
    assertSameBits(gradient(other, logits, { fromLogits: true }), tensorOf([0, 0], [1, 2]));
    assert.equal(loss(ruledOut, logits, { fromLogits: true }), Number.POSITIVE_INFINITY);
    assertSameBits(gradient(ruledOut, logits, { fromLogits: true }), tensorOf([-1, 1], [1, 2]));
    assert.equal(sparseCategoricalCrossentropyForward(tensorOf([1], [1]), logits, { fromLogits: true }).loss, 0);
  });

  it("does not hide NaN in the predictions", () => {
    const yTrue = tensorOf([1, 0], [1, 2]);
    for (const fromLogits of [false, true]) {
      const yPred = tensorOf([Number.NaN, 1], [1, 2]);
      assert.ok(Number.isNaN(loss(yTrue, yPred, { fromLogits })));
      assert.ok(gradient(yTrue, yPred, { fromLogits }).data.every(Number.isNaN));
    }
  });

  it("reads strided views like their contiguous copies, and changes none of its arguments", () => {
    fc.assert(
      fc.property(cases(probabilities), fc.boolean(), ({ yTrue, yPred }, fromLogits) => {
        assertReadsViews([yTrue, yPred], (yTrue, yPred) => {
          const { loss, cache } = categoricalCrossentropyForward(yTrue, yPred, { fromLogits });
          return [f64([loss], [1]), categoricalCrossentropyBackward(cache)];
        });
      }),
      { numRuns: 30 },
    );
  });

  it("refuses options that it does not have, as Keras's from_logits, which would be taken for probabilities", () => {
    const logits = tensorOf([3, 4], [1, 2]);
    assert.throws(() => loss(tensorOf([1, 0], [1, 2]), logits, { from_logits: true } as object), {
      name: "TypeError",
      message: "CategoricalCrossentropy: its options must be among fromLogits, labelSmoothing. Received `from_logits`.",
    });
  });

  it("refuses a `fromLogits` that is text: false as text would be taken for true", () => {
    assert.throws(
      () => loss(tensorOf([1, 0], [1, 2]), tensorOf([0.5, 0.5], [1, 2]), { fromLogits: "false" } as object),
      {
        name: "TypeError",
        message: 'CategoricalCrossentropy: `fromLogits` must be true or false. Received "false".',
      },
    );
  });

  it("refuses labels of another shape, labels that are no numbers, and a share that is none", () => {
    const yPred = tensorOf([0.5, 0.5, 0.5, 0.5], [2, 2]);
    const range = (message: string): object => ({ name: "RangeError", message });
    assert.throws(
      () => loss(tensorOf([1, 0], [2]), yPred),
      range("CategoricalCrossentropy: `yTrue` must have the shape of `yPred`, [2, 2]. Received yTrue.shape=[2]."),
    );
    assert.throws(
      () => loss(tensorOf([1, 0, Number.NaN, 1], [2, 2]), yPred),
      range("CategoricalCrossentropy: `yTrue` must be made of finite numbers. Received NaN at [1, 0]."),
    );
    assert.throws(
      () => loss(tensorOf([Number.POSITIVE_INFINITY, 0, Number.NaN, 1], [2, 2]), yPred),
      range("CategoricalCrossentropy: `yTrue` must be made of finite numbers. Received Infinity at [0, 0]."),
    );
    assert.throws(
      () => loss(yPred, yPred, { labelSmoothing: 1.5 }),
      range("CategoricalCrossentropy: `labelSmoothing` must be between 0 and 1. Received labelSmoothing=1.5."),
    );
    assert.throws(() => loss(yPred, yPred, { labelSmoothing: null } as object), {
      message: "CategoricalCrossentropy: `labelSmoothing` must be between 0 and 1. Received labelSmoothing=null.",
    });
    for (const shape of [[0, 2], [2, 0], [4]]) {
      const bad = tensorOf(shape.length === 1 ? [1, 2, 3, 4] : [], shape);
      assert.throws(
        () => loss(bad, bad),
        range(
          "CategoricalCrossentropy: `yPred` must have shape [batch, ..., classes], with at least one of each. " +
            `Received yPred.shape=[${shape.join(", ")}].`,
        ),
      );
    }
  });
});
