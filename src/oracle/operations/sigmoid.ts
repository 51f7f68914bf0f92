/**
 * What is expected of the sigmoid, forward and backward.
 *
 * Forward:   y = 1 / (1 + exp(-x)). With an input known up to E, the change of y, which is monotone, is taken from both
 *            ends. Roundings, for any of the usual formulas:
 *
 * - 1 / (1 + e): e is off by k roundings of exp, which change y by (1 - y) of that; then a sum and a division.
 * - e / (1 + e) for x < 0: k in the numerator and again in the sum. Together gamma_(2k + 2 + division) y.
 * - 1/2 + 1/2 tanh(x / 2): t roundings of tanh and three more, relative to 1/2, not to y: 1/2 gamma_(t + 3).
 * - exp(-x) overflows for x < -88: y becomes 0 instead of less than 2^-127, which is below the line before.
 *
 * Backward:  dx = dy y (1 - y). With Y the error of y, before it is stored:
 *
 * - y (1 - y) changes by at most Y |1 - 2 y| + Y^2 <= Y (1 + Y); both forms, y (1 - y) and y - y^2, and the product
 *   with dy round at most four times what is at most |dy| (y + Y) (1 + Y).
 *
 * @module
 */
import { sigmoid } from "../../arithmetic/sigmoid.js";
import { sigmoidBackward, sigmoidForward } from "../../layers/sigmoid.js";
import type { ErrorArithmetic } from "../error-arithmetic.js";
import { monotoneError, saturating } from "./saturating.js";
import type { Operation } from "../operation.js";

/** The error of sigmoid(x) before it is stored, where x is known up to `error`. */
export function sigmoidError(x: number, error: number, arithmetic: ErrorArithmetic): number {
  const { division, tanh } = arithmetic.model.functions;
  const roundings = 2 * arithmetic.expRoundings(Math.abs(x) + error) + 2 + division;
  const change = monotoneError(sigmoid, x, error);
  const rounding = arithmetic.growth(roundings) * (sigmoid(x) + change);
  return change + Math.max(rounding, arithmetic.growth(tanh + 3) / 2) + arithmetic.model.sums.underflow;
}

/** `sigmoid` and `sigmoid-backward`. */
export const sigmoidOperations: readonly Operation[] = saturating({
  name: "sigmoid",
  forward: (x) => sigmoidForward(x).y,
  backward: (dy, y) => sigmoidBackward(dy, { y }),
  error: sigmoidError,
  slopeError(y, error, arithmetic) {
    const change = error * (Math.abs(1 - 2 * y) + error);
    return change + arithmetic.growth(4) * (y + error) * (1 + error);
  },
  slope: (y) => y * (1 - y),
});
