import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Tensor, tensorOf } from "../../src/tensor/tensor.js";
import { addBatch, countCorrect, countInTopK, means, NO_SAMPLES } from "../../src/training/metrics.js";

/** Rows with ties, with NaN, and plain ones. */
const ROWS = [
  [0.2, 0.2, 0.2, 0.2, 0.1, 0.1, 0],
  [0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1],
  [0.4, 0.2, 0.2, 0.1, 0.05, 0.03, 0.02],
  [Number.NaN, 0.2, 0.2, 0.1, 0.05, 0.03, 0.02],
  [0.1, 0.2, 0.3, 0.1, 0.1, 0.1, 0.1],
  Array.from({ length: 7 }, () => Number.NEGATIVE_INFINITY),
];

/** What `categorical_accuracy` and `top_k_categorical_accuracy` of Keras 3.15.1 with TensorFlow say of each row. */
const KERAS = [
  { labels: [1, 6, 5, 1, 0, 0], correct: [0, 0, 0, 1, 0, 1], top5: [1, 1, 0, 0, 1, 0], top2: [1, 1, 0, 0, 0, 0] },
  { labels: [0, 0, 6, 2, 2, 1], correct: [1, 1, 0, 0, 1, 0], top5: [1, 1, 0, 0, 1, 0], top2: [1, 1, 0, 0, 1, 0] },
];

describe("Metrics", () => {
  it("decide ties and NaN as Keras and TensorFlow do", () => {
    const each = (labels: readonly number[], count: (row: Tensor, label: Int32Array) => number): number[] =>
      labels.map((label, i) => count(tensorOf(ROWS[i], [1, 7]), Int32Array.of(label)));
    for (const { labels, correct, top5, top2 } of KERAS) {
      assert.deepEqual(
        each(labels, (row, label) => countInTopK(row, label, 5)),
        top5,
      );
      assert.deepEqual(
        each(labels, (row, label) => countInTopK(row, label, 2)),
        top2,
      );
      assert.deepEqual(each(labels, countCorrect), correct);
    }
  });

  it("count over a batch", () => {
    const yPred = tensorOf([0.5, 0.25, 0.25, 0.625, 0.25, 0.125], [2, 3]);
    assert.equal(countCorrect(yPred, Int32Array.of(0, 0)), 2);
    assert.equal(countCorrect(yPred, Int32Array.of(1, 0)), 1);
    assert.equal(countInTopK(yPred, Int32Array.of(1, 2), 2), 1);
  });

  it("weigh the loss of a batch by its samples, as Keras does", () => {
    const sums = addBatch(addBatch(NO_SAMPLES, { loss: 1, correct: 1, samples: 3 }), {
      loss: 5,
      correct: 1,
      samples: 1,
    });
    assert.deepEqual(means(sums), { loss: 2, accuracy: 0.5 });
  });

  it("refuse labels that do not fit, and say what they received", () => {
    const yPred = tensorOf([0.5, 0.5], [1, 2]);
    assert.throws(() => countCorrect(yPred, Int32Array.of(0, 1)), {
      name: "RangeError",
      message: "countCorrect: `yPred` must have shape [2, classes], a row for each label. Received shape [1, 2].",
    });
    assert.throws(() => countInTopK(yPred, Int32Array.of(2), 5), {
      name: "RangeError",
      message: "countInTopK: `labels` must be from 0 to 1. Received 2 at 0.",
    });
  });
});
