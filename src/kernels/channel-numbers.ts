/**
 * A number or two for each channel: loops over [C], which the calling thread runs itself, between the jobs that read all of a
 * tensor. All in float64.
 *
 * @module
 */
import { computeHere } from "../parallel/recording.js";
import { doublesInScope } from "../tensor/arena.js";
import type { FloatArray } from "../tensor/dtype.js";

/** `values` divided by `divisor`: sums become means. A loop, since `map` of a typed array takes ten times as long. */
export function quotients(values: Float64Array, divisor: number): Float64Array {
  const results = doublesInScope(values.length);
  computeHere([values], [results], () => {
    for (let c = 0; c < values.length; c++) results[c] = values[c] / divisor;
  });
  return results;
}

/** a[c] b[c]. */
export function products(a: Float64Array, b: Float64Array): Float64Array {
  const results = doublesInScope(a.length);
  computeHere([a, b], [results], () => {
    for (let c = 0; c < a.length; c++) results[c] = a[c] * b[c];
  });
  return results;
}

/** `values` in float64, in memory from `allocate`. */
export function widened(values: FloatArray, allocate: (length: number) => Float64Array): Float64Array {
  const results = allocate(values.length);
  computeHere([values], [results], () => results.set(values));
  return results;
}

/** +0 for each of so many channels. */
export function noughts(channels: number): Float64Array {
  const results = doublesInScope(channels);
  computeHere([], [results], () => results.fill(0));
  return results;
}
