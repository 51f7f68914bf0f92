/**
 * Depthwise convolution: every input channel has `multiplier` (M) filters of its own.
 *
 *     x [N, H, W, C], kernel [kH, kW, C, M], bias [C * M]  ->  y [N, OH, OW, C * M]
 *     y[n, oh, ow, c*M + m]  = sum over kh, kw of padded x[n, oh*sH + kh*dH, ow*sW + kw*dW, c] * kernel[kh, kw, c, m]
 *     dKernel[kh, kw, c, m]  = sum over n, oh, ow of padded x[n, ...same..., c] * dy[n, oh, ow, c*M + m]
 *     dx[n, h, w, c]         = sum over oh, ow, m of dy[n, oh, ow, c*M + m] * kernel[kh, kw, c, m]
 *
 * It is the grouped convolution with as many groups as channels: kernel [kH, kW, C, M] and the HWIO kernel
 * [kH, kW, 1, C * M] are the same memory, and the orders of all sums are those of `conv2D` and its gradients. The naive
 * loops are therefore the grouped ones. A matrix product would be one column wide here, so the fast path runs over the
 * channels instead, which lie next to each other: one line of sums, and for each tap one pass over it.
 *
 * @module
 */
import type { Job } from "../parallel/job.js";
import type { FloatArray } from "../tensor/dtype.js";
import { contiguous, dtypeOf, empty, reshape, type Tensor } from "../tensor/tensor.js";
import { expectRank, expectSameType, expectShape } from "./check.js";
import { conv2DNaive } from "./conv2d.js";
import { conv2DInputGradientNaive, conv2DKernelGradientNaive } from "./conv2d-gradients.js";
import { biasData, type Execution, windowRunsSimd, runTiles } from "./execution.js";
import { type Accumulate, roundsToFloat32 } from "./rounding.js";
import { simdDepthwise, simdDepthwiseInputGradient } from "./simd/depthwise.js";
import { simdDepthwiseKernelGradient } from "./simd/depthwise-kernel-gradient.js";
import { type Window2D, windowFrom, windowNumbers } from "./window.js";

/** `kernel` [kH, kW, C, M] as the grouped kernel [kH, kW, 1, C * M]. */
function grouped(kernel: Tensor): Tensor {
  const [kernelHeight, kernelWidth, channels, multiplier] = kernel.shape;
  return reshape(contiguous(kernel), [kernelHeight, kernelWidth, 1, channels * multiplier]);
}

/** `dKernel` [kH, kW, 1, C * M] as [kH, kW, C, M]. */
function ungrouped(dKernel: Tensor, channels: number): Tensor {
  const [kernelHeight, kernelWidth, , filters] = dKernel.shape;
  return reshape(dKernel, [kernelHeight, kernelWidth, channels, filters / channels]);
}

function checkKernel(kernel: Tensor, window: Window2D): void {
  expectRank("depthwiseConv2D", "kernel", kernel, 4);
  const [, , channels, multiplier] = kernel.shape;
  expectShape("depthwiseConv2D", "kernel", kernel, [window.kernelHeight, window.kernelWidth, channels, multiplier]);
}

function checkImages(name: string, images: Tensor, height: number, width: number, channels: number): void {
  expectRank("depthwiseConv2D", name, images, 4);
  expectShape("depthwiseConv2D", name, images, [images.shape[0], height, width, channels]);
}

/** What the three jobs are told: [batch, channels, multiplier, single, ...window]. */
function jobNumbers(
  like: Tensor,
  channels: number,
  multiplier: number,
  window: Window2D,
  execution: Execution,
): number[] {
  const single = roundsToFloat32(execution.accumulate, dtypeOf(like));
  return [like.shape[0], channels, multiplier, Number(single), ...windowNumbers(window)];
}

/**
 * One tap for all channels: sums[c*M + m] += x[xAt + c] * factor[factorAt + c*M + m]. Where the tap lies outside of the
 * image (`xAt` below 0), x is a zero, and is multiplied.
 */
function addTap(
  sums: Float64Array,
  x: FloatArray,
  xAt: number,
  factor: FloatArray,
  factorAt: number,
  multiplier: number,
  single: boolean,
): void {
  for (let j = 0, c = 0; j < sums.length; c++) {
    const value = xAt < 0 ? 0 : x[xAt + c];
    for (let m = 0; m < multiplier; m++, j++) {
      const product = value * factor[factorAt + j];
      sums[j] = single ? Math.fround(sums[j] + Math.fround(product)) : sums[j] + product;
    }
  }
}

/** Where the pixel of image `n` that the window at (oh, ow) reads through (kh, kw) begins; -1 in the padding. */
function pixelAt(
  window: Window2D,
  n: number,
  oh: number,
  ow: number,
  kh: number,
  kw: number,
  channels: number,
): number {
  const h = oh * window.strideHeight + kh * window.dilationHeight - window.padTop;
  const w = ow * window.strideWidth + kw * window.dilationWidth - window.padLeft;
  if (h < 0 || h >= window.inputHeight || w < 0 || w >= window.inputWidth) return -1;
  return ((n * window.inputHeight + h) * window.inputWidth + w) * channels;
}

