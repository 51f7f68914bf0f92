import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Control } from "../../src/parallel/control.js";

describe("Control", () => {
  it("hands over numbers, names and places of arrays as they were given", () => {
    const control = new Control(2);
    const numbers = [7, -3, 0, -0, 0.1, 2 ** 31, -(2 ** 31), 2 ** 40, Number.NaN, Number.NEGATIVE_INFINITY];
    const memory = new SharedArrayBuffer(64);
    const arrays = [new Float32Array(memory, 4, 3), new Float64Array(memory, 16, 2)];
    control.describe([
      { name: "first", arrays: [], numbers: [], tiles: 5 },
      { name: "second", arrays, numbers, tiles: 11 },
    ]);
    assert.deepStrictEqual(new Control(2, control.buffer).description(), [
      { name: "first", arrays: [], numbers: [], tiles: 5 },
      {
        name: "second",
        arrays: [
          { wide: false, byteOffset: 4, length: 3 },
          { wide: true, byteOffset: 16, length: 2 },
        ],
        numbers,
        tiles: 11,
      },
    ]);
  });
});
