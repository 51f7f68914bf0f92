/**
 * What both cross-entropies do with a row of probabilities or logits.
 *
 * @module
 */
import { exp } from "../arithmetic/exp.js";

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

/**
 * Writes the softmax of the row of `z` that begins at `start` to the same place of `target`; returns the largest logit
 * and the sum of exp(z - max).
 */
export function softmaxOfRow(
  z: ArrayLike<number>,
  start: number,
  classes: number,
  target: Float64Array,
): { max: number; sum: number } {
  let max = Number.NEGATIVE_INFINITY;
  for (let i = start; i < start + classes; i++) max = Math.max(max, z[i]);
  let sum = 0;
  for (let i = start; i < start + classes; i++) {
    target[i] = exp(z[i] - max);
    sum += target[i];
  }
  for (let i = start; i < start + classes; i++) target[i] /= sum;
  return { max, sum };
}
