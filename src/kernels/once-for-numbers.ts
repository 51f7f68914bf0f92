/**
 * What follows from the numbers that a job is told, worked out once: the same come again in every step, and often for several
 * layers of a model.
 *
 * @module
 */

/** How many are kept at most; a model has fewer. */
const MOST_KEPT = 256;

/** `derive`, worked out once for each `count` numbers, those from index `at` on. What it returns is shared, so nobody may change it. */
export function onceForNumbers<T>(
  count: number,
  derive: (numbers: readonly number[]) => T,
): (numbers: readonly number[], at?: number) => T {
  const kept: { readonly own: readonly number[]; readonly derived: T }[] = [];
  return (numbers, at = 0) => {
    for (const { own, derived } of kept) {
      let i = 0;
      while (i < count && own[i] === numbers[at + i]) i++;
      if (i === count) return derived;
    }
    const own = numbers.slice(at, at + count);
    const derived = derive(own);
    if (kept.length === MOST_KEPT) kept.length = 0;
    kept.push({ own, derived });
    return derived;
  };
}
