/**
 * What is expected of the hyperbolic tangent, forward and backward.
 *
 * Forward:   y = tanh(x). The library function counts for t roundings relative to y; an input known up to E moves y to
 *            the values at both ends, y being monotone. |error| <= change + gamma_t (|y| + change).
 *
 * Backward:  dx = dy (1 - y^2). With Y the error of y, before it is stored:
 *
 * - 1 - y^2 changes by at most 2 |y| Y + Y^2; it is rounded as y^2, as a difference and as a product with dy, each at
 *   most 1 + (|y| + Y)^2 in size: gamma_4 (1 + (|y| + Y)^2) |dy|.
 *
 * @module
 */
import { tanh } from "../../arithmetic/tanh.js";
import { tanhBackward, tanhForward } from "../../layers/tanh.js";
import type { ErrorArithmetic } from "../error-arithmetic.js";
import type { Operation } from "../operation.js";
import { monotoneError, saturating } from "./saturating.js";

/** The error of tanh(x) before it is stored, where x is known up to `error`. */
export function tanhError(x: number, error: number, arithmetic: ErrorArithmetic): number {
  const change = monotoneError(tanh, x, error);
  const { functions, sums } = arithmetic.model;
  return change + arithmetic.growth(functions.tanh) * (Math.abs(tanh(x)) + change) + sums.underflow;
}

/** `tanh` and `tanh-backward`. */
export const tanhOperations: readonly Operation[] = saturating({
  name: "tanh",
  forward: (x) => tanhForward(x).y,
  backward: (dy, y) => tanhBackward(dy, { y }),
  error: tanhError,
  slopeError(y, error, arithmetic) {
    const size = Math.abs(y) + error;
    return error * (2 * Math.abs(y) + error) + arithmetic.growth(4) * (1 + size * size);
  },
  slope: (y) => 1 - y * y,
});
