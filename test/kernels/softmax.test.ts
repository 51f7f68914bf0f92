import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import { exp } from "../../src/arithmetic/exp.js";
import { softmaxGradient, softmaxGradientJob, softmaxJob, softmaxOver } from "../../src/kernels/softmax.js";
import { sizeOf } from "../../src/tensor/shape.js";
import { empty, type Tensor, tensor } from "../../src/tensor/tensor.js";
import { assertSameBits, dtypes, fastExecutions, fill, nameOf, seedValues } from "./support.js";

const { executions, closeAll } = fastExecutions();
after(closeAll);

/** For every element of `x`, the places of the elements of its row. */
function rowOf(x: Tensor, axis: number, i: number): number[] {
  const step = sizeOf(x.shape.slice(axis + 1));
  const k = Math.floor(i / step) % x.shape[axis];
  return Array.from({ length: x.shape[axis] }, (_, j) => i + (j - k) * step);
}

/** Element by element: the equation as it stands. */
function softmaxNaive(x: Tensor, axis: number): Float64Array {
  return Float64Array.from(x.data, (value, i) => {
    const row = rowOf(x, axis, i).map((at) => x.data[at]);
    const max = Math.max(...row);
    return exp(value - max) / row.reduce((sum, each) => sum + exp(each - max), 0);
  });
}

function gradientNaive(dy: Tensor, p: Float64Array, axis: number): Tensor {
  const dx = empty(dy.shape, dy);
  for (let i = 0; i < dx.size; i++) {
    const dot = rowOf(dy, axis, i).reduce((sum, at) => sum + dy.data[at] * p[at], 0);
    dx.data[i] = p[i] * (dy.data[i] - dot);
  }
  return dx;
}

const shapes = fc.constantFrom([3, 7, 2], [1, 4, 2], [0, 5, 3], [3, 0, 2], [800, 3, 5], [4, 5, 300], [2, 9, 460]);

describe("softmaxOver", () => {
  it("and its gradient have the bits of plain loops over any axis, on any number of threads and every path", () => {
    fc.assert(
      fc.property(
        shapes,
        fc.nat({ max: 2 }),
        seedValues,
        seedValues,
        dtypes,
        dtypes,
        (shape, axis, seeds, others, dtype, other) => {
          fc.pre(shape[axis] < 100); // the naive loops take its square
          const x = fill(seeds, shape, dtype);
          const dy = fill(others, shape, other);
          const p = softmaxNaive(x, axis);
          const y = empty(shape, x);
          y.data.set(p);
          const dx = gradientNaive(dy, p, axis);
          for (const execution of executions) {
            const found = softmaxOver(x, axis, execution);
            assertSameBits(found.y, y, nameOf(execution));
            assertSameBits(tensor(found.probabilities, shape), tensor(p, shape), nameOf(execution));
            assertSameBits(softmaxGradient(dy, p, axis, execution), dx, `dx, ${nameOf(execution)}`);
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it("shares rows between tiles, each of which writes its own", () => {
    const x = Float32Array.of(1, 1, 2, 2, 3, 3, 4, 4, 5, 5);
    const [p, y] = [new Float64Array(10).fill(-1), new Float32Array(10).fill(-1)];
    const compute = softmaxJob.prepare([x, p, y], [2, 1, 5, 2]); // five rows of two, two rows a tile
    compute(1);
    assert.deepEqual(Array.from(y), [-1, -1, -1, -1, 0.5, 0.5, 0.5, 0.5, -1, -1]);
    assert.deepEqual(Array.from(p), Array.from(y));
    compute(2);
    assert.deepEqual(Array.from(y.subarray(6)), [0.5, 0.5, 0.5, 0.5]);
  });

  it("finds rows whose elements are apart", () => {
    // two rows before the axis of two, three behind it; two rows a tile
    const [dy, p, dx] = [2, 0.5, -1].map((value) => new Float64Array(12).fill(value));
    const compute = softmaxGradientJob.prepare([dy, p, dx], [2, 3, 6, 2]);
    compute(1); // the last row of the first three, the first one of the others
    assert.deepEqual([...dx], [-1, -1, 0, -1, -1, 0, 0, -1, -1, 0, -1, -1]);
  });
});
