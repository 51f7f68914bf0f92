/**
 * Numbers read from arrays of doubles.
 *
 * @module
 */

/**
 * `value`, as V8 keeps small integers: of doubles from an array it makes objects, and code that was compiled for integers is
 * given up where it meets one. -0 is no integer there.
 */
export function compact(value: number): number {
  const integer = value | 0;
  return Object.is(integer, value) ? integer : value;
}
