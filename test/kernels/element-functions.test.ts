import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import { sigmoid } from "../../src/arithmetic/sigmoid.js";
import { tanh } from "../../src/arithmetic/tanh.js";
import {
  sigmoidGradientJob,
  sigmoids,
  sigmoidsGradient,
  tanhs,
  tanhsGradient,
} from "../../src/kernels/element-functions.js";
import { empty, type Tensor } from "../../src/tensor/tensor.js";
import { assertSameBits, dtypes, fastExecutions, fill, nameOf, seedValues } from "./support.js";

const { executions, closeAll } = fastExecutions();
after(closeAll);

/** Of one tile, and of several. */
const sizes = fc.oneof(fc.nat({ max: 40 }), fc.integer({ min: 6000, max: 9000 }));

/** What `compute` gives for every element of `a` and the one of `b` in its place. */
function byElement(a: Tensor, b: Tensor, compute: (a: number, b: number) => number): Tensor {
  const result = empty(b.shape, b);
  for (let i = 0; i < b.size; i++) result.data[i] = compute(a.data[i], b.data[i]);
  return result;
}

for (const { name, forward, backward, value, slope } of [
  {
    name: "sigmoids",
    forward: sigmoids,
    backward: sigmoidsGradient,
    value: sigmoid,
    slope: (dy: number, y: number) => dy * y * (1 - y),
  },
  {
    name: "tanhs",
    forward: tanhs,
    backward: tanhsGradient,
    value: tanh,
    slope: (dy: number, y: number) => dy * ((1 - y) * (1 + y)),
  },
]) {
  describe(name, () => {
    it("have the bits of the function of each element, and so has their gradient, on any number of threads", () => {
      fc.assert(
        fc.property(sizes, seedValues, seedValues, dtypes, dtypes, (size, p, q, dtype, other) => {
          const x = fill(p, [size], dtype);
          const dy = fill(q, [size], other);
          const y = byElement(x, x, value);
          const dx = byElement(dy, y, slope);
          for (const execution of executions) {
            assertSameBits(forward(x, execution), y, nameOf(execution));
            assertSameBits(backward(dy, y, execution), dx, nameOf(execution));
          }
        }),
        { numRuns: 30 },
      );
    });
  });
}

describe("a job of elements", () => {
  it("writes in a tile the elements of that tile alone", () => {
    const [dy, y, dx] = [1, 0.5, -1].map((value) => new Float64Array(5).fill(value));
    const compute = sigmoidGradientJob.prepare([dy, y, dx], [2]);
    compute(1);
    assert.deepEqual([...dx], [-1, -1, 0.25, 0.25, -1]);
    compute(2);
    assert.deepEqual([...dx], [-1, -1, 0.25, 0.25, 0.25]);
  });
});
