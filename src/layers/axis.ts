/**
 * Axes: counted from the front, or from the back where negative, as in NumPy and Keras.
 *
 * @module
 */
import { formatShape, type SymbolicShape } from "../tensor/shape.js";
import { contiguous, type Tensor } from "../tensor/tensor.js";

/**
 * `axis` of `shape`, counted from the front.
 *
 * @throws RangeError when there is no such axis, as there is none between two axes.
 */
export function resolveAxis(className: string, axis: number, shape: SymbolicShape): number {
  const resolved = axis < 0 ? axis + shape.length : axis;
  if (!(Number.isInteger(resolved) && resolved >= 0 && resolved < shape.length)) {
    throw new RangeError(
      `${className}: \`axis\` must be a whole number between ${-shape.length} and ${shape.length - 1} for an input of shape ` +
        `${formatShape(shape)}. Received axis=${axis}.`,
    );
  }
  return resolved;
}

/** Whether `axis` is the last one of `rank` axes. */
function isLast(axis: number, rank: number): boolean {
  return axis === rank - 1;
}

/** A contiguous tensor like `x` whose `axis` has become the last; `x` itself where it is the last already. */
export function axisToLast(x: Tensor, axis: number): Tensor {
  if (isLast(axis, x.dimension)) return contiguous(x);
  const order = x.shape.map((_, i) => i).filter((i) => i !== axis);
  return contiguous(x.transpose(...order, axis));
}

/** The inverse of {@link axisToLast}: the last axis goes back to `axis`. */
export function axisFromLast(x: Tensor, axis: number): Tensor {
  if (isLast(axis, x.dimension)) return contiguous(x);
  const order = x.shape.map((_, i) => i).slice(0, -1);
  order.splice(axis, 0, x.dimension - 1);
  return contiguous(x.transpose(...order));
}
