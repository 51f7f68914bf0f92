/**
 * Convolution of images, forward.
 *
 *     x [N, H, W, C], kernel [kH, kW, C / groups, outC], bias [outC]  ->  y [N, OH, OW, outC]
 *     y[n, oh, ow, co] = sum over kh, kw, ci of padded x[n, oh*sH + kh*dH, ow*sW + kw*dW, ci] * kernel[kh, kw, ci, co]
 *
 * with the index of the sum ascending as kh, then kw, then ci. Padding is a zero that is multiplied. With groups, the
 * output channels of group g see the input channels of group g alone.
 *
 * The fast path is im2col and a matrix product, block by block: with y as a matrix [N * OH * OW, outC], a block of its
 * rows is the patches of these positions times the kernel as a matrix [kH * kW * C, outC]. Only one block of patches
 * exists at a time, so the memory that im2col is known for, kH * kW times the input, is never needed.
 *
 * @module
 */
import type { Job } from "../parallel/job.js";
import { contiguous, dtypeOf, empty, reshape, type Tensor } from "../tensor/tensor.js";
import { expectRank, expectSameType, expectShape } from "./check.js";
import { LEAST_COLUMNS, passRunsSimd } from "./element-tiles.js";
import { biasData, type Execution, NO_VALUES, windowRunsSimd, runTiles, tileRows } from "./execution.js";
import { im2colBlock } from "./im2col.js";
import { type Epilogue, interleavedMap, normalize, type Prologue } from "./normalize.js";
import { isPreparedInTiles, withPrepared } from "./prologue.js";
import { RELU, rectify } from "./rectify.js";
import { type Accumulate, roundingOf, roundsToFloat32 } from "./rounding.js";
import { conv2DSimd } from "./simd/conv2d.js";
import type { ConvolutionFinish } from "./simd/convolve.js";
import type { LinePrologue } from "./simd/image-lines.js";
import { isDepthwise, simdDepthwise } from "./simd/depthwise.js";
import { blockOf, splitEvenly } from "./split.js";
import { sumTensors } from "./sum-tensors.js";
import { COLUMNS, clearSums, DEPTH, leftBlock, multiplyBlocks, packRight, storeSums, TILE_COLUMNS } from "./tile.js";
import { type Window2D, windowFrom, windowNumbers } from "./window.js";

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
 * @throws TypeError when element types disagree; Error when shapes do.
 */
export function conv2D(
  x: Tensor,
  kernel: Tensor,
  bias: Tensor | undefined,
  window: Window2D,
  groups: number,
  execution: Execution,
): Tensor {
  return convolved(x, kernel, bias, window, groups, execution).y;
}

/** The convolution of what `prologue` makes of `x`, and whether it has been finished as well. */
function convolved(
  x: Tensor,
  kernel: Tensor,
  bias: Tensor | undefined,
  window: Window2D,
  groups: number,
  execution: Execution,
  finish?: ConvolutionFinish,
  prologue?: Prologue,
): { readonly y: Tensor; readonly finished: boolean } {
  if (prologue !== undefined && !isPreparedInTiles(x, window, groups, execution)) {
    return withPrepared(x, prologue, execution, (image) =>
      convolved(image, kernel, bias, window, groups, execution, finish),
    );
  }
  const finished = false;
  if (execution.kernel === "naive") {
    return { y: conv2DNaive(x, kernel, bias, window, groups, execution.accumulate), finished };
  }
  check(x, kernel, bias, window, groups);
  const [batch, , , channels] = x.shape;
  const filters = kernel.shape[3];
  if (windowRunsSimd(execution, x, window) && isDepthwise(groups, channels, filters / groups)) {
    const { kernelHeight, kernelWidth } = window;
    const depthwise = reshape(contiguous(kernel), [kernelHeight, kernelWidth, groups, filters / groups]);
    return { y: simdDepthwise(x, depthwise, bias, window, execution), finished };
  }
  const y = empty([batch, window.outputHeight, window.outputWidth, filters], x);
  if (windowRunsSimd(execution, x, window) && y.size > 0 && kernel.size > 0) {
    const convolve = (image: Tensor, first?: LinePrologue): boolean =>
      conv2DSimd(image, kernel, bias, y, window, groups, execution, finish, first);
    if (prologue === undefined) convolve(x);
    else {
      const map = interleavedMap(prologue.map, execution);
      const isDone = convolve(x, { map, rectify: prologue.rectify });
      if (!isDone) withPrepared(x, prologue, execution, (image) => convolve(image));
    }
    return { y, finished: finish !== undefined };
  }
  const positions = batch * window.outputHeight * window.outputWidth;
  const across = splitEvenly(filters / groups, COLUMNS, TILE_COLUMNS).count;
  const most = tileRows(positions, across * groups, execution);
  const single = roundsToFloat32(execution.accumulate, dtypeOf(x));
  runTiles(execution, {
    job: conv2DJob,
    reads: [contiguous(x).data, contiguous(kernel).data, biasData(bias)],
    writes: [y.data],
    numbers: [positions, channels, filters, groups, most, Number(single), ...windowNumbers(window)],
    tiles: splitEvenly(positions, most, 1).count * across * groups,
  });
  return { y, finished };
}

