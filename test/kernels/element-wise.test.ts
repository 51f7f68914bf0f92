import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import { addBorders, removeBorders } from "../../src/kernels/borders.js";
import { columnsPerTile, elementsPerTile, rowsPerTile } from "../../src/kernels/element-tiles.js";
import { createExecution, type Execution, serial } from "../../src/kernels/execution.js";
import { imageMeans, imageMeansGradient } from "../../src/kernels/pool-images.js";
import { poolGreatest, poolGreatestGradient } from "../../src/kernels/pool-greatest.js";
import { poolMean, poolMeanGradient } from "../../src/kernels/pool-mean.js";
import { rectify, rectifyGradient } from "../../src/kernels/rectify.js";
import { sumTensors, sumTensorsNaive } from "../../src/kernels/sum-tensors.js";
import { window2D } from "../../src/kernels/window.js";
import { tensorOf } from "../../src/tensor/tensor.js";
import { assertSameBits, dtypes, fastExecutions, fill, nameOf, seedValues } from "./support.js";

const { executions, closeAll } = fastExecutions();
after(closeAll);

/** One thread and plain loops. */
const scalar: Execution = { ...serial, kernel: "scalar" };

const sizes = fc.oneof(fc.nat({ max: 40 }), fc.integer({ min: 6000, max: 9000 }));

describe("the tiles of element-wise passes", () => {
  it("are many on many threads, and few on one", () => {
    const many = { ...serial, pool: createExecution({ threads: 2 }).pool };
    assert.equal(elementsPerTile(2 ** 19, serial), 16384);
    assert.equal(elementsPerTile(2 ** 15, many), 4096);
    assert.equal(elementsPerTile(100, many), 2048);
    assert.equal(rowsPerTile(2 ** 15, 16, serial), 1024);
    assert.equal(rowsPerTile(2, 10 ** 6, serial), 1);
    assert.equal(columnsPerTile(16, serial), 16);
    assert.equal(columnsPerTile(16, many), 8);
    assert.equal(columnsPerTile(64, many), 32);
    assert.equal(columnsPerTile(3, many), 4);
    assert.equal(columnsPerTile(2048, many), 64);
    many.pool?.close();
  });
});

