/**
 * The shares of threads: `total` things in a row, such as the tiles of a job, in as many ranges as there are threads.
 *
 * @module
 */

/** The first of `total` that belongs to `share`, of so many `shares`; for the share behind the last one, `total`. */
export function shareStart(total: number, share: number, shares: number): number {
  return Math.floor((share * total) / shares);
}
