import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { randomStream } from "../../src/arithmetic/random.js";
import { shuffled } from "../../src/training/shuffle.js";

const seeds = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const epochs = fc.integer({ min: 0, max: 2 ** 32 - 1 });

describe("shuffled", () => {
  it("holds every sample once", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 300 }), seeds, epochs, (samples, seed, epoch) => {
        const order = shuffled(samples, seed, epoch);
        assert.deepEqual(
          Array.from(order).sort((a, b) => a - b),
          Array.from({ length: samples }, (_, i) => i),
        );
      }),
    );
  });

  it("takes, one by one from the back, a sample at random from those that are left", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 40 }), seeds, epochs, (samples, seed, epoch) => {
        const stream = randomStream(seed, "shuffle", epoch);
        const left = Array.from({ length: samples }, (_, i) => i);
        const order: number[] = [];
        while (left.length > 0) {
          const last = left.length - 1;
          const chosen = last === 0 ? 0 : stream.integer(last, last + 1);
          order.unshift(left[chosen]);
          left[chosen] = left[last];
          left.pop();
        }
        assert.deepEqual(Array.from(shuffled(samples, seed, epoch)), order);
      }),
    );
  });

  it("is the same for the same seed and epoch, and another for others", () => {
    const text = (seed: number, epoch: number): string => shuffled(50, seed, epoch).join();
    assert.equal(text(7, 3), text(7, 3));
    assert.equal(new Set([text(7, 3), text(7, 4), text(8, 3), text(7, 5), text(2 ** 40, 3)]).size, 5);
  });

  it("has these bits on every engine", () => {
    assert.equal(shuffled(12, 1, 2).join(), "3,6,7,2,1,4,8,10,9,0,5,11");
  });

  it("puts every sample in every place equally often", () => {
    // Counts of 1000 draws of probability 1/5 have a standard deviation below 13: six of them are 78.
    const counts = Array.from({ length: 5 }, () => new Array<number>(5).fill(0));
    for (let epoch = 0; epoch < 1000; epoch++)
      shuffled(5, 0, epoch).forEach((sample, place) => counts[sample][place]++);
    for (const count of counts.flat()) assert.ok(Math.abs(count - 200) <= 78, `${count} of 1000`);
  });
});
