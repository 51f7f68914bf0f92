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
    const other = new Control(2, control.buffer);
    assert.equal(other.jobCount, 2);
    assert.deepStrictEqual([other.tilesOf(0), other.tilesOf(1)], [5, 11]);
    assert.deepStrictEqual(
      [other.description(0), other.description(1)],
      [
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
      ],
    );
  });

  /** The tiles of jobs in the order in which `thread` claims them, where no other thread claims any. */
  function claimed(threads: number, tiles: readonly number[], thread: number): number[] {
    const control = new Control(threads);
    control.describe(tiles.map((count) => ({ name: "job", arrays: [], numbers: [], tiles: count })));
    const order: number[] = [];
    control.claimTiles(thread, (tile) => order.push(tile));
    return order;
  }

  it("gives a thread the tiles of its own share first, of every job, and then those of the threads behind it", () => {
    assert.deepEqual(claimed(3, [12], 1), [4, 5, 6, 7, 8, 9, 10, 11, 0, 1, 2, 3]);
    assert.deepEqual(claimed(2, [2, 5], 1), [1, 4, 5, 6, 0, 2, 3]);
  });

  it("deals out the tiles of jobs that have fewer than there are threads, so that no thread waits for its first", () => {
    // as its comment draws it: jobs of 1, 2, 1 and 1 tiles
    assert.deepEqual(claimed(3, [1, 2, 1, 1], 0), [0, 3, 1, 4, 2]);
    assert.deepEqual(claimed(3, [1, 2, 1, 1], 1), [1, 4, 2, 0, 3]);
    assert.deepEqual(claimed(3, [1, 2, 1, 1], 2), [2, 0, 3, 1, 4]);
    assert.deepEqual(claimed(2, [1, 3, 0, 1], 1), [2, 3, 4, 0, 1]);
  });
});
