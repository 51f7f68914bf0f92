import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  atanhOfReciprocal,
  LN2,
  nearestDouble,
  restOfDouble,
  rootsOfTwo,
  splitAt42Bits,
} from "../../src/arithmetic/fixed-point.js";
import { scaleByPowerOfTwo } from "../../src/arithmetic/powers-of-two.js";
import { addOffTies } from "../../src/arithmetic/rounding.js";

/** The error that `fixed-point.ts` claims, 2^-115, in units of 2^-128. */
const CLAIMED = 1n << 13n;
const ONE = 1n << 128n;

function assertNear(actual: bigint, expected: bigint): void {
  const difference = actual > expected ? actual - expected : expected - actual;
  assert.ok(difference <= CLAIMED, `off by ${difference} units of 2^-128`);
}

describe("fixed-point constants", () => {
  it("has log(2) to the digits of the literature", () => {
    // OEIS A002162, 40 digits; 10^-40 is less than 2^-128
    assertNear(LN2, (6931471805599453094172321214581765680755n * ONE) / 10n ** 40n);
  });

  it("has roots of two that multiply to powers of two", () => {
    const roots = rootsOfTwo(128);
    assert.equal(roots.length, 128);
    for (let j = 1; j < 128; j++) assertNear((roots[j] * roots[128 - j]) / ONE / 2n, ONE);
  });

  it("has atanh that turns products into sums: atanh(1/2) + atanh(1/4) is atanh(2/3), log(5)/2", () => {
    // log(5) = 2 log(2) + log(5/4), and log(5/4) = 2 atanh(1/9)
    assertNear(atanhOfReciprocal(2n) + atanhOfReciprocal(4n), LN2 + atanhOfReciprocal(9n));
  });

  it("splits numbers in two without loss beyond the second double", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(ONE << 3n), max: ONE << 3n }), (value) => {
        const [high, low] = splitAt42Bits(value);
        assert.ok(Number.isInteger(high * 2 ** 42));
        assert.ok(low >= 0 && low <= 2 ** -42);
        // a double below 2^-42 is off by at most 2^-96
        assertWithin(exact(high) + exact(low), value, 1n << 32n);
        // half a unit of a number below 8 is at most 2^-51, and a double of that size is off by at most 2^-105
        assertWithin(exact(nearestDouble(value)) + exact(restOfDouble(value)), value, 1n << 23n);
      }),
    );
  });

  const exact = (x: number): bigint => BigInt(x * 2 ** 128);
  const assertWithin = (actual: bigint, expected: bigint, bound: bigint): void => {
    const difference = actual > expected ? actual - expected : expected - actual;
    assert.ok(difference <= bound, `off by ${difference} units of 2^-128, allowed ${bound}`);
  };
});

describe("scaleByPowerOfTwo", () => {
  it("undoes itself exactly while the result is normal", () => {
    fc.assert(
      fc.property(fc.double({ min: 0.5, max: 2, noNaN: true }), fc.integer({ min: -1020, max: 1022 }), (y, k) =>
        Object.is(scaleByPowerOfTwo(scaleByPowerOfTwo(y, k), -k), y),
      ),
    );
  });

  it("reaches both ends of the doubles, rounding ties to even", () => {
    assert.equal(scaleByPowerOfTwo(1, -1074), 5e-324);
    assert.equal(scaleByPowerOfTwo(1, -1075), 0);
    assert.equal(scaleByPowerOfTwo(1.5, -1074), 1e-323);
    assert.equal(scaleByPowerOfTwo(2 - 2 ** -52, 1023), Number.MAX_VALUE);
    assert.equal(scaleByPowerOfTwo(1, 1024), Infinity);
    assert.equal(scaleByPowerOfTwo(2 ** -1000, 1280), 2 ** 280);
    assert.equal(scaleByPowerOfTwo(2 ** 1000, -1280), 2 ** -280);
  });
});

describe("addOffTies", () => {
  /** Halfway between 1 and the next float32: the plain double would go to the even side, 1. */
  const middle = 1 + 2 ** -24;

  it("goes to the side of the middle that the exact sum is on", () => {
    assert.equal(Math.fround(addOffTies(middle, 2 ** -80)), 1 + 2 ** -23);
    assert.equal(Math.fround(addOffTies(middle, -(2 ** -80))), 1);
    assert.equal(Math.fround(addOffTies(-middle, 2 ** -80)), -1);
    assert.equal(Math.fround(addOffTies(-middle, -(2 ** -80))), -1 - 2 ** -23);
  });

  it("knows the middle below a power of two, where the float32 values are half as far apart", () => {
    const below = 1 - 2 ** -25;
    assert.equal(Math.fround(addOffTies(below, -(2 ** -80))), 1 - 2 ** -24);
    assert.equal(Math.fround(addOffTies(below, 2 ** -80)), 1);
    // halfway to where the next value would be if it were as near as the one below: no middle
    assert.equal(addOffTies(1 + 2 ** -25, 2 ** -80), 1 + 2 ** -25);
  });

  it("goes to the neighbouring double, no further", () => {
    assert.equal(addOffTies(middle, 2 ** -80), middle + 2 ** -52);
    assert.equal(addOffTies(middle, -(2 ** -80)), middle - 2 ** -52);
  });

  it("leaves an exact middle alone, and everything else as the plain sum", () => {
    assert.equal(addOffTies(middle, 0), middle);
    assert.equal(addOffTies(3, 2 ** -60), 3);
    assert.equal(addOffTies(Infinity, 0), Infinity);
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (x) => Object.is(addOffTies(x, 0), x + 0)),
    );
  });
});