/**
 * {@link conv2D} of what the prologue makes of `x`, and then what `epilogue` says: the bits of passes of their own. On the
 * vector unit a tile finishes its results before they go to memory, and prepares what it reads where that is read once.
 *
 * @throws TypeError when element types disagree; Error when shapes do.
 */
export function conv2DFinished(
  x: Tensor,
  kernel: Tensor,
  bias: Tensor | undefined,
  window: Window2D,
  groups: number,
  epilogue: Epilogue & { readonly prologue?: Prologue | undefined },
  execution: Execution,
): Tensor {
  const { prologue, map, addend, rectify = false } = epilogue;
  if (addend !== undefined) {
    const { outputHeight, outputWidth } = window;
    expectShape("conv2D", "addend", addend, [x.shape[0], outputHeight, outputWidth, kernel.shape[3]]);
    expectSameType("conv2D", x, addend);
  }
  const filters = kernel.shape[3] / groups;
  // the numbers of a map stand together for up to eight channels, which must not be of two groups
  const isWhole = map === undefined || groups === 1 || filters % (2 * LEAST_COLUMNS) === 0;
  const finish =
    isWhole && passRunsSimd(execution, x, filters)
      ? {
          map: map === undefined ? NO_VALUES : interleavedMap(map, execution),
          addend: addend === undefined ? NO_VALUES : contiguous(addend).data,
          rectify,
        }
      : undefined;
  const { y, finished } = convolved(x, kernel, bias, window, groups, execution, finish, prologue);
  return finished ? y : finishApart(y, epilogue, execution);
}

function finishApart(y: Tensor, { map, addend, rectify: rectifies = false }: Epilogue, execution: Execution): Tensor {
  if (map !== undefined) return normalize(y, map, { addend, rectify: rectifies, inPlace: true }, execution);
  const sum = addend === undefined ? y : sumTensors([y, addend], { start: -0 }, execution);
  return rectifies ? rectify(sum, RELU, execution) : sum;
}

/** One block of y, as a matrix [N * OH * OW, outC]: im2col of its rows, times the kernel as a matrix. */
export const conv2DJob: Job = {
  name: "conv2D",
  prepare:
    ([x, kernel, bias, y], numbers) =>
    (tile) => {
      const [positions, channels, filters, groups, most, single] = numbers;
      const window = windowFrom(numbers, 6);
      const groupChannels = channels / groups;
      const groupFilters = filters / groups;
      const across = splitEvenly(groupFilters, COLUMNS, TILE_COLUMNS);
      const block = Math.floor(tile / across.count);
      const group = block % groups;
      const i = blockOf(splitEvenly(positions, most, 1), Math.floor(block / groups));
      const j = blockOf(across, tile % across.count);
      const rows = i.to - i.from;
      const columns = j.to - j.from;
      const firstFilter = group * groupFilters + j.from;
      const source = { window, channels, firstChannel: group * groupChannels, groupChannels };
      const depth = window.kernelHeight * window.kernelWidth * groupChannels;
      clearSums(rows);
      for (let k = 0; k < depth; k += DEPTH) {
        const count = Math.min(DEPTH, depth - k);
        im2colBlock(x, source, leftBlock(), { fromRow: i.from, rows, fromColumn: k, columns: count, pitch: count });
        packRight(kernel, k * filters + firstFilter, filters, 1, columns, count, 0, count);
        multiplyBlocks(rows, columns, count, count, 1, single === 1);
      }
      for (let row = 0; row < rows; row++) {
        storeSums(row, columns, y, (i.from + row) * filters + firstFilter, bias, firstFilter);
      }
    },
};

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