describe("sumTensors", () => {
  it("keeps the sign of a sum of zeros only where it starts with -0", () => {
    const zero = tensorOf([-0], [1]);
    assert.ok(Object.is(sumTensors([zero, zero], { start: -0 }, serial).data[0], -0));
    assert.ok(Object.is(sumTensors([zero, zero], { start: 0 }, serial).data[0], 0));
  });

  it("has the bits of the naive loops for any number of terms, masked or not, on any number of threads", () => {
    const terms = fc.array(seedValues, { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(sizes, terms, dtypes, fc.boolean(), fc.boolean(), (size, seeds, dtype, masked, negative) => {
        const tensors = seeds.map((values) => fill(values, [size], dtype));
        const options = { start: negative ? -0 : 0, positive: masked ? tensors[0] : undefined };
        const expected = sumTensorsNaive(tensors, options);
        for (const execution of executions) {
          assertSameBits(sumTensors(tensors, options, execution), expected, nameOf(execution));
        }
      }),
      { numRuns: 40 },
    );
  });

  it("rejects terms of several shapes", () => {
    assert.throws(() => sumTensors([tensorOf([1], [1]), tensorOf([1], [1, 1])], { start: 0 }, serial), {
      message: "internal: sumTensors: `term` must have shape [1]. Received term.shape=[1, 1].",
    });
  });
});

describe("rectify", () => {
  const rectifiers = fc.record({
    maxValue: fc.constantFrom(Number.POSITIVE_INFINITY, 6, 1),
    negativeSlope: fc.constantFrom(0, 0.3),
    threshold: fc.constantFrom(0, 0.5),
  });
  const slopes = { below: 0, atThreshold: 0.25, atMax: 1 };

  it("has the same bits, and so has its gradient, on any number of threads", () => {
    fc.assert(
      fc.property(sizes, seedValues, seedValues, dtypes, rectifiers, (size, p, q, dtype, rectifier) => {
        const x = fill(p, [size], dtype);
        const dy = fill(q, [size], dtype);
        const y = rectify(x, rectifier, scalar);
        const dx = rectifyGradient(dy, x, rectifier, slopes, scalar);
        for (const execution of executions) {
          assertSameBits(rectify(x, rectifier, execution), y, nameOf(execution));
          assertSameBits(rectifyGradient(dy, x, rectifier, slopes, execution), dx, nameOf(execution));
        }
      }),
      { numRuns: 40 },
    );
  });

  it("rejects a dy of another shape", () => {
    const x = tensorOf([1, 2], [2]);
    const relu = { maxValue: Number.POSITIVE_INFINITY, negativeSlope: 0, threshold: 0 };
    assert.throws(() => rectifyGradient(tensorOf([1], [1]), x, relu, slopes, serial), {
      message: "internal: rectifyGradient: `dy` must have shape [2]. Received dy.shape=[1].",
    });
  });
});

describe("pooling", () => {
  const shapes = fc.record({
    batch: fc.integer({ min: 1, max: 3 }),
    height: fc.integer({ min: 4, max: 7 }),
    width: fc.integer({ min: 4, max: 7 }),
    channels: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constantFrom(4, 8, 12, 28, 64)),
    padding: fc.constantFrom("same" as const, "valid" as const),
    strides: fc.constantFrom([1, 2] as const, [2, 1] as const, [3, 3] as const),
  });

  it("has the same bits forward and backward on any number of threads", () => {
    fc.assert(
      fc.property(shapes, seedValues, seedValues, dtypes, (at, p, q, dtype) => {
        const shape = [at.batch, at.height, at.width, at.channels];
        const window = window2D([at.height, at.width], [3, 2], at.strides, at.padding, [1, 1]);
        const x = fill(p, shape, dtype);
        const dy = fill(q, [at.batch, window.outputHeight, window.outputWidth, at.channels], dtype);
        const row = fill(q, [at.batch, at.channels], dtype);
        for (const execution of executions) {
          const same = { ...scalar, accumulate: execution.accumulate };
          const what = nameOf(execution);
          const [greatest, expected] = [poolGreatest(x, window, execution), poolGreatest(x, window, same)];
          assertSameBits(greatest.y, expected.y, what);
          assert.deepEqual(Array.from(greatest.argmax), Array.from(expected.argmax), what);
          assertSameBits(
            poolGreatestGradient(dy, greatest.argmax, shape, window, execution),
            poolGreatestGradient(dy, expected.argmax, shape, window, same),
            what,
          );
          assertSameBits(poolMean(x, window, execution), poolMean(x, window, same), what);
          assertSameBits(
            poolMeanGradient(dy, shape, window, execution),
            poolMeanGradient(dy, shape, window, same),
            what,
          );
          assertSameBits(imageMeans(x, row.shape, execution), imageMeans(x, row.shape, same), what);
          assertSameBits(imageMeansGradient(row, shape, execution), imageMeansGradient(row, shape, same), what);
        }
      }),
      { numRuns: 25 },
    );
  });
});

describe("borders", () => {
  it("are zeros around an image, and are taken away again, on any number of threads", () => {
    const borders = [
      [1, 0],
      [2, 1],
    ] as const;
    const x = tensorOf([1, 2, 3, 4, 5, 6], [1, 2, 1, 3]);
    for (const execution of executions) {
      const y = addBorders(x, borders, execution);
      assert.deepEqual(y.shape, [1, 3, 4, 3]);
      const line = (...pixel: number[]): number[] => [0, 0, 0, 0, 0, 0, ...pixel, 0, 0, 0];
      assert.deepEqual(Array.from(y.data), [...line(0, 0, 0), ...line(1, 2, 3), ...line(4, 5, 6)]);
      assertSameBits(removeBorders(y, borders, x.shape, execution), x, nameOf(execution));
    }
  });
});
