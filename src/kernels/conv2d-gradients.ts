/**
 * The two gradients of {@link conv2D} for tensors.
 *
 *     x [N, H, W, C], dy [N, OH, OW, outC]                   ->  dKernel [kH, kW, C / groups, outC]
 *     dy [N, OH, OW, outC], kernel [kH, kW, C / groups, outC]  ->  dx [N, H, W, C]
 *
 *     dKernel[kh, kw, ci, co] = sum over n, oh, ow of padded x[n, oh*sH + kh*dH, ow*sW + kw*dW, ci] * dy[n, oh, ow, co]
 *     dx[n, h, w, ci]         = sum over oh, ow, co of dy[n, oh, ow, co] * kernel[kh, kw, ci, co]
 *
 * The indices of both sums ascend. In dKernel, padding is a zero that is multiplied, as it was forward. In dx, the sum
 * runs over the output positions that exist and saw the input, where h = oh*sH + kh*dH - padTop and w likewise; oh and
 * ow ascending is kh and kw descending. Positions outside contribute no term, not even a zero, and an input that no
 * window saw has gradient +0.
 *
 * Fast, both are matrix products. dKernel is the transpose of the patches, [kH * kW * C, N * OH * OW], times dy as a
 * matrix; the positions are the index of its sums, so threads share the elements of dKernel, never the positions. For
 * dx, inputs at a border, or in another phase of the strides, are seen through fewer taps than others; those seen
 * through the same taps are taken together (`input-blocks.ts`), and are the gathered rows of dy, [inputs, taps * outC],
 * times the transposed kernel, [taps * outC, C].
 *
 * On the vector unit, dKernel is computed without any patches: see `simd/filter-gradient.ts`.
 *
 * @module
 */
import type { Beside, Job } from "../parallel/job.js";
import { contiguous, dtypeOf, empty, reshape, type Tensor } from "../tensor/tensor.js";
import { expectRank, expectSameType, expectShape } from "./check.js";
import { type Execution, NO_VALUES, windowRunsSimd, runTiles, tileRows } from "./execution.js";
import { im2colBlock } from "./im2col.js";
import { countBlocks, inputBlock, outputThrough } from "./input-blocks.js";
import { type Accumulate, roundingOf, roundsToFloat32 } from "./rounding.js";
import { conv2DInputGradientSimd } from "./simd/conv2d.js";
import { blockOf, splitEvenly } from "./split.js";
import {
  COLUMNS,
  clearSums,
  DEPTH,
  leftBlock,
  multiplyBlocks,
  packRight,
  storeSums,
  TILE_COLUMNS,
  TILE_ROWS,
} from "./tile.js";
import { isDepthwise, simdDepthwiseInputGradient } from "./simd/depthwise.js";
import { simdDepthwiseKernelGradient } from "./simd/depthwise-kernel-gradient.js";
import { simdFilterGradient } from "./simd/filter-gradient.js";
import { type Window2D, windowFrom, windowNumbers } from "./window.js";

