/**
 * Rounding a sum once, where it is rounded twice: to a double now, and to a float32 by whoever stores it.
 *
 * @module
 */

/** Relative to a double, 0.75 to 1.5 units in the last place: the sum rounds to its neighbour. */
const NUDGE: number = 0.75 * 2.220446049250313e-16;

/**
 * high + low (|low| below |high|), as a double that rounds to the same float32 as the exact sum.
 *
 * The nearest double does so too, unless it falls exactly halfway between two float32 values: then the even one would
 * be taken, on whichever side of the middle the exact sum lies. In this case, one in 2^29, the neighbouring double on
 * the side of the exact sum is returned.
 */
export function addOffTies(high: number, low: number): number {
  const sum = high + low;
  const near = Math.fround(sum);
  const gap = sum - near;
  const acrossTheGap = near + 2 * gap;
  if (gap !== 0 && Math.fround(acrossTheGap) === acrossTheGap) {
    const rest = low - (sum - high);
    if (rest !== 0) return sum + NUDGE * (rest > 0 ? Math.abs(sum) : -Math.abs(sum));
  }
  return sum;
}
