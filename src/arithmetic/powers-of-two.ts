/**
 * Exact multiplication by powers of two, without `Math.pow`, whose bits differ between engines.
 *
 * @module
 */

/** Half of the largest exponent that is ever needed: doubles reach from 2^-1074 to just below 2^1024. */
const LIMIT = 640;

/** 2^k at index k + LIMIT; every entry is exact, since doubling and halving are. */
const POWERS = new Float64Array(2 * LIMIT + 1);
POWERS[LIMIT] = 1;
for (let k = 1; k <= LIMIT; k++) {
  POWERS[LIMIT + k] = POWERS[LIMIT + k - 1] * 2;
  POWERS[LIMIT - k] = POWERS[LIMIT - k + 1] / 2;
}

/**
 * `y` times 2^k for a whole `k` from -1280 to 1280, rounded at most once.
 *
 * The power is applied in two halves. For a `y` near 1 the first product is exact; the second is exact too unless the
 * result is subnormal or too large, so results that are subnormal are still rounded once.
 */
export function scaleByPowerOfTwo(y: number, k: number): number {
  const half = k >> 1;
  return y * POWERS[LIMIT + half] * POWERS[LIMIT + k - half];
}
