/**
 * Operands and results of operations: read with an error for what is missing, widened, and laid beside their errors.
 *
 * @module
 */
import { formatShape, type Shape, shapesAgree } from "../../tensor/shape.js";
import { cast, contiguous, type Tensor } from "../../tensor/tensor.js";
import type { ArithmeticModel } from "../arithmetic-model.js";
import { certain, ErrorArithmetic, likely } from "../error-arithmetic.js";
import type { Expectation } from "../expectation.js";
import type { Operands } from "../operation.js";

/**
 * The operand `name`.
 *
 * @throws TypeError when there is none.
 */
export function operand(operation: string, operands: Operands, name: string): Tensor {
  const found = operands[name];
  if (found === undefined) {
    throw new TypeError(
      `${operation}: \`${name}\` must be given. Received ${Object.keys(operands).join(", ") || "none"}.`,
    );
  }
  return found;
}

/**
 * The operand `name`, which must have `shape`.
 *
 * @throws TypeError when there is none, RangeError when its shape is another.
 */
export function operandOf(operation: string, operands: Operands, name: string, shape: Shape): Tensor {
  const found = operand(operation, operands, name);
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

/** The elements of `x`, row-major, in float64. */
export function elementsOf(x: Tensor): Float64Array {
  return Float64Array.from(contiguous(x).data);
}

/** What is expected where every element has its own few roundings: then the tensor as a whole tells nothing more. */
export function elementwise(truth: Tensor, bound: Float64Array, ties?: Expectation["ties"]): Expectation {
  const expectation = { shape: truth.shape, truth: elementsOf(truth), bound, spread: new Float64Array(bound.length) };
  return ties === undefined ? expectation : { ...expectation, ties };
}

/**
 * What is expected of `truths`, whose errors `errorsOf` derives: the bound from growth that is certain, the spread from
 * twice what is likely. An honest candidate then has |z| <= 1/2 for every element, even where one error (of a mean, say)
 * is shared by all. Where `varied` is false there is no spread.
 */
export function expectationsOf<Name extends string>(
  truths: Readonly<Record<Name, Tensor>>,
  model: ArithmeticModel,
  varied: boolean,
  errorsOf: (arithmetic: ErrorArithmetic) => Readonly<Record<Name, Float64Array>>,
): Record<Name, Expectation> {
  const bounds = errorsOf(new ErrorArithmetic(model, certain));
  const spreads = varied ? errorsOf(new ErrorArithmetic(model, likely)) : undefined;
  const expectations = {} as Record<Name, Expectation>;
  for (const name in truths) {
    const bound = bounds[name].map(numberOrInfinity);
    const spread = spreads?.[name].map((error) => 2 * numberOrInfinity(error)) ?? new Float64Array(bound.length);
    expectations[name] = { shape: truths[name].shape, truth: elementsOf(truths[name]), bound, spread };
  }
  return expectations;
}

/** Infinity times 0 in a derivation is an error without limit. */
function numberOrInfinity(error: number): number {
  return Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
}

/** Elements that are looked at. */
const SAMPLE = 256;

/**
 * Whether roundings of sums over `x` can be taken for independent: a sample of its elements has few equal ones. A sum of
 * equal numbers rounds the same way at every step, and its error grows with k, not with sqrt(k). Zeros do not count.
 */
export function isVaried(x: Tensor): boolean {
  const { data } = contiguous(x);
  const step = Math.max(1, Math.floor(data.length / SAMPLE));
  const seen = new Set<number>();
  let counted = 0;
  for (let i = 0; i < data.length; i += step) {
    if (data[i] === 0) continue;
    seen.add(data[i]);
    counted++;
  }
  return seen.size > counted / 2;
}