/**
 * Convolves every channel of `x` [N, H, W, C] with its filters in `kernel` [kH, kW, C, M] and adds `bias` [C * M].
 *
 * @throws TypeError when element types disagree; Error when shapes do.
 */
export function depthwiseConv2D(
  x: Tensor,
  kernel: Tensor,
  bias: Tensor | undefined,
  window: Window2D,
  execution: Execution,
): Tensor {
  if (execution.kernel === "naive") return depthwiseConv2DNaive(x, kernel, bias, window, execution.accumulate);
  checkKernel(kernel, window);
  const [, , channels, multiplier] = kernel.shape;
  checkImages("x", x, window.inputHeight, window.inputWidth, channels);
  if (bias !== undefined) expectShape("depthwiseConv2D", "bias", bias, [channels * multiplier]);
  expectSameType("depthwiseConv2D", x, kernel, bias);
  if (windowRunsSimd(execution, x, window)) return simdDepthwise(x, kernel, bias, window, execution);
  const batch = x.shape[0];
  const y = empty([batch, window.outputHeight, window.outputWidth, channels * multiplier], x);
  runTiles(execution, {
    job: depthwiseConv2DJob,
    reads: [contiguous(x).data, contiguous(kernel).data, biasData(bias)],
    writes: [y.data],
    numbers: jobNumbers(x, channels, multiplier, window, execution),
    tiles: batch * window.outputHeight,
  });
  return y;
}

/** One line of outputs (n, oh). */
export const depthwiseConv2DJob: Job = {
  name: "depthwiseConv2D",
  prepare:
    ([x, kernel, bias, y], numbers) =>
    (tile) => {
      const [, channels, multiplier, single] = numbers;
      const window = windowFrom(numbers, 4);
      const n = Math.floor(tile / window.outputHeight);
      const oh = tile - n * window.outputHeight;
      const filters = channels * multiplier;
      const sums = new Float64Array(filters);
      for (let ow = 0; ow < window.outputWidth; ow++) {
        sums.fill(0);
        let kernelAt = 0;
        for (let kh = 0; kh < window.kernelHeight; kh++) {
          for (let kw = 0; kw < window.kernelWidth; kw++, kernelAt += filters) {
            const xAt = pixelAt(window, n, oh, ow, kh, kw, channels);
            addTap(sums, x, xAt, kernel, kernelAt, multiplier, single === 1);
          }
        }
        // with float32 accumulation the sum with the bias is rounded here too: storing it rounds to float32
        for (let j = 0; j < bias.length; j++) sums[j] += bias[j];
        y.set(sums, (tile * window.outputWidth + ow) * filters);
      }
    },
};

/** The loops that define the bits of {@link depthwiseConv2D}. */
export function depthwiseConv2DNaive(
  x: Tensor,
  kernel: Tensor,
  bias: Tensor | undefined,
  window: Window2D,
  accumulate: Accumulate,
): Tensor {
  return conv2DNaive(x, grouped(kernel), bias, window, kernel.shape[2], accumulate);
}

/**
 * The gradient for the kernel, [kH, kW, C, M], from `x` [N, H, W, C] and `dy` [N, OH, OW, C * M].
 *
 * @throws TypeError when element types disagree; Error when shapes do.
 */
export function depthwiseConv2DKernelGradient(x: Tensor, dy: Tensor, window: Window2D, execution: Execution): Tensor {
  if (execution.kernel === "naive") return depthwiseConv2DKernelGradientNaive(x, dy, window, execution.accumulate);
  const channels = x.shape[3];
  const filters = dy.shape[3];
  checkImages("x", x, window.inputHeight, window.inputWidth, channels);
  checkImages("dy", dy, window.outputHeight, window.outputWidth, filters);
  expectShape("depthwiseConv2D", "dy", dy, [x.shape[0], window.outputHeight, window.outputWidth, filters]);
  if (filters % channels !== 0) {
    throw new Error(`internal: depthwiseConv2D: ${channels} channels must divide the ${filters} channels of \`dy\`.`);
  }
  expectSameType("depthwiseConv2D", x, dy);
  const multiplier = filters / channels;
  if (windowRunsSimd(execution, x, window)) return simdDepthwiseKernelGradient(x, dy, window, execution);
  const dKernel = empty([window.kernelHeight, window.kernelWidth, channels, multiplier], x);
  runTiles(execution, {
    job: depthwiseConv2DKernelGradientJob,
    reads: [contiguous(x).data, contiguous(dy).data],
    writes: [dKernel.data],
    numbers: jobNumbers(x, channels, multiplier, window, execution),
    tiles: window.kernelHeight * window.kernelWidth,
  });
  return dKernel;
}

