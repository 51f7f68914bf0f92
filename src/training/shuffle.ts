/**
 * The order of the samples in an epoch.
 *
 * A permutation of 0 ... n-1 by the algorithm of Fisher and Yates (Durstenfeld 1964): from the identity, for
 * i = n-1, n-2, ..., 1, element i changes places with element
 *
 *     j = floor(bits(i) / 2^32 * (i + 1)),      bits of randomStream(seed, "shuffle", epoch)
 *
 * Some j are more likely than others by n / 2^32 at most: by parts in 10^5 for 50,000 samples.
 *
 * @module
 */
import { randomStream } from "../arithmetic/random.js";

/**
 * The sample that comes first in `epoch`, the one that comes second, and so on: each of 0 ... samples-1 once.
 *
 * @throws RangeError as {@link randomStream}.
 */
export function shuffled(samples: number, seed: number, epoch: number): Uint32Array {
  const stream = randomStream(seed, "shuffle", epoch);
  const order = Uint32Array.from({ length: samples }, (_, i) => i);
  for (let i = samples - 1; i > 0; i--) {
    const j = stream.integer(i, i + 1);
    const other = order[j];
    order[j] = order[i];
    order[i] = other;
  }
  return order;
}