/** @throws TypeError when element types disagree; Error when shapes do. */
export function checkKernelGradient(x: Tensor, dy: Tensor, window: Window2D, groups: number): void {
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
 * @throws TypeError when element types disagree; Error when shapes do.
 */
export function conv2DKernelGradient(
  x: Tensor,
  dy: Tensor,
  window: Window2D,
  groups: number,
  execution: Execution,
): Tensor {
  if (execution.kernel === "naive") return conv2DKernelGradientNaive(x, dy, window, groups, execution.accumulate);
  checkKernelGradient(x, dy, window, groups);
  if (windowRunsSimd(execution, x, window)) {
    if (!isDepthwise(groups, x.shape[3] / groups, dy.shape[3] / groups)) {
      return simdFilterGradient(x, dy, window, groups, execution);
    }
    const dKernel = simdDepthwiseKernelGradient(x, dy, window, execution);
    return reshape(dKernel, [window.kernelHeight, window.kernelWidth, 1, dy.shape[3]]);
  }
  const [batch, , , channels] = x.shape;
  const filters = dy.shape[3];
  const groupChannels = channels / groups;
  const dKernel = empty([window.kernelHeight, window.kernelWidth, groupChannels, filters], x);
  const positions = batch * window.outputHeight * window.outputWidth;
  const taps = window.kernelHeight * window.kernelWidth * groupChannels;
  const across = splitEvenly(filters / groups, COLUMNS, TILE_COLUMNS).count;
  const most = tileRows(taps, across * groups, execution);
  const single = roundsToFloat32(execution.accumulate, dtypeOf(x));
  runTiles(execution, {
    job: conv2DKernelGradientJob,
    reads: [contiguous(x).data, contiguous(dy).data],
    writes: [dKernel.data],
    numbers: [positions, channels, filters, groups, most, Number(single), ...windowNumbers(window)],
    tiles: splitEvenly(taps, most, TILE_ROWS).count * across * groups,
  });
  return dKernel;
}

/** One block of dKernel, as a matrix [kH * kW * C, outC]: the transpose of all patches, times dy as a matrix. */
export const conv2DKernelGradientJob: Job = {
  name: "conv2DKernelGradient",
  prepare:
    ([x, dy, dKernel], numbers) =>
    (tile) => {
      const [positions, channels, filters, groups, most, single] = numbers;
      const window = windowFrom(numbers, 6);
      const groupChannels = channels / groups;
      const groupFilters = filters / groups;
      const taps = window.kernelHeight * window.kernelWidth * groupChannels;
      const across = splitEvenly(groupFilters, COLUMNS, TILE_COLUMNS);
      const block = Math.floor(tile / across.count);
      const group = block % groups;
      const i = blockOf(splitEvenly(taps, most, TILE_ROWS), Math.floor(block / groups));
      const j = blockOf(across, tile % across.count);
      const rows = i.to - i.from;
      const columns = j.to - j.from;
      const firstFilter = group * groupFilters + j.from;
      const source = { window, channels, firstChannel: group * groupChannels, groupChannels };
      // patches are packed as im2col gives them, [positions, rows], and multiplied as their transpose
      clearSums(rows);
      for (let position = 0; position < positions; position += DEPTH) {
        const count = Math.min(DEPTH, positions - position);
        const patches = { fromRow: position, rows: count, fromColumn: i.from, columns: rows, pitch: rows };
        im2colBlock(x, source, leftBlock(), patches);
        packRight(dy, position * filters + firstFilter, filters, 1, columns, count, 0, count);
        multiplyBlocks(rows, columns, count, 1, rows, single === 1);
      }
      for (let row = 0; row < rows; row++) {
        storeSums(row, columns, dKernel, (i.from + row) * filters + firstFilter, NO_VALUES, 0);
      }
    },
};

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
 * The gradient for the input, [N, H, W, C], from `dy` [N, OH, OW, outC] and `kernel` [kH, kW, C / groups, outC]. What waits
 * `beside` it may be taken along.
 *
 * @throws TypeError when element types disagree; Error when shapes do.
 */
export function conv2DInputGradient(
  dy: Tensor,
  kernel: Tensor,
  window: Window2D,
  groups: number,
  execution: Execution,
  beside?: Beside,
): Tensor {
  if (execution.kernel === "naive") return conv2DInputGradientNaive(dy, kernel, window, groups, execution.accumulate);
  checkInputGradient(dy, kernel, window, groups);
  const batch = dy.shape[0];
  const [, , groupChannels, filters] = kernel.shape;
  const depthwise = isDepthwise(groups, groupChannels, filters / groups);
  if (windowRunsSimd(execution, dy, window) && depthwise) {
    const { kernelHeight, kernelWidth } = window;
    const filtersOf = reshape(contiguous(kernel), [kernelHeight, kernelWidth, groups, filters / groups]);
    const dx = simdDepthwiseInputGradient(dy, filtersOf, window, execution);
    if (dx !== undefined) return dx;
  }
  const dx = empty([batch, window.inputHeight, window.inputWidth, groupChannels * groups], dy);
  if (windowRunsSimd(execution, dy, window) && !depthwise && dx.size > 0 && dy.size > 0) {
    if (conv2DInputGradientSimd(dy, kernel, dx, window, groups, execution, beside)) return dx;
  }
  const across = splitEvenly(groupChannels, COLUMNS, TILE_COLUMNS).count;
  const most = tileRows(batch * window.inputHeight * window.inputWidth, across * groups, execution);
  const single = roundsToFloat32(execution.accumulate, dtypeOf(dy));
  runTiles(execution, {
    job: conv2DInputGradientJob,
    reads: [contiguous(dy).data, contiguous(kernel).data],
    writes: [dx.data],
    numbers: [batch, groupChannels, filters, groups, most, Number(single), ...windowNumbers(window)],
    tiles: countBlocks(window, batch, most) * across * groups,
  });
  return dx;
}

/** One block of dx: inputs that see the same taps, and some of their channels. */
export const conv2DInputGradientJob: Job = {
  name: "conv2DInputGradient",
  prepare:
    ([dy, kernel, dx], numbers) =>
    (tile) => {
      const [batch, groupChannels, filters, groups, most, single] = numbers;
      const window = windowFrom(numbers, 6);
      const groupFilters = filters / groups;
      const across = splitEvenly(groupChannels, COLUMNS, TILE_COLUMNS);
      const outer = Math.floor(tile / across.count);
      const group = outer % groups;
      const j = blockOf(across, tile % across.count);
      const columns = j.to - j.from;
      const block = inputBlock(window, batch, most, Math.floor(outer / groups));
      const rows = block.pixels.length;
      const depth = block.taps.length * groupFilters;
      clearSums(rows);
      for (let from = 0; from < depth; from += DEPTH) {
        const count = Math.min(DEPTH, depth - from);
        for (let k = 0; k < count; ) {
          // the part of this piece that belongs to one tap
          const tap = Math.floor((from + k) / groupFilters);
          const filter = from + k - tap * groupFilters;
          const run = Math.min(groupFilters - filter, count - k);
          const { kh, kw } = block.taps[tap];
          const firstFilter = group * groupFilters + filter;
          const kernelAt = ((kh * window.kernelWidth + kw) * groupChannels + j.from) * filters + firstFilter;
          packRight(kernel, kernelAt, 1, filters, columns, run, k, count);
          for (let row = 0; row < rows; row++) {
            const dyAt = outputThrough(window, block.pixels[row], kh, kw) * filters + firstFilter;
            const left = leftBlock();
            const to = row * count + k;
            for (let co = 0; co < run; co++) left[to + co] = dy[dyAt + co];
          }
          k += run;
        }
        multiplyBlocks(rows, columns, count, count, 1, single === 1);
      }
      for (let row = 0; row < rows; row++) {
        const { n, h, w } = block.pixels[row];
        const pixel = (n * window.inputHeight + h) * window.inputWidth + w;
        const at = (pixel * groups + group) * groupChannels + j.from;
        storeSums(row, columns, dx, at, NO_VALUES, 0);
      }
    },
};

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
