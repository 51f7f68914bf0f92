/**
 * Operands: what operations are given, and what bounds are made of besides them: magnitudes, counts, greatest values.
 *
 * @module
 */
import { formatShape, type Shape, shapesAgree } from "../tensor/shape.js";
import { cast, contiguous, type Tensor, tensor } from "../tensor/tensor.js";
import type { ArithmeticModel, NumberFormat } from "./arithmetic-model.js";
import type { Operands } from "./operation.js";

/** The most inputs that operations on lists of tensors (`x0`, `x1`, ...) take. */
export const MOST_INPUTS = 8;

/**
 * The operand `name`.
 *
 * @throws TypeError when there is none.
 */
export function operandOf(operation: string, operands: Operands, name: string): Tensor {
  const found = operands[name];
  if (found === undefined) {
    throw new TypeError(
      `${operation}: \`${name}\` must be given. Received ${Object.keys(operands).join(", ") || "none"}.`,
    );
  }
  return found;
}

/** The names `<prefix>0`, `<prefix>1`, ... of a list of tensors. */
export function listNames(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`);
}

/**
 * The operands `x0`, `x1`, ..., as many as there are without a gap.
 *
 * @throws TypeError when there is not even `x0`.
 */
export function operandList(operation: string, operands: Operands): readonly Tensor[] {
  const first = operandOf(operation, operands, "x0");
  const list = [first];
  for (let x = operands["x1"]; x !== undefined; x = operands[`x${list.length}`]) list.push(x);
  return list;
}

/**
 * `dy`, if it has the shape of the result that it is the gradient of.
 *
 * @throws RangeError when it has not.
 */
export function cotangentOf(operation: string, operands: Operands, shape: Shape): Tensor {
  const dy = operandOf(operation, operands, "dy");
  if (shapesAgree(dy.shape, shape)) return dy;
  throw new RangeError(
    `${operation}: \`dy\` must have the shape ${formatShape(shape)} of the result. Received dy.shape=${formatShape(dy.shape)}.`,
  );
}

/** What is made of operands before an operation runs on them. */
export type Conversion = (x: Tensor) => Tensor;

/** `x` in float64, where the reference computes the truth. */
export function wide(x: Tensor): Tensor {
  return cast(x, "float64");
}

/**
 * Magnitudes, for companions. What is not finite counts as 0: its effect is in the truth, and the companion bounds the
 * rest. Where inputs are rounded to `format`, a value beyond its largest is an Infinity.
 */
export function magnitudeIn(format: NumberFormat | undefined): (value: number) => number {
  const limit = format === undefined || format.roundoff === 0 ? Number.POSITIVE_INFINITY : format.largest;
  return (value) => {
    const size = Math.abs(value);
    if (!Number.isFinite(size)) return 0;
    return size > limit ? Number.POSITIVE_INFINITY : size;
  };
}

/** The tensor of {@link magnitudeIn} of all elements of `x`, in float64. */
export function magnitudes(x: Tensor, format?: NumberFormat): Tensor {
  return mapElements(x, magnitudeIn(format));
}

/**
 * The format in which inputs were stored, if results are stored in it too: then the terms of plain sums are rounded to it.
 * Where inputs are rounded only on their way into a multiplier, plain sums take them as they are.
 */
export function storedInputs({ inputs, results }: ArithmeticModel): NumberFormat | undefined {
  return inputs.roundoff > 0 && results.roundoff >= inputs.roundoff ? inputs : undefined;
}

/** The greatest finite magnitude in `x`. */
export function greatestOf(x: Tensor): number {
  const { data } = contiguous(x);
  let greatest = 0;
  for (let i = 0; i < data.length; i++) {
    const size = Math.abs(data[i]);
    if (size > greatest && size < Number.POSITIVE_INFINITY) greatest = size;
  }
  return greatest;
}

/** Whether all of `x` is finite. */
export function allFinite(x: Tensor): boolean {
  return contiguous(x).data.every(Number.isFinite);
}

/** The elements of `x` as float64, row-major, in an array of their own. */
export function float64Of(x: Tensor): Float64Array {
  return new Float64Array(contiguous(x).data);
}

/** The tensor of `change` of all elements of `x` and their row-major places, in float64. */
export function mapElements(x: Tensor, change: (value: number, i: number) => number): Tensor {
  // `Float64Array.from` with a function takes seven times as long
  return tensor(float64Of(x).map(change), x.shape);
}
