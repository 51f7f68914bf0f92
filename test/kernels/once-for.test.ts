import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { onceFor } from "../../src/kernels/once-for.js";

describe("onceFor", () => {
  it("derives once for each object, undefined too, and not from one what belongs to another that is alike", () => {
    const derived: number[] = [];
    const halfOf = onceFor(({ size }: { readonly size: number }) => {
      derived.push(size);
      return size % 2 === 0 ? size / 2 : undefined;
    });
    const [four, six, seven, again] = [{ size: 4 }, { size: 6 }, { size: 7 }, { size: 4 }];
    assert.deepEqual([four, six, seven, four, seven, six].map(halfOf), [2, 3, undefined, 2, undefined, 3]);
    assert.deepEqual(derived, [4, 6, 7]);
    assert.equal(halfOf(again), 2);
    assert.deepEqual(derived, [4, 6, 7, 4]);
  });
});
