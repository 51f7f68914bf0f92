import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { col2im, im2col } from "../../src/kernels/im2col.js";
import { window2D } from "../../src/kernels/window.js";
import { type Tensor, tensorOf } from "../../src/tensor/tensor.js";

function dot(a: Tensor, b: Tensor): number {
  let sum = 0;
  for (let i = 0; i < a.size; i++) sum += a.data[i] * b.data[i];
  return sum;
}

describe("im2col and col2im", () => {
  const window = window2D([2, 3], [2, 2], [1, 1], "same", [1, 1]); // pads one row below, one column right

  it("writes a row for every window position, in the order kh, kw, with zeros in the padding", () => {
    const x = tensorOf([1, 2, 3, 4, 5, 6], [1, 2, 3, 1]);
    const rows = [
      [1, 2, 4, 5],
      [2, 3, 5, 6],
      [3, 0, 6, 0],
      [4, 5, 0, 0],
      [5, 6, 0, 0],
      [6, 0, 0, 0],
    ];
    assert.deepEqual(Array.from(im2col(x, window).data), rows.flat());
  });

  it("adds overlapping taps: a pixel comes back as often as windows saw it", () => {
    const patches = tensorOf(new Array(24).fill(1), [6, 4]);
    assert.deepEqual(Array.from(col2im(patches, window, [1, 2, 3, 1]).data), [1, 2, 2, 2, 4, 4]);
  });

  it("are adjoint: sum(im2col(x) * p) = sum(x * col2im(p)), exactly for small integers", () => {
    const size = fc.integer({ min: 1, max: 3 });
    const integers = fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 3, maxLength: 13 });
    fc.assert(
      fc.property(
        fc.tuple(size, size),
        fc.tuple(size, size),
        fc.tuple(size, size),
        fc.constantFrom("same" as const, "valid" as const),
        size,
        integers,
        integers,
        (kernel, strides, dilation, padding, channels, xs, ps) => {
          const window = window2D([7, 8], kernel, strides, padding, dilation);
          const shape = [2, 7, 8, channels];
          const x = tensorOf(
            Array.from({ length: 112 * channels }, (_, i) => xs[i % xs.length] + (i % 5)),
            shape,
          );
          const patches = im2col(x, window);
          const p = tensorOf(
            Array.from({ length: patches.size }, (_, i) => ps[i % ps.length] - (i % 7)),
            patches.shape,
          );
          assert.equal(dot(patches, p), dot(x, col2im(p, window, shape)));
        },
      ),
    );
  });

  it("rounds every sum to float32 when told so", () => {
    const three = window2D([1, 3], [1, 3], [1, 1], "same", [1, 1]); // the pixel in the middle is seen by all windows
    const patches = tensorOf([0, 0, 2 ** 24, 0, 1, 0, 1, 0, 0], [3, 3]); // from 2^24 on, float32 counts by twos
    assert.deepEqual(Array.from(col2im(patches, three, [1, 1, 3, 1], "float32").data), [0, 2 ** 24, 0]);
    assert.deepEqual(Array.from(col2im(patches, three, [1, 1, 3, 1]).data), [0, 2 ** 24 + 2, 0]);
  });

  it("reject shapes that the window is not for", () => {
    assert.throws(() => im2col(tensorOf([1], [1, 1, 1, 1]), window), {
      message: "internal: im2col: `x` must have shape [1, 2, 3, 1]. Received x.shape=[1, 1, 1, 1].",
    });
    assert.throws(() => col2im(tensorOf([1], [1, 1]), window, [1, 2, 3, 1]), {
      message: "internal: col2im: `patches` must have shape [6, 4]. Received patches.shape=[1, 1].",
    });
  });
});
