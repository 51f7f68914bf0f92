import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { exp } from "../../src/arithmetic/exp.js";
import { layerFromConfig } from "../../src/layers/registry.js";
import { Softmax, softmaxBackward, softmaxForward } from "../../src/layers/softmax.js";
import { input } from "../../src/layers/input-layer.js";
import { type Tensor, tensorOf } from "../../src/tensor/tensor.js";
import { assertGradient, fakeLoss } from "../support/gradients.js";
import { assertGradients, assertRoundTrip, callLayer } from "../support/layers.js";
import {
  assertReadsViews,
  assertSameBits,
  distinctShapes,
  exactTensors,
  floatTensors,
  generate,
  mapped,
  smoothTensors,
} from "../support/tensors.js";

interface Case {
  readonly axis: number;
  readonly x: Tensor;
  readonly dy: Tensor;
}

function cases(tensors: (shape: number[]) => fc.Arbitrary<Tensor>): fc.Arbitrary<Case> {
  return distinctShapes(3).chain((shape) =>
    fc.record({ axis: fc.integer({ min: -3, max: 2 }), x: tensors(shape), dy: tensors(shape) }),
  );
}

/** The row of `x` along `axis` through `index`. */
function row(x: Tensor, axis: number, index: number[]): number[] {
  return Array.from({ length: x.shape[axis] }, (_, k) => x.get(...index.with(axis, k)));
}

describe("Softmax", () => {
  it("turns equal numbers into equal shares, and leaves nothing for what is far below", () => {
    assertSameBits(softmaxForward(tensorOf([3, 3, -200, 7], [2, 2])).y, tensorOf([0.5, 0.5, 0, 1], [2, 2]));
    assertSameBits(softmaxForward(tensorOf([1e38, 1e38], [1, 2])).y, tensorOf([0.5, 0.5], [1, 2]));
    const shares = [0.5, 0.5, 0, 1]; // along the last axis, which is not the second one
    assertSameBits(softmaxForward(tensorOf([3, 3, -200, 7], [1, 2, 2])).y, tensorOf(shares, [1, 2, 2]));
  });

  it("equals its equation, to the bit, along any axis", () => {
    fc.assert(
      fc.property(cases(floatTensors), ({ x, axis }) => {
        const at = axis < 0 ? axis + 3 : axis;
        const expected = generate(x.shape, "float32", (...index) => {
          const values = row(x, at, index);
          const powers = values.map((v) => exp(v - Math.max(...values)));
          return powers[index[at]] / powers.reduce((sum, v) => sum + v, 0);
        });
        assertSameBits(softmaxForward(x, axis).y, expected);
      }),
    );
  });

  it("has gradients equal to central differences of L = sum r * y", () => {
    fc.assert(
      fc.property(cases(smoothTensors), ({ x, dy, axis }) => {
        const gradient = softmaxBackward(dy, softmaxForward(x, axis).cache);
        assertGradient({ name: "dx", at: x, gradient, loss: (point) => fakeLoss(softmaxForward(point, axis).y, dy) });
      }),
      { numRuns: 40 },
    );
  });

  it("does not see a constant that is added, to the bit", () => {
    fc.assert(
      fc.property(cases(exactTensors), fc.integer({ min: -40, max: 40 }), ({ x, axis }, shift) => {
        assertSameBits(
          softmaxForward(
            mapped(x, (v) => v + shift),
            axis,
          ).y,
          softmaxForward(x, axis).y,
        );
      }),
    );
  });

  it("gives shares that sum to 1, and gradients that sum to 0", () => {
    fc.assert(
      fc.property(cases(smoothTensors), ({ x, dy, axis }) => {
        const at = axis < 0 ? axis + 3 : axis;
        const { y, cache } = softmaxForward(x, axis);
        const dx = softmaxBackward(dy, cache);
        const start = [0, 0, 0];
        const sum = (values: number[]): number => values.reduce((total, v) => total + v, 0);
        // each share is off by half an ulp, the sum of K of them by K more; dx multiplies this by |dy| <= 2, twice
        const allowed = (2 * x.shape[at] + 2) * 2 ** -53;
        assert.ok(Math.abs(sum(row(y, at, start)) - 1) <= allowed);
        assert.ok(Math.abs(sum(row(dx, at, start))) <= 8 * allowed);
      }),
    );
  });

  it("loses nothing of the gradient where a share is nearly 1", () => {
    // dx = p0 p1 (dy0 - dy1) and its opposite; from p0 rounded to float32 the first would be off by a fifteenth
    const { cache } = softmaxForward(tensorOf([0, -14], [1, 2]));
    const { data } = softmaxBackward(tensorOf([1, 0], [1, 2]), cache);
    assert.equal(data[0], -data[1]);
  });

  it("keeps NaN within its row", () => {
    assertSameBits(softmaxForward(tensorOf([1, Number.NaN, 0, 0], [2, 2])).y, tensorOf([NaN, NaN, 0.5, 0.5], [2, 2]));
  });

  it("reads strided views like their contiguous copies, and changes none of its arguments", () => {
    fc.assert(
      fc.property(cases(floatTensors), ({ x, dy, axis }) => {
        assertReadsViews([x, dy], (x, dy) => {
          const { y, cache } = softmaxForward(x, axis);
          return [y, softmaxBackward(dy, cache)];
        });
      }),
      { numRuns: 30 },
    );
  });

  it("is a layer that joins the pair, gives its logits away where the axis is the last, and keeps its configuration", () => {
    const x = generate([2, 3, 4], "float64", (n, h, w) => ((5 * n + 3 * h + 2 * w) % 7) / 4);
    for (const axis of [-1, 1, 2]) {
      const layer = new Softmax({ axis, dtype: "float64" });
      const pass = callLayer(layer, [x]);
      const { y, cache } = softmaxForward(x, axis);
      assertSameBits(pass.y, y);
      assertGradients(pass, x, [softmaxBackward(x, cache)]);
      assert.equal(pass.logits !== undefined, axis !== 1);
      assert.equal(assertRoundTrip(layer)["axis"], axis);
    }
    assert.equal(new Softmax().getConfig()["axis"], -1);
    assert.equal(layerFromConfig("Softmax", {}).getConfig()["axis"], -1);
  });

  it("refuses an axis that its input does not have", () => {
    assert.throws(() => layerFromConfig("Softmax", { axis: 3 }).apply(input({ shape: [4, 5] })), {
      name: "RangeError",
      message:
        "Softmax: `axis` must be a whole number between -3 and 2 for an input of shape [null, 4, 5]. Received axis=3.",
    });
    for (const make of [() => new Softmax({ axis: 0.5 }), () => layerFromConfig("Softmax", { axis: 0.5 })]) {
      assert.throws(make, {
        name: "TypeError",
        message: /^Softmax: `axis` must be a whole number .* Received 0\.5\.$/,
      });
    }
    assert.throws(() => softmaxForward(tensorOf([1, 2, 3, 4], [2, 2]), 0.5), {
      name: "RangeError",
      message: /^Softmax: `axis` must be a whole number .* Received axis=0\.5\.$/,
    });
  });
});
