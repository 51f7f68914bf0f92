import assert from "node:assert/strict";
import { describe as suite, it } from "node:test";
import { describe } from "../../src/serialization/config.js";

class Ring {
  readonly self = this;
}

suite("describe", () => {
  const nameless: unknown = Object.assign(Object.create(null), { big: 1n });
  const cases: readonly (readonly [unknown, string])[] = [
    [undefined, "nothing"],
    [null, "null"],
    [Number.NaN, "NaN"],
    [Number.NEGATIVE_INFINITY, "-Infinity"],
    [12n, "12"],
    ["he_normal", '"he_normal"'],
    [{ l2: [0.5] }, '{"l2":[0.5]}'],
    [Math.tanh, "function"],
    [Symbol("a"), "symbol"],
    [new Ring(), "[object Ring]"],
    [nameless, "[object Object]"],
    ["a".repeat(118), `"${"a".repeat(118)}"`],
    ["a".repeat(119), `"${"a".repeat(116)}...`],
  ];
  for (const [value, text] of cases) {
    it(`prints ${text.slice(0, 40)}`, () => {
      assert.equal(describe(value), text);
    });
  }
});
