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
import type { FloatArray } from "../tensor/dtype.js";
import type { Shape } from "../tensor/shape.js";
import { contiguous, dtypeOf, empty, type Tensor } from "../tensor/tensor.js";
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
  const rows = batch * window.outputHeight * window.outputWidth;
  const columns = window.kernelHeight * window.kernelWidth * channels;
  const patches = empty([rows, columns], x);
  im2colBlock(contiguous(x).data, { window, channels, firstChannel: 0, groupChannels: channels }, patches.data, {
    fromRow: 0,
    rows,
    fromColumn: 0,
    columns,
    pitch: columns,
  });
  return patches;
}

/** The channels whose patches are wanted: `groupChannels` of all `channels`, from `firstChannel` on. */
export interface PatchSource {
  readonly window: Window2D;
  readonly channels: number;
  readonly firstChannel: number;
  readonly groupChannels: number;
}

/** A block of the matrix of patches, and the distance between its rows where it is written. */
export interface PatchBlock {
  readonly fromRow: number;
  readonly rows: number;
  readonly fromColumn: number;
  readonly columns: number;
  readonly pitch: number;
}

/** Writes one block of the patches of `x` [N, H, W, channels] to the start of `patches`. */
export function im2colBlock(x: FloatArray, source: PatchSource, patches: FloatArray, block: PatchBlock): void {
  const { window, channels, firstChannel, groupChannels } = source;
  const { inputHeight, inputWidth, kernelWidth, outputHeight, outputWidth } = window;
  // where the first column lies in the window
  const firstTap = Math.floor(block.fromColumn / groupChannels);
  const firstC = block.fromColumn - firstTap * groupChannels;
  const firstKh = Math.floor(firstTap / kernelWidth);
  const firstKw = firstTap - firstKh * kernelWidth;

  for (let row = 0; row < block.rows; row++) {
    const position = block.fromRow + row;
    const line = Math.floor(position / outputWidth); // n * OH + oh
    const n = Math.floor(line / outputHeight);
    const top = (line - n * outputHeight) * window.strideHeight - window.padTop;
    const leftmost = (position - line * outputWidth) * window.strideWidth - window.padLeft;
    let c = firstC;
    let kh = firstKh;
    let kw = firstKw;
    let to = row * block.pitch;
    const end = to + block.columns;
    while (to < end) {
      const h = top + kh * window.dilationHeight;
      const w = leftmost + kw * window.dilationWidth;
      const run = Math.min(groupChannels - c, end - to);
      if (h >= 0 && h < inputHeight && w >= 0 && w < inputWidth) {
        const from = ((n * inputHeight + h) * inputWidth + w) * channels + firstChannel + c;
        for (let i = 0; i < run; i++) patches[to + i] = x[from + i];
      } else {
        for (let i = 0; i < run; i++) patches[to + i] = 0;
      }
      to += run;
      c = 0;
      if (++kw === kernelWidth) {
        kw = 0;
        kh++;
      }
    }
  }
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
