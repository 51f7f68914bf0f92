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
}

/** Cuts `total` into blocks of at most `most` that are multiples of `unit` (and so is `most`), as even as can be. */
export function splitEvenly(total: number, most: number, unit: number): Split {
  const blocks = Math.max(1, Math.ceil(total / most));
  const size = Math.max(unit, Math.ceil(total / blocks / unit) * unit);
  return { total, size, count: Math.ceil(total / size) };
}

/** The half-open range [from, to) of block `index`. */
export function blockOf(split: Split, index: number): { from: number; to: number } {
  const from = index * split.size;
  return { from, to: Math.min(from + split.size, split.total) };
}
