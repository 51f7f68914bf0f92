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
  /** Whether blocks become smaller towards the end. */
  readonly tapers?: boolean;
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
 * Cuts `total` into blocks of `size`, of half of it in the last quarter, and of a quarter of it in the last eighth: threads
 * that take one after another then wait less for the one that took the last.
 */
export function splitTapering(total: number, size: number): Split {
  let count = 0;
  for (let at = 0; at < total; at += taperedSize(total, size, at)) count++;
  return { total, size, count, tapers: true };
}

/** The size of the block that begins at `at`: where it ends before the quarter, or the eighth, that is to be cut finer. */
function taperedSize(total: number, size: number, at: number): number {
  if (at + size <= (total * 3) / 4) return size;
  const half = Math.ceil(size / 2);
  return at + half <= (total * 7) / 8 ? half : Math.ceil(size / 4);
}

/** The half-open range [from, to) of block `index`. */
export function blockOf({ total, size, tapers = false }: Split, index: number): { from: number; to: number } {
  if (!tapers) return { from: index * size, to: Math.min(index * size + size, total) };
  let from = 0;
  for (let i = 0; i < index; i++) from += taperedSize(total, size, from);
  return { from, to: Math.min(from + taperedSize(total, size, from), total) };
}
