import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import fc from "fast-check";
import { normalQuantile } from "../../src/arithmetic/normal-quantile.js";
import { philox4x32 } from "../../src/arithmetic/philox.js";
import { fnv1a32, type RandomStream, randomStream, streamAt, uniformOf } from "../../src/arithmetic/random.js";

type Words = readonly [number, number, number, number];

function philox([c0, c1, c2, c3]: Words, [k0, k1]: readonly [number, number]): number[] {
  const words = new Uint32Array(4);
  philox4x32(words, c0, c1, c2, c3, k0, k1);
  return Array.from(words);
}

const seeds = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const epochs = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const indices = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

describe("philox4x32", () => {
  const ones = 0xffffffff;
  const known: readonly [title: string, counter: Words, key: readonly [number, number], expected: Words][] = [
    ["zeros", [0, 0, 0, 0], [0, 0], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]],
    ["ones", [ones, ones, ones, ones], [ones, ones], [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]],
    [
      "the digits of pi",
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ];
  for (const [title, counter, key, expected] of known) {
    it(`gives the known answer of Random123 for ${title}`, () => {
      assert.deepEqual(philox(counter, key), expected);
    });
  }
});

describe("fnv1a32", () => {
  it("gives the published hashes, and reads text as UTF-8", () => {
    assert.equal(fnv1a32(""), 0x811c9dc5);
    assert.equal(fnv1a32("a"), 0xe40c292c);
    assert.equal(fnv1a32("foobar"), 0xbf9cf968);
    // "é" is the bytes c3 a9
    const byHand = Math.imul(Math.imul(0x811c9dc5 ^ 0xc3, 0x01000193) ^ 0xa9, 0x01000193) >>> 0;
    assert.equal(fnv1a32("é"), byHand);
  });
});

