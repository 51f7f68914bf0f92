import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import { serial } from "../../src/kernels/execution.js";
import { biasGradient, columnSums, columnSumsNaive } from "../../src/kernels/reduce.js";
import { tensor, tensorOf } from "../../src/tensor/tensor.js";
import { assertSameBits, dtypes, fastExecutions, fill, nameOf, seedValues } from "./support.js";

const { executions, closeAll } = fastExecutions();
after(closeAll);

describe("columnSums", () => {
  it("sums a 3 x 2 matrix channel by channel", () => {
    assert.deepEqual(Array.from(columnSums(Float32Array.of(1, 2, 3, 4, 5, 6), 3, 2, serial)), [9, 12]);
  });

  it("has the bits of the naive loops for any values, both accumulations and any number of threads", () => {
    const rows = fc.nat({ max: 7 });
    const channels = fc.oneof(fc.nat({ max: 7 }), fc.integer({ min: 8, max: 150 }));
    fc.assert(
      fc.property(rows, channels, seedValues, dtypes, (rows, channels, values, dtype) => {
        const { data } = fill(values, [rows, channels], dtype);
        for (const execution of executions) {
          assertSameBits(
            tensor(columnSums(data, rows, channels, execution), [channels]),
            tensor(columnSumsNaive(data, rows, channels, execution.accumulate), [channels]),
            nameOf(execution),
          );
        }
      }),
    );
  });

  it("rejects a matrix that does not hold rows x channels values", () => {
    assert.throws(() => columnSums(new Float32Array(5), 3, 2, serial), {
      message: "internal: columnSums: a matrix [3, 2] must hold 6 values. Received 5.",
    });
  });
});

describe("biasGradient", () => {
  it("is the sum of a channel over batch, height and width, of a strided dy too", () => {
    const dy = tensorOf([1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 2, 2]).transpose(0, 3, 1, 2);
    for (const execution of executions) {
      assert.deepEqual(Array.from(biasGradient(dy, execution).data), [1 + 2 + 5 + 6, 3 + 4 + 7 + 8]);
    }
  });

  it("has no element where there are no channels, and is +0 where there are no rows", () => {
    for (const execution of executions) {
      assertSameBits(biasGradient(tensorOf([], [2, 0]), execution), tensorOf([], [0]), nameOf(execution));
      const zeros = fill([0], [4], "float32");
      assertSameBits(biasGradient(tensorOf([], [0, 3, 3, 4]), execution), zeros, nameOf(execution));
    }
  });
});
