import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import {
  imageGreatest,
  imageGreatestGradient,
  imageGreatestGradientJob,
  imageGreatestJob,
} from "../../src/kernels/image-greatest.js";
import type { Shape } from "../../src/tensor/shape.js";
import { empty, type Tensor, tensorOf } from "../../src/tensor/tensor.js";
import { assertSameBits, dtypes, fastExecutions, fill, nameOf, seedValues } from "./support.js";

const { executions, closeAll } = fastExecutions();
after(closeAll);

/** The values of channel `c` of image `n` of `x`. */
function pixelsOf(x: Tensor, n: number, c: number): number[] {
  const [, height, width] = x.shape;
  return Array.from({ length: height * width }, (_, i) => x.get(n, Math.floor(i / width), i % width, c));
}

/** Channel by channel: the equation as it stands. */
function greatestNaive(x: Tensor, shape: Shape): Tensor {
  const y = empty(shape, x);
  const channels = x.shape[3];
  for (let i = 0; i < y.size; i++) y.data[i] = Math.max(...pixelsOf(x, Math.floor(i / channels), i % channels));
  return y;
}

function gradientNaive(dy: Tensor, x: Tensor, y: Tensor): Tensor {
  const dx = empty(x.shape, x);
  const [, height, width, channels] = x.shape;
  for (let i = 0; i < x.size; i++) {
    const c = i % channels;
    const n = Math.floor(i / (height * width * channels));
    const greatest = y.data[n * channels + c];
    const count = pixelsOf(x, n, c).filter((value) => value === greatest).length;
    const elsewhere = count === 0 ? Number.NaN : 0;
    dx.data[i] = x.data[i] === greatest ? dy.data[n * channels + c] / count : elsewhere;
  }
  return dx;
}

describe("imageGreatest", () => {
  /** Vectors together and alone, tiles of several sizes, and channels that are no whole vectors. */
  const shapes = fc
    .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 4, max: 6 }), fc.constantFrom(1, 7), fc.boolean())
    .chain(([batch, height, width, isTurned]) =>
      fc.constantFrom(8, 12, 20, 36, 76, 9, 70).map((channels) => {
        return isTurned ? [batch, width, height, channels] : [batch, height, width, channels];
      }),
    );

  it("and its gradient have the bits of plain loops on any number of threads", () => {
    fc.assert(
      fc.property(shapes, seedValues, seedValues, dtypes, dtypes, (shape, p, q, dtype, other) => {
        const x = fill(p, shape, dtype);
        const rows = [shape[0], shape[3]];
        const y = greatestNaive(x, rows);
        const dy = fill(q, rows, other);
        const dx = gradientNaive(dy, x, y);
        for (const execution of executions) {
          assertSameBits(imageGreatest(x, rows, execution), y, nameOf(execution));
          assertSameBits(imageGreatestGradient(dy, x, y, execution), dx, `dx, ${nameOf(execution)}`);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("and its gradient have them where equal values are many, and zeros of both signs", () => {
    const few = fc.array(fc.constantFrom(0, -0, 1, -1, Number.NaN, Number.NEGATIVE_INFINITY), {
      minLength: 35,
      maxLength: 140,
    });
    fc.assert(
      fc.property(few, fc.constantFrom(4, 5, 20), dtypes, (values, channels, dtype) => {
        const shape = [1, 7, 3, channels];
        const x = tensorOf(
          Array.from({ length: 21 * channels }, (_, i) => values[i % values.length]),
          shape,
          dtype,
        );
        const rows = [1, channels];
        const y = greatestNaive(x, rows);
        const dy = fill([1.1, -0, 1e-40, -2.3, 7.7], rows, dtype);
        const dx = gradientNaive(dy, x, y);
        for (const execution of executions) {
          assertSameBits(imageGreatest(x, rows, execution), y, nameOf(execution));
          assertSameBits(imageGreatestGradient(dy, x, y, execution), dx, `dx, ${nameOf(execution)}`);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("takes the greatest of one pixel, and of pixels that are all -Infinity", () => {
    const least = tensorOf(Array(12).fill(Number.NEGATIVE_INFINITY), [1, 3, 1, 4]);
    for (const execution of executions) {
      const y = imageGreatest(least, [1, 4], execution);
      assert.deepEqual([...y.data], Array(4).fill(Number.NEGATIVE_INFINITY), nameOf(execution));
      const one = fill([1, -2, 3, -4, 5], [2, 1, 1, 20], "float32");
      assertSameBits(imageGreatest(one, [2, 1, 1, 20], execution), one, nameOf(execution));
    }
  });

  it("begins in each tile anew, whatever memory holds, and leaves other tiles alone", () => {
    // two images of three pixels; the first tile of each has four of six channels
    const x = fill([-1, -2, -3, -2, -1], [2, 3, 1, 6], "float64");
    const [y, counts] = [0, 1].map(() => new Float64Array(12).fill(7));
    const dx = new Float64Array(36).fill(7);
    const expected = greatestNaive(x, [2, 6]);
    const dy = fill([6, 5], [2, 6], "float64");
    const gradient = gradientNaive(dy, x, expected);
    const numbers = [3, 6, 4, 0];
    imageGreatestJob.prepare([x.data, y], numbers)(2);
    imageGreatestGradientJob.prepare([dy.data, x.data, expected.data, dx, counts], numbers)(2);
    const isOfTile = (i: number): boolean => i % 6 < 4;
    assert.deepEqual(
      [...y],
      Array.from(expected.data, (value, i) => (i >= 6 && isOfTile(i) ? value : 7)),
    );
    assert.deepEqual(
      [...dx],
      Array.from(gradient.data, (value, i) => (i >= 18 && isOfTile(i) ? value : 7)),
    );
  });
});
