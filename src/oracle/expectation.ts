/**
 * Expectations: for every element of a result, the truth and how far an honest candidate may be from it.
 *
 * @module
 */
import type { Shape } from "../tensor/shape.js";

/** What is expected of one tensor. All arrays are row-major and have one entry an element. */
export interface Expectation {
  /** The shape. */
  readonly shape: Shape;
  /** The result in float64, whose own error is far below every bound. */
  readonly truth: Float64Array;
  /** What |candidate - truth| may be; 0 where the result must be exact, Infinity where a sum may overflow. */
  readonly bound: Float64Array;
  /**
   * What |candidate - truth| is likely to be: its root mean square if roundings were independent (the sqrt(k) u S form).
   * Judging a whole tensor by it catches what a bound for the worst case cannot.
   */
  readonly spread: Float64Array;
  /**
   * How far from 0 the mean of error / spread is in honest results for these data, where that was tried: at most a quarter.
   *
   * @defaultValue 0.25
   */
  readonly lean?: number;
  /** Where several values are right (a tie of maxima, a ReLU at zero), the least and the greatest of them. */
  readonly ties?: { readonly least: Float64Array; readonly greatest: Float64Array };
  /** Where several values are right by themselves, but not all of them at once (none of tied maxima may get the gradient). */
  readonly totals?: readonly Total[];
}

/** Elements whose sum must lie between `least` and `greatest`, up to the sum of their bounds. */
export interface Total {
  /** Row-major. */
  readonly elements: readonly number[];
  /** The least that their sum may be. */
  readonly least: number;
  /** The greatest that it may be. */
  readonly greatest: number;
}

/**
 * The totals of tied elements that share `value`: together they have at least all of it, besides what others give them. Of each
 * share, `ties` has what it may be by itself, from 0 to all of it.
 */
export function totalsOfShares(
  shares: readonly { readonly value: number; readonly holders: readonly number[] }[],
  { least, greatest }: NonNullable<Expectation["ties"]>,
): readonly Total[] {
  const sum = (elements: readonly number[], of: Float64Array): number => elements.reduce((s, i) => s + of[i], 0);
  return shares.flatMap(({ value, holders }) => {
    if (value > 0)
      return [{ elements: holders, least: sum(holders, least) + value, greatest: Number.POSITIVE_INFINITY }];
    if (value < 0)
      return [{ elements: holders, least: Number.NEGATIVE_INFINITY, greatest: sum(holders, greatest) + value }];
    return [];
  });
}

/** No spread is so small that honest results lean further than this, in units of it. */
export const MOST_LEAN = 0.25;

/** gamma_k = k u / (1 - k u): the relative error of a product of k factors (1 + delta), |delta| <= u (Higham, lemma 3.1). */
export function gamma(k: number, u: number): number {
  return k * u < 1 ? (k * u) / (1 - k * u) : Number.POSITIVE_INFINITY;
}
