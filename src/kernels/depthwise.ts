/**
 * Depthwise convolution: every input channel has `multiplier` (M) filters of its own.
 *
 *     x [N, H, W, C], kernel [kH, kW, C, M], bias [C * M]  ->  y [N, OH, OW, C * M]
 *     y[n, oh, ow, c*M + m]  = sum over kh, kw of padded x[n, oh*sH + kh*dH, ow*sW + kw*dW, c] * kernel[kh, kw, c, m]
 *     dKernel[kh, kw, c, m]  = sum over n, oh, ow of padded x[n, ...same..., c] * dy[n, oh, ow, c*M + m]
 *     dx[n, h, w, c]         = sum over oh, ow, m of dy[n, oh, ow, c*M + m] * kernel[kh, kw, c, m]
 *
 * It is the grouped convolution with as many groups as channels: kernel [kH, kW, C, M] and the HWIO kernel
 * [kH, kW, 1, C * M] are the same memory, and the orders of all sums are those of `conv2D` and its gradients.
 *
 * @module
 */
import { contiguous, reshape, type Tensor } from "../tensor/tensor.js";
import { conv2D, conv2DNaive } from "./conv2d.js";
import {
  conv2DInputGradient,
  conv2DInputGradientNaive,
  conv2DKernelGradient,
  conv2DKernelGradientNaive,
} from "./conv2d-gradients.js";
import type { Execution } from "./execution.js";
import type { Accumulate } from "./rounding.js";
import type { Window2D } from "./window.js";

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

/**
 * Convolves every channel of `x` [N, H, W, C] with its filters in `kernel` [kH, kW, C, M] and adds `bias` [C * M].
 *
 * @throws Error when shapes or element types disagree.
 */
export function depthwiseConv2D(
  x: Tensor,
  kernel: Tensor,
  bias: Tensor | undefined,
  window: Window2D,
  execution: Execution,
): Tensor {
  return conv2D(x, grouped(kernel), bias, window, kernel.shape[2], execution);
}

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
 * @throws Error when shapes or element types disagree.
 */
export function depthwiseConv2DKernelGradient(x: Tensor, dy: Tensor, window: Window2D, execution: Execution): Tensor {
  const channels = x.shape[3];
  return ungrouped(conv2DKernelGradient(x, dy, window, channels, execution), channels);
}

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
 * @throws Error when shapes or element types disagree.
 */
export function depthwiseConv2DInputGradient(
  dy: Tensor,
  kernel: Tensor,
  window: Window2D,
  execution: Execution,
): Tensor {
  return conv2DInputGradient(dy, grouped(kernel), window, kernel.shape[2], execution);
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
