import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import { addBorders, removeBorders } from "../../src/kernels/borders.js";
import { columnsPerTile, elementsPerTile, rowsPerTile } from "../../src/kernels/element-tiles.js";
import { createExecution, type Execution, serial } from "../../src/kernels/execution.js";
import { imageMeans, imageMeansGradient } from "../../src/kernels/pool-images.js";
import { greatestAlone, poolGreatest, poolGreatestGradient } from "../../src/kernels/pool-greatest.js";
import { poolMean, poolMeanGradient } from "../../src/kernels/pool-mean.js";
import { RELU, type Rectifier, type RectifierSlopes, rectify, rectifyGradient } from "../../src/kernels/rectify.js";
import { sumTensors, sumTensorsNaive } from "../../src/kernels/sum-tensors.js";
import { type Window2D, window2D } from "../../src/kernels/window.js";
import { sharedHeap } from "../../src/tensor/heap.js";
import { type Tensor, tensorOf } from "../../src/tensor/tensor.js";
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
    const [negative, positive] = [-0, 0].map((zero) => fill([zero], [5], "float32"));
    for (const execution of [...executions, { ...serial, kernel: "naive" as const }]) {
      for (const count of [1, 2, 3]) {
        const terms = new Array<Tensor>(count).fill(negative);
        assertSameBits(sumTensors(terms, { start: -0 }, execution), negative, `${count} terms`);
        assertSameBits(sumTensors(terms, { start: 0 }, execution), positive, `${count} terms`);
      }
    }
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
  const extended = fc.record({
    maxValue: fc.constantFrom(Number.POSITIVE_INFINITY, 6, 1, 0.7), // 0.7 and 0.1 are no float32 values
    negativeSlope: fc.constantFrom(0, 0.3, 2),
    threshold: fc.constantFrom(0, 0.5, 0.1),
  });
  // max(x, 0), and its gradient with slope 0 at 0, have vector kernels of their own
  const rectifiers = fc.oneof(fc.constant(RELU), extended);
  const slopesOf = fc.record({
    below: fc.constantFrom(0, 0.3, 2),
    atThreshold: fc.constantFrom(0, 0.3, 2, 0.25),
    atMax: fc.constantFrom(0, 1, 0.5),
  });

  /** Asserts that all executions give the bits of plain loops. */
  function assertRectifies(x: Tensor, dy: Tensor, rectifier: Rectifier, slopes: RectifierSlopes): void {
    const y = rectify(x, rectifier, scalar);
    const dx = rectifyGradient(dy, x, rectifier, slopes, scalar);
    for (const execution of executions) {
      assertSameBits(rectify(x, rectifier, execution), y, nameOf(execution));
      assertSameBits(rectifyGradient(dy, x, rectifier, slopes, execution), dx, `dx, ${nameOf(execution)}`);
    }
  }

  it("has the same bits, and so has its gradient, on any number of threads", () => {
    fc.assert(
      fc.property(
        ...[sizes, seedValues, seedValues, dtypes, rectifiers, slopesOf],
        (size, p, q, dtype, rectifier, slopes) => {
          assertRectifies(fill(p, [size], dtype), fill(q, [size], dtype), rectifier, slopes);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("has them at the kinks, and where numbers are none", () => {
    const kinks = fc.constantFrom(-0, 0, 0.5, 1, 6, 0.25, 7, -1, 1e-40, -1e-40, Number.NaN, Infinity, -Infinity);
    const several = fc.array(kinks, { minLength: 1, maxLength: 40 });
    const single = fc.constantFrom(Number.POSITIVE_INFINITY, 6, 1);
    fc.assert(
      fc.property(
        ...[several, several, extended, single, fc.boolean(), slopesOf],
        (xs, dys, rectifier, maxValue, isPlain, slopes) => {
          const [x, dy] = [xs, dys].map((values) =>
            tensorOf(
              Array.from({ length: 43 }, (_, i) => values[i % values.length]),
              [43],
            ),
          );
          assertRectifies(x, dy, isPlain ? RELU : { ...rectifier, maxValue, threshold: 0.5 }, slopes);
          assertRectifies(x, dy, { ...rectifier, threshold: 0 }, { ...slopes, atThreshold: slopes.below, atMax: 0 });
        },
      ),
      { numRuns: 200 },
    );
  });

  it("rejects a dy of another shape", () => {
    const x = tensorOf([1, 2], [2]);
    const slopes = { below: 0, atThreshold: 0, atMax: 1 };
    assert.throws(() => rectifyGradient(tensorOf([1], [1]), x, RELU, slopes, serial), {
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
          assertSameBits(greatestAlone(x, window, execution), expected.y, `${what}, alone`);
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

  it("writes where elements came from only if that is asked for", () => {
    const x = fill([1.5, -2, 0.25, 8, -7], [2, 5, 7, 28], "float32");
    const window = window2D([5, 7], [3, 2], [2, 1], "same", [1, 1]);
    const bytes = (): Buffer => Buffer.from(sharedHeap().view("float32", 0, 1024).slice().buffer);
    const before = bytes(); // of what is never freed
    for (const execution of executions) greatestAlone(x, window, execution);
    assert.deepEqual(bytes(), before);
  });

  it("divides by the number of pixels: the mean of 49 ones is 1, and of 49 every one of 49 has 1", () => {
    const [x, y] = [tensorOf(Array(49).fill(1), [1, 7, 7, 1], "float64"), tensorOf([1], [1, 1, 1, 1], "float64")];
    const dy = tensorOf([49], [1, 1, 1, 1], "float64");
    const window = window2D([7, 7], [7, 7], [1, 1], "valid", [1, 1]);
    assertSameBits(poolMean(x, window, serial), y, "window");
    assertSameBits(imageMeans(x, y.shape, serial), y, "image");
    assertSameBits(poolMeanGradient(dy, x.shape, window, serial), x, "gradient of the window");
    assertSameBits(imageMeansGradient(dy, x.shape, serial), x, "gradient of the image");
    assert.notEqual(49 * (1 / 49), 1);
  });
});

describe("pooling of one line", () => {
  /** Windows of three along a line of `width` pixels. */
  const alongLine = (width: number, stride: number, padding: "same" | "valid"): Window2D =>
    window2D([1, width], [1, 3], [1, stride], padding, [1, 1]);

  it("sees all of an image that is narrower than its windows, in each of them", () => {
    const x = tensorOf([1, 7, -3, 4, 5, 6, -2, 4], [1, 1, 2, 4]);
    for (const execution of executions) {
      const { y, argmax } = poolGreatest(x, alongLine(2, 1, "same"), execution);
      assert.deepEqual([...y.data], [5, 7, -2, 4, 5, 7, -2, 4], nameOf(execution));
      assert.deepEqual([...argmax], [4, 1, 6, 3, 4, 1, 6, 3], nameOf(execution));
    }
  });

  it("rounds every share and every sum of a gradient to float32 where sums are kept in it", () => {
    const dy = fill([1.1, -2.3, 0.7, 5.9], [1, 1, 8, 1], "float32");
    const window = alongLine(10, 1, "valid");
    const shape = [1, 1, 10, 1];
    /** For every pixel the sum of what the windows that see it pass on. */
    const sums = (passed: (output: number) => number, round: (value: number) => number): Tensor =>
      tensorOf(
        Array.from({ length: 10 }, (_, w) =>
          [w - 2, w - 1, w].filter((ow) => ow >= 0 && ow < 8).reduce((sum, ow) => round(sum + passed(ow)), 0),
        ),
        shape,
      );
    const asIs = (value: number): number => value;
    const share = (ow: number): number => dy.data[ow] / 3;
    const rounded = sums((ow) => Math.fround(share(ow)), Math.fround);
    assert.notDeepEqual(rounded.data, sums(share, Math.fround).data);
    assert.notDeepEqual(rounded.data, sums(share, asIs).data);
    for (const execution of executions) {
      const isSingle = execution.accumulate === "float32";
      assertSameBits(
        poolMeanGradient(dy, shape, window, execution),
        isSingle ? rounded : sums(share, asIs),
        nameOf(execution),
      );
    }
  });

  it("adds what a maximum is passed in float32 where sums are kept in it", () => {
    const [x, dy] = [tensorOf([1, 2, 3, 2, 1], [1, 1, 5, 1]), tensorOf([2 ** 24, 1, 1], [1, 1, 3, 1])];
    const window = alongLine(5, 1, "valid");
    for (const execution of executions) {
      const { argmax } = poolGreatest(x, window, execution);
      const dx = poolGreatestGradient(dy, argmax, x.shape, window, execution);
      // from 2^24 on, float32 counts by twos
      const sum = execution.accumulate === "float32" ? 2 ** 24 : 2 ** 24 + 2;
      assert.deepEqual([...dx.data], [0, 0, sum, 0, 0], nameOf(execution));
    }
  });

  it("gives +0 where all that windows pass on is -0, whether they overlap or not", () => {
    const window = alongLine(7, 1, "valid");
    for (const at of [window, alongLine(7, 3, "valid")]) {
      const dy = fill([-0], [1, 1, at.outputWidth, 1], "float32");
      const { argmax } = poolGreatest(fill([1], [1, 1, 7, 1], "float32"), at, serial);
      const zeros = fill([0], [1, 1, 7, 1], "float32");
      assertSameBits(poolMeanGradient(dy, zeros.shape, at, serial), zeros, "mean");
      assertSameBits(poolGreatestGradient(dy, argmax, zeros.shape, at, serial), zeros, "greatest");
    }
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
