/**
 * Patches as rows of a matrix, and back.
 *
 *     im2col: x [N, H, W, C]                     ->  patches [N * OH * OW, kH * kW * C], zeros where a tap is outside
 *     col2im: patches [N * OH * OW, kH * kW * C] ->  x [N, H, W, C], overlapping taps added
 *
 * Row (n, oh, ow) of `patches` is all that the window at (oh, ow) sees, in the order kh, kw, c; a convolution is then a
 * matrix product. The two are adjoint: sum(im2col(x) * p) = sum(x * col2im(p)) for every x and p.
 *
 * @module
 */
import type { Shape } from "../tensor/shape.js";
import { contiguous, dtypeOf, empty, type Tensor, zeros } from "../tensor/tensor.js";
import { expectRank, expectShape } from "./check.js";
import { type Accumulate, roundingOf } from "./rounding.js";
import type { Window2D } from "./window.js";

/**
 * The patches of `x` [N, H, W, C] as rows [N * OH * OW, kH * kW * C].
 *
 * @throws Error when `x` does not have the size that `window` is for.
 */
export function im2col(x: Tensor, window: Window2D): Tensor {
  expectRank("im2col", "x", x, 4);
  const [batch, , , channels] = x.shape;
  expectShape("im2col", "x", x, [batch, window.inputHeight, window.inputWidth, channels]);
  const { kernelHeight, kernelWidth, outputHeight, outputWidth } = window;
  const source = contiguous(x).data;
  const patches = zeros([batch * outputHeight * outputWidth, kernelHeight * kernelWidth * channels], x);
  let at = 0; // where the next tap is written
  for (let n = 0; n < batch; n++) {
    for (let oh = 0; oh < outputHeight; oh++) {
      for (let ow = 0; ow < outputWidth; ow++) {
        for (let kh = 0; kh < kernelHeight; kh++) {
          const h = oh * window.strideHeight + kh * window.dilationHeight - window.padTop;
          for (let kw = 0; kw < kernelWidth; kw++, at += channels) {
            const w = ow * window.strideWidth + kw * window.dilationWidth - window.padLeft;
            if (h < 0 || h >= window.inputHeight || w < 0 || w >= window.inputWidth) continue;
            const from = ((n * window.inputHeight + h) * window.inputWidth + w) * channels;
            for (let c = 0; c < channels; c++) patches.data[at + c] = source[from + c];
          }
        }
      }
    }
  }
  return patches;
}

/**
 * Adds the rows of `patches` [N * OH * OW, kH * kW * C] back to where {@link im2col} took them from. Every element of
 * the result, of `shape` [N, H, W, C], is one flat sum over the windows that saw it, oh and then ow ascending.
 *
 * @throws Error when `patches` does not have the shape that `window` and `shape` give.
 */
export function col2im(patches: Tensor, window: Window2D, shape: Shape, accumulate: Accumulate = "float64"): Tensor {
  const [batch, inputHeight, inputWidth, channels] = shape;
  const { kernelHeight, kernelWidth, outputHeight, outputWidth } = window;
  expectShape("col2im", "patches", patches, [
    batch * outputHeight * outputWidth,
    kernelHeight * kernelWidth * channels,
  ]);
  const round = roundingOf(accumulate, dtypeOf(patches));
  const source = contiguous(patches).data;
  const sums = new Float64Array(batch * inputHeight * inputWidth * channels);
  let at = 0; // where the next tap is read
  for (let n = 0; n < batch; n++) {
    for (let oh = 0; oh < outputHeight; oh++) {
      for (let ow = 0; ow < outputWidth; ow++) {
        for (let kh = 0; kh < kernelHeight; kh++) {
          const h = oh * window.strideHeight + kh * window.dilationHeight - window.padTop;
          for (let kw = 0; kw < kernelWidth; kw++, at += channels) {
            const w = ow * window.strideWidth + kw * window.dilationWidth - window.padLeft;
            if (h < 0 || h >= inputHeight || w < 0 || w >= inputWidth) continue;
            const to = ((n * inputHeight + h) * inputWidth + w) * channels;
            for (let c = 0; c < channels; c++) sums[to + c] = round(sums[to + c] + source[at + c]);
          }
        }
      }
    }
  }
  const x = empty(shape, patches);
  x.data.set(sums);
  return x;
}
