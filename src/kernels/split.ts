/**
 * Cutting a range into blocks of nearly equal size.
 *
 * @module
 */

/** A range of `total`, cut into `count` blocks of `size`; the last one may be smaller. */
export interface Split {
  readonly total: number;
  readonly size: number;
  readonly count: number;
  /** How many blocks have the full size, where those behind them are half as large. */
  readonly whole?: number;
}

/** Cuts `total` into blocks of at most `most` that are multiples of `unit` (and so is `most`), as even as can be. */
export function splitEvenly(total: number, most: number, unit: number): Split {
  const blocks = Math.max(1, Math.ceil(total / most));
  const size = Math.max(unit, Math.ceil(total / blocks / unit) * unit);
  return { total, size, count: Math.ceil(total / size) };
}

/** `total` in blocks of `size`. */
export function splitBy(total: number, size: number): Split {
  return { total, size, count: Math.ceil(total / size) };
}

/** The share of a range that {@link splitTapering} cuts into blocks of full size. */
const WHOLE_SHARE = 3 / 4;

/**
 * Cuts `total` into blocks of `size`, and what is left towards the end into blocks of half of it: threads that take one
 * after another then wait less for the one that took the last.
 */
export function splitTapering(total: number, size: number): Split {
  const whole = Math.floor((total * WHOLE_SHARE) / size);
  return { total, size, whole, count: whole + Math.ceil((total - whole * size) / Math.ceil(size / 2)) };
}

/** The half-open range [from, to) of block `index`. */
export function blockOf({ total, size, whole }: Split, index: number): { from: number; to: number } {
  if (whole !== undefined && index >= whole) {
    const half = Math.ceil(size / 2);
    const from = whole * size + (index - whole) * half;
    return { from, to: Math.min(from + half, total) };
  }
  const from = index * size;
  return { from, to: Math.min(from + size, total) };
}
