import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import fc from "fast-check";
import { errorInUlps, roundedTruth } from "../../scripts/exhaustive-truth.js";
import { cos, sin } from "../../src/arithmetic/cosine.js";

const FUNCTIONS = [
  { name: "cos", f: cos, hash: "9bc3de40b118eef27f98e8c76b52270522d2cad5dc27ac28a5bc6432221fdad6" },
  { name: "sin", f: sin, hash: "2b03db043072f0ca9466c54e1b400be6896106f1637d17d0444ea11c5b13ad28" },
] as const;

const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);
function floatOf(pattern: number): number {
  bits[0] = pattern;
  return float[0];
}

/** Float32 values over every binade and both signs. */
const GRID: readonly number[] = Array.from({ length: 4096 }, (_, i) => floatOf(i * 1048576 + ((i * 40503) & 0xfffff)));

/** Whether `y` lies exactly halfway between two float32 values, or next to such a double. */
function nearTie(y: number): boolean {
  const gap = y - Math.fround(y);
  const across = Math.fround(y) + 2 * gap;
  return gap !== 0 && Math.abs(across - Math.fround(across)) <= 4 * Number.EPSILON * Math.abs(y);
}

for (const { name, f, hash } of FUNCTIONS) {
  describe(name, () => {
    it("rounds to the right float32 for every bit pattern (a sample)", () => {
      fc.assert(
        fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (pattern) => {
          const x = floatOf(pattern);
          if (!Number.isFinite(x)) assert.ok(Number.isNaN(f(x)));
          else if (x === 0) assert.ok(Object.is(f(x), name === "cos" ? 1 : x));
          else assert.equal(Math.fround(f(x)), roundedTruth(name, x).nearest, `x=${x}`);
        }),
        { numRuns: 1000 },
      );
    });

    it("is off by at most 0.51 units in the last place of a double", () => {
      const doubles = fc.oneof(
        fc.double({ min: -10, max: 10, noNaN: true }),
        fc.double({ min: -(2 ** 600), max: 2 ** 600, noNaN: true }),
        // next to the zeros of both functions
        fc.integer({ min: -1000, max: 1000 }).map((quarters) => quarters * (Math.PI / 2)),
      );
      fc.assert(
        fc.property(doubles, (x) => {
          fc.pre(Math.abs(x) > 2 ** -200);
          const error = errorInUlps(name, x, f(x));
          assert.ok(error <= (nearTie(f(x)) ? 1 : 0.51), `x=${x}: off by ${error}`);
        }),
        { numRuns: 1000 },
      );
    });

    it("has these bits on every engine", () => {
      const results = new DataView(new ArrayBuffer(8 * GRID.length));
      GRID.forEach((x, i) => results.setFloat64(8 * i, Number.isNaN(f(x)) ? 0 : f(x), true));
      assert.equal(createHash("sha256").update(results).digest("hex"), hash);
    });
  });
}

describe("cos and sin", () => {
  const known: readonly [name: string, actual: number, expected: number][] = [
    ["cos(0)", cos(0), 1],
    ["cos(pi)", cos(Math.PI), -1],
    // what pi/2 and pi as doubles leave over of pi/2 and pi
    ["cos(pi/2)", cos(Math.PI / 2), 6.123233995736766e-17],
    ["sin(pi)", sin(Math.PI), 1.2246467991473532e-16],
    ["sin(pi/2)", sin(Math.PI / 2), 1],
    ["sin(0)", sin(0), 0],
    ["sin(-0)", sin(-0), -0],
    ["sin(5e-324)", sin(5e-324), 5e-324],
    ["cos(Infinity)", cos(Infinity), NaN],
    ["sin(-Infinity)", sin(-Infinity), NaN],
    ["cos(NaN)", cos(NaN), NaN],
    // the double nearest to a multiple of pi/2 (Muller, Elementary Functions, 11.1)
    ["cos(6381956970095103 * 2^797)", cos(6381956970095103 * 2 ** 797), -4.687165924254628e-19],
    ["sin of the largest double", sin(Number.MAX_VALUE), 0.004961954789184062],
    ["cos of the largest double", cos(Number.MAX_VALUE), -0.9999876894265599],
  ];
  for (const [name, actual, expected] of known) {
    it(`${name} is ${Object.is(expected, -0) ? "-0" : expected}`, () => {
      assert.ok(Object.is(actual, expected), `is ${actual}`);
    });
  }

  it("are exactly even and odd", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true }), (x) => Object.is(cos(-x), cos(x)) && Object.is(sin(-x), -sin(x))),
    );
  });

  it("have squares that add up to 1, within the roundings of two squares and a sum", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (x) => {
        assert.ok(Math.abs(cos(x) * cos(x) + sin(x) * sin(x) - 1) <= 4 * Number.EPSILON);
      }),
    );
  });
});
