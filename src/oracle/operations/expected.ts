/**
 * Operands and results of operations: read with an error for what is missing, widened, and laid beside their errors.
 *
 * @module
 */
import { formatShape, type Shape, shapesAgree } from "../../tensor/shape.js";
import { cast, contiguous, type Tensor } from "../../tensor/tensor.js";
import { type ArithmeticModel, U_FLOAT32 } from "../arithmetic-model.js";
import { certain, doubtful, ErrorArithmetic, likely } from "../error-arithmetic.js";
import type { Expectation } from "../expectation.js";
import { HONEST_SUMS } from "../honest-sums.js";
import { float64Of, operandOf } from "../operands.js";
import type { Operands } from "../operation.js";

/**
 * The operand `name`, which must have `shape`.
 *
 * @throws TypeError when there is none, RangeError when its shape is another.
 */
export function shapedOperand(operation: string, operands: Operands, name: string, shape: Shape): Tensor {
  const found = operandOf(operation, operands, name);
  if (!shapesAgree(found.shape, shape)) {
    throw new RangeError(
      `${operation}: \`${name}\` must have shape ${formatShape(shape)}. Received ${name}.shape=${formatShape(found.shape)}.`,
    );
  }
  return found;
}

/** All operands in float64, contiguous. */
export function widened(operands: Operands): Operands {
  return Object.fromEntries(Object.entries(operands).map(([name, x]) => [name, contiguous(cast(x, "float64"))]));
}

/** What is expected where every element has its own few roundings: then the tensor as a whole tells nothing more. */
export function elementwise(truth: Tensor, bound: Float64Array, ties?: Expectation["ties"]): Expectation {
  const expectation = { shape: truth.shape, truth: float64Of(truth), bound, spread: new Float64Array(bound.length) };
  return ties === undefined ? expectation : { ...expectation, ties };
}

/**
 * What is expected of `truths`, whose errors `errorsOf` derives: the bound from growth that is certain, the spread from
 * twice what is likely. An honest candidate then has |z| <= 1/2 for every element, even where one error (of a mean,
 * say) is shared by all. What is likely grows by `doubt` ({@link doubtOf}); without it there is no spread.
 */
export function expectationsOf<Name extends string>(
  truths: Readonly<Record<Name, Tensor>>,
  model: ArithmeticModel,
  doubt: number | undefined,
  errorsOf: (arithmetic: ErrorArithmetic) => Readonly<Record<Name, Float64Array>>,
): Readonly<Record<string, Expectation>> {
  const bounds = errorsOf(new ErrorArithmetic(model, certain));
  const spreads = doubt === undefined ? undefined : errorsOf(new ErrorArithmetic(model, doubtful(doubt)));
  const expectations: Record<string, Expectation> = {};
  for (const name in truths) {
    const bound = bounds[name].map(numberOrInfinity);
    const spread = spreads?.[name].map((error) => 2 * numberOrInfinity(error)) ?? new Float64Array(bound.length);
    expectations[name] = { shape: truths[name].shape, truth: float64Of(truths[name]), bound, spread };
  }
  return expectations;
}

/** Infinity times 0 in a derivation is an error without limit. */
function numberOrInfinity(error: number): number {
  return Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
}

/** Columns that the jury of {@link doubtOf} adds up. */
const EXAMINED = 8;

/**
 * By how much errors of sums over `x` [M, C], C last, may outgrow independent roundings: twice the most that an honest
 * order of `honest-sums.ts` makes of some of its columns, in units of {@link likely}; at least 1. Sums of equal
 * numbers round the same way at every step, and small numbers vanish beside large ones.
 */
export function doubtOf(x: Float64Array, channels: number): number {
  const rows = x.length / channels;
  const step = Math.max(1, Math.floor(channels / EXAMINED));
  let doubt = 1;
  for (let c = 0; c < channels; c += step) {
    const column = new Float64Array(rows);
    let [sum, size] = [0, 0];
    for (let r = 0; r < rows; r++) {
      column[r] = x[r * channels + c];
      sum += column[r];
      size += Math.abs(column[r]);
    }
    const allowed = likely(rows, U_FLOAT32) * size;
    if (!(allowed > 0 && allowed < Number.POSITIVE_INFINITY)) continue;
    for (const order of Object.values(HONEST_SUMS)) {
      const ratio = Math.abs(order(column) - sum) / allowed;
      if (Number.isFinite(ratio)) doubt = Math.max(doubt, 2 * ratio);
    }
  }
  return doubt;
}
