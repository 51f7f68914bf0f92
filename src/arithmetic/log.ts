/**
 * The natural logarithm from exact operations, with the same bits in every engine.
 *
 * Write x = 2^k z with sqrt(1/2) <= z < sqrt(2), and take m, a short number near 1/z, from a table. Then
 *
 *     log(x) = k log(2) - log(m) + log(1 + r),      r = z m - 1
 *     log(1 + r) = r - r^2/2 + r^3/3 - r^4/4 ...
 *
 * - The table has one row for each whole i from 181 to 362, for the z that i/256 is nearest to. m is the multiple of
 *   1/256 (of 1/128 where z < 1) nearest to 256/i, so |r| < 2^-7, and z m is a multiple of 2^-60. Hence r fits the 53
 *   bits of a double: it is exact, when z is split in two for the multiplication.
 * - k log(2) - log(m) is the exact sum of two multiples of 2^-42, plus a small rest.
 * - For x near 1, k = 0 and m = 1: the result is r - r^2/2 ... with the exact r = x - 1, and nothing cancels.
 * - The first Taylor term left out is r^10/10. The terms after r are about r^2/2 and their roundings together less than
 *   2^-51.5 of that. At worst, for x just below 1 - 2^-9, r is three times the result: then this is 0.03 units in the
 *   last place. Only the last addition rounds at the full half unit.
 *
 * The error is therefore below 0.53 units in the last place of a double, and below 1 where {@link addOffTies} steps
 * aside.
 *
 * @module
 */
import { atanhOfReciprocal, LN2, splitAt42Bits } from "./fixed-point.js";
import { scaleByPowerOfTwo } from "./powers-of-two.js";
import { addOffTies } from "./rounding.js";

const [LN2_HIGH, LN2_LOW] = splitAt42Bits(LN2);

const FIRST_ROW = 181;
const LAST_ROW = 362;
/** m, and -log(m) in two parts, for i = FIRST_ROW ... LAST_ROW. */
const FACTOR = new Float64Array(LAST_ROW - FIRST_ROW + 1);
const LOG_HIGH = new Float64Array(FACTOR.length);
const LOG_LOW = new Float64Array(FACTOR.length);

fillTables();

function fillTables(): void {
  // log(n/256) for whole n, outwards from log(256/256) = 0, by log(n/(n-1)) = 2 atanh(1/(2n - 1))
  const logs = new Map([[256, 0n]]);
  const step = (n: number): bigint => 2n * atanhOfReciprocal(BigInt(2 * n - 1));
  const known = (n: number): bigint => logs.get(n) ?? 0n;
  for (let n = 257; n <= LAST_ROW; n++) logs.set(n, known(n - 1) + step(n));
  for (let n = 255; n >= FIRST_ROW; n--) logs.set(n, known(n + 1) - step(n + 1));

  for (let i = FIRST_ROW; i <= LAST_ROW; i++) {
    const n = i < 256 ? 2 * Math.round(32768 / i) : Math.round(65536 / i);
    const row = i - FIRST_ROW;
    FACTOR[row] = n / 256;
    [LOG_HIGH[row], LOG_LOW[row]] = splitAt42Bits(-known(n));
  }
}

/** One double seen as two words, to read its exponent. */
const double = new Float64Array(1);
const words = new Int32Array(double.buffer);
double[0] = 1;
/** Which of the two words holds the exponent: it depends on the byte order of the machine. */
const TOP: number = words[0] === 0 ? 1 : 0;
/** The top word of sqrt(1/2), where the exponent of z begins. */
const TOP_OF_ROOT_HALF = 0x3fe6a09e;

/**
 * The natural logarithm of `x`, in double precision with an error below 0.53 units in the last place (below 1 in the
 * one case in 2^29 where the double nearest to it lies halfway between two float32 values).
 *
 * For every float32 `x`, `Math.fround(log(x))` is the correctly rounded float32 result.
 */
export function log(x: number): number {
  let k = 0;
  if (!(x >= 2.2250738585072014e-308 && x < Number.POSITIVE_INFINITY)) {
    if (x === 0) return Number.NEGATIVE_INFINITY;
    if (!(x > 0)) return Number.NaN;
    if (x === Number.POSITIVE_INFINITY) return x;
    // subnormal: make it normal first
    x = scaleByPowerOfTwo(x, 54);
    k = -54;
  }
  double[0] = x;
  const exponent = (words[TOP] - TOP_OF_ROOT_HALF) >> 20;
  const z = scaleByPowerOfTwo(x, -exponent);
  k += exponent;

  const row = Math.floor(z * 256 + 0.5) - FIRST_ROW;
  const m = FACTOR[row];
  const front = Math.fround(z);
  const r = front * m - 1 + (z - front) * m;

  const r2 = r * r;
  const even = -1 / 2 + r2 * (-1 / 4 + r2 * (-1 / 6 + r2 * (-1 / 8)));
  const odd = 1 / 3 + r2 * (1 / 5 + r2 * (1 / 7 + r2 * (1 / 9)));
  const base = k * LN2_HIGH + LOG_HIGH[row];
  const high = base + r;
  const low = base - high + r + (k * LN2_LOW + LOG_LOW[row]) + r2 * (even + r * odd);
  return addOffTies(high, low);
}
