/**
 * Which of two numbers is simpler, and what is simpler than a number: how values shrink.
 *
 * Numbers are ranked
 *
 *     0 < 1 < -1 < 2 < -2 < ... < 1024 < -1024 < other powers of two < numbers of 2, 3, ... 53 significant bits < -0, infinities, NaN
 *
 * and a candidate always ranks below what it replaces. Ranks are whole numbers, so shrinking ends.
 *
 * @module
 */
import { scaleByPowerOfTwo } from "../arithmetic/powers-of-two.js";
import type { FloatArray } from "../tensor/dtype.js";

/** Whole numbers up to here are simpler than all other numbers. */
const SMALL = 1024;
/** Above every rank of a small whole number; also above every 2 |exponent| + 1. */
const STEP = 4096;

const view = new DataView(new ArrayBuffer(8));

/** The exponent of the leading bit of a finite `v` other than 0, and the number of significant bits. */
function anatomy(v: number): { readonly exponent: number; readonly bits: number } {
  const isSubnormal = Math.abs(v) < 2 ** -1022;
  view.setFloat64(0, isSubnormal ? scaleByPowerOfTwo(v, 64) : v);
  const [high, low] = [view.getUint32(0), view.getUint32(4)];
  const trailing = (word: number): number => 31 - Math.clz32(word & -word);
  const fraction = low !== 0 ? 52 - trailing(low) : (high & 0xfffff) !== 0 ? 20 - trailing(high) : 0;
  return { exponent: ((high >>> 20) & 0x7ff) - 1023 - (isSubnormal ? 64 : 0), bits: 1 + fraction };
}

/** Whether `v` is 2^k or -2^k for a whole k. */
export function isPowerOfTwo(v: number): boolean {
  return Number.isFinite(v) && v !== 0 && anatomy(v).bits === 1;
}

/** The place of `v` among all numbers, from the simplest: a whole number of at least 0. */
export function rankOf(v: number): number {
  const sign = v < 0 ? 1 : 0;
  if (Number.isNaN(v)) return 64 * STEP + 3;
  if (!Number.isFinite(v)) return 64 * STEP + 1 + sign;
  if (v === 0) return Object.is(v, 0) ? 0 : 64 * STEP;
  if (Number.isInteger(v) && Math.abs(v) <= SMALL) return 2 * Math.abs(v) + sign;
  const { exponent, bits } = anatomy(v);
  return bits * STEP + 2 * Math.abs(exponent) + sign;
}

/** `v` without all but its first `bits` significant bits. */
function truncated(v: number, bits: number): number {
  const unit = anatomy(v).exponent - bits + 1;
  return scaleByPowerOfTwo(Math.trunc(scaleByPowerOfTwo(v, -unit)), unit);
}

/** Numbers that are simpler than `v`, the simplest leap first: 0, 1, whole numbers, powers of two, fewer bits. */
export function simplerNumbers(v: number): readonly number[] {
  const candidates = [0, 1, -1];
  if (Number.isFinite(v) && v !== 0) {
    const { exponent, bits } = anatomy(v);
    const sign = Math.sign(v);
    candidates.push(-v, Math.trunc(v), Math.trunc(v) + sign);
    const whole = Math.trunc(v);
    // bisection from 0 towards v, as for integers in fast-check
    if (Math.abs(whole) <= SMALL) {
      for (let away = Math.trunc(whole / 2); away !== 0; away = Math.trunc(away / 2)) candidates.push(whole - away);
    }
    for (const power of [Math.trunc(exponent / 2), exponent - Math.sign(exponent), exponent, exponent + 1]) {
      candidates.push(scaleByPowerOfTwo(sign, power));
    }
    candidates.push(scaleByPowerOfTwo(v, -exponent)); // the same bits in [1, 2)
    for (const fewer of [bits >> 1, bits - 1]) if (fewer > 0) candidates.push(truncated(v, fewer));
  } else {
    candidates.push(Number.POSITIVE_INFINITY, v);
  }
  const rank = rankOf(v);
  return [...new Set(candidates.map((value) => (value === 0 ? 0 : value)))].filter((value) => rankOf(value) < rank);
}

/** `values` with those from `start` to `end` replaced where `simpler` says something simpler; undefined without change. */
function replaced(
  values: FloatArray,
  simpler: (v: number) => number,
  start: number = 0,
  end: number = values.length,
): FloatArray | undefined {
  const copy = values.slice();
  let changed = false;
  for (let i = start; i < end; i++) {
    const value = simpler(values[i]);
    if (rankOf(value) >= rankOf(values[i])) continue;
    copy[i] = value;
    changed = true;
  }
  return changed ? copy : undefined;
}

/** Arrays that are simpler than `values`: all at once, then halves, quarters, ..., then one element at a time. */
export function* simplerArrays(values: FloatArray): Generator<FloatArray> {
  for (let size = values.length; size > 1; size = size === 2 ? 1 : Math.ceil(size / 2)) {
    for (const constant of [0, 1]) {
      for (let start = 0; start < values.length; start += size) {
        const copy = replaced(values, () => constant, start, Math.min(start + size, values.length));
        if (copy !== undefined) yield copy;
      }
    }
  }
  if (values.length > 1) {
    for (const simpler of [Math.trunc, (v: number): number => (Number.isFinite(v) && v !== 0 ? truncated(v, 1) : v)]) {
      const copy = replaced(values, simpler);
      if (copy !== undefined) yield copy;
    }
  }
  for (let i = 0; i < values.length; i++) {
    for (const value of simplerNumbers(values[i])) {
      const copy = values.slice();
      copy[i] = value;
      // a float32 array may have rounded the candidate back to what was there
      if (rankOf(copy[i]) < rankOf(values[i])) yield copy;
    }
  }
}
