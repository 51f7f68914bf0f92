/**
 * The two directions of a function that saturates (sigmoid, tanh), from what its file derives.
 *
 * Forward:   y = f(x)
 * Backward:  dx = dy g(y), where g(f(x)) is the derivative; candidates may keep y or compute it again.
 *            With D the error of dy and G that of g(y):  |error| <= |dy| G + D (g(y) + G). Nothing on the way is larger
 *            than 2 (|dy| + D).
 *
 * @module
 */
import type { Tensor } from "../../tensor/tensor.js";
import { ErrorArithmetic, isInfinite } from "../error-arithmetic.js";
import { float64Of, operandOf } from "../operands.js";
import type { Operation } from "../operation.js";
import { elementwise, shapedOperand, widened } from "./expected.js";

/** One such function. */
export interface Saturating {
  readonly name: string;
  forward(x: Tensor): Tensor;
  backward(dy: Tensor, y: Tensor): Tensor;
  /** The error of y before it is stored, where x is known up to `error`. */
  error(x: number, error: number, arithmetic: ErrorArithmetic): number;
  /** The derivative, from y. */
  slope(y: number): number;
  /** The error of the product of it with a number, relative to that number, where y is known up to `error`. */
  slopeError(y: number, error: number, arithmetic: ErrorArithmetic): number;
}

/** How far a monotone `f` gets from f(x) where x is known up to `error`. */
export function monotoneError(f: (x: number) => number, x: number, error: number): number {
  if (error === 0) return 0;
  const y = f(x);
  return Math.max(Math.abs(f(x + error) - y), Math.abs(f(x - error) - y));
}

/** `name` and `name-backward`. */
export function saturating(f: Saturating): readonly Operation[] {
  const { name } = f;
  const back = `${name}-backward`;
  return [
    {
      name,
      inputs: ["x"],
      optional: [],
      outputs: ["y"],
      complete: () => ({}),
      run: (operands) => ({ y: f.forward(operandOf(name, operands, "x")) }),
      expect(operands, _args, model) {
        const arithmetic = new ErrorArithmetic(model);
        const x = operandOf(name, widened(operands), "x");
        const y = f.forward(x);
        const bound = float64Of(x).map((v, i) =>
          arithmetic.stored(y.data[i], f.error(v, arithmetic.inputError(v), arithmetic)),
        );
        return { y: elementwise(y, bound) };
      },
    },
    {
      name: back,
      inputs: ["x", "dy"],
      optional: [],
      outputs: ["dx"],
      complete: () => ({}),
      run(operands) {
        const x = operandOf(back, operands, "x");
        return { dx: f.backward(shapedOperand(back, operands, "dy", x.shape), f.forward(x)) };
      },
      expect(operands, _args, model) {
        const arithmetic = new ErrorArithmetic(model);
        const wide = widened(operands);
        const x = operandOf(back, wide, "x");
        const dy = shapedOperand(back, wide, "dy", x.shape);
        const y = f.forward(x);
        const dx = f.backward(dy, y);
        const bound = float64Of(x).map((v, i) => {
          const own = arithmetic.stored(y.data[i], f.error(v, arithmetic.inputError(v), arithmetic));
          const slopeError = f.slopeError(y.data[i], own, arithmetic);
          const dyError = arithmetic.inputError(dy.data[i]);
          const slope = f.slope(y.data[i]);
          // infinity times what is certainly not 0
          if (isInfinite(dy.data[i]) && slopeError < slope) return arithmetic.stored(dx.data[i], 0);
          const error = Math.abs(dy.data[i]) * slopeError + dyError * (slope + slopeError);
          // the factors of g are at most 2
          const fitting = arithmetic.fitting(error + 3 * model.sums.underflow, 2 * (Math.abs(dy.data[i]) + dyError));
          return arithmetic.stored(dx.data[i], fitting);
        });
        return { dx: elementwise(dx, bound) };
      },
    },
  ];
}
