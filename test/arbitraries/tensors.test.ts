import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type RegimeName, REGIMES, tensors } from "../../src/arbitraries/main.js";
import { isPowerOfTwo, rankOf, simplerNumbers } from "../../src/arbitraries/simpler-values.js";
import type { DType } from "../../src/tensor/dtype.js";
import { dtypeOf, type Tensor } from "../../src/tensor/tensor.js";
import { assertSameBits } from "../support/tensors.js";
import { families, smallest } from "./shrinking.js";

const names = Object.keys(REGIMES) as RegimeName[];
const dtypes: readonly DType[] = ["float32", "float64"];

describe("simpler numbers", () => {
  it("rank below what they replace, from any number down to 0", () => {
    fc.assert(
      fc.property(fc.oneof(fc.double(), fc.float(), fc.integer()), (start) => {
        let [v, steps] = [start, 0];
        for (; rankOf(v) > 0; steps++) {
          const simpler = simplerNumbers(v);
          assert.ok(simpler.length > 0 && simpler.every((value) => rankOf(value) < rankOf(v)));
          // the timid way: always the candidate that is least simpler
          v = simpler.reduce((a, b) => (rankOf(b) > rankOf(a) ? b : a));
        }
        assert.ok(Object.is(v, 0) && steps < 3000, `${steps} steps from ${start}`);
      }),
    );
  });

  it("come in the order that a reader would choose", () => {
    const sorted = [0, 1, -1, 2, -3, 1024, 0.5, -0.25, 2 ** 100, 1.5, 0.75, 1 / 3, -0, Infinity, -Infinity, Number.NaN];
    assert.deepEqual(
      sorted.toSorted((a, b) => rankOf(a) - rankOf(b)),
      sorted,
    );
  });

  it("know powers of two, subnormal ones too", () => {
    for (const v of [1, -2, 2 ** -1074, 2 ** -1060, 2 ** 1023]) assert.ok(isPowerOfTwo(v), String(v));
    for (const v of [0, -0, 3, 1.5, 3 * 2 ** -1074, Infinity, Number.NaN]) assert.ok(!isPowerOfTwo(v), String(v));
  });
});

/** What values of a regime look like. */
const LOOKS: Readonly<
  Record<
    Exclude<RegimeName, "any" | "specials" | "oneHot" | "constant" | "distinct">,
    (v: number, dtype: DType) => boolean
  >
> = {
  uniform: (v) => Math.abs(v) <= 1,
  normal: (v) => Math.abs(v) <= 6,
  positive: (v) => v > 0 && v <= 2,
  integers: (v) => Number.isInteger(v) && Math.abs(v) <= 8,
  powersOfTwo: isPowerOfTwo,
  largeExponents: Number.isFinite,
  subnormals: (v, dtype) => Math.abs(v) < (dtype === "float32" ? 2 ** -126 : 2 ** -1022),
  zeros: (v) => v === 0,
  cancelling: (v) => Math.abs(v) <= 6 * 4097,
};

