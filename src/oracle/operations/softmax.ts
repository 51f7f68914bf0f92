/**
 * What is expected of softmax over one axis, forward and backward.
 *
 * Forward:   row by row as `softmax-row.ts` derives it, then stored.
 *
 * Backward:  dx[k] = y[k] (dy[k] - dot),  dot = sum over j of dy[j] y[j].  With Y and D the errors of y and dy:
 *
 * - dot: P = sum over j of (|dy| Y + D (y + Y)) + gamma_K sum over j of (|dy| + D) (y + Y)     K products and sums in
 *   a row
 * - dx:  Y |dy - dot| + (y + Y) (D + P) + gamma_4 (y + Y) (|dy| + D + |dot| + P)               also as y dy - y dot
 *
 * @module
 */
import { axisFromLast, axisToLast, resolveAxis } from "../../layers/axis.js";
import { softmaxBackward, softmaxForward } from "../../layers/softmax.js";
import { type KerasConfig, readConfig } from "../../serialization/config.js";
import { type Tensor, tensor } from "../../tensor/tensor.js";
import type { ArithmeticModel } from "../arithmetic-model.js";
import { ErrorArithmetic } from "../error-arithmetic.js";
import { float64Of, operandOf } from "../operands.js";
import type { Operation } from "../operation.js";
import { elementwise, shapedOperand, widened } from "./expected.js";
import { softmaxRow } from "./softmax-row.js";

function readAxis(name: string, args: KerasConfig): number {
  return readConfig(name, args).integer("axis", Number.MIN_SAFE_INTEGER, -1);
}

function axisOf(name: string, args: KerasConfig, x: Tensor): number {
  return resolveAxis("Softmax", readAxis(name, args), x.shape);
}

/** Calls `row` with every row of `x` whose axis is the last one, and collects what it gives for its elements. */
function byRows(x: Tensor, row: (z: Float64Array, start: number) => Float64Array): Tensor {
  const errors = new Float64Array(x.size);
  const classes = x.shape[x.dimension - 1];
  const data = float64Of(x);
  for (let start = 0; start < x.size; start += classes) {
    errors.set(row(data.subarray(start, start + classes), start), start);
  }
  return tensor(errors, x.shape);
}

function forwardErrors(x: Tensor, axis: number, model: ArithmeticModel): Float64Array {
  const arithmetic = new ErrorArithmetic(model);
  const errors = byRows(axisToLast(x, axis), (z) => {
    const inputErrors = z.map((logit) => arithmetic.inputError(logit));
    const { y, yErrors } = softmaxRow(z, inputErrors, arithmetic);
    return yErrors.map((error, k) => arithmetic.stored(y[k], error));
  });
  return float64Of(axisFromLast(errors, axis));
}

/** The errors of dx for one row. */
function backwardRow(z: Float64Array, dy: Float64Array, arithmetic: ErrorArithmetic): Float64Array {
  const inputErrors = z.map((logit) => arithmetic.inputError(logit));
  const { y, yErrors } = softmaxRow(z, inputErrors, arithmetic);
  const stored = yErrors.map((error, k) => arithmetic.stored(y[k], error));
  let [dot, dotError, dotSize] = [0, 0, 0];
  for (let k = 0; k < z.length; k++) {
    const dyError = arithmetic.inputError(dy[k]);
    dot += dy[k] * y[k];
    dotError += Math.abs(dy[k]) * stored[k] + dyError * (y[k] + stored[k]) + arithmetic.model.sums.underflow;
    dotSize += (Math.abs(dy[k]) + dyError) * (y[k] + stored[k]);
  }
  dotError += arithmetic.growth(z.length) * dotSize;
  return z.map((_, k) => {
    const dyError = arithmetic.inputError(dy[k]);
    const size = y[k] + stored[k];
    const sizes = Math.abs(dy[k]) + dyError + Math.abs(dot) + dotError;
    const error = stored[k] * Math.abs(dy[k] - dot) + size * (dyError + dotError + arithmetic.growth(4) * sizes);
    const fitting = arithmetic.fitting(error, sizes, dotSize);
    return arithmetic.stored(y[k] * (dy[k] - dot), fitting + 3 * arithmetic.model.sums.underflow);
  });
}

/** `softmax` (axis) and `softmax-backward` (axis). */
export const softmaxOperations: readonly Operation[] = [
  {
    name: "softmax",
    inputs: ["x"],
    optional: [],
    outputs: ["y"],
    complete: (args) => ({ axis: readAxis("softmax", args) }),
    run(operands, args) {
      const x = operandOf("softmax", operands, "x");
      return { y: softmaxForward(x, axisOf("softmax", args, x)).y };
    },
    expect(operands, args, model) {
      const x = operandOf("softmax", widened(operands), "x");
      const axis = axisOf("softmax", args, x);
      return { y: elementwise(softmaxForward(x, axis).y, forwardErrors(x, axis, model)) };
    },
  },
  {
    name: "softmax-backward",
    inputs: ["x", "dy"],
    optional: [],
    outputs: ["dx"],
    complete: (args) => ({ axis: readAxis("softmax-backward", args) }),
    run(operands, args) {
      const x = operandOf("softmax-backward", operands, "x");
      const dy = shapedOperand("softmax-backward", operands, "dy", x.shape);
      return { dx: softmaxBackward(dy, softmaxForward(x, axisOf("softmax-backward", args, x)).cache) };
    },
    expect(operands, args, model) {
      const wide = widened(operands);
      const x = operandOf("softmax-backward", wide, "x");
      const dy = shapedOperand("softmax-backward", wide, "dy", x.shape);
      const axis = axisOf("softmax-backward", args, x);
      const arithmetic = new ErrorArithmetic(model);
      const dys = float64Of(axisToLast(dy, axis));
      const errors = byRows(axisToLast(x, axis), (z, start) =>
        backwardRow(z, dys.subarray(start, start + z.length), arithmetic),
      );
      const dx = softmaxBackward(dy, softmaxForward(x, axis).cache);
      return { dx: elementwise(dx, float64Of(axisFromLast(errors, axis))) };
    },
  },
];
