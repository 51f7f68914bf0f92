/**
 * Numbers for people, in few characters.
 *
 * @module
 */

/** A number in few characters. */
export function short(x: number): string {
  if (x === 0 || !Number.isFinite(x)) return String(x);
  const size = Math.abs(x);
  return size >= 0.01 && size < 10000 ? String(Number(x.toPrecision(3))) : x.toExponential(1);
}
