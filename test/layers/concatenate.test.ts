import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Concatenate, concatenateBackward, concatenateForward } from "../../src/layers/concatenate.js";
import { input } from "../../src/layers/input-layer.js";
import { layerFromConfig } from "../../src/layers/registry.js";
import { reshape, type Tensor, tensorOf } from "../../src/tensor/tensor.js";
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
} from "../support/tensors.js";

interface Case {
  readonly axis: number;
  readonly inputs: Tensor[];
  readonly dy: Tensor;
}

/** One to three inputs that differ along one of three axes. */
function cases(tensors: (shape: number[]) => fc.Arbitrary<Tensor>): fc.Arbitrary<Case> {
  return fc
    .record({
      shape: distinctShapes(3),
      axis: fc.integer({ min: -3, max: 2 }),
      sizes: fc.uniqueArray(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 }),
    })
    .chain(({ shape, axis, sizes }) => {
      const along = axis < 0 ? axis + 3 : axis;
      const total = sizes.reduce((sum, size) => sum + size, 0);
      return fc.record({
        axis: fc.constant(axis),
        inputs: fc.tuple(...sizes.map((size) => tensors(shape.with(along, size)))),
        dy: tensors(shape.with(along, total)),
      });
    });
}

describe("Concatenate", () => {
  it("puts tensors one behind the other, and takes the gradient apart again", () => {
    const [a, b] = [tensorOf([1, 2, 3, 4], [2, 2]), tensorOf([5, 6], [2, 1])];
    const { y, cache } = concatenateForward([a, b]);
    assertSameBits(y, tensorOf([1, 2, 5, 3, 4, 6], [2, 3]));
    const [da, db] = concatenateBackward(y, cache);
    assertSameBits(da, a);
    assertSameBits(db, b);
    assertSameBits(concatenateForward([a, a], 0).y, tensorOf([1, 2, 3, 4, 1, 2, 3, 4], [4, 2]));
    const raised = (x: Tensor): Tensor => reshape(x, [1, ...x.shape]); // the last axis is not the second one
    assertSameBits(concatenateForward([raised(a), raised(b)]).y, raised(y));
  });

  it("has at every index the element of the input that the index falls into", () => {
    fc.assert(
      fc.property(
        cases((shape) => anyTensors(shape, { noNaN: false })),
        ({ inputs, axis, dy }) => {
          const along = axis < 0 ? axis + 3 : axis;
          const expected = generate(dy.shape, "float32", (...index) => {
            let at = index[along];
            for (const x of inputs) {
              if (at < x.shape[along]) return x.get(...index.with(along, at));
              at -= x.shape[along];
            }
            throw new Error("beyond the last input");
          });
          assertSameBits(concatenateForward(inputs, axis).y, expected);
        },
      ),
    );
  });

  it("has gradients equal to differences of L = sum r * y, for every input", () => {
    fc.assert(
      fc.property(cases(exactTensors), ({ inputs, axis, dy }) => {
        concatenateBackward(dy, concatenateForward(inputs, axis).cache).forEach((gradient, i) => {
          const loss = (x: Tensor) => fakeLoss(concatenateForward(inputs.with(i, x), axis).y, dy);
          assertExactGradient({ name: `dx${i}`, at: inputs[i], gradient, loss });
        });
      }),
      { numRuns: 50 },
    );
  });

  it("is undone by its backward pass, to the bit", () => {
    fc.assert(
      fc.property(cases(anyTensors), ({ inputs, axis, dy }) => {
        const { y, cache } = concatenateForward(inputs, axis);
        concatenateBackward(y, cache).forEach((x, i) => {
          assertSameBits(x, inputs[i], `input ${i}`);
        });
        assertSameBits(concatenateForward(concatenateBackward(dy, cache), axis).y, dy);
      }),
    );
  });

  it("reads strided views like their contiguous copies, and changes none of its arguments", () => {
    fc.assert(
      fc.property(cases(floatTensors), ({ inputs, axis, dy }) => {
        assertReadsViews([...inputs, dy], (...tensors) => {
          const { y, cache } = concatenateForward(tensors.slice(0, -1), axis);
          return [y, ...concatenateBackward(tensors[tensors.length - 1], cache)];
        });
      }),
      { numRuns: 30 },
    );
  });

  it("is a layer that joins the pair and keeps its configuration", () => {
    const [a, b] = [tensorOf([1, 2, 3, 4], [2, 2]), tensorOf([10, 20], [2, 1])];
    const pass = callLayer(new Concatenate(), [a, b]);
    const { y, cache } = concatenateForward([a, b]);
    assertSameBits(pass.y, y);
    assertGradients(pass, y, concatenateBackward(y, cache));
    assert.equal(assertRoundTrip(new Concatenate({ axis: 2 }))["axis"], 2);
    assert.equal(layerFromConfig("Concatenate", {}).getConfig()["axis"], -1);
  });

  it("leaves open what is open", () => {
    const [a, b] = [input({ shape: [null, 3] }), input({ shape: [4, 3] })];
    assert.deepEqual(new Concatenate().apply([a, b]).shape, [null, 4, 6]);
    assert.deepEqual(new Concatenate({ axis: 1 }).apply([a, b]).shape, [null, null, 3]);
  });

  it("refuses shapes that do not agree, and an axis that is not there", () => {
    const range = (message: string): object => ({ name: "RangeError", message });
    assert.throws(
      () => new Concatenate().apply([input({ shape: [3, 2] }), input({ shape: [4, 2] })]),
      range("Concatenate: all inputs must have the same shape, but for axis 2. Received [null, 3, 2], [null, 4, 2]."),
    );
    assert.throws(
      () => concatenateForward([tensorOf([1], [1, 1]), tensorOf([1], [1])]),
      range("Concatenate: all inputs must have the same shape, but for axis 1. Received [1, 1], [1]."),
    );
    assert.throws(
      () => new Concatenate({ axis: -3 }).apply(input({ shape: [2] })),
      range(
        "Concatenate: `axis` must be a whole number between -2 and 1 for an input of shape [null, 2]. Received axis=-3.",
      ),
    );
    assert.throws(
      () => new Concatenate().apply([]),
      range("Concatenate: must be applied to at least one input. Received none."),
    );
    assert.throws(
      () => concatenateForward([]),
      range("Concatenate: must be applied to at least one input. Received none."),
    );
    assert.throws(() => layerFromConfig("Concatenate", { axis: 0.5 }), {
      name: "TypeError",
      message: /^Concatenate: `axis` must be a whole number/,
    });
  });
});
