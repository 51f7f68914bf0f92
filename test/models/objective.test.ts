import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Softmax } from "../../src/layers/softmax.js";
import type { LayerPass } from "../../src/layers/layer.js";
import { categoricalCrossentropyForward } from "../../src/losses/categorical-crossentropy.js";
import { objectiveOf } from "../../src/models/objective.js";
import { type Tensor, tensorOf } from "../../src/tensor/tensor.js";
import { callLayer } from "../support/layers.js";
import { assertSameBits, exactTensors, generate } from "../support/tensors.js";

const oneHot = (labels: readonly number[], classes: number): Tensor =>
  generate([labels.length, classes], "float64", (n, k) => Number(labels[n] === k));

/** The pass of a layer that is no softmax. */
const plain = (y: Tensor): LayerPass => ({ y, backward: (dy) => ({ dInputs: [dy], dWeights: {} }) });

describe("objectiveOf", () => {
  it("takes the cross-entropy of a softmax from its logits, where the probability would have rounded to 1", () => {
    const output = callLayer(new Softmax(), [tensorOf([60, 0], [1, 2], "float32")]);
    assert.deepEqual(Array.from(output.y.data), [1, Math.fround(output.y.get(0, 1))]);
    // log(e^60 + 1) - 0, with nothing clipped at 1e-7
    const { loss, gradient } = objectiveOf("categorical_crossentropy", oneHot([1], 2), output);
    assert.equal(loss, 60);
    assert.deepEqual(Array.from(gradient.dLogits?.data ?? []), [1, -1]);
  });

  it("takes it of anything else as of probabilities", () => {
    const y = tensorOf([0.25, 0.75], [1, 2], "float64");
    const yTrue = oneHot([1], 2);
    const { loss, gradient } = objectiveOf("categorical_crossentropy", yTrue, plain(y));
    assert.equal(loss, categoricalCrossentropyForward(yTrue, y).loss);
    assert.equal(gradient.dLogits, undefined);
  });

  it("gives the same loss and logit gradients for class numbers as for one-hot labels", () => {
    fc.assert(
      fc.property(exactTensors([3, 5]), fc.array(fc.nat(4), { minLength: 3, maxLength: 3 }), (logits, labels) => {
        const output = callLayer(new Softmax({ dtype: "float64" }), [logits]);
        const sparse = objectiveOf("sparse_categorical_crossentropy", tensorOf(labels, [3], "float64"), output);
        const dense = objectiveOf("categorical_crossentropy", oneHot(labels, 5), output);
        assert.equal(sparse.loss, dense.loss);
        assert.ok(sparse.gradient.dLogits !== undefined && dense.gradient.dLogits !== undefined);
        assertSameBits(sparse.gradient.dLogits, dense.gradient.dLogits);
      }),
    );
  });

  it("is the mean of the squared differences for mean_squared_error", () => {
    const y = tensorOf([1, 2, 3, 4], [2, 2], "float64");
    const { loss, gradient } = objectiveOf("mean_squared_error", tensorOf([1, 0, 3, 8], [2, 2], "float64"), plain(y));
    assert.equal(loss, 5);
    assert.deepEqual(Array.from(gradient.dy.data), [0, 1, 0, -2]);
  });
});
