import assert from "node:assert/strict";
import { describe as suite, it } from "node:test";
import { type ConfigReader, describe, readConfig } from "../../src/serialization/config.js";

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

suite("readConfig", () => {
  const read = (value: unknown, use: (reader: ConfigReader) => unknown): unknown =>
    use(readConfig("Dense", { key: value }));
  const cases: readonly (readonly [
    (r: ConfigReader) => unknown,
    readonly (readonly [unknown, unknown])[],
    string,
    unknown[],
  ])[] = [
    [(r) => r.integer("key", 2), [[2, 2]], "a whole number of at least 2", [1, 2.5, "2", undefined]],
    [(r) => r.integer("key", 2, 7), [[null, 7]], "a whole number of at least 2", [1]],
    [
      (r) => r.number("key"),
      [[-0.5, -0.5]],
      "a finite number",
      [Number.NaN, Number.POSITIVE_INFINITY, "1", true, null],
    ],
    [(r) => r.number("key", 3), [[undefined, 3]], "a finite number", ["1"]],
    [
      (r) => r.optionalNumber("key"),
      [
        [0, 0],
        [null, undefined],
      ],
      "a finite number",
      ["0"],
    ],
    [
      (r) => r.boolean("key", true),
      [
        [false, false],
        [null, true],
      ],
      "true or false",
      [0, "false"],
    ],
    [
      (r) => r.optionalString("key"),
      [
        ["", ""],
        [null, undefined],
      ],
      "a string",
      [1],
    ],
    [(r) => r.oneOf("key", ["same", "valid"]), [["valid", "valid"]], 'one of "same", "valid"', ["full", undefined]],
    [
      (r) => r.pair("key"),
      [
        [3, [3, 3]],
        [
          [1, 2],
          [1, 2],
        ],
      ],
      "one or two whole numbers of at least 1",
      [0, [1], [1, 2, 3], [1, 0], "3"],
    ],
    [
      (r) => r.integers("key"),
      [
        [
          [-1, 2],
          [-1, 2],
        ],
      ],
      "a list of whole numbers",
      [1, [0.5], ["1"]],
    ],
    [
      (r) => r.shape("key"),
      [
        [
          [null, 3],
          [null, 3],
        ],
      ],
      "a list of dimensions, each null or a whole number of at least 1",
      [[], [0], 3, ["3"]],
    ],
    [
      (r) => r.dtype("key"),
      [
        [undefined, "float32"],
        ["float64", "float64"],
        [{ class_name: "DTypePolicy", config: { name: "float64" } }, "float64"],
      ],
      "float32 or float64",
      ["float16", { class_name: "DTypePolicy", config: { name: "mixed_float16" } }],
    ],
    [(r) => r.refuse("key"), [[null, undefined]], "null (others are not implemented)", [false, 0]],
    [
      (r) => r.refuse("key", 1, "x"),
      [
        [1, undefined],
        [undefined, undefined],
      ],
      '1 or "x"',
      [2],
    ],
  ];
  for (const [use, good, rule, bad] of cases) {
    for (const [value, expected] of good) {
      it(`reads ${describe(value)} for ${rule}`, () => {
        assert.deepEqual(read(value, use), expected);
      });
    }
    it(`refuses what is not ${rule}`, () => {
      for (const value of bad) {
        assert.throws(() => read(value, use), {
          name: "TypeError",
          message: `Dense: \`key\` must be ${rule}. Received ${describe(value)}.`,
        });
      }
    });
  }
});
