/**
 * Numbers in JSON, which has no NaN, no infinities and no -0: those are strings.
 *
 * @module
 */

/** A number as reports hold it. */
export type PlainNumber = number | "NaN" | "Infinity" | "-Infinity" | "-0";

/** `value` as JSON can hold it. */
export function toPlain(value: number): PlainNumber {
  if (Number.isNaN(value)) return "NaN";
  if (value === Number.POSITIVE_INFINITY) return "Infinity";
  if (value === Number.NEGATIVE_INFINITY) return "-Infinity";
  return Object.is(value, -0) ? "-0" : value;
}

/** The number again. */
export function fromPlain(value: PlainNumber): number {
  return Number(value);
}
