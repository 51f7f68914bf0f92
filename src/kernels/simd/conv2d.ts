/**
 * The convolution and its gradient for the input on assembled kernels; `../conv2d.ts` and `../conv2d-gradients.ts` say
 * what they compute.
 *
 * The input's gradient is a convolution again. Along one axis, input h is seen through tap k from output
 * o = (h + pad - k * dilation) / stride, where that is a whole number. Inputs whose h + pad leave the same remainder when
 * divided by the stride are a *phase*, and are seen through the same taps: every s-th, where s = stride / gcd(stride,
 * dilation). From one of these taps to the one before, o grows by d = dilation / gcd(stride, dilation); and from one
 * input of the phase to the next, by 1. So a phase is what a window with stride 1 and dilation d sees of dy, with the taps
 * in descending order; each phase is convolved by itself, and no product is wasted on zeros between outputs.
 *
 * That window reaches over the border of dy, where there are no outputs. The sum of the definition has no terms there,
 * and this one has the terms 0 * w. They change no bit: sums begin at +0 and therefore are never -0, so adding +0 or -0
 * leaves them as they are. Where w is infinite or NaN this does not hold, and the scalar path is taken.
 *
 * @module
 */
import { withArraysInHeap } from "../../parallel/borrow.js";
import type { Beside } from "../../parallel/job.js";
import type { FloatArray } from "../../tensor/dtype.js";
import type { Shape } from "../../tensor/shape.js";
import { contiguous, type Tensor } from "../../tensor/tensor.js";
import { biasData, type Execution, NO_VALUES } from "../execution.js";
import { onceForWindow, type Window2D } from "../window.js";
import { fillZeros } from "../zeros.js";
import { type Axis, horizontalAxis, verticalAxis } from "./axes.js";
import { type ConvolutionFinish, convolve } from "./convolve.js";
import { areFinite } from "./finite.js";

/** Writes the convolution of `x` [N, H, W, C] with `kernel`, plus `bias`, finished, to `y`; none of them is empty. */
export function conv2DSimd(
  x: Tensor,
  kernel: Tensor,
  bias: Tensor | undefined,
  y: Tensor,
  window: Window2D,
  groups: number,
  execution: Execution,
  finish?: ConvolutionFinish,
): void {
  const [kernelHeight, kernelWidth, channels, filters] = kernel.shape;
  const columns = filters / groups;
  const depth = kernelWidth * channels;
  const { outputHeight, outputWidth } = window;
  convolve(
    {
      finish,
      images: contiguous(x).data,
      batch: x.shape[0],
      channels,
      window,
      kernel: contiguous(kernel).data,
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

/** The inputs along one axis that are seen through the same taps: every `step`-th, from `first` on. */
interface Phase {
  readonly first: number;
  readonly step: number;
  readonly count: number;
  /** The largest tap, how many there are, and how far apart. */
  readonly lastTap: number;
  readonly taps: number;
  readonly tapStep: number;
  /** The output that the first input sees through the largest tap, and how far apart outputs of taps are. */
  readonly firstOutput: number;
  readonly outputStep: number;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** The phases of the inputs along one axis; a phase that is seen through no tap has `taps` 0. */
function phasesAlong({ input, kernel, stride, dilation, pad }: Axis): Phase[] {
  const common = greatestCommonDivisor(stride, dilation);
  const tapStep = stride / common;
  return Array.from({ length: Math.min(stride, input) }, (_, first) => {
    const seen = Array.from({ length: kernel }, (_unused, k) => k).filter(
      (k) => (first + pad - k * dilation) % stride === 0,
    );
    const lastTap = seen.at(-1) ?? 0;
    const count = Math.ceil((input - first) / stride);
    const firstOutput = (first + pad - lastTap * dilation) / stride;
    const outputs = { firstOutput, outputStep: dilation / common };
    return { first, step: stride, count, lastTap, taps: seen.length, tapStep, ...outputs };
  });
}

/** Inputs that are seen through the same taps along both axes, and the window that they are to dy. */
interface WindowPhase {
  readonly row: Phase;
  readonly column: Phase;
  readonly window: Window2D;
}

/** The phases of a window that are seen at all, and whether there are others. */
const phasesOf = onceForWindow((window): { readonly seen: readonly WindowPhase[]; readonly hasUnseen: boolean } => {
  const [rows, columns] = [verticalAxis(window), horizontalAxis(window)].map(phasesAlong);
  const pairs = rows.flatMap((row) => columns.map((column) => ({ row, column })));
  const seen = pairs.filter(({ row, column }) => row.taps > 0 && column.taps > 0);
  return {
    seen: seen.map(({ row, column }) => ({ row, column, window: phaseWindow(window, row, column) })),
    hasUnseen: seen.length < pairs.length,
  };
});

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
  if (!areFinite(weights, execution)) return false;
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
  convolve(
    {
      images,
      batch,
      channels: depth,
      window: seenThrough,
      kernel: weights,
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

/** The window that the inputs of a phase are to dy. */
function phaseWindow(window: Window2D, row: Phase, column: Phase): Window2D {
  return {
    inputHeight: window.outputHeight,
    inputWidth: window.outputWidth,
    kernelHeight: row.taps,
    kernelWidth: column.taps,
    strideHeight: 1,
    strideWidth: 1,
    dilationHeight: row.outputStep,
    dilationWidth: column.outputStep,
    padTop: -row.firstOutput,
    padLeft: -column.firstOutput,
    padBottom: 0,
    padRight: 0,
    outputHeight: row.count,
    outputWidth: column.count,
  };
}
