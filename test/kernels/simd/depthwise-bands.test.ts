import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  type Band,
  bandsBack,
  bandsForward,
  bordersOf,
  tableBytes,
  writeTables,
} from "../../../src/kernels/simd/depthwise-bands.js";
import { linesBack, stepsOf } from "../../../src/kernels/simd/depthwise-parts.js";
import { type Window2D, window2D } from "../../../src/kernels/window.js";

const few = (max: number): fc.Arbitrary<[number, number]> =>
  fc.tuple(fc.integer({ min: 1, max }), fc.integer({ min: 1, max }));

const windows = fc
  .tuple(few(12), few(4), few(3), few(2), fc.constantFrom("same" as const, "valid" as const))
  .filter(
    ([image, kernel, , dilation, padding]) =>
      padding === "same" || kernel.every((size, i) => (size - 1) * dilation[i] < image[i]),
  )
  .map(([image, kernel, strides, dilation, padding]) => window2D(image, kernel, strides, padding, dilation));

/** Every product that `bands` make, as "pixel written, pixel read, tap", in order. */
function productsOf(bands: readonly Band[], read: { row: number; step: number }, write: typeof read): string[] {
  const products: string[] = [];
  for (const { rows, strips } of bands) {
    for (let row = rows.from; row < rows.to; row++) {
      for (const { columns, source, output, taps } of strips) {
        for (let column = 0; column < columns; column++) {
          const to = row * write.row + output + column * write.step;
          const from = row * read.row + source + column * read.step;
          for (const { tap, pixel } of taps) products.push(`${to} ${from + pixel} ${tap}`);
        }
      }
    }
  }
  return products;
}

/** Every product of a convolution through `window` as "output, input, tap", those of an output in order; "padding" is read, too. */
function productsThrough(window: Window2D): string[] {
  const { inputHeight, inputWidth, outputHeight, outputWidth, kernelHeight, kernelWidth } = window;
  const products: string[] = [];
  for (let output = 0; output < outputHeight * outputWidth; output++) {
    for (let tap = 0; tap < kernelHeight * kernelWidth; tap++) {
      const [oh, kh] = [Math.floor(output / outputWidth), Math.floor(tap / kernelWidth)];
      const h = oh * window.strideHeight + kh * window.dilationHeight - window.padTop;
      const w =
        (output % outputWidth) * window.strideWidth + (tap % kernelWidth) * window.dilationWidth - window.padLeft;
      const isInside = h >= 0 && h < inputHeight && w >= 0 && w < inputWidth;
      products.push(`${output} ${isInside ? h * inputWidth + w : "padding"} ${tap}`);
    }
  }
  return products;
}

const isPadding = (product: string): boolean => product.includes("padding");

describe("the bands of depthwise convolution", () => {
  it("make every product with the image once, and those of an output in the order of taps", () => {
    fc.assert(
      fc.property(windows, (window) => {
        const bands = bandsForward(window);
        fc.pre(bands !== undefined);
        const { read, write } = stepsOf(window, false);
        const expected = productsThrough(window);
        assert.deepEqual(
          productsOf(bands.all, read, write),
          expected.filter((product) => !isPadding(product)),
        );
        assert.equal(bands.isInside, !expected.some(isPadding));
        assert.equal(bands.rows, window.outputHeight);
      }),
    );
  });

  it("make every product of the gradient for the input once, and those of an input in the order of outputs", () => {
    fc.assert(
      fc.property(windows, (window) => {
        const bands = bandsBack(window);
        fc.pre(bands !== undefined);
        const { read, write } = stepsOf(window, true);
        const { taps } = linesBack(window);
        const expected = productsThrough(window)
          .filter((product) => !isPadding(product))
          .map((product) => product.split(" ").map(Number))
          .map(([output, input, tap]) => [input, output, tap] as const)
          .sort(([a, aOutput], [b, bOutput]) => a - b || aOutput - bOutput);
        const products = productsOf(bands.all, read, write)
          .map((product) => product.split(" ").map(Number))
          .map(([input, output, tap]) => [input, output, taps[tap]]);
        products.sort(([a], [b]) => a - b); // keeps the order of those of an input
        assert.deepEqual(products, expected);
      }),
    );
  });

  it("are three of three strips with a 3x3 kernel and padding, and four strips in a row of four phases", () => {
    const same = bandsForward(window2D([6, 7], [3, 3], [1, 1], "same", [1, 1]));
    assert.deepEqual(
      same?.all.map(({ rows, strips }) => [rows.from, rows.to, strips.length]),
      [
        [0, 1, 3],
        [1, 5, 3],
        [5, 6, 3],
      ],
    );
    const back = bandsBack(window2D([6, 6], [2, 2], [2, 2], "valid", [1, 1]));
    assert.deepEqual(
      back?.all.map(({ rows, strips }) => [rows.from, rows.to, strips.length]),
      [[0, 3, 4]],
    );
  });

  it("are not for kernels that use a value more than sixteen times, nor where an output sees padding only", () => {
    assert.equal(bandsForward(window2D([9, 9], [5, 5], [1, 1], "same", [1, 1])), undefined);
    assert.ok(bandsForward(window2D([9, 9], [5, 5], [1, 2], "same", [1, 1])) !== undefined);
    assert.ok(bandsForward(window2D([9, 9], [4, 4], [1, 1], "same", [1, 1])) !== undefined);
    assert.equal(bandsForward(window2D([1, 9], [2, 2], [2, 2], "same", [2, 1])), undefined);
  });
});

describe("the borders of depthwise convolution", () => {
  it("have every product with padding, and no other", () => {
    fc.assert(
      fc.property(windows, (window) => {
        const all = bordersOf(window).flatMap(({ band, rowStep, step }) =>
          productsOf([band], { row: 0, step: 0 }, { row: rowStep, step }),
        );
        const expected = productsThrough(window).filter(isPadding);
        assert.deepEqual(
          [...new Set(all)].toSorted(),
          expected.map((product) => product.replace("padding", "0")).toSorted(),
        );
      }),
    );
  });
});

describe("writeTables", () => {
  it("writes where the runs of every strip are, its columns and places, in bytes, behind each other", () => {
    const [one, two, three, four] = [1, 2, 3, 4].map((tap) => ({ tap, pixel: tap + 8 }));
    const strip = { columns: 5, source: -7, output: 2, taps: [one, two, three, four], runTaps: 2 };
    const bands = [
      { rows: { from: 0, to: 2 }, strips: [strip, { ...strip, taps: [], runTaps: 3 }] },
      { rows: { from: 2, to: 3 }, strips: [{ ...strip, taps: [four], runTaps: 1 }] },
    ];
    assert.equal(tableBytes(bands), 3 * 24 + 5 * 8);
    const memory = new ArrayBuffer(8 + 3 * 24 + 5 * 8);
    assert.deepEqual(writeTables(memory, 8, bands, 100, 10, true), [
      { rows: { from: 0, to: 2 }, strips: 8, end: 56 },
      { rows: { from: 2, to: 3 }, strips: 72, end: 96 },
    ]);
    assert.deepEqual(
      [...new Int32Array(memory, 8, 24)],
      [56, 72, 2, 5, -700, 200, 72, 72, 3, 5, -700, 200, 900, 10, 1100, 30, 96, 104, 1, 5, -700, 200, 1200, 40],
    );
    writeTables(memory, 8, bands, 100, 10, false);
    assert.deepEqual([...new Int32Array(memory, 8, 3)], [56, 88, 1]);
  });
});
