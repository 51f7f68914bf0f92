import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import { biasGradient, columnDots, columnDotsNaive, columnSums, columnSumsNaive } from "../../src/kernels/reduce.js";
import { tensor, tensorOf } from "../../src/tensor/tensor.js";
import { assertSameBits, dtypes, fastExecutions, fill, seedValues } from "./support.js";

const { executions, closeAll } = fastExecutions();
after(closeAll);

describe("reductions over rows", () => {
  it("sum a 3 x 2 matrix and the product of two, channel by channel", () => {
    const a = Float32Array.of(1, 2, 3, 4, 5, 6);
    assert.deepEqual(Array.from(columnSums(a, 3, 2, "float64")), [9, 12]);
    assert.deepEqual(Array.from(columnDots(a, a, 3, 2, "float64")), [35, 56]);
  });

  it("have the bits of the naive loops for any values and both accumulations", () => {
    const size = fc.nat({ max: 7 });
    fc.assert(
      fc.property(size, size, seedValues, seedValues, dtypes, (rows, channels, p, q, dtype) => {
        const a = fill(p, [rows, channels], dtype).data;
        const b = fill(q, [rows, channels], dtype).data;
        for (const accumulate of ["float64", "float32"] as const) {
          const sums = columnSumsNaive(a, rows, channels, accumulate);
          assertSameBits(
            tensor(columnSums(a, rows, channels, accumulate), [channels]),
            tensor(sums, [channels]),
            "sums",
          );
          const dots = columnDotsNaive(a, b, rows, channels, accumulate);
          assertSameBits(
            tensor(columnDots(a, b, rows, channels, accumulate), [channels]),
            tensor(dots, [channels]),
            "dots",
          );
        }
      }),
    );
  });

  it("give the bias the sum of its channel over batch, height and width, of a strided dy too", () => {
    const dy = tensorOf([1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 2, 2]).transpose(0, 3, 1, 2);
    for (const execution of executions) {
      assert.deepEqual(Array.from(biasGradient(dy, execution).data), [1 + 2 + 5 + 6, 3 + 4 + 7 + 8]);
    }
  });

  it("reject a matrix that does not hold rows x channels values", () => {
    assert.throws(() => columnSums(new Float32Array(5), 3, 2, "float64"), {
      message: "internal: columnSums: a matrix [3, 2] must hold 6 values. Received 5.",
    });
    assert.throws(() => columnDots(new Float32Array(6), new Float32Array(5), 3, 2, "float64"), {
      message: "internal: columnDots: a matrix [3, 2] must hold 6 values. Received 5.",
    });
  });
});
