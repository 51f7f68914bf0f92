import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import ndarray from "ndarray";
import type { DType, FloatArray } from "../../src/tensor/dtype.js";
import { formatShape, type Shape, shapesAgree, sizeOf } from "../../src/tensor/shape.js";
import {
  cast,
  contiguous,
  copyInto,
  detach,
  dtypeOf,
  isContiguous,
  reshape,
  tensor,
  tensorOf,
  zeros,
} from "../../src/tensor/tensor.js";

describe("tensor", () => {
  it("has the element type that is named, or that of another", () => {
    assert.equal(dtypeOf(zeros([2], "float64")), "float64");
    assert.equal(dtypeOf(zeros([2], tensorOf([1], [1], "float64"))), "float64");
    assert.equal(dtypeOf(zeros([2], tensorOf([1], [1]))), "float32");
  });

  it("shares the memory that it is given, row-major", () => {
    const data = Float32Array.of(1, 2, 3, 4, 5, 6);
    const x = tensor(data, [2, 3]);
    assert.equal(x.get(1, 0), 4);
    x.set(1, 2, 60);
    assert.equal(data[5], 60);
  });

  it("is what ndarray makes, and shares no shape with another", () => {
    for (const shape of [[], [5], [2, 3], [1, 4, 2, 3], [2, 0, 3]]) {
      for (const dtype of ["float32", "float64"] as const) {
        const [x, other] = [zeros(shape, dtype), zeros(shape, dtype)];
        const made = ndarray(x.data, shape);
        assert.deepEqual({ ...x }, { ...made });
        assert.equal(x.constructor, made.constructor);
        assert.deepEqual([x.dtype, x.size, x.dimension], [dtype, sizeOf(shape), shape.length]);
        if (shape.length > 0) assert.notEqual(x.shape, other.shape);
        assert.notEqual(x.data, other.data);
      }
    }
  });

  it("holds one value for the shape [], and none where a dimension is 0", () => {
    const scalar = tensorOf([7], []);
    assert.deepEqual([scalar.size, scalar.dimension, isContiguous(scalar)], [1, 0, true]);
    assert.deepEqual(Array.from(detach(scalar).data), [7]);
    assert.equal(contiguous(zeros([2, 0, 3], "float32").transpose(2, 0, 1)).size, 0);
  });

  it("rejects data of another length than the shape says", () => {
    assert.throws(() => tensor(new Float32Array(5), [2, 3]), {
      name: "RangeError",
      message: "tensor: `data` must hold 6 values for shape [2, 3]. Received data.length=5.",
    });
  });

  it("rejects an element type that it does not compute in", () => {
    const wrong = "float16" as DType;
    const message = (caller: string): object => ({
      name: "TypeError",
      message: `${caller}: \`dtype\` must be float32 or float64. Received float16.`,
    });
    assert.throws(() => tensorOf([1], [1], wrong), message("tensorOf"));
    assert.throws(() => zeros([1], wrong), message("tensor"));
    assert.throws(() => cast(tensorOf([1], [1]), wrong), message("tensor"));
    assert.throws(
      () => zeros([1], undefined as unknown as DType),
      /^TypeError: tensor: `dtype` .* Received undefined\.$/,
    );
  });

  it("rejects data that are no array of floats", () => {
    for (const [data, received] of [
      [[0.1, 0.2], "Array"],
      [Int32Array.of(1, 2), "Int32Array"],
      [undefined, "Undefined"],
    ] as const) {
      assert.throws(() => tensor(data as unknown as FloatArray, [2]), {
        name: "TypeError",
        message: `tensor: \`data\` must be a Float32Array or a Float64Array. Received ${received}.`,
      });
    }
  });

  it("rejects what is no shape at all", () => {
    assert.throws(() => tensor(new Float32Array(6), undefined as unknown as Shape), {
      name: "TypeError",
      message: "tensor: `shape` must be an array. Received undefined.",
    });
  });

  for (const shape of [[-2, -3], [-2, 3], [1.5, 4], [Number.NaN]]) {
    it(`rejects the shape ${formatShape(shape)}`, () => {
      for (const make of [() => tensor(new Float32Array(6), shape), () => zeros(shape, "float32")]) {
        assert.throws(make, {
          name: "RangeError",
          message: `tensor: \`shape\` must be made of whole numbers of at least 0. Received shape=${formatShape(shape)}.`,
        });
      }
    });
  }

  it("is read the same through any transposed, sliced or reversed view and through its contiguous copy", () => {
    const order = fc.constantFrom([0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]);
    const lows = fc.tuple(fc.nat({ max: 2 }), fc.nat({ max: 2 }), fc.nat({ max: 2 }));
    fc.assert(
      fc.property(order, lows, fc.constantFrom(1, -1, 2), ([a, b, c], [i, j, k], step) => {
        const base = tensorOf(
          Array.from({ length: 60 }, (_, at) => at),
          [3, 4, 5],
        );
        const view = base.lo(i, j, k).step(1, step, 1).transpose(a, b, c);
        const copy = contiguous(view);
        assert.deepEqual(copy.shape, view.shape);
        assert.ok(isContiguous(copy));
        let at = 0;
        for (let p = 0; p < view.shape[0]; p++) {
          for (let q = 0; q < view.shape[1]; q++) {
            for (let r = 0; r < view.shape[2]; r++) assert.equal(copy.data[at++], view.get(p, q, r));
          }
        }
      }),
    );
  });

  it("copies only what is not contiguous: a row of a matrix is, a column is not, nor is a part of longer memory", () => {
    const x = tensorOf([1, 2, 3, 4], [2, 2]);
    assert.equal(contiguous(x), x);
    assert.ok(isContiguous(tensorOf([1, 2, 3], [1, 3]).transpose(1, 0)), "strides of dimensions of 1 do not matter");
    assert.ok(!isContiguous(x.pick(0, null)), "data goes on after the row");
    assert.ok(!isContiguous(x.pick(null, 1)));
    const repeated = ndarray<FloatArray>(Float32Array.of(1, 2, 3, 4), [2, 2], [0, 1]);
    assert.deepEqual(Array.from(contiguous(repeated).data), [1, 2, 1, 2]);
  });

  it("is copied only into contiguous memory of the same shape", () => {
    const x = tensorOf([1, 2, 3, 4, 5, 6], [2, 3]);
    const filled = copyInto(zeros([3, 2], "float64"), x.transpose(1, 0));
    assert.deepEqual(Array.from(filled.data), [1, 4, 2, 5, 3, 6]);
    assert.throws(() => copyInto(zeros([3, 2], "float32").transpose(1, 0), x), {
      name: "RangeError",
      message:
        "copyInto: `target` must be contiguous and have the shape [2, 3] of `x`. " +
        "Received shape [2, 3], strides [1, 2].",
    });
    assert.throws(() => copyInto(zeros([3, 3], "float32"), x), {
      message: /must be contiguous and have the shape \[2, 3\] of `x`\. Received shape \[3, 3\], strides \[3, 1\]/,
    });
    assert.throws(() => copyInto(zeros([3, 2], "float32"), x), { message: /Received shape \[3, 2\]/ });
  });

  it("takes the values from before where a view of it is copied into it", () => {
    const square = tensorOf([1, 2, 3, 4], [2, 2]);
    assert.deepEqual(Array.from(copyInto(square, square.transpose(1, 0)).data), [1, 3, 2, 4]);
    // two tensors of one memory, of which one begins in the other
    const memory = Float32Array.of(1, 2, 3, 4, 5);
    const [target, shifted] = [tensor(memory.subarray(1), [4]), tensor(memory.subarray(0, 4), [4]).step(-1)];
    assert.deepEqual(Array.from(copyInto(target, shifted).data), [4, 3, 2, 1]);
  });

  it("changes type by rounding, and shape by sharing", () => {
    const x = tensorOf([0.1, 0.2, 0.3, 0.4], [2, 2], "float64");
    const y = cast(x, "float32");
    assert.equal(dtypeOf(y), "float32");
    assert.equal(y.data[1], Math.fround(0.2));
    assert.equal(cast(x, "float64"), x);
    assert.deepEqual(Array.from(cast(x.transpose(1, 0), "float32").data), [0.1, 0.3, 0.2, 0.4].map(Math.fround));
    assert.equal(reshape(x, [4]).data, x.data);
    assert.throws(() => reshape(x, [3]), {
      name: "RangeError",
      message: "tensor: `data` must hold 3 values for shape [3]. Received data.length=4.",
    });
  });
});

describe("shapes", () => {
  it("are multiplied, printed and compared, with null for an open dimension", () => {
    assert.deepEqual([sizeOf([2, 3, 4]), sizeOf([]), sizeOf([2, 0])], [24, 1, 0]);
    assert.equal(formatShape([null, 32, 3]), "[null, 32, 3]");
    assert.ok(shapesAgree([null, 3], [8, 3]) && shapesAgree([8, 3], [null, 3]) && shapesAgree([], []));
    assert.ok(!shapesAgree([2, 3], [3, 2]) && !shapesAgree([2], [2, 1]));
  });
});
