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

/**
 * Two to four inputs. The first has the full shape; in the others some dimensions may be 1 instead, and dimensions of 1
 * behind the first may be missing altogether.
 */
function cases(tensors: (shape: number[]) => fc.Arbitrary<Tensor>): fc.Arbitrary<Case> {
  const kinds = fc.constantFrom("full", "one", "missing");
  return distinctShapes(3)
    .chain((shape) =>
      fc.record({
        shape: fc.constant(shape),
        others: fc.array(fc.tuple(kinds, kinds, kinds), { minLength: 1, maxLength: 3 }),
      }),
    )
    .chain(({ shape, others }) => {
      const shapes = others.map(([batch, second, third]) => {
        const sizes = shape.map((size, axis) => ([batch, second, third][axis] === "full" ? size : 1));
        // only dimensions directly behind the first can be left out, and none that is not 1
        if (second === "missing") return third === "missing" ? sizes.slice(0, 1) : [sizes[0], sizes[2]];
        return sizes;
      });
      return fc.record({ inputs: fc.tuple(...[shape, ...shapes].map(tensors)), dy: tensors(shape) });
    });
}

/** The element of `x` that is repeated to `index`. */
function repeated(x: Tensor, [n, ...rest]: number[]): number {
  const index = [n, ...rest.slice(rest.length - (x.dimension - 1))];
  return x.get(...index.map((i, axis) => (x.shape[axis] === 1 ? 0 : i)));
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

  it("gives an input with fewer dimensions others of 1 behind its first, as Keras does", () => {
    const [a, b] = [tensorOf([1, 2, 3, 4, 5, 6, 7, 8], [2, 2, 2]), tensorOf([10, 20, 30, 40], [2, 2])];
    const { y, cache } = addForward([a, b]);
    assertSameBits(y, tensorOf([11, 22, 13, 24, 35, 46, 37, 48], [2, 2, 2]));
    assertSameBits(addBackward(a, cache)[1], tensorOf([4, 6, 12, 14], [2, 2]));
    const flat = addForward([tensorOf([1, 2], [2, 1]), tensorOf([3, 4], [2])]);
    assertSameBits(addBackward(flat.y, flat.cache)[1], tensorOf([4, 6], [2]));
  });

  it("adds zeros that are all -0 up to -0, where one is repeated too", () => {
    const [zeros, one] = [tensorOf([-0, -0], [2, 1]), tensorOf([-0], [1, 1])];
    for (const other of [zeros, one]) assertSameBits(addForward([zeros, other]).y, zeros);
  });

  it("rounds once: three numbers are summed in float64", () => {
    const [a, b, c] = [1, 2 ** -24, 2 ** -24].map((v) => tensorOf([v], [1, 1]));
    assertSameBits(addForward([a, b, c]).y, tensorOf([1 + 2 ** -23], [1, 1]));
  });

  it("equals the sum of the elements, to the bit, signed zeros and infinities too", () => {
    fc.assert(
      fc.property(cases(anyTensors), ({ inputs, dy }) => {
        const expected = generate(dy.shape, "float32", (...index) =>
          inputs.map((x) => repeated(x, index)).reduce((sum, v) => sum + v),
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
    // 1 is repeated: whatever the other is stays unknown
    assert.deepEqual(new Add().apply([a, input({ shape: [1, 3] })]).shape, [null, null, 3]);
  });

  it("refuses one input, and shapes that do not agree", () => {
    const x = input({ shape: [3] });
    assert.throws(() => new Add().apply(x), {
      name: "RangeError",
      message: "Add: must be applied to at least two inputs. Received 1 inputs.",
    });
    assert.throws(() => addForward([]), {
      name: "RangeError",
      message: "Add: must be applied to at least one input. Received none.",
    });
    assert.throws(() => new Add().apply([x, input({ shape: [4] })]), {
      name: "RangeError",
      message: "Add: all inputs must have the same shape, up to dimensions of 1. Received [null, 3], [null, 4].",
    });
    assert.throws(
      () => addForward([tensorOf([1, 2, 3], [1, 3, 1]), tensorOf([1, 2], [1, 2]), tensorOf([1, 2, 3, 4], [1, 2, 2])]),
      {
        name: "RangeError",
        message:
          "Add: all inputs must have the same shape, up to dimensions of 1. Received [1, 3, 1], [1, 2], [1, 2, 2].",
      },
    );
  });
});
