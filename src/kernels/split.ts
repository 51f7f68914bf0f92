/**
 * Cutting a range into blocks of nearly equal size.
 *
 * @module
 */
import { shareStart } from "../parallel/shares.js";

/** A range of `total`, cut into `count` blocks of `size`; the last one may be smaller. */
export interface Split {
  readonly total: number;
  readonly size: number;
  readonly count: number;
  /** Where blocks are not of one size: where each begins, and where the last one ends. */
  readonly bounds?: readonly number[];
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

/**
 * Cuts `total` into blocks of `size`, of half of it in the last quarter of each of `shares` threads' shares, and of a quarter
 * of it in the last eighth: threads then wait less for the one that took the last.
 */
export function splitTapering(total: number, size: number, shares: number): Split {
  const bounds = [0];
  for (let share = 0; share < shares; share++) {
    const to = shareStart(total, share + 1, shares);
    const from = shareStart(total, share, shares);
    for (let at = from; at < to; bounds.push(at)) at = Math.min(at + taperedSize(size, to - at, to - from), to);
  }
  return { total, size, count: bounds.length - 1, bounds };
}

/** The size of a block: the largest that ends before the quarter, or the eighth, that is to be cut finer. */
function taperedSize(size: number, left: number, all: number): number {
  if (left - size >= all / 4) return size;
  const half = Math.ceil(size / 2);
  return left - half >= all / 8 ? half : Math.ceil(size / 4);
}

/** The half-open range [from, to) of block `index`. */
export function blockOf({ total, size, bounds }: Split, index: number): { from: number; to: number } {
  if (bounds !== undefined) return { from: bounds[index], to: bounds[index + 1] };
  return { from: index * size, to: Math.min(index * size + size, total) };
}
