import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import { joinJob, joinTensors, splitJob, splitTensor } from "../../src/kernels/concatenate.js";
import { MAX_ARRAYS } from "../../src/parallel/control.js";
import { Arena } from "../../src/tensor/arena.js";
import { type Shape, sizeOf } from "../../src/tensor/shape.js";
import { empty, type Tensor } from "../../src/tensor/tensor.js";
import { assertSameBits, dtypes, fastExecutions, fill, nameOf, seedValues } from "./support.js";

const { executions, closeAll } = fastExecutions();
after(closeAll);

/** Element by element: that of the input that the index along the axis falls into. */
function joinNaive(inputs: readonly Tensor[], shape: Shape, axis: number): Tensor {
  const whole = empty(shape, inputs[0]);
  const inner = sizeOf(shape.slice(axis + 1));
  for (let i = 0; i < whole.size; i++) {
    const row = Math.floor(i / (shape[axis] * inner));
    let at = Math.floor(i / inner) % shape[axis];
    let input = 0;
    for (; at >= inputs[input].shape[axis]; input++) at -= inputs[input].shape[axis];
    whole.data[i] = inputs[input].data[(row * inputs[input].shape[axis] + at) * inner + (i % inner)];
  }
  return whole;
}

/** Shapes of one tile and of several, an axis, and how much of it each input has. */
const cases = fc.record({
  shape: fc.constantFrom<number[][]>([2, 3, 5], [3, 40, 7], [40, 3, 61], [1, 90, 2]),
  axis: fc.nat({ max: 2 }),
  sizes: fc.array(fc.nat({ max: 9 }), { minLength: 1, maxLength: 4 }),
  seeds: seedValues,
  dtype: dtypes,
  other: dtypes,
});

describe("joinTensors and splitTensor", () => {
  it("have the bits of plain loops along any axis, on any number of threads, and undo each other", () => {
    fc.assert(
      fc.property(cases, ({ shape, axis, sizes, seeds, dtype, other }) => {
        const inputs = sizes.map((size, i) => {
          return fill(seeds.toSpliced(0, i % seeds.length), shape.with(axis, size), i === 1 ? other : dtype);
        });
        const total = sizes.reduce((sum, size) => sum + size, 0);
        const expected = joinNaive(inputs, shape.with(axis, total), axis);
        const shapes = inputs.map((x) => x.shape);
        for (const execution of executions) {
          assertSameBits(joinTensors(inputs, expected.shape, axis, execution), expected, nameOf(execution));
          const parts = splitTensor(expected, shapes, axis, execution);
          assertSameBits(joinNaive(parts, expected.shape, axis), expected, `parts, ${nameOf(execution)}`);
          assert.deepEqual(
            parts.map((part) => part.shape),
            shapes,
          );
        }
      }),
      { numRuns: 40 },
    );
  });

  it("join more tensors than a job takes, and split as many, in the heap or outside", () => {
    const rows = 900; // several tiles
    const inputs = Array.from({ length: MAX_ARRAYS + 1 }, (_, i) => fill([i, -i, i / 2, 7 * i], [rows, 1], "float32"));
    const arena = new Arena();
    for (const execution of executions) {
      for (const count of [MAX_ARRAYS - 1, MAX_ARRAYS, MAX_ARRAYS + 1]) {
        const what = `${count}, ${nameOf(execution)}`;
        const some = inputs.slice(0, count);
        const whole = joinNaive(some, [rows, count], 1);
        assertSameBits(joinTensors(some, whole.shape, 1, execution), whole, what);
        arena.run(() => assertSameBits(joinTensors(some, whole.shape, 1, execution), whole, `${what}, in the heap`));
        arena.reset();
        const shapes = some.map((x) => x.shape);
        for (const [i, part] of splitTensor(whole, shapes, 1, execution).entries()) {
          assertSameBits(part, inputs[i], `part ${i} of ${what}`);
        }
      }
    }
  });

  it("split into more parts than there are jobs at a time", () => {
    const shapes = Array.from({ length: 70 }, () => [3, 1]);
    const whole = fill([1, 2, 3, 4, 5], [3, 70], "float32");
    for (const execution of executions) {
      const parts = splitTensor(whole, shapes, 1, execution);
      assertSameBits(joinNaive(parts, whole.shape, 1), whole, nameOf(execution));
    }
  });

  it("write in a tile the elements of that tile alone, some rows or some columns of one", () => {
    const [a, b] = [Float32Array.of(1, 2, 3, 4), Float32Array.of(5, 6)];
    const nothing = (length: number): Float32Array => new Float32Array(length).fill(-1);
    const whole = nothing(6);
    joinJob.prepare([a, b, whole], [2, 3, 1, 2, 0])(3);
    assert.deepEqual([...whole], [-1, -1, -1, -1, -1, 6]);
    joinJob.prepare([a, b, whole], [2, 3, 1, 2, 0])(2);
    assert.deepEqual([...whole], [-1, -1, -1, 3, 4, 6]);
    joinJob.prepare([a, b, whole], [2, 3, 2, 3, 0])(0);
    assert.deepEqual([...whole], [1, 2, 5, 3, 4, 6]);
    const part = nothing(4);
    splitJob.prepare([whole, part], [2, 2, 1, 1, 0, 0])(3);
    assert.deepEqual([...part], [-1, -1, -1, 4]);
    splitJob.prepare([whole, part], [2, 2, 1, 2, 0, 0])(0);
    assert.deepEqual([...part], [1, 2, -1, 4]);
    const wide = nothing(6);
    splitJob.prepare([Float32Array.of(1, 2, 3, 4, 5, 6), wide], [2, 3, 1, 2, 0, 0])(1); // what is left of a row
    assert.deepEqual([...wide], [-1, -1, 3, -1, -1, -1]);
  });
});
