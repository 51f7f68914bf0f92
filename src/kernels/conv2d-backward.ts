/**
 * The gradients of a convolution that are wanted together.
 *
 * They do not depend on each other. On the vector unit threads have the tiles of all before them, and wait for each other once;
 * and dy is summed for the bias where it is read for the kernel.
 *
 * Where the convolution was of what a prologue made of x (`prologue.ts`), tiles do that again to what they read; with float64
 * sums, which they would widen besides, x is prepared before.
 *
 * @module
 */
import type { Beside } from "../parallel/job.js";
import type { Tensor } from "../tensor/tensor.js";
import { checkKernelGradient, conv2DInputGradient, conv2DKernelGradient } from "./conv2d-gradients.js";
import { type Execution, windowRunsSimd } from "./execution.js";
import type { Prologue } from "./normalize.js";
import { isPreparedInTiles, withPrepared } from "./prologue.js";
import { biasGradient, roundedSums } from "./reduce.js";
import { isDepthwise } from "./simd/depthwise.js";
import { filterGradientBeside } from "./simd/filter-gradient.js";
import type { Window2D } from "./window.js";

/**
 * All gradients, from `x` [N, H, W, C], `dy` [N, OH, OW, outC] and `kernel` [kH, kW, C / groups, outC]. With a `prologue`, dx
 * is the gradient for what that makes of x.
 *
 * @throws TypeError when element types disagree; Error when shapes do.
 */
export function conv2DGradients(
  x: Tensor,
  dy: Tensor,
  kernel: Tensor,
  window: Window2D,
  groups: number,
  execution: Execution,
  prologue?: Prologue,
): { readonly dKernel: Tensor; readonly dx: Tensor; readonly dBias: Tensor } {
  const { other: dx, ...ofWeights } = weightGradientsBeside(x, dy, window, groups, execution, prologue, (beside) =>
    conv2DInputGradient(dy, kernel, window, groups, execution, beside),
  );
  return { ...ofWeights, dx };
}

/**
 * The gradients for the kernel and the bias alone, as {@link conv2DGradients} has them.
 *
 * @throws TypeError when element types disagree; Error when shapes do.
 */
export function conv2DWeightGradients(
  x: Tensor,
  dy: Tensor,
  window: Window2D,
  groups: number,
  execution: Execution,
  prologue?: Prologue,
): { readonly dKernel: Tensor; readonly dBias: Tensor } {
  const { dKernel, dBias } = weightGradientsBeside(x, dy, window, groups, execution, prologue, () => undefined);
  return { dKernel, dBias };
}

/** The gradients for the kernel and the bias, and what `compute` gives, which may take along the work for them. */
function weightGradientsBeside<Other>(
  x: Tensor,
  dy: Tensor,
  window: Window2D,
  groups: number,
  execution: Execution,
  prologue: Prologue | undefined,
  compute: (beside?: Beside) => Other,
): { readonly dKernel: Tensor; readonly dBias: Tensor; readonly other: Other } {
  const inTiles = execution.accumulate === "float32" && isPreparedInTiles(x, window, groups, execution);
  if (prologue !== undefined && !inTiles) {
    return withPrepared(x, prologue, execution, (image) =>
      weightGradientsBeside(image, dy, window, groups, execution, undefined, compute),
    );
  }
  if (!windowRunsSimd(execution, x, window) || isDepthwise(groups, x.shape[3] / groups, dy.shape[3] / groups)) {
    const dKernel = conv2DKernelGradient(x, dy, window, groups, execution);
    return { dKernel, other: compute(), dBias: biasGradient(dy, execution) };
  }
  checkKernelGradient(x, dy, window, groups);
  const { dKernel, dySums, other } = filterGradientBeside(x, dy, window, groups, execution, compute, { prologue });
  return { dKernel, other, dBias: dySums === undefined ? biasGradient(dy, execution) : roundedSums(dySums, dy) };
}