/** One tap (kh, kw) of dKernel. */
export const depthwiseConv2DKernelGradientJob: Job = {
  name: "depthwiseConv2DKernelGradient",
  prepare:
    ([x, dy, dKernel], numbers) =>
    (tile) => {
      const [batch, channels, multiplier, single] = numbers;
      const window = windowFrom(numbers, 4);
      const kh = Math.floor(tile / window.kernelWidth);
      const kw = tile - kh * window.kernelWidth;
      const filters = channels * multiplier;
      const sums = new Float64Array(filters);
      let dyAt = 0;
      for (let n = 0; n < batch; n++) {
        for (let oh = 0; oh < window.outputHeight; oh++) {
          for (let ow = 0; ow < window.outputWidth; ow++, dyAt += filters) {
            addTap(sums, x, pixelAt(window, n, oh, ow, kh, kw, channels), dy, dyAt, multiplier, single === 1);
          }
        }
      }
      dKernel.set(sums, tile * filters);
    },
};

/** The loops that define the bits of {@link depthwiseConv2DKernelGradient}. */
export function depthwiseConv2DKernelGradientNaive(
  x: Tensor,
  dy: Tensor,
  window: Window2D,
  accumulate: Accumulate,
): Tensor {
  const channels = x.shape[3];
  return ungrouped(conv2DKernelGradientNaive(x, dy, window, channels, accumulate), channels);
}

/**
 * The gradient for the input, [N, H, W, C], from `dy` [N, OH, OW, C * M] and `kernel` [kH, kW, C, M].
 *
 * @throws TypeError when element types disagree; Error when shapes do.
 */
export function depthwiseConv2DInputGradient(
  dy: Tensor,
  kernel: Tensor,
  window: Window2D,
  execution: Execution,
): Tensor {
  if (execution.kernel === "naive") return depthwiseConv2DInputGradientNaive(dy, kernel, window, execution.accumulate);
  checkKernel(kernel, window);
  const [, , channels, multiplier] = kernel.shape;
  checkImages("dy", dy, window.outputHeight, window.outputWidth, channels * multiplier);
  expectSameType("depthwiseConv2D", dy, kernel);
  const simd = windowRunsSimd(execution, dy, window)
    ? simdDepthwiseInputGradient(dy, kernel, window, execution)
    : undefined;
  if (simd !== undefined) return simd;
  const batch = dy.shape[0];
  const dx = empty([batch, window.inputHeight, window.inputWidth, channels], dy);
  runTiles(execution, {
    job: depthwiseConv2DInputGradientJob,
    reads: [contiguous(dy).data, contiguous(kernel).data],
    writes: [dx.data],
    numbers: jobNumbers(dy, channels, multiplier, window, execution),
    tiles: batch * window.inputHeight,
  });
  return dx;
}

/** One line of inputs (n, h). */
export const depthwiseConv2DInputGradientJob: Job = {
  name: "depthwiseConv2DInputGradient",
  prepare:
    ([dy, kernel, dx], numbers) =>
    (tile) => {
      const [, channels, multiplier, single] = numbers;
      const window = windowFrom(numbers, 4);
      const n = Math.floor(tile / window.inputHeight);
      const h = tile - n * window.inputHeight;
      const filters = channels * multiplier;
      const sums = new Float64Array(channels);
      for (let w = 0; w < window.inputWidth; w++) {
        sums.fill(0);
        for (let kh = window.kernelHeight - 1; kh >= 0; kh--) {
          const oh = (h + window.padTop - kh * window.dilationHeight) / window.strideHeight;
          if (!Number.isInteger(oh) || oh < 0 || oh >= window.outputHeight) continue;
          for (let kw = window.kernelWidth - 1; kw >= 0; kw--) {
            const ow = (w + window.padLeft - kw * window.dilationWidth) / window.strideWidth;
            if (!Number.isInteger(ow) || ow < 0 || ow >= window.outputWidth) continue;
            const dyAt = ((n * window.outputHeight + oh) * window.outputWidth + ow) * filters;
            addTapBack(sums, dy, dyAt, kernel, (kh * window.kernelWidth + kw) * filters, multiplier, single === 1);
          }
        }
        dx.set(sums, (tile * window.inputWidth + w) * channels);
      }
    },
};

/** One tap for all channels, back: sums[c] += dy[dyAt + c*M + m] * kernel[kernelAt + c*M + m] for m ascending. */
function addTapBack(
  sums: Float64Array,
  dy: FloatArray,
  dyAt: number,
  kernel: FloatArray,
  kernelAt: number,
  multiplier: number,
  single: boolean,
): void {
  for (let c = 0, j = 0; c < sums.length; c++) {
    let sum = sums[c];
    for (let m = 0; m < multiplier; m++, j++) {
      const product = dy[dyAt + j] * kernel[kernelAt + j];
      sum = single ? Math.fround(sum + Math.fround(product)) : sum + product;
    }
    sums[c] = sum;
  }
}

/** The loops that define the bits of {@link depthwiseConv2DInputGradient}. */
export function depthwiseConv2DInputGradientNaive(
  dy: Tensor,
  kernel: Tensor,
  window: Window2D,
  accumulate: Accumulate,
): Tensor {
  return conv2DInputGradientNaive(dy, grouped(kernel), window, kernel.shape[2], accumulate);
}
