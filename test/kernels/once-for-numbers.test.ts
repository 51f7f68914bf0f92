import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { onceForNumbers } from "../../src/kernels/once-for-numbers.js";

describe("onceForNumbers", () => {
  it("gives what follows from the numbers from an index on, and the same object where they are the same", () => {
    const [count, few] = [3, fc.integer({ min: 0, max: 2 })];
    const calls = fc.array(fc.tuple(fc.array(few, { minLength: count + 2, maxLength: count + 2 }), few), {
      minLength: 2,
    });
    fc.assert(
      fc.property(calls, (all) => {
        const once = onceForNumbers(count, (numbers) => ({ text: numbers.join() }));
        const seen = new Map<string, object>();
        for (const [numbers, at] of all) {
          const given = once(numbers, at);
          assert.equal(given.text, numbers.slice(at, at + count).join());
          assert.equal(seen.get(given.text) ?? given, given);
          seen.set(given.text, given);
        }
      }),
    );
  });

  it("begins with the first number where no index is given, and does not look behind the last", () => {
    const once = onceForNumbers(2, (numbers) => [...numbers]);
    assert.deepEqual(once([4, 7, 1]), [4, 7]);
    assert.equal(once([4, 7, 1]), once([4, 7, 9]));
  });

  it("is not misled by numbers that are changed afterwards", () => {
    const once = onceForNumbers(2, (numbers) => ({ sum: numbers[0] + numbers[1] }));
    const numbers = [4, 7];
    once(numbers);
    numbers[0] = 5;
    assert.deepEqual([once(numbers).sum, once([4, 7]).sum], [12, 11]);
  });

  it("forgets what it has when that is too much, and works it out again", () => {
    let derived = 0;
    const once = onceForNumbers(1, ([value]) => {
      derived++;
      return { value };
    });
    for (let value = 0; value < 257; value++) assert.deepEqual(once([value]), { value });
    assert.equal(derived, 257);
    assert.deepEqual(once([256]), { value: 256 });
    assert.equal(derived, 257);
    assert.deepEqual(once([0]), { value: 0 });
    assert.equal(derived, 258);
  });
});
