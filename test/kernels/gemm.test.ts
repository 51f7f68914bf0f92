import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import ndarray from "ndarray";
import { createExecution, serial } from "../../src/kernels/execution.js";
import { gemm, gemmNaive } from "../../src/kernels/gemm.js";
import { COLUMNS, DEPTH, ROWS } from "../../src/kernels/tile.js";
import { sharedHeap } from "../../src/tensor/heap.js";
import { type Tensor, tensorOf } from "../../src/tensor/tensor.js";
import { assertSameBits, dtypes, fastExecutions, fill, nameOf, seedValues } from "./support.js";

const { executions, closeAll } = fastExecutions();
after(closeAll);

function assertFastIsNaive(a: Tensor, b: Tensor, bias: Tensor | undefined): void {
  for (const execution of executions) {
    assertSameBits(gemm(a, b, bias, execution), gemmNaive(a, b, bias, execution.accumulate), nameOf(execution));
  }
}

describe("gemm", () => {
  it("multiplies a 2 x 3 by a 3 x 2 matrix and adds the bias to every row", () => {
    const a = tensorOf([1, 2, 3, 4, 5, 6], [2, 3]);
    const b = tensorOf([7, 8, 9, 10, 11, 12], [3, 2]);
    const bias = tensorOf([100, 200], [2]);
    assert.deepEqual(Array.from(gemm(a, b, bias, serial).data), [158, 264, 239, 354]);
    assert.deepEqual(Array.from(gemmNaive(a, b, bias, "float64").data), [158, 264, 239, 354]);
  });

  it("sums in the order of k: a small term before a large one that is taken away again is lost", () => {
    const ones = tensorOf([1, 1, 1], [3, 1], "float64");
    for (const execution of executions) {
      assert.equal(gemm(tensorOf([1, 1e16, -1e16], [1, 3], "float64"), ones, undefined, execution).data[0], 0);
      assert.equal(gemm(tensorOf([1e16, -1e16, 1], [1, 3], "float64"), ones, undefined, execution).data[0], 1);
    }
  });

  it("rounds once with float64 accumulation, and every product and sum with float32 accumulation", () => {
    const a = tensorOf([16777216, 1, 1], [1, 3]); // 2^24, where float32 begins to count by twos
    const ones = tensorOf([1, 1, 1], [3, 1]);
    for (const execution of executions) {
      const expected = execution.accumulate === "float64" ? 16777218 : 16777216;
      assert.equal(gemm(a, ones, undefined, execution).data[0], expected, nameOf(execution));
    }
  });

  it("has the bits of the naive loops for odd shapes, special values, transposed and sliced operands", () => {
    const sizes = fc.tuple(fc.nat({ max: 9 }), fc.nat({ max: 13 }), fc.nat({ max: 11 }));
    fc.assert(
      fc.property(
        sizes,
        seedValues,
        seedValues,
        dtypes,
        fc.boolean(),
        fc.boolean(),
        (size, p, q, dtype, flip, biased) => {
          const [m, k, n] = size;
          const a = flip ? fill(p, [k, m], dtype).transpose(1, 0) : fill(p, [m, k], dtype);
          const b = fill(q, [k + 2, n + 3], dtype)
            .lo(1, 2)
            .hi(k, n);
          assertFastIsNaive(a, b, biased ? fill(p, [n], dtype) : undefined);
        },
      ),
    );
  });

  it("has the bits of the naive loops where rows, columns and depth each take more than one block", () => {
    const rows = ROWS + 5;
    const columns = COLUMNS + 3;
    const depth = DEPTH + 7;
    for (const dtype of ["float32", "float64"] as const) {
      const a = fill([1.1, -2.3, 0.7, 1e-40, -5.9, 3.3, -0], [rows, depth], dtype);
      const b = fill([0.3, -1.7, 2.9, 4.1, -0.01], [depth, columns], dtype);
      assertFastIsNaive(a, b, fill([0.5, -7], [columns], dtype));
    }
  });

  it("copies of a much larger array only what it multiplies", (test) => {
    const large = ndarray(
      Float32Array.from({ length: 2 ** 20 }, (_, i) => (i % 31) / 7 - 2),
      [1024, 1024],
    );
    const [a, b] = [large.lo(3, 5).hi(6, 7), large.lo(100, 9).hi(7, 5)];
    const { mock } = test.mock.method(sharedHeap(), "allocate");
    assertFastIsNaive(a, b, undefined);
    const bytes = mock.calls.map(({ arguments: [size] }) => size);
    assert.ok(Math.max(...bytes, 0) < 65_536, bytes.join(", "));
  });

  it("gives +0 plus the bias where there is nothing to sum", () => {
    for (const execution of executions) {
      const c = gemm(tensorOf([], [2, 0]), tensorOf([], [0, 3]), tensorOf([1, -0, 2], [3]), execution);
      assertSameBits(c, tensorOf([1, 0, 2, 1, 0, 2], [2, 3]), nameOf(execution));
    }
  });

  it("runs the naive loops when asked to", () => {
    const naive = createExecution({ kernel: "naive", accumulate: "float32" });
    const a = tensorOf([0.1, 0.2], [1, 2]);
    const b = tensorOf([0.3, 0.4], [2, 1]);
    assertSameBits(gemm(a, b, undefined, naive), gemmNaive(a, b, undefined, "float32"), "naive");
  });

  it("rejects operands that do not fit together, naming shape or type", () => {
    const a = tensorOf([1, 2, 3, 4, 5, 6], [2, 3]);
    assert.throws(() => gemm(a, tensorOf([1, 2], [2, 1]), undefined, serial), {
      message: "internal: gemm: `b` must have shape [3, 1]. Received b.shape=[2, 1].",
    });
    assert.throws(() => gemm(tensorOf([1], [1]), a, undefined, serial), {
      message: "internal: gemm: `a` must have 2 dimensions. Received a.shape=[1].",
    });
    assert.throws(() => gemm(a, tensorOf([1, 2, 3], [3, 1], "float64"), undefined, serial), {
      name: "TypeError",
      message: "gemm: all tensors must have one element type. Received float32, float64.",
    });
    assert.throws(() => gemm(a, tensorOf([1, 2, 3], [3, 1]), tensorOf([1, 2], [2]), serial), {
      message: "internal: gemm: `bias` must have shape [1]. Received bias.shape=[2].",
    });
  });
});
