/**
 * What laws are written with: sums, permutations and comparisons of whole tensors, in float64.
 *
 * @module
 */
import { positionOf } from "../../oracle/judgement.js";
import { formatShape, type Shape, shapesAgree } from "../../tensor/shape.js";
import { contiguous, dtypeOf, type Tensor, tensorOf } from "../../tensor/tensor.js";

/** sum a * b over all elements. */
export function inner(a: Tensor, b: Tensor): number {
  expectShape("inner product", a, b.shape);
  const [as, bs] = [contiguous(a).data, contiguous(b).data];
  let sum = 0;
  for (let i = 0; i < as.length; i++) sum += as[i] * bs[i];
  return sum;
}

/** The tensor of `f` of every index. */
export function generated(shape: Shape, like: Tensor, f: (...index: number[]) => number): Tensor {
  const size = shape.reduce((product, dimension) => product * dimension, 1);
  return tensorOf(
    Array.from({ length: size }, (_, at) => f(...positionOf(at, shape))),
    shape,
    dtypeOf(like),
  );
}

/** The tensor of `f` of every element. */
export function mapped(x: Tensor, f: (value: number) => number): Tensor {
  return tensorOf(Array.from(contiguous(x).data, f), x.shape, dtypeOf(x));
}

/** a + b. */
export function plus(a: Tensor, b: Tensor): Tensor {
  const [as, bs] = [contiguous(a).data, contiguous(b).data];
  return tensorOf(
    Array.from(as, (value, i) => value + bs[i]),
    a.shape,
    dtypeOf(a),
  );
}

/** The elements of `x` in the opposite order, in its shape: another tensor of the same kind. */
export function backwards(x: Tensor): Tensor {
  return tensorOf(Array.from(contiguous(x).data).reverse(), x.shape, dtypeOf(x));
}

/** `x` with one axis the other way round. */
export function flipped(x: Tensor, axis: number): Tensor {
  return generated(x.shape, x, (...index) => x.get(...index.with(axis, x.shape[axis] - 1 - index[axis])));
}

/** `x` without the first `count` entries of an axis. */
export function dropped(x: Tensor, axis: number, count: number): Tensor {
  const shape = x.shape.with(axis, x.shape[axis] - count);
  return generated(shape, x, (...index) => x.get(...index.with(axis, index[axis] + count)));
}

/** Throws unless `x` has this shape. */
export function expectShape(what: string, x: Tensor, shape: Shape): void {
  if (shapesAgree(x.shape, shape)) return;
  throw new Error(`${what}: must have shape ${formatShape(shape)}. Received shape ${formatShape(x.shape)}.`);
}

/** Throws unless two numbers are at most `allowed` apart; -0 is 0 here, since sums may give either. */
export function expectClose(what: string, actual: number, expected: number, allowed = 0): void {
  if (Math.abs(actual - expected) <= allowed || Object.is(actual + 0, expected + 0)) return;
  throw new Error(`${what}: must be ${expected}, give or take ${allowed}. Received ${actual}.`);
}

/** Throws unless two tensors have one shape and are at most `allowed` apart in every element, naming the first. */
export function expectSame(
  what: string,
  actual: Tensor,
  expected: Tensor,
  allowed: (expected: number, at: number) => number = () => 0,
): void {
  expectShape(what, actual, expected.shape);
  const [as, es] = [contiguous(actual).data, contiguous(expected).data];
  for (let i = 0; i < es.length; i++) {
    expectClose(`${what}${formatShape(positionOf(i, expected.shape))}`, as[i], es[i], allowed(es[i], i));
  }
}
