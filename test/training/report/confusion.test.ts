import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { tensor } from "../../../src/tensor/tensor.js";
import { confusionMatrix, mistakes } from "../../../src/training/report/confusion.js";

// five samples of three classes
const PROBABILITIES = tensor(
  Float32Array.from(
    [
      [0.75, 0.125, 0.125],
      [0.125, 0.25, 0.625],
      [0.5, 0.5, 0],
      [0.0625, 0.0625, 0.875],
      [0.25, 0.5, 0.25],
    ].flat(),
  ),
  [5, 3],
);
const LABELS = [0, 1, 1, 0, 2];
const NAMES = ["cat", "dog", "fox"];

describe("confusionMatrix", () => {
  it("counts samples by true class and by the first of the most probable ones", () => {
    assert.deepEqual(confusionMatrix(PROBABILITIES, LABELS, NAMES), {
      classNames: NAMES,
      counts: [
        [1, 0, 1],
        [1, 0, 1],
        [0, 1, 0],
      ],
    });
  });

  it("counts every sample once, in the row of its class, and the mistakes are those off the diagonal", () => {
    const samples = fc.array(
      fc.record({
        label: fc.nat(3),
        row: fc.array(fc.float({ min: 0, max: 1, noNaN: true }), { minLength: 4, maxLength: 4 }),
      }),
      { minLength: 1, maxLength: 20 },
    );
    fc.assert(
      fc.property(samples, (drawn) => {
        const labels = drawn.map(({ label }) => label);
        const y = tensor(Float32Array.from(drawn.flatMap(({ row }) => row)), [drawn.length, 4]);
        const { counts } = confusionMatrix(y, labels, ["a", "b", "c", "d"]);
        for (const [k, row] of counts.entries()) {
          assert.equal(
            row.reduce((sum, count) => sum + count, 0),
            labels.filter((label) => label === k).length,
          );
        }
        const right = counts.reduce((sum, row, k) => sum + row[k], 0);
        assert.equal(mistakes(y, labels).length, drawn.length - right);
      }),
    );
  });

  it("refuses probabilities of another shape than labels and classes ask for", () => {
    const message =
      "report: `probabilities` must have shape [4, 3] for 4 labels of 3 classes. Received probabilities.shape=[5, 3].";
    assert.throws(() => confusionMatrix(PROBABILITIES, [0, 1, 2, 0], NAMES), { name: "RangeError", message });
    assert.throws(() => mistakes(PROBABILITIES, [0, 1, 2, 0]), { name: "RangeError", message });
  });
});

describe("mistakes", () => {
  it("lists the mistakes with the least probability of the true class first, of equals the surest", () => {
    assert.deepEqual(
      mistakes(PROBABILITIES, LABELS).map(({ index, truth, predicted, probability, truthProbability }) => [
        index,
        truth,
        predicted,
        probability,
        truthProbability,
      ]),
      [
        [3, 0, 2, 0.875, 0.0625],
        [1, 1, 2, 0.625, 0.25],
        [4, 2, 1, 0.5, 0.25],
        [2, 1, 0, 0.5, 0.5],
      ],
    );
  });
});
