/**
 * What both cross-entropies do with a probability.
 *
 * @module
 */
/** Keras's `backend.epsilon()`: probabilities are kept this far from 0 and 1. */
const EPSILON = 1e-7;

/** Whether the probability `p` is outside the bounds, so that {@link clipped} has no slope; NaN is not. */
export function isClipped(p: number): boolean {
  return p < EPSILON || p > 1 - EPSILON;
}

/** `p` within the bounds; NaN stays NaN. */
export function clipped(p: number): number {
  if (p < EPSILON) return EPSILON;
  return p > 1 - EPSILON ? 1 - EPSILON : p;
}
