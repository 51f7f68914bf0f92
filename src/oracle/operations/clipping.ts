/**
 * Probabilities that losses clip to [1e-7, 1 - 1e-7], and the logarithms of them.
 *
 * - A candidate's ends are rounded: 1e-7 by gamma_1 1e-7, 1 - 1e-7 by gamma_1.
 * - Clipping is monotone and never widens an error: c lies between the clipped p - P and the clipped p + P.
 * - log c is off by what c is, again from both ends, and by the l roundings of the function: gamma_l max(1, |log c|).
 * - Where [p - P, p + P] meets an end, give or take its rounding, both slopes of the clip are right: a kink.
 *
 * @module
 */
import { log } from "../../arithmetic/log.js";
import { clipped, isClipped } from "../../losses/probabilities.js";
import type { Ball, ErrorArithmetic } from "../error-arithmetic.js";

/** A clipped probability. */
export interface Clipped {
  readonly c: Ball;
  readonly log: Ball;
  /** Whether the truth is clipped, so that the gradient is 0. */
  readonly flat: boolean;
  /** Whether a candidate may be on either side of an end. */
  readonly kink: boolean;
}

/** Clips `p`. */
export function clip({ value, error }: Ball, arithmetic: ErrorArithmetic): Clipped {
  const [low, high] = [clipped(0), clipped(1)];
  const u = arithmetic.growth(1);
  const c = clipped(value);
  // the ends that a candidate may reach
  const above = Math.min(high + u, Math.max(low * (1 + u), value + error));
  const below = Math.max(low * (1 - u), Math.min(high - u, value - error));
  const size = log(c);
  const change = Math.max(log(above) - size, size - log(below), 0);
  return {
    c: { value: c, error: Math.max(above - c, c - below, 0) },
    log: {
      value: size,
      error: change + arithmetic.growth(arithmetic.model.functions.log) * Math.max(1, Math.abs(size)),
    },
    flat: isClipped(value),
    kink: Math.abs(value - low) <= error + low * u || Math.abs(value - high) <= error + u,
  };
}
