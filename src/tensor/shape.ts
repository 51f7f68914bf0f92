/**
 * Shapes: plain arrays of dimensions, batch first, channels last.
 *
 * @module
 */

/** The dimensions of a tensor, for example [N, H, W, C]. */
export type Shape = readonly number[];

/** A shape whose first dimension may still be open, as Keras writes `(None, 32, 32, 3)`: `null` is any size. */
export type SymbolicShape = readonly (number | null)[];

/** How many elements a tensor of `shape` has; 1 for the shape [] of a scalar. */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (let axis = 0; axis < shape.length; axis++) size *= shape[axis];
  return size;
}

/** `shape` as error messages print it: `[8, 32, 32, 64]`, an open dimension as `null`. */
export function formatShape(shape: SymbolicShape): string {
  return `[${shape.map(String).join(", ")}]`;
}

/** Whether `a` and `b` have the same dimensions. An open dimension agrees with every size. */
export function shapesAgree(a: SymbolicShape, b: SymbolicShape): boolean {
  if (a.length !== b.length) return false;
  for (let axis = 0; axis < a.length; axis++) {
    if (a[axis] !== b[axis] && a[axis] !== null && b[axis] !== null) return false;
  }
  return true;
}
