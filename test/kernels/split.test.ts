import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { splitUnits } from "../../src/kernels/simd/plan.js";
import { blockOf, type Split, splitEvenly, splitTapering } from "../../src/kernels/split.js";

const blocksOf = (split: Split): { from: number; to: number }[] =>
  Array.from({ length: split.count }, (_, i) => blockOf(split, i));

describe("blocks of a range", () => {
  it("are halved in the last quarter, and again in the last eighth, where they taper", () => {
    const sizes = blocksOf(splitTapering(64, 8)).map(({ from, to }) => to - from);
    assert.deepEqual(sizes, [8, 8, 8, 8, 8, 8, 4, 4, 2, 2, 2, 2]);
  });

  it("follow each other from its beginning to its end, none of them empty or larger than asked for", () => {
    const [total, size] = [fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 700 })];
    fc.assert(
      fc.property(total, size, (all, most) => {
        for (const blocks of [splitTapering(all, most), splitEvenly(all, most, 1)].map(blocksOf)) {
          assert.equal(blocks[0].from, 0);
          assert.equal(blocks.at(-1)?.to, all);
          for (const [i, { from, to }] of blocks.entries()) {
            assert.ok(from < to && to - from <= most);
            if (i > 0) assert.equal(from, blocks[i - 1].to);
          }
        }
      }),
    );
  });

  it("do not grow towards the end where they taper", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 700 }), (total, size) => {
        const sizes = blocksOf(splitTapering(total, size)).map(({ from, to }) => to - from);
        for (const [i, each] of sizes.entries()) assert.ok(i === 0 || each <= sizes[i - 1]);
        assert.ok((sizes.at(-1) ?? 0) <= Math.ceil(size / 4));
      }),
    );
  });

  it("taper where threads share them, but not where one thread has all or there are fewer than four", () => {
    const sizes = (units: number, shared: boolean): number[] =>
      blocksOf(splitUnits(units, 6, shared)).map(({ from, to }) => to - from);
    assert.deepEqual(sizes(19, true), [6, 6, 3, 2, 2]);
    assert.deepEqual(sizes(19, false), [6, 6, 6, 1]);
    assert.deepEqual(sizes(17, true), [6, 6, 5]);
  });
});
