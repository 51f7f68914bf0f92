import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { sparkline } from "../../src/cli/sparkline.js";

describe("sparkline", () => {
  it("draws each value, the least lowest and the greatest highest", () => {
    assert.equal(sparkline([7, 6, 5, 4, 3, 2, 1, 0]), "█▇▆▅▄▃▂▁");
    assert.equal(sparkline([0.1, 0.1]), "▁▁");
    assert.equal(sparkline([]), "");
  });

  it("draws means of neighbours where there are more values than characters", () => {
    assert.equal(sparkline([0, 2, 8, 8, 4, 5], 3), "▁█▅");
  });

  it("marks what is not finite", () => {
    assert.equal(sparkline([0, Number.NaN, 1, Number.POSITIVE_INFINITY]), "▁×█×");
  });

  it("is never wider than it may be", () => {
    fc.assert(
      fc.property(fc.array(fc.double()), fc.integer({ min: 1, max: 50 }), (values, width) => {
        assert.ok(sparkline(values, width).length <= width);
      }),
    );
  });
});