describe("tensors()", () => {
  for (const [regime, looks] of Object.entries(LOOKS)) {
    it(`of the regime ${regime} look like it, in both element types`, () => {
      for (const dtype of dtypes) {
        fc.assert(
          fc.property(tensors({ regime: regime as RegimeName, dtype }), (x) => {
            assert.equal(dtypeOf(x), dtype);
            for (const v of x.data) assert.ok(looks(v, dtype), String(v));
          }),
          { numRuns: 20 },
        );
      }
    });
  }

  it("have rows with a single 1, one number, or distinct numbers where asked to", () => {
    const rows = (x: Tensor): number[] => {
      const counts = new Array<number>(x.size / x.shape[3]).fill(0);
      x.data.forEach((v, i) => void (counts[Math.floor(i / x.shape[3])] += v));
      return counts;
    };
    fc.assert(
      fc.property(tensors({ regime: "oneHot" }), (x) => rows(x).every((sum) => sum === 1)),
      { numRuns: 20 },
    );
    fc.assert(
      fc.property(tensors({ regime: "constant" }), (x) => new Set(x.data).size === 1),
      { numRuns: 20 },
    );
    fc.assert(
      fc.property(tensors({ regime: "distinct" }), (x) => new Set(x.data).size === x.size),
      { numRuns: 20 },
    );
  });

  it("reach special values, and pairs that cancel to a few thousandths", () => {
    const seen = new Set<string>();
    for (const x of fc.sample(tensors({ regime: "specials" }), { numRuns: 50, seed: 1 })) {
      for (const v of x.data) seen.add(Object.is(v, -0) ? "-0" : Number.isFinite(v) && v !== 0 ? "number" : String(v));
    }
    assert.deepEqual([...seen].toSorted(), ["-0", "-Infinity", "0", "Infinity", "NaN", "number"]);
    for (const x of fc.sample(tensors({ regime: "cancelling", shape: [64] }), { numRuns: 20, seed: 1 })) {
      const large = Array.from(x.data).reduce((max, v) => Math.max(max, Math.abs(v)), 0);
      assert.ok(Math.abs(x.get(0) + x.get(1)) <= 6.001 && large > 4096);
    }
  });

  it("have distinct dimensions within bounds, of the rank that is asked for", () => {
    fc.assert(
      fc.property(tensors({ rank: 3, minDim: 2, maxDim: 5 }), ({ shape }) => {
        assert.equal(new Set(shape).size, 3);
        assert.ok(shape.every((size) => size >= 2 && size <= 5));
      }),
    );
    fc.assert(fc.property(tensors({ shape: [2, 2] }), ({ shape }) => String(shape) === "2,2"));
  });

  it("are the same for the same seed", () => {
    for (const regime of names) {
      const draw = (): readonly Tensor[] => fc.sample(tensors({ regime }), { seed: 42, numRuns: 3 });
      const again = draw();
      for (const [i, x] of draw().entries()) assertSameBits(x, again[i], regime);
    }
  });

  it("shrink to tensors of the regime that are strictly simpler, shapes first", () => {
    /** Smaller dimensions, else simpler values, else a 1 further to the left. */
    const measure = (x: Tensor): readonly number[] => [
      x.shape.reduce((a, b) => a + b, 0),
      Array.from(x.data).reduce((a, v) => a + rankOf(v), 0),
      Array.from(x.data).reduce((a, v, i) => a + (v === 1 ? i : 0), 0),
    ];
    for (const regime of names) {
      fc.assert(
        fc.property(families(tensors({ regime })), ({ value, simpler }) => {
          const before = measure(value);
          let shapes = true;
          for (const x of simpler) {
            assert.ok(REGIMES[regime].allows(x.data, x.shape));
            const after = measure(x);
            const first = after.findIndex((m, i) => m !== before[i]);
            assert.ok(first >= 0 && after[first] < before[first], `${fc.stringify(value)} to ${fc.stringify(x)}`);
            assert.ok(shapes || first > 0, "a shape after values");
            shapes = first === 0;
          }
        }),
        { numRuns: 20 },
      );
    }
  });

  it("print as the code that makes them", () => {
    const [x] = fc.sample(tensors({ shape: [1, 3], regime: "zeros", dtype: "float64" }), { seed: 3, numRuns: 1 });
    assert.match(fc.stringify(x), /^tensorOf\(\[-?0,-?0,-?0\], \[1, 3\], "float64"\)$/);
  });

  it("shrink from what was drawn, whatever a property writes into them", () => {
    const overwrites = (x: Tensor): boolean => {
      const fine = x.data.every((v) => v >= -3);
      x.data.fill(7);
      return fine;
    };
    assert.equal(smallest(tensors({ regime: "cancelling" }), overwrites, 1), 'tensorOf([-4], [1, 1, 1, 1], "float32")');
  });

  it("refuse distinct dimensions that there are too few sizes for", () => {
    assert.throws(() => tensors({ rank: 4, maxDim: 3 }), {
      name: "RangeError",
      message: "tensors: `maxDim` must leave room for 4 distinct dimensions from minDim=1. Received maxDim=3.",
    });
    assert.throws(() => tensors({ distinct: false, minDim: 2, maxDim: 1 }), {
      name: "RangeError",
      message: "tensors: `maxDim` must leave room for a dimension from minDim=2. Received maxDim=1.",
    });
  });
});

describe("a planted mistake shrinks to the smallest case:", () => {
  for (const seed of [1, 2, 3]) {
    it(`a ReLU that is wrong below -3, seed ${seed}`, () => {
      const holds = (x: Tensor): boolean => x.data.every((v) => v >= -3);
      const found = smallest(tensors(), holds, seed);
      assert.equal(found, 'tensorOf([-4], [1, 1, 1, 1], "float32")');
    });

    it(`a maximum that forgets NaN, seed ${seed}`, () => {
      const found = smallest(tensors({ regime: "specials", rank: 2 }), (x) => !x.data.some(Number.isNaN), seed);
      assert.equal(found, 'tensorOf([Number.NaN], [1, 1], "float32")');
    });

    it(`a sum that overflows at 2^100, seed ${seed}`, () => {
      const holds = (x: Tensor): boolean => x.data.every((v) => Math.abs(v) < 2 ** 100);
      const found = smallest(tensors({ regime: "largeExponents", rank: 1 }), holds, seed);
      assert.match(found, /^tensorOf\(\[-?1\.2676506002282294e\+30\], \[1\], "float32"\)$/);
    });

    it(`rows longer than 2 read with the wrong stride, seed ${seed}`, () => {
      const found = smallest(tensors({ rank: 2 }), ({ shape }) => shape[0] < 2 || shape[1] < 3, seed);
      assert.equal(found, 'tensorOf([0,0,0,0,0,0], [2, 3], "float32")');
    });
  }
});
