/**
 * The two gradients of {@link conv2D} for tensors.
 *
 *     dKernel[kh, kw, ci, co] = sum over n, oh, ow of padded x[n, oh*sH + kh*dH, ow*sW + kw*dW, ci] * dy[n, oh, ow, co]
 *     dx[n, h, w, ci]         = sum over oh, ow, co of dy[n, oh, ow, co] * kernel[kh, kw, ci, co]
 *
 * The indices of both sums ascend. In dKernel, padding is a zero that is multiplied, as it was forward. In dx, the sum
 * runs over the output positions that exist and saw the input, where h = oh*sH + kh*dH - padTop and w likewise; oh and
 * ow ascending is kh and kw descending. An input that no window saw has gradient +0.
 *
 * @module
 */
import { dtypeOf, empty, type Tensor } from "../tensor/tensor.js";
import { expectRank, expectSameType, expectShape } from "./check.js";
import type { Execution } from "./execution.js";
import { type Accumulate, roundingOf } from "./rounding.js";
import type { Window2D } from "./window.js";

function checkKernelGradient(x: Tensor, dy: Tensor, window: Window2D, groups: number): void {
  expectRank("conv2DKernelGradient", "x", x, 4);
  expectRank("conv2DKernelGradient", "dy", dy, 4);
  const [batch, , , channels] = x.shape;
  const filters = dy.shape[3];
  expectShape("conv2DKernelGradient", "x", x, [batch, window.inputHeight, window.inputWidth, channels]);
  expectShape("conv2DKernelGradient", "dy", dy, [batch, window.outputHeight, window.outputWidth, filters]);
  if (channels % groups !== 0 || filters % groups !== 0) {
    throw new Error(
      `internal: conv2DKernelGradient: ${groups} groups must divide ${channels} channels and ${filters} filters.`,
    );
  }
  expectSameType("conv2DKernelGradient", x, dy);
}

/**
 * The gradient for the kernel, [kH, kW, C / groups, outC], from `x` [N, H, W, C] and `dy` [N, OH, OW, outC].
 *
 * @throws Error when shapes or element types disagree.
 */
export function conv2DKernelGradient(
  x: Tensor,
  dy: Tensor,
  window: Window2D,
  groups: number,
  execution: Execution,
): Tensor {
  return conv2DKernelGradientNaive(x, dy, window, groups, execution.accumulate);
}

/** The loops that define the bits of {@link conv2DKernelGradient}. */
export function conv2DKernelGradientNaive(
  x: Tensor,
  dy: Tensor,
  window: Window2D,
  groups: number,
  accumulate: Accumulate,
): Tensor {
  checkKernelGradient(x, dy, window, groups);
  const round = roundingOf(accumulate, dtypeOf(x));
  const batch = x.shape[0];
  const channels = x.shape[3] / groups;
  const filters = dy.shape[3];
  const dKernel = empty([window.kernelHeight, window.kernelWidth, channels, filters], x);
  for (let kh = 0; kh < window.kernelHeight; kh++) {
    for (let kw = 0; kw < window.kernelWidth; kw++) {
      for (let ci = 0; ci < channels; ci++) {
        for (let co = 0; co < filters; co++) {
          const firstChannel = Math.floor(co / (filters / groups)) * channels; // of the group of co
          let sum = 0;
          for (let n = 0; n < batch; n++) {
            for (let oh = 0; oh < window.outputHeight; oh++) {
              const h = oh * window.strideHeight + kh * window.dilationHeight - window.padTop;
              for (let ow = 0; ow < window.outputWidth; ow++) {
                const w = ow * window.strideWidth + kw * window.dilationWidth - window.padLeft;
                const inside = h >= 0 && h < window.inputHeight && w >= 0 && w < window.inputWidth;
                const value = inside ? x.get(n, h, w, firstChannel + ci) : 0;
                sum = round(sum + round(value * dy.get(n, oh, ow, co)));
              }
            }
          }
          dKernel.set(kh, kw, ci, co, sum);
        }
      }
    }
  }
  return dKernel;
}

function checkInputGradient(dy: Tensor, kernel: Tensor, window: Window2D, groups: number): void {
  expectRank("conv2DInputGradient", "dy", dy, 4);
  expectRank("conv2DInputGradient", "kernel", kernel, 4);
  const [, , channels, filters] = kernel.shape;
  expectShape("conv2DInputGradient", "dy", dy, [dy.shape[0], window.outputHeight, window.outputWidth, filters]);
  expectShape("conv2DInputGradient", "kernel", kernel, [window.kernelHeight, window.kernelWidth, channels, filters]);
  if (filters % groups !== 0) {
    throw new Error(`internal: conv2DInputGradient: ${groups} groups must divide ${filters} filters.`);
  }
  expectSameType("conv2DInputGradient", dy, kernel);
}

/**
 * The gradient for the input, [N, H, W, C], from `dy` [N, OH, OW, outC] and `kernel` [kH, kW, C / groups, outC].
 *
 * @throws Error when shapes or element types disagree.
 */
export function conv2DInputGradient(
  dy: Tensor,
  kernel: Tensor,
  window: Window2D,
  groups: number,
  execution: Execution,
): Tensor {
  return conv2DInputGradientNaive(dy, kernel, window, groups, execution.accumulate);
}

/** The loops that define the bits of {@link conv2DInputGradient}. */
export function conv2DInputGradientNaive(
  dy: Tensor,
  kernel: Tensor,
  window: Window2D,
  groups: number,
  accumulate: Accumulate,
): Tensor {
  checkInputGradient(dy, kernel, window, groups);
  const round = roundingOf(accumulate, dtypeOf(dy));
  const [kernelHeight, kernelWidth, channels, filters] = kernel.shape;
  const groupFilters = filters / groups;
  const batch = dy.shape[0];
  const dx = empty([batch, window.inputHeight, window.inputWidth, channels * groups], dy);
  for (let n = 0; n < batch; n++) {
    for (let h = 0; h < window.inputHeight; h++) {
      for (let w = 0; w < window.inputWidth; w++) {
        for (let c = 0; c < channels * groups; c++) {
          const group = Math.floor(c / channels);
          let sum = 0;
          for (let kh = kernelHeight - 1; kh >= 0; kh--) {
            const oh = (h + window.padTop - kh * window.dilationHeight) / window.strideHeight;
            if (!Number.isInteger(oh) || oh < 0 || oh >= window.outputHeight) continue;
            for (let kw = kernelWidth - 1; kw >= 0; kw--) {
              const ow = (w + window.padLeft - kw * window.dilationWidth) / window.strideWidth;
              if (!Number.isInteger(ow) || ow < 0 || ow >= window.outputWidth) continue;
              for (let co = group * groupFilters; co < (group + 1) * groupFilters; co++) {
                sum = round(sum + round(dy.get(n, oh, ow, co) * kernel.get(kh, kw, c - group * channels, co)));
              }
            }
          }
          dx.set(n, h, w, c, sum);
        }
      }
    }
  }
  return dx;
}
