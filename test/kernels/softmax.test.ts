import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import { serial } from "../../src/kernels/execution.js";
import { softmaxJob, softmaxOfRows } from "../../src/kernels/softmax.js";
import { tensor } from "../../src/tensor/tensor.js";
import { assertSameBits, dtypes, fastExecutions, fill, nameOf, seedValues } from "./support.js";

const { executions, closeAll } = fastExecutions();
after(closeAll);

describe("softmaxOfRows", () => {
  it("has the same bits on any number of threads and on every path", () => {
    const sizes = fc.constantFrom([3, 7], [1, 4, 2], [0, 5], [800, 11]);
    fc.assert(
      fc.property(sizes, seedValues, dtypes, (shape, seeds, dtype) => {
        const x = fill(seeds, shape, dtype);
        const { y, probabilities } = softmaxOfRows(x, serial);
        for (const execution of executions) {
          const other = softmaxOfRows(x, execution);
          assertSameBits(other.y, y, nameOf(execution));
          assertSameBits(tensor(other.probabilities, shape), tensor(probabilities, shape), nameOf(execution));
        }
      }),
      { numRuns: 30 },
    );
  });

  it("shares rows between tiles, each of which writes its own", () => {
    const x = Float32Array.of(1, 1, 2, 2, 3, 3, 4, 4, 5, 5);
    const [p, y] = [new Float64Array(10).fill(-1), new Float32Array(10).fill(-1)];
    const compute = softmaxJob.prepare([x, p, y], [2, 2]); // rows of two, two rows a tile
    compute(1);
    assert.deepEqual(Array.from(y), [-1, -1, -1, -1, 0.5, 0.5, 0.5, 0.5, -1, -1]);
    assert.deepEqual(Array.from(p), Array.from(y));
    compute(2);
    assert.deepEqual(Array.from(y.subarray(6)), [0.5, 0.5, 0.5, 0.5]);
  });
});
