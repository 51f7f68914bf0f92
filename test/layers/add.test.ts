import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Add, addBackward, addForward } from "../../src/layers/add.js";
import { input } from "../../src/layers/input-layer.js";
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
  readonly inputs: Tensor[];
  readonly dy: Tensor;
}

/** Two to four inputs of one shape, some of whose dimensions may be 1 instead; the first has the full shape. */
function cases(tensors: (shape: number[]) => fc.Arbitrary<Tensor>): fc.Arbitrary<Case> {
  return distinctShapes(3)
    .chain((shape) =>
      fc.record({
        shape: fc.constant(shape),
        repeated: fc.array(fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()), { minLength: 1, maxLength: 3 }),
      }),
    )
    .chain(({ shape, repeated }) => {
      const shapes = [shape, ...repeated.map((ones) => shape.map((size, axis) => (ones[axis] ? 1 : size)))];
      return fc.record({ inputs: fc.tuple(...shapes.map(tensors)), dy: tensors(shape) });
    });
}

describe("Add", () => {
  it("adds element by element, and repeats what has size 1", () => {
    const [a, b] = [tensorOf([1, 2, 3, 4, 5, 6], [2, 3]), tensorOf([10, 20], [2, 1])];
    const { y, cache } = addForward([a, b]);
    assertSameBits(y, tensorOf([11, 12, 13, 24, 25, 26], [2, 3]));
    const [da, db] = addBackward(a, cache);
    assertSameBits(da, a);
    assertSameBits(db, tensorOf([6, 15], [2, 1]));
  });

  it("rounds once: three numbers are summed in float64", () => {
    const [a, b, c] = [1, 2 ** -24, 2 ** -24].map((v) => tensorOf([v], [1, 1]));
    assertSameBits(addForward([a, b, c]).y, tensorOf([1 + 2 ** -23], [1, 1]));
  });

  it("equals the sum of the elements, to the bit, signed zeros and infinities too", () => {
    fc.assert(
      fc.property(cases(anyTensors), ({ inputs, dy }) => {
        const at = (x: Tensor, index: number[]): number =>
          x.get(...index.map((i, axis) => (x.shape[axis] === 1 ? 0 : i)));
        const expected = generate(dy.shape, "float32", (...index) =>
          inputs.map((x) => at(x, index)).reduce((sum, v) => sum + v),
        );
        assertSameBits(addForward(inputs).y, expected);
      }),
    );
  });

  it("has gradients equal to differences of L = sum r * y, for every input", () => {
    fc.assert(
      fc.property(cases(exactTensors), ({ inputs, dy }) => {
        addBackward(dy, addForward(inputs).cache).forEach((gradient, i) => {
          const loss = (x: Tensor) => fakeLoss(addForward(inputs.with(i, x)).y, dy);
          assertExactGradient({ name: `dx${i}`, at: inputs[i], gradient, loss });
        });
      }),
      { numRuns: 50 },
    );
  });

  it("has a backward pass that is adjoint to forward: <dy, y> is the sum of all <dx, x>", () => {
    fc.assert(
      fc.property(cases(exactTensors), ({ inputs, dy }) => {
        const { y, cache } = addForward(inputs);
        const products = addBackward(dy, cache).map((dx, i) => inner(dx, inputs[i]));
        assert.equal(
          products.reduce((sum, v) => sum + v),
          inner(dy, y),
        );
      }),
    );
  });

  it("does not see the order of two inputs, to the bit", () => {
    fc.assert(
      fc.property(cases(anyTensors), ({ inputs: [a, b] }) => {
        assertSameBits(addForward([a, b]).y, addForward([b, a]).y);
      }),
    );
  });

  it("reads strided views like their contiguous copies, and changes none of its arguments", () => {
    fc.assert(
      fc.property(cases(floatTensors), ({ inputs, dy }) => {
        assertReadsViews([...inputs, dy], (...tensors) => {
          const { y, cache } = addForward(tensors.slice(0, -1));
          return [y, ...addBackward(tensors[tensors.length - 1], cache)];
        });
      }),
      { numRuns: 30 },
    );
  });

  it("is a layer that joins the pair and keeps its configuration", () => {
    const [a, b] = [tensorOf([1, 2, 3, 4], [2, 2]), tensorOf([10, 20], [2, 1])];
    const pass = callLayer(new Add(), [a, b]);
    const { y, cache } = addForward([a, b]);
    assertSameBits(pass.y, y);
    assertGradients(pass, y, addBackward(y, cache));
    assertRoundTrip(new Add({ name: "sum" }));
  });

  it("leaves open what is open in all inputs", () => {
    const [a, b] = [input({ shape: [null, 3] }), input({ shape: [null, 1] })];
    assert.deepEqual(new Add().apply([a, b]).shape, [null, null, 3]);
    assert.deepEqual(new Add().apply([a, input({ shape: [4, 3] })]).shape, [null, 4, 3]);
  });

  it("refuses one input, and shapes that do not agree", () => {
    const x = input({ shape: [3] });
    assert.throws(() => new Add().apply(x), {
      name: "RangeError",
      message: "Add: must be applied to at least two inputs. Received 1 inputs.",
    });
    assert.throws(() => new Add().apply([x, input({ shape: [4] })]), {
      name: "RangeError",
      message: "Add: all inputs must have the same shape, up to dimensions of 1. Received [null, 3], [null, 4].",
    });
    assert.throws(() => addForward([tensorOf([1], [1]), tensorOf([1], [1, 1])]), {
      name: "RangeError",
      message: "Add: all inputs must have the same shape, up to dimensions of 1. Received [1], [1, 1].",
    });
  });
});
