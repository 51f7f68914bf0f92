import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import fc from "fast-check";
import { errorInUlps, type FunctionName, roundedTruth } from "../../scripts/exhaustive-truth.js";
import { exp } from "../../src/arithmetic/exp.js";
import { log } from "../../src/arithmetic/log.js";
import { sigmoid } from "../../src/arithmetic/sigmoid.js";
import { tanh } from "../../src/arithmetic/tanh.js";

interface Case {
  readonly name: FunctionName;
  readonly f: (x: number) => number;
  /** Bound of the error in units in the last place of a double, away from the middles of float32 values, as documented. */
  readonly ulps: number;
  /** Where {@link errorInUlps} can measure it. */
  readonly domain: fc.Arbitrary<number>;
  /** Bit patterns that the exhaustive run found hardest, and those that a plain double result would round wrongly. */
  readonly hard: readonly number[];
  /** SHA-256 of the results, as little-endian doubles, for {@link GRID}. */
  readonly hash: string;
}

const range = (min: number, max: number): fc.Arbitrary<number> => fc.double({ min, max, noNaN: true });
const notTiny = (min: number, max: number): fc.Arbitrary<number> =>
  range(min, max).filter((x) => x === 0 || Math.abs(x) > 2 ** -200);

const CASES: readonly Case[] = [
  {
    name: "exp",
    f: exp,
    ulps: 0.511,
    domain: notTiny(-150, 150),
    hard: [0xc16912cd, 0xbbf0edf1, 0xc2b2e798, 0x377eff81],
    hash: "f21d7b73eb9e4607e70e5bd73029ea1b1e580e0a233ba7d2d6c6306ed636608a",
  },
  {
    name: "log",
    f: log,
    ulps: 0.53,
    domain: range(2 ** -200, 2 ** 200),
    hard: [0x3c413d3a, 0x41178feb, 0x4c5d65a5, 0x65d890d3, 0x6f31a8ec],
    hash: "8aa4d50b5c73ffd62458ed6df5b53a0d3efa0b15dba6371661cd02e6712a358b",
  },
  {
    name: "sigmoid",
    f: sigmoid,
    ulps: 0.52,
    domain: notTiny(-150, 50),
    hard: [0x34c00000, 0x35600000, 0x37660000, 0xb4400000, 0xb7370000, 0xba928601],
    hash: "aa4a291c6a7f1260f8fbcba93019280211d2eb4655b7f4d8b11c0dfeb365e6b2",
  },
  {
    name: "tanh",
    f: tanh,
    ulps: 0.59,
    domain: notTiny(-25, 25),
    hard: [0x3ac37de2, 0xbac37de2, 0x3eee0566],
    hash: "18c5ce9a0aeb399557aad2e63e7bd488c369aa1544f2d9debf0dc49295c25ebc",
  },
];

const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);
function floatOf(pattern: number): number {
  bits[0] = pattern;
  return float[0];
}

/** The float32 result that is right by 320 digits, or by definition where the argument or the result is not finite. */
function rightFloat({ name }: Case, x: number): number {
  if (Number.isNaN(x) || (name === "log" && x < 0)) return Number.NaN;
  if (name === "log") return x === 0 ? -Infinity : x === Infinity ? x : roundedTruth(name, x).nearest;
  if (name === "tanh" && (x === 0 || Math.abs(x) > 20)) return Math.sign(x);
  if (name === "sigmoid" && Math.abs(x) > 150) return x > 0 ? 1 : 0;
  if (name === "exp" && Math.abs(x) > 150) return x > 0 ? Infinity : 0;
  return roundedTruth(name, x).nearest;
}

/** Whether `y` lies exactly halfway between two float32 values, or next to such a double. */
function nearTie(y: number): boolean {
  const gap = y - Math.fround(y);
  const across = Math.fround(y) + 2 * gap;
  return gap !== 0 && Math.abs(across - Math.fround(across)) <= 4 * Number.EPSILON * Math.abs(y);
}

/** Results of a fixed grid, over every binade of float32 and both signs. */
const GRID: readonly number[] = Array.from({ length: 65536 }, (_, i) => floatOf(i * 65536 + ((i * 40503) & 0xffff)));

