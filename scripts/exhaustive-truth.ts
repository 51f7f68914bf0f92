/**
 * Correctly rounded float32 results, from whole numbers of any size: slow, simple, and independent of `src/arithmetic`.
 *
 * A real number v is held as the integer v * 2^320. Every finite float32 is a whole multiple of 2^-149, so the argument
 * is exact. Each function is off by less than 2^-280 + 2^-250 |v| (a few hundred operations, each off by less than one
 * unit of 2^-320, of which the sixteen squarings of exp multiply the relative error by 2^16, and the sixteen doublings of
 * cos the error by 2^32); the result counts only when both ends of that interval round to the same float32.
 *
 * @module
 */

const DIGITS = 320n;
const ONE = 1n << DIGITS;

/** A function that the script can examine. */
export type FunctionName = "exp" | "log" | "sigmoid" | "tanh" | "cos" | "sin";

/** A correctly rounded result. */
export interface Truth {
  /** The float32 nearest to f(x), ties to even. */
  readonly nearest: number;
  /** How far f(x) is from the middle of two float32 values, in units in the last place of a float32: from 0 to 1/2. */
  readonly fromTie: number;
}

/**
 * f(x) rounded to float32, for a finite float32 `x` in the domain of f; `log` needs x > 0.
 *
 * @throws Error when 320 digits do not decide.
 */
export function roundedTruth(name: FunctionName, x: number): Truth {
  const value = evaluate(name, x);
  const error = (1n << 40n) + (magnitude(value) >> 250n);
  const low = roundToFloat32(value - error);
  const high = roundToFloat32(value + error);
  if (!Object.is(low.nearest, high.nearest)) {
    throw new Error(`internal: ${name}(${x}) is not decided by ${DIGITS} digits.`);
  }
  return low;
}

/**
 * |y - f(x)| in units in the last place of the double nearest to f(x). Neither `x` nor f(x) may be so small or large
 * that it needs more than 300 digits on either side of the point.
 */
export function errorInUlps(name: FunctionName, x: number, y: number): number {
  const value = evaluate(name, x);
  const unit = BigInt(Math.max(0, bitLength(magnitude(value)) - 53));
  return Number((magnitude(fixedPoint(y) - value) * 1048576n) >> unit) / 1048576;
}

/** `x` as a whole multiple of 2^-320, exactly when it is one of 2^-300. */
function fixedPoint(x: number): bigint {
  return BigInt(x * 2 ** 150 * 2 ** 150) << 20n;
}

function evaluate(name: FunctionName, x: number): bigint {
  return FUNCTIONS[name](fixedPoint(x));
}

function magnitude(value: bigint): bigint {
  return value < 0n ? -value : value;
}

const FUNCTIONS: Record<FunctionName, (x: bigint) => bigint> = {
  exp: (x) => (x < 0n ? (ONE * ONE) / expOfPositive(-x) : expOfPositive(x)),
  log: logOfPositive,
  sigmoid(x) {
    const e = expOfPositive(magnitude(x));
    return x < 0n ? (ONE * ONE) / (ONE + e) : (e * ONE) / (ONE + e);
  },
  tanh(x) {
    const e = expOfPositive(2n * magnitude(x));
    const size = ((e - ONE) * ONE) / (e + ONE);
    return x < 0n ? -size : size;
  },
  cos: (x) => cosOf(x << MORE_DIGITS),
  sin: (x) => cosOf((x << MORE_DIGITS) - PI / 2n),
};

/** exp(x) by the Taylor series of exp(x / 2^16), squared sixteen times. */
function expOfPositive(x: bigint): bigint {
  const r = x >> 16n;
  let sum = 0n;
  let term = ONE;
  for (let n = 1n; term > 0n; n++) {
    sum += term;
    term = ((term * r) >> DIGITS) / n;
  }
  for (let i = 0; i < 16; i++) sum = (sum * sum) >> DIGITS;
  return sum;
}

/** 2 atanh(t) = 2 (t + t^3/3 + t^5/5 + ...). */
function twiceAtanh(t: bigint): bigint {
  const square = (t * t) >> DIGITS;
  let sum = 0n;
  let power = t;
  for (let odd = 1n; power > 0n; odd += 2n) {
    sum += power / odd;
    power = (power * square) >> DIGITS;
  }
  return 2n * sum;
}

const LN2 = twiceAtanh(ONE / 3n);

/** log(x) = k log(2) + 2 atanh((z - 1) / (z + 1)) for x = 2^k z, 1 <= z < 2. */
function logOfPositive(x: bigint): bigint {
  const k = BigInt(bitLength(x)) - DIGITS - 1n;
  const z = k >= 0n ? x >> k : x << -k;
  return k * LN2 + twiceAtanh(((z - ONE) * ONE) / (z + ONE));
}

/** Digits of pi beyond 320, for arguments as large as 2^700. */
const MORE_DIGITS = 1120n;

/** pi = 20 atan(1/7) + 8 atan(3/79) (Euler), with 1440 digits. */
const PI = 20n * atan(1n, 7n) + 8n * atan(3n, 79n);

/** atan(n/d) = t - t^3/3 + t^5/5 - ..., with 1440 digits. */
function atan(n: bigint, d: bigint): bigint {
  let sum = 0n;
  let power = ((ONE << MORE_DIGITS) * n) / d;
  for (let odd = 1n; power !== 0n; odd += 2n) {
    sum += power / odd;
    power = (-power * n * n) / (d * d);
  }
  return sum;
}

/** cos of an `x` with 1440 digits: whole turns are taken off, then cos(2t) = 2 cos(t)^2 - 1 sixteen times. */
function cosOf(x: bigint): bigint {
  const t = (x % (2n * PI)) >> (MORE_DIGITS + 16n);
  const square = (t * t) >> DIGITS;
  let sum = 0n;
  let term = ONE;
  for (let n = 0n; term !== 0n; n += 2n) {
    sum += term;
    term = -((term * square) >> DIGITS) / ((n + 1n) * (n + 2n));
  }
  for (let i = 0; i < 16; i++) sum = ((2n * sum * sum) >> DIGITS) - ONE;
  return sum;
}

function bitLength(value: bigint): number {
  return value.toString(2).length;
}

/** The float32 nearest to `value`, ties to even. */
function roundToFloat32(value: bigint): Truth {
  const size = magnitude(value);
  // the unit in the last place is 2^(unit - 320): 24 digits, but never finer than 2^-149
  const unit = Math.max(bitLength(size) - 24, Number(DIGITS) - 149);
  let whole = size >> BigInt(unit);
  const rest = size - (whole << BigInt(unit));
  const half = 1n << BigInt(unit - 1);
  if (rest > half || (rest === half && whole % 2n === 1n)) whole++;
  const exponent = unit - Number(DIGITS);
  const nearest = Math.fround(Number(whole) * 2 ** exponent);
  return { nearest: value < 0n ? -nearest : nearest, fromTie: Number(magnitude(rest - half)) / Number(2n * half) };
}