describe("randomStream", () => {
  it("addresses words by seed, purpose, epoch and index as documented", () => {
    fc.assert(
      fc.property(seeds, fc.string(), epochs, indices, (seed, purpose, epoch, index) => {
        const counter: Words = [Number((BigInt(index) / 4n) & 0xffffffffn), 0, epoch, fnv1a32(purpose)];
        const key = [Number(BigInt(seed) & 0xffffffffn), Number(BigInt(seed) >> 32n)] as const;
        assert.equal(randomStream(seed, purpose, epoch).bits(index), philox(counter, key)[index % 4]);
      }),
    );
  });

  it("is found again by numbers alone, and gives four of its own at a time", () => {
    fc.assert(
      fc.property(seeds, fc.string(), epochs, fc.nat({ max: 9 }), (seed, purpose, epoch, block) => {
        const stream = randomStream(seed, purpose, epoch);
        const found = streamAt({ seed, purpose: fnv1a32(purpose), epoch });
        const expected = [0, 1, 2, 3].map((i) => stream.bits(4 * block + i));
        found.normal(1); // of another block, mostly
        assert.deepEqual([...found.block(block)], expected);
        assert.deepEqual(
          expected.map(uniformOf),
          expected.map((_, i) => stream.uniform(4 * block + i)),
        );
      }),
    );
  });

  it("gives every index the same number in whatever order, and whatever else, is asked", () => {
    const kinds = ["bits", "uniform", "normal", "truncatedNormal"] as const;
    const questions = fc.array(fc.tuple(fc.constantFrom(...kinds), fc.integer({ min: 0, max: 40 })));
    fc.assert(
      fc.property(seeds, questions, (seed, asked) => {
        const stream = randomStream(seed, "order");
        for (const [kind, index] of asked) {
          assert.equal(stream[kind](index), randomStream(seed, "order")[kind](index));
        }
      }),
    );
  });

  it("gives uniform numbers that are multiples of 2^-24 in [0, 1), exact in float32", () => {
    fc.assert(
      fc.property(seeds, indices, (seed, index) => {
        const stream = randomStream(seed, "uniform");
        const u = stream.uniform(index);
        assert.equal(u, Math.floor(stream.bits(index) / 256) / 2 ** 24);
        assert.ok(u >= 0 && u < 1 && Math.fround(u) === u);
      }),
    );
  });

  it("gives whole numbers below the bound, all of them", () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 2 ** 32 }), indices, (seed, bound, index) => {
        const value = randomStream(seed, "integer").integer(index, bound);
        assert.ok(Number.isInteger(value) && value >= 0 && value < bound);
      }),
    );
    const stream = randomStream(7, "integer");
    assert.equal(new Set(Array.from({ length: 60 }, (_, i) => stream.integer(i, 5))).size, 5);
    assert.deepEqual([stream.integer(3, 1), stream.integer(3, 2 ** 32)], [0, stream.bits(3)]);
  });

  it("gives truncated normal numbers from the first attempt that lies between -2 and 2", () => {
    const seed = 5;
    const stream = randomStream(seed, "cut");
    let retried = 0;
    for (let index = 0; index < 400; index++) {
      let attempt = 0;
      const z = (): number =>
        normalQuantile(philox([Math.floor(index / 4), attempt, 0, fnv1a32("cut")], [seed, 0])[index % 4]);
      while (Math.abs(z()) > 2) attempt++;
      if (attempt > 0) retried++;
      assert.equal(stream.truncatedNormal(index), z());
    }
    assert.ok(retried > 0);
  });

  it("fills arrays with the same numbers as one by one", () => {
    const stream = randomStream(2 ** 40 + 3, "bulk", 9);
    const length = 1001;
    const one = (number: (i: number) => number): Float32Array => Float32Array.from({ length }, (_, i) => number(i));
    const empty = (): Float32Array => new Float32Array(length);
    assert.deepEqual(
      stream.fillUniform(empty()),
      one((i) => stream.uniform(i)),
    );
    assert.deepEqual(
      stream.fillUniform(empty(), -3, 5),
      one((i) => -3 + 8 * stream.uniform(i)),
    );
    assert.deepEqual(
      stream.fillNormal(empty(), 2, 0.5),
      one((i) => 2 + 0.5 * stream.normal(i)),
    );
    assert.deepEqual(
      stream.fillTruncatedNormal(empty(), 2, 0.5),
      one((i) => 2 + 0.5 * stream.truncatedNormal(i)),
    );
  });

  /** Beyond six standard errors of a mean of n numbers lies less than one case in 10^8; the seed is fixed besides. */
  const STANDARD_ERRORS = 6;
  const n = 200000;
  const moments: readonly [name: keyof RandomStream & ("uniform" | "normal" | "truncatedNormal"), ...number[]][] = [
    // mean, variance, and the variance of the squared deviation: fourth moment minus squared variance
    ["uniform", 1 / 2, 1 / 12, 1 / 80 - 1 / 144],
    ["normal", 0, 1, 2],
    // with a = 2 phi(2) 2 / (Phi(2) - Phi(-2)) = 0.226258...: variance 1 - a, fourth moment 3 (1 - a) - 4 a
    [
      "truncatedNormal",
      0,
      0.7737413035499232,
      3 * 0.7737413035499232 - 4 * 0.2262586964500768 - 0.7737413035499232 ** 2,
    ],
  ];
  for (const [name, mean, variance, squareVariance] of moments) {
    it(`has ${name} numbers with the mean and the variance of the distribution`, () => {
      const stream = randomStream(1, "moments");
      let sum = 0;
      let squares = 0;
      for (let i = 0; i < n; i++) {
        const deviation = stream[name](i) - mean;
        sum += deviation;
        squares += deviation * deviation;
      }
      assert.ok(Math.abs(sum / n) <= STANDARD_ERRORS * Math.sqrt(variance / n), `mean off by ${sum / n}`);
      assert.ok(
        Math.abs(squares / n - variance) <= STANDARD_ERRORS * Math.sqrt(squareVariance / n),
        `variance ${squares / n}, expected ${variance}`,
      );
    });
  }

  it("has these bits on every engine", () => {
    const stream = randomStream(20260131, "pinned", 3);
    const values = new Float64Array(3 * 4096);
    stream.fillUniform(values.subarray(0, 4096));
    stream.fillNormal(values.subarray(4096, 8192));
    stream.fillTruncatedNormal(values.subarray(8192));
    const bytes = new DataView(new ArrayBuffer(8 * values.length));
    values.forEach((value, i) => bytes.setFloat64(8 * i, value, true));
    assert.equal(
      createHash("sha256").update(bytes).digest("hex"),
      "4c85a060d99e2630ba3c88071ca7910339e0f36eedda1e4ae646b48316f3d000",
    );
  });

  const seedRule = "randomStream: `seed` must be a whole number from 0 to 9007199254740991. Received seed=";
  for (const seed of [-1, 0.5, NaN, 2 ** 53]) {
    it(`rejects the seed ${seed}`, () => {
      assert.throws(() => randomStream(seed, "x"), { name: "RangeError", message: `${seedRule}${seed}.` });
    });
  }
  const epochRule = "randomStream: `epoch` must be a whole number from 0 to 4294967295. Received epoch=";
  for (const epoch of [-1, 0.5, 2 ** 32]) {
    it(`rejects the epoch ${epoch}`, () => {
      assert.throws(() => randomStream(0, "x", epoch), { name: "RangeError", message: `${epochRule}${epoch}.` });
    });
  }
  const indexRule = "RandomStream: `index` must be a whole number of at least 0. Received index=";
  for (const index of [-1, 0.5, NaN]) {
    it(`rejects the index ${index}`, () => {
      assert.throws(() => randomStream(0, "x").bits(index), { name: "RangeError", message: `${indexRule}${index}.` });
    });
  }
  const boundRule = "RandomStream: `bound` must be a whole number from 1 to 4294967296. Received bound=";
  for (const bound of [0, 1.5, NaN, 2 ** 33]) {
    it(`rejects the bound ${bound}`, () => {
      assert.throws(() => randomStream(0, "x").integer(0, bound), {
        name: "RangeError",
        message: `${boundRule}${bound}.`,
      });
    });
  }
});

