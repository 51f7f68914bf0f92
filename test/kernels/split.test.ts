import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { splitUnits } from "../../src/kernels/simd/plan.js";
import { shareStart } from "../../src/parallel/shares.js";
import { blockOf, type Split, splitEvenly, splitTapering } from "../../src/kernels/split.js";

const anyTotal = fc.integer({ min: 1, max: 5000 });
const anySize = fc.integer({ min: 1, max: 700 });
const anyShares = fc.integer({ min: 1, max: 9 });

const blocksOf = (split: Split): { from: number; to: number }[] =>
  Array.from({ length: split.count }, (_, i) => blockOf(split, i));

describe("blocks of a range", () => {
  it("are halved in the last quarter of each thread's share, and again in its last eighth, where they taper", () => {
    const sizes = (total: number, shares: number): number[] =>
      blocksOf(splitTapering(total, 8, shares)).map(({ from, to }) => to - from);
    const once = [8, 8, 8, 8, 8, 8, 4, 4, 2, 2, 2, 2];
    assert.deepEqual(sizes(64, 1), once);
    assert.deepEqual(sizes(192, 3), [...once, ...once, ...once]);
    assert.deepEqual(sizes(35, 2), [8, 4, 2, 2, 1, 8, 4, 2, 2, 2]); // 17 and 18
    assert.deepEqual(sizes(2, 3), [1, 1]); // one of three has no share
  });

  it("follow each other from its beginning to its end, none of them empty or larger than asked for", () => {
    fc.assert(
      fc.property(anyTotal, anySize, anyShares, (all, most, shares) => {
        for (const blocks of [splitTapering(all, most, shares), splitEvenly(all, most, 1)].map(blocksOf)) {
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

  it("do not grow within a share where they taper, and end where it ends", () => {
    fc.assert(
      fc.property(anyTotal, anySize, anyShares, (total, size, shares) => {
        const blocks = blocksOf(splitTapering(total, size, shares));
        for (let share = 0; share < shares; share++) {
          const [from, to] = [share, share + 1].map((each) => shareStart(total, each, shares));
          const sizes = blocks
            .filter((block) => block.from >= from && block.to <= to)
            .map((block) => block.to - block.from);
          assert.equal(
            sizes.reduce((sum, each) => sum + each, 0),
            to - from,
          );
          for (const [i, each] of sizes.entries()) assert.ok(i === 0 || each <= sizes[i - 1]);
          assert.ok((sizes.at(-1) ?? 0) <= Math.ceil(size / 4));
        }
      }),
    );
  });

  it("taper where threads share them, but not where one thread has all or there are fewer than four", () => {
    const sizes = (units: number, threads: number): number[] =>
      blocksOf(splitUnits(units, 6, threads)).map(({ from, to }) => to - from);
    assert.deepEqual(sizes(38, 2), [6, 6, 3, 2, 2, 6, 6, 3, 2, 2]);
    assert.deepEqual(sizes(19, 1), [6, 6, 6, 1]);
    assert.deepEqual(sizes(17, 2), [6, 6, 5]);
  });
});
