import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { digits, unpackDigits } from "../../../src/training/data/digits.js";

const { ink, labels } = unpackDigits();
const { training, test } = digits();

/** Row `y` of image `n` in the first channel. */
function row(n: number, y: number): number[] {
  return Array.from({ length: 32 }, (_, x) => training.images[((n * 32 + y) * 32 + x) * 3]);
}

describe("digits", () => {
  it("are the bytes that scikit-learn ships, by the hash that digits.py checks", () => {
    const hash = createHash("sha256").update(ink).update(labels).digest("hex");
    assert.equal(hash, "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826");
    assert.deepEqual([...ink.subarray(0, 16)], [0, 0, 5, 13, 9, 1, 0, 0, 0, 0, 13, 15, 10, 15, 5, 0]);
    assert.deepEqual([...labels.subarray(0, 12)], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
  });

  it("are split into the first 1,500 and the last 297, with every class in both", () => {
    assert.deepEqual(
      [training.shape, test.shape],
      [
        [1500, 32, 32, 3],
        [297, 32, 32, 3],
      ],
    );
    assert.deepEqual([...training.labels, ...test.labels], [...labels]);
    const count = (list: Int32Array): number[] => training.classNames.map((_, c) => list.filter((l) => l === c).length);
    assert.deepEqual(count(training.labels), [151, 151, 150, 153, 148, 152, 151, 149, 146, 149]);
    assert.deepEqual(count(test.labels), [27, 31, 27, 30, 33, 30, 30, 30, 28, 31]);
  });

  it("are enlarged bilinearly: the first row, by hand", () => {
    // above the middles of the first row of blocks nothing but that row counts; its blocks hold 0 0 5 13 9 1 0 0
    const blocks = [0, 0, 5, 13, 9, 1, 0, 0];
    const expected = Array.from({ length: 32 }, (_, x) => {
      const position = (x + 0.5) / 4 - 0.5;
      const before = Math.floor(position);
      const [a, b] = [blocks[Math.max(before, 0)], blocks[Math.min(before + 1, 7)]];
      return Math.floor((255 * (a + (b - a) * (position - before))) / 16 + 0.5);
    });
    assert.deepEqual(row(0, 0), expected);
    assert.deepEqual(row(0, 1), expected);
    assert.notDeepEqual(row(0, 2), expected);
  });

  it("agree everywhere with the formula in real numbers, whose values are exact in float64", () => {
    for (const n of [3, 777, 1499]) {
      const block = (y: number, x: number): number =>
        ink[n * 64 + Math.min(Math.max(y, 0), 7) * 8 + Math.min(Math.max(x, 0), 7)];
      for (let y = 0; y < 32; y++) {
        const expected = Array.from({ length: 32 }, (_, x) => {
          const [v, u] = [(y + 0.5) / 4 - 0.5, (x + 0.5) / 4 - 0.5];
          const [top, left] = [Math.floor(v), Math.floor(u)];
          const [below, right] = [v - top, u - left];
          const value =
            (1 - below) * ((1 - right) * block(top, left) + right * block(top, left + 1)) +
            below * ((1 - right) * block(top + 1, left) + right * block(top + 1, left + 1));
          return Math.floor((value * 255) / 16 + 0.5);
        });
        assert.deepEqual(row(n, y), expected);
      }
    }
  });

  it("have three equal channels and use the whole range of a byte", () => {
    let highest = 0;
    for (let i = 0; i < training.images.length; i += 3) {
      const [red, green, blue] = training.images.subarray(i, i + 3);
      assert.ok(red === green && green === blue);
      if (red > highest) highest = red;
    }
    assert.equal(highest, 255);
  });
});
