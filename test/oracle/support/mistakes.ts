/**
 * Kernels that are not what they claim: roundings and sums that a float32 kernel does not make.
 *
 * @module
 */
import type { HonestSum } from "../../../src/oracle/honest-sums.js";
import type { Operands } from "../../../src/oracle/operation.js";
import { contiguous, type Tensor, tensor } from "../../../src/tensor/tensor.js";
import { permuted } from "../../support/tensors.js";

/** Rounds to `bits` significant bits, to nearest (Veltkamp). */
export function roundTo(bits: number): (x: number) => number {
  const c = 2 ** (53 - bits) + 1;
  return (x) => x * c - (x * c - x);
}

const float = new Float32Array(1);
const pattern = new Int32Array(float.buffer);

/** The float32 number next to `x` towards 0, or `x` itself if it is one. */
export function truncate(x: number): number {
  float[0] = x;
  if (Math.abs(float[0]) > Math.abs(x)) pattern[0]--;
  return float[0];
}

/** One accumulator, every result of which `round` rounds. */
export function roundedSum(round: (x: number) => number): HonestSum {
  return (terms) => terms.reduce((sum, term) => round(sum + round(term)), 0);
}

/** One accumulator that forgets the last term. */
export const shortSum: HonestSum = (terms) => roundedSum(Math.fround)(terms.subarray(0, -1));

/** `operands` with every number of all of them rounded by `round`. */
export function roundedOperands(operands: Operands, round: (x: number) => number): Operands {
  return Object.fromEntries(
    Object.entries(operands).map(([name, x]) => [name, tensor(Float32Array.from(contiguous(x).data, round), x.shape)]),
  );
}

/** `x` with its `axes` backwards. */
export function flipped(x: Tensor, axes: readonly number[]): Tensor {
  return axes.reduce(
    (y, axis) =>
      permuted(
        y,
        axis,
        Array.from({ length: x.shape[axis] }, (_, i) => x.shape[axis] - 1 - i),
      ),
    x,
  );
}

/** `x` moved by one along `axis`, around the end. */
export function shifted(x: Tensor, axis: number): Tensor {
  const size = x.shape[axis];
  return permuted(
    x,
    axis,
    Array.from({ length: size }, (_, i) => (i + 1) % size),
  );
}
