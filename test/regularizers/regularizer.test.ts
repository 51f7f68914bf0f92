import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { serial } from "../../src/kernels/execution.js";
import {
  addRegularizationGradient,
  l1,
  l1l2,
  l2,
  type Regularizer,
  regularizationLoss,
  regularizationLossOfAll,
  regularizerFromConfig,
  regularizerToConfig,
} from "../../src/regularizers/regularizer.js";
import { type Tensor, tensorOf } from "../../src/tensor/tensor.js";
import { assertGradient } from "../support/gradients.js";
import {
  assertReadsViews,
  assertSameBits,
  distinctShapes,
  distinctTensors,
  floatTensors,
  inner,
  mapped,
} from "../support/tensors.js";

const weight = tensorOf([1, -2, 0, 3], [2, 2]);
const nothing = mapped(weight, () => 0);

describe("regularizers", () => {
  it("add the absolute values, the squares, or both, without a factor of one half", () => {
    assert.equal(regularizationLoss(l1(0.5), weight), 3);
    assert.equal(regularizationLoss(l2(0.5), weight), 7);
    assert.equal(regularizationLoss(l1l2(0.5, 0.25), weight), 6.5);
    assertSameBits(addRegularizationGradient(l1(0.5), weight, nothing), tensorOf([0.5, -0.5, 0, 0.5], [2, 2]));
    assertSameBits(addRegularizationGradient(l2(0.5), weight, nothing), tensorOf([1, -2, 0, 3], [2, 2]));
  });

  it("have gradients equal to central differences, added to those of the loss", () => {
    const factors = fc.integer({ min: 0, max: 8 }).map((n) => n / 8);
    const tensors = distinctShapes(3).chain((shape) => fc.tuple(distinctTensors(shape), distinctTensors(shape)));
    fc.assert(
      fc.property(tensors, factors, factors, ([at, dWeight], a, b) => {
        const regularizer = l1l2(a, b);
        const gradient = addRegularizationGradient(regularizer, at, dWeight);
        const loss = (w: Tensor) => {
          const linear = inner(w, dWeight);
          const scale = 1 + inner(mapped(w, Math.abs), mapped(dWeight, Math.abs)) + inner(w, w);
          return { value: regularizationLoss(regularizer, w) + linear, scale };
        };
        assertGradient({ name: "dWeight", at, gradient, loss });
      }),
      { numRuns: 40 },
    );
  });

  it("leave the gradient that they are added to as it is, and read strided views", () => {
    fc.assert(
      fc.property(
        distinctShapes(3).chain((shape) => fc.tuple(floatTensors(shape), floatTensors(shape))),
        ([w, dw]) => {
          assertReadsViews([w, dw], (w, dw) => [
            addRegularizationGradient(l1l2(0.5, 0.25), w, dw),
            tensorOf([regularizationLoss(l1l2(0.5, 0.25), w)], [1], "float64"),
          ]);
        },
      ),
      { numRuns: 30 },
    );
  });

  it("add up over weights, without those that have none", () => {
    const weights = [l2(0.5), undefined, l1l2(0.5, 0.25)].map((regularizer) => ({ regularizer, value: weight }));
    assert.equal(regularizationLossOfAll(weights, serial), 7 + 6.5);
    assert.equal(regularizationLossOfAll([], serial), 0);
  });

  it("have Keras's factors where none is given", () => {
    assert.deepEqual([l1(), l2(), l1l2()], [l1(0.01), l2(0.01), l1l2(0, 0)]);
  });

  it("are written as Keras writes them, and read again", () => {
    for (const regularizer of [l1(0.5), l2(1e-4), l1l2(0, 0.25), l1(), l2(), l1l2()]) {
      const config = JSON.parse(JSON.stringify(regularizerToConfig(regularizer)));
      assert.deepEqual(regularizerFromConfig(config, "Dense: `kernel_regularizer`"), regularizer);
    }
    assert.deepEqual(regularizerToConfig(l2(0.5)), {
      module: "keras.regularizers",
      class_name: "L2",
      config: { l2: 0.5 },
      registered_name: null,
    });
    assert.equal(regularizerToConfig(undefined), null);
  });

  it("are read from names and from Keras 2 configurations", () => {
    const read = (config: unknown): Regularizer | undefined =>
      regularizerFromConfig(config, "Dense: `kernel_regularizer`");
    assert.equal(read(null), undefined);
    assert.equal(read(undefined), undefined);
    assert.deepEqual(read("l2"), l2(0.01));
    assert.deepEqual(read("l1"), l1(0.01));
    for (const name of ["L1L2", "l1l2"]) assert.deepEqual(read(name), l1l2(0, 0));
    assert.deepEqual(read("l1_l2"), l1l2(0.01, 0.01));
    assert.deepEqual(read({ class_name: "L2" }), l2(0.01));
    assert.deepEqual(read({ class_name: "L1L2", config: { l2: 0.5 } }), l1l2(0, 0.5));
  });

  it("refuse factors that are no penalties, and classes that they do not know", () => {
    assert.throws(() => l2(-1), {
      name: "RangeError",
      message: "L2: `l2` must be a finite number of at least 0. Received -1.",
    });
    assert.throws(() => l1(Number.NaN), {
      name: "RangeError",
      message: "L1: `l1` must be a finite number of at least 0. Received NaN.",
    });
    const read = (config: unknown) => () => regularizerFromConfig(config, "Dense: `kernel_regularizer`");
    assert.throws(read({ class_name: "OrthogonalRegularizer", config: {} }), {
      name: "TypeError",
      message: 'Dense: `kernel_regularizer` must be one of L1, L2, L1L2. Received "OrthogonalRegularizer".',
    });
    assert.throws(read({ class_name: "L2", config: { l2: "big" } }), {
      name: "RangeError",
      message: "Dense: `kernel_regularizer`: `l2` must be a finite number of at least 0. Received big.",
    });
  });
});
