/**
 * The convolution and its gradient for the input on assembled kernels; `../conv2d.ts` and `../conv2d-gradients.ts` say
 * what they compute.
 *
 * The input's gradient is a convolution again, or some: of dy with the taps in descending order, for each phase of the
 * strides (`phases.ts`). That may multiply zeros where the definition has no terms; where the kernel is not finite, which
 * would show, the scalar path is taken.
 *
 * @module
 */
import { withArraysInHeap } from "../../parallel/borrow.js";
import type { Beside } from "../../parallel/job.js";
import type { FloatArray } from "../../tensor/dtype.js";
import type { Shape } from "../../tensor/shape.js";
import { contiguous, type Tensor } from "../../tensor/tensor.js";
import { biasData, type Execution, NO_VALUES } from "../execution.js";
import type { Window2D } from "../window.js";
import { fillZeros } from "../zeros.js";
import { type Convolution, type ConvolutionFinish, convolve } from "./convolve.js";
import { convolveFewFilters } from "./few-filters.js";
import { isKernelFinite } from "./finite.js";
import type { LinePrologue } from "./image-lines.js";
import { phasesOf, type WindowPhase } from "./phases.js";

/**
 * Writes the convolution of `x` [N, H, W, C], after the prologue, with `kernel`, plus `bias`, finished, to `y`; none of
 * them is empty.
 *
 * Returns false, and has written nothing, where the prologue is better done apart.
 */
export function conv2DSimd(
  x: Tensor,
  kernel: Tensor,
  bias: Tensor | undefined,
  y: Tensor,
  window: Window2D,
  groups: number,
  execution: Execution,
  finish?: ConvolutionFinish,
  prologue?: LinePrologue,
): boolean {
  const [kernelHeight, kernelWidth, channels, filters] = kernel.shape;
  const columns = filters / groups;
  const depth = kernelWidth * channels;
  const { outputHeight, outputWidth } = window;
  const weights = contiguous(kernel).data;
  return convolveEitherWay(
    {
      prologue,
      finish,
      images: contiguous(x).data,
      batch: x.shape[0],
      channels,
      window,
      kernel: weights,
      isFinite: () => isKernelFinite(weights, execution),
      bias: biasData(bias),
      right: {
        offset: 0,
        groups,
        groupStride: columns,
        columns,
        columnStride: 1,
        outer: kernelHeight,
        outerStride: depth * filters,
        inner: 1,
        innerStride: 0,
        depth,
        depthStride: filters,
      },
      result: {
        data: y.data,
        offset: 0,
        image: outputHeight * outputWidth * filters,
        line: outputWidth * filters,
        position: filters,
      },
    },
    execution,
  );
}

/**
 * Writes the gradient for the input to `dx` [N, H, W, C], from `dy` and `kernel`; none of them is empty. The first phase
 * takes along what waits `beside` it.
 *
 * Returns false, and has written nothing, where the values of `kernel` are not all finite.
 */
export function conv2DInputGradientSimd(
  dy: Tensor,
  kernel: Tensor,
  dx: Tensor,
  window: Window2D,
  groups: number,
  execution: Execution,
  beside: Beside | undefined,
): boolean {
  const weights = contiguous(kernel).data;
  if (!isKernelFinite(weights, execution)) return false;
  const { seen, hasUnseen } = phasesOf(window);
  // in the heap all the time, since every phase writes a part of dx
  withArraysInHeap([contiguous(dy).data, weights], [dx.data], ([images, taps], [target]) => {
    if (hasUnseen) fillZeros(target, execution); // no phase writes there
    for (const phase of seen) {
      convolvePhase(images, taps, target, dx.shape, window, groups, phase, execution, beside);
    }
  });
  return true;
}

function convolvePhase(
  images: FloatArray,
  weights: FloatArray,
  dx: FloatArray,
  [batch, , , allChannels]: Shape,
  window: Window2D,
  groups: number,
  { row, column, window: seenThrough }: WindowPhase,
  execution: Execution,
  beside: Beside | undefined,
): void {
  const filters = images.length / (batch * window.outputHeight * window.outputWidth);
  const channels = allChannels / groups;
  const depth = filters / groups;
  const tap = channels * filters; // values of one tap of the kernel
  convolveEitherWay(
    {
      images,
      batch,
      channels: depth,
      window: seenThrough,
      kernel: weights,
      isFinite: () => true, // or the scalar path had been taken
      bias: NO_VALUES,
      right: {
        offset: (row.lastTap * window.kernelWidth + column.lastTap) * tap,
        groups,
        groupStride: depth,
        columns: channels,
        columnStride: filters,
        outer: row.taps,
        outerStride: -row.tapStep * window.kernelWidth * tap,
        inner: column.taps,
        innerStride: -column.tapStep * tap,
        depth,
        depthStride: 1,
      },
      result: {
        data: dx,
        offset: (row.first * window.inputWidth + column.first) * allChannels,
        image: window.inputHeight * window.inputWidth * allChannels,
        line: row.step * window.inputWidth * allChannels,
        position: column.step * allChannels,
      },
    },
    execution,
    beside,
  );
}

/** Computes a convolution with the kernels that suit it. */
function convolveEitherWay(convolution: Convolution, execution: Execution, beside?: Beside): boolean {
  return convolveFewFilters(convolution, execution, beside) || convolve(convolution, execution, beside);
}
