/**
 * General matrix multiplication.
 *
 *     a [M, K], b [K, N], bias [N]  ->  c [M, N]
 *     c[m, n] = sum over k of a[m, k] * b[k, n]  (+ bias[n])
 *
 * @module
 */
import { dtypeOf, empty, type Tensor } from "../tensor/tensor.js";
import { expectRank, expectSameType, expectShape } from "./check.js";
import type { Execution } from "./execution.js";
import { type Accumulate, roundingOf } from "./rounding.js";

function check(a: Tensor, b: Tensor, bias: Tensor | undefined): void {
  expectRank("gemm", "a", a, 2);
  expectRank("gemm", "b", b, 2);
  expectShape("gemm", "b", b, [a.shape[1], b.shape[1]]);
  if (bias !== undefined) expectShape("gemm", "bias", bias, [b.shape[1]]);
  expectSameType("gemm", a, b, bias);
}

/**
 * The product of `a` [M, K] and `b` [K, N], plus `bias` [N] on every row.
 *
 * @throws Error when shapes or element types disagree.
 */
export function gemm(a: Tensor, b: Tensor, bias: Tensor | undefined, execution: Execution): Tensor {
  return gemmNaive(a, b, bias, execution.accumulate);
}

/** The loops that define the bits of {@link gemm}. */
export function gemmNaive(a: Tensor, b: Tensor, bias: Tensor | undefined, accumulate: Accumulate): Tensor {
  check(a, b, bias);
  const round = roundingOf(accumulate, dtypeOf(a));
  const [rows, depth] = a.shape;
  const columns = b.shape[1];
  const c = empty([rows, columns], a);
  for (let m = 0; m < rows; m++) {
    for (let n = 0; n < columns; n++) {
      let sum = 0;
      for (let k = 0; k < depth; k++) sum = round(sum + round(a.get(m, k) * b.get(k, n)));
      if (bias !== undefined) sum = round(sum + bias.get(n));
      c.set(m, n, sum);
    }
  }
  return c;
}
