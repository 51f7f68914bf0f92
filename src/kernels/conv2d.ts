/**
 * Convolution of images, forward.
 *
 *     x [N, H, W, C], kernel [kH, kW, C / groups, outC], bias [outC]  ->  y [N, OH, OW, outC]
 *     y[n, oh, ow, co] = sum over kh, kw, ci of padded x[n, oh*sH + kh*dH, ow*sW + kw*dW, ci] * kernel[kh, kw, ci, co]
 *
 * with the index of the sum ascending as kh, then kw, then ci. Padding is a zero that is multiplied. With groups, the
 * output channels of group g see the input channels of group g alone.
 *
 * @module
 */
import { dtypeOf, empty, type Tensor } from "../tensor/tensor.js";
import { expectRank, expectSameType, expectShape } from "./check.js";
import type { Execution } from "./execution.js";
import { type Accumulate, roundingOf } from "./rounding.js";
import type { Window2D } from "./window.js";

function check(x: Tensor, kernel: Tensor, bias: Tensor | undefined, window: Window2D, groups: number): void {
  expectRank("conv2D", "x", x, 4);
  expectRank("conv2D", "kernel", kernel, 4);
  const [, , channels, filters] = kernel.shape;
  expectShape("conv2D", "x", x, [x.shape[0], window.inputHeight, window.inputWidth, channels * groups]);
  expectShape("conv2D", "kernel", kernel, [window.kernelHeight, window.kernelWidth, channels, filters]);
  if (filters % groups !== 0) throw new Error(`internal: conv2D: ${groups} groups must divide ${filters} filters.`);
  if (bias !== undefined) expectShape("conv2D", "bias", bias, [filters]);
  expectSameType("conv2D", x, kernel, bias);
}

/**
 * Convolves `x` [N, H, W, C] with `kernel` [kH, kW, C / groups, outC] and adds `bias` [outC].
 *
 * @throws Error when shapes or element types disagree.
 */
export function conv2D(
  x: Tensor,
  kernel: Tensor,
  bias: Tensor | undefined,
  window: Window2D,
  groups: number,
  execution: Execution,
): Tensor {
  return conv2DNaive(x, kernel, bias, window, groups, execution.accumulate);
}

/** The loops that define the bits of {@link conv2D}. */
export function conv2DNaive(
  x: Tensor,
  kernel: Tensor,
  bias: Tensor | undefined,
  window: Window2D,
  groups: number,
  accumulate: Accumulate,
): Tensor {
  check(x, kernel, bias, window, groups);
  const round = roundingOf(accumulate, dtypeOf(x));
  const [kernelHeight, kernelWidth, channels, filters] = kernel.shape;
  const batch = x.shape[0];
  const y = empty([batch, window.outputHeight, window.outputWidth, filters], x);
  for (let n = 0; n < batch; n++) {
    for (let oh = 0; oh < window.outputHeight; oh++) {
      for (let ow = 0; ow < window.outputWidth; ow++) {
        for (let co = 0; co < filters; co++) {
          const firstChannel = Math.floor(co / (filters / groups)) * channels; // of the group of co
          let sum = 0;
          for (let kh = 0; kh < kernelHeight; kh++) {
            const h = oh * window.strideHeight + kh * window.dilationHeight - window.padTop;
            for (let kw = 0; kw < kernelWidth; kw++) {
              const w = ow * window.strideWidth + kw * window.dilationWidth - window.padLeft;
              const inside = h >= 0 && h < window.inputHeight && w >= 0 && w < window.inputWidth;
              for (let ci = 0; ci < channels; ci++) {
                const value = inside ? x.get(n, h, w, firstChannel + ci) : 0;
                sum = round(sum + round(value * kernel.get(kh, kw, ci, co)));
              }
            }
          }
          if (bias !== undefined) sum = round(sum + bias.get(co));
          y.set(n, oh, ow, co, sum);
        }
      }
    }
  }
  return y;
}