describe("normalQuantile", () => {
  it("is odd about the middle of the words, and increases from every word to the next", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 2 }), (word) => {
        assert.equal(normalQuantile(word), -normalQuantile(2 ** 32 - 1 - word));
        assert.ok(normalQuantile(word) < normalQuantile(word + 1));
      }),
    );
  });

  it("is the inverse of the normal distribution function, whose slope is the density", () => {
    // phi(z) dz/dp = 1. The central difference over h = 2^-12 is off by z'''(p) h^2 / 6, relative at most
    // (1 + 2 z^2) / phi(z)^2 h^2 / 6 < 2^-13 for |z| < 2
    const h = 2 ** 20;
    for (let word = 0.03 * 2 ** 32; word < 0.97 * 2 ** 32; word += 123456789) {
      const z = normalQuantile(Math.floor(word));
      const slope = (normalQuantile(Math.floor(word) + h) - normalQuantile(Math.floor(word) - h)) / 2 ** -11;
      const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
      assert.ok(Math.abs(slope * density - 1) < 2 ** -13, `at ${z}: ${slope * density}`);
    }
  });

  // Python's statistics.NormalDist().inv_cdf((word + 0.5) / 2**32), which is AS 241 too
  const known: readonly [word: number, z: number][] = [
    [0, -6.337957754553789],
    [1, -6.166429517819749],
    [1000, -5.039851125968711],
    [1000000, -3.499768988758381],
    [100000000, -1.990225241389144],
    [400000000, -1.321710667286989],
    [1000000000, -0.7295565530758739],
    [2147483647, -2.9180993729166234e-10],
    [3000000000, 0.5200680618488762],
    [4294967295, 6.337957754553789],
  ];
  for (const [word, z] of known) {
    it(`is ${z} at ${word}, as in another implementation`, () => {
      // each side's roundings: seven multiplications and additions above and below, of terms of one sign
      assert.ok(Math.abs(normalQuantile(word) - z) <= 32 * 2 ** -53 * Math.abs(z));
    });
  }
});