for (const c of CASES) {
  const { name, f, ulps, domain, hard, hash } = c;
  describe(name, () => {
    it("rounds to the right float32 for every bit pattern (a sample; scripts/exhaustive.ts tries all)", () => {
      fc.assert(
        fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (pattern) => {
          const x = floatOf(pattern);
          assert.ok(Object.is(Math.fround(f(x)), rightFloat(c, x)), `x=${x}: ${f(x)}, right is ${rightFloat(c, x)}`);
        }),
        { numRuns: 2000 },
      );
    });

    for (const pattern of hard) {
      const x = floatOf(pattern);
      it(`rounds the hard case ${name}(${x}) to the right float32`, () => {
        assert.equal(Math.fround(f(x)), rightFloat(c, x));
      });
    }

    it(`is off by at most ${ulps} units in the last place of a double`, () => {
      fc.assert(
        fc.property(domain, (x) => {
          const error = errorInUlps(name, x, f(x));
          assert.ok(error <= (nearTie(f(x)) ? 1 : ulps), `x=${x}: off by ${error}`);
        }),
        { numRuns: 2000 },
      );
    });

    it("does not decrease from a float32 to the next", () => {
      fc.assert(
        fc.property(fc.integer({ min: 0, max: 0x7f7fffff }), (pattern) => {
          assert.ok(Math.fround(f(floatOf(pattern))) <= Math.fround(f(floatOf(pattern + 1))));
          if (name === "log") return;
          assert.ok(Math.fround(f(-floatOf(pattern))) >= Math.fround(f(-floatOf(pattern + 1))));
        }),
      );
    });

    it("has these bits on every engine", () => {
      const results = new DataView(new ArrayBuffer(8 * GRID.length));
      // a NaN has many patterns, and engines are free to choose
      GRID.forEach((x, i) => results.setFloat64(8 * i, Number.isNaN(f(x)) ? 0 : f(x), true));
      assert.equal(createHash("sha256").update(results).digest("hex"), hash);
    });
  });
}

describe("the ends of the ranges", () => {
  const ends: readonly [name: string, actual: number, expected: number][] = [
    ["exp(0)", exp(0), 1],
    ["exp(-0)", exp(-0), 1],
    ["exp(Infinity)", exp(Infinity), Infinity],
    ["exp(-Infinity)", exp(-Infinity), 0],
    ["exp(NaN)", exp(NaN), NaN],
    ["exp(1)", exp(1), Math.E],
    ["exp(709.78), close to the largest double", exp(709.78), 1.7928227943945155e308],
    ["exp(709.79), beyond it", exp(709.79), Infinity],
    ["exp(-745.13), the smallest double", exp(-745.13), 5e-324],
    ["exp(-745.14), below half of it", exp(-745.14), 0],
    ["log(1)", log(1), 0],
    ["log(2)", log(2), Math.LN2],
    ["log(0)", log(0), -Infinity],
    ["log(-0)", log(-0), -Infinity],
    ["log(-1)", log(-1), NaN],
    ["log(NaN)", log(NaN), NaN],
    ["log(Infinity)", log(Infinity), Infinity],
    ["log of the smallest double", log(5e-324), -744.4400719213812],
    ["log of the largest double", log(Number.MAX_VALUE), 709.782712893384],
    ["sigmoid(0)", sigmoid(0), 0.5],
    ["sigmoid(Infinity)", sigmoid(Infinity), 1],
    ["sigmoid(-Infinity)", sigmoid(-Infinity), 0],
    ["sigmoid(-745.13)", sigmoid(-745.13), 5e-324],
    ["sigmoid(NaN)", sigmoid(NaN), NaN],
    ["tanh(0)", tanh(0), 0],
    ["tanh(-0)", tanh(-0), -0],
    ["tanh(Infinity)", tanh(Infinity), 1],
    ["tanh(-Infinity)", tanh(-Infinity), -1],
    ["tanh(5e-324)", tanh(5e-324), 5e-324],
    ["tanh(NaN)", tanh(NaN), NaN],
  ];
  for (const [name, actual, expected] of ends) {
    it(`${name} is ${Object.is(expected, -0) ? "-0" : expected}`, () => {
      assert.ok(Object.is(actual, expected), `is ${actual}`);
    });
  }
});

describe("a result that is subnormal", () => {
  // exp(x) / 2^-1074 with 300 digits is 4291838774744482.7497: the farthest from its double among 100,000
  it("is rounded twice, and off by less than 0.76 units in the last place", () => {
    const x = -708.4445802665399;
    const [below, fraction] = [4291838774744482, 0.7497];
    for (const f of [exp, sigmoid]) assert.ok(Math.abs(f(x) / 2 ** -1074 - below - fraction) < 0.76);
  });
});

/** Bound of the relative error of each function: one unit in the last place is at most this. */
const RELATIVE_ERROR = 2 ** -52;

describe("laws", () => {
  it("exp(-x) exp(x) is 1, within the errors of both and the rounding of the product", () => {
    fc.assert(
      fc.property(range(-700, 700), (x) => {
        assert.ok(Math.abs(exp(-x) * exp(x) - 1) <= 2.5 * RELATIVE_ERROR);
      }),
    );
  });

  it("log(exp(x)) is x, within the relative error of exp as an absolute error, and its own", () => {
    fc.assert(
      fc.property(range(-700, 700), (x) => {
        assert.ok(Math.abs(log(exp(x)) - x) <= RELATIVE_ERROR * (1 + Math.abs(x)));
      }),
    );
  });

  it("sigmoid(x) + sigmoid(-x) is 1, within the errors of both and the rounding of the sum", () => {
    fc.assert(
      fc.property(range(-700, 700), (x) => {
        assert.ok(Math.abs(sigmoid(x) + sigmoid(-x) - 1) <= 1.5 * RELATIVE_ERROR);
      }),
    );
  });

  it("tanh is exactly odd", () => {
    fc.assert(fc.property(fc.double({ noNaN: true }), (x) => Object.is(tanh(-x), -tanh(x))));
  });
});
