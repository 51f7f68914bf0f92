/**
 * The gradient of depthwise convolution for its kernel from images where they lie: for small kernels, and channels that are whole
 * vectors; with float64 sums where `readsInPlace` says so. Packing, as `depthwise-kernel-gradient.ts` does, would write and read every
 * pixel once more.
 *
 * Outputs are taken row by row, and in a row strip by strip (`depthwise-bands.ts`), so that every sum takes its products in order.
 * Those with the zeros of the padding are added behind all of the image: they are +0 or -0, and change no sum, since none is -0; or,
 * where dy is infinite or NaN, they are NaN, and so is the sum, whenever they are added.
 *
 * A tile is some channels.
 *
 * @module
 */
import { wholeLines } from "../../tensor/heap.js";
import type { Job } from "../../parallel/job.js";
import type { FloatArray } from "../../tensor/dtype.js";
import { type Execution, threadsOf } from "../execution.js";
import { blockOf, splitBy } from "../split.js";
import { sameWindow, type Window2D, windowNumbers } from "../window.js";
import { zeroFunction } from "./copy-kernel.js";
import { type BandTable, type Bands, bandsForward, bordersOf, tableBytes, writeTables } from "./depthwise-bands.js";
import { readsInPlace, wholePanels } from "./depthwise-in-place.js";
import { cutChannels } from "./depthwise-operands.js";
import { productsInPlaceKernel, storeSumsKernel } from "./depthwise-products-kernel.js";
import { runStrides } from "./depthwise-runs.js";
import { doubles, type Lanes, lanesOf, singles } from "./lanes.js";
import { runSimd, scratchAddress } from "./run.js";
import { kernelFunction } from "./thread.js";

/** About how many bytes of sums a tile has: they stay in the first cache, beside the pixels. */
const SUMS_BYTES = 16_384;

/** Where a tile keeps what, as addresses. */
interface Scratch {
  /** The tables of the image, and of its borders. */
  readonly tables: number;
  readonly borderTables: number;
  /** A pixel of the padding. */
  readonly zeros: number;
  /** [panel][tap][channels of the panel] */
  readonly sums: number;
  readonly end: number;
}

function scratchFrom(tables: number, lanes: Lanes, window: Window2D, bands: Bands, channels: number): Scratch {
  const borderTables = tables + tableBytes(bands.all);
  const zeros = wholeLines(borderTables + tableBytes(bordersOf(window).map(({ band }) => band)));
  const sums = zeros + wholeLines(4 * channels);
  return {
    tables,
    borderTables,
    zeros,
    sums,
    end: sums + lanes.bytes * window.kernelHeight * window.kernelWidth * channels,
  };
}

/**
 * Sums in `dKernel` [kH, kW, C] the products of `x` [N, H, W, C] and `dy` [N, OH, OW, C], in panels of at most `vectors` vectors.
 *
 * Returns false, and has written nothing, where that cannot be.
 */
export function sumProductsInPlace(
  x: FloatArray,
  dy: FloatArray,
  dKernel: FloatArray,
  batch: number,
  channels: number,
  window: Window2D,
  execution: Execution,
  vectors: number,
): boolean {
  const lanes = lanesOf(execution.accumulate);
  const threads = threadsOf(execution);
  const across = wholePanels(lanes, channels, vectors, threads);
  if (across === undefined || !readsInPlace(lanes, vectors, window, false)) return false;
  const bands = bandsForward(window);
  if (bands === undefined) return false;
  const width = across * lanes.perVector;
  const fitting = Math.floor(SUMS_BYTES / (16 * window.kernelHeight * window.kernelWidth * across));
  const tiles = cutChannels(channels, width, fitting, threads);
  runSimd(execution, {
    job: depthwiseProductsJob,
    reads: [x, dy],
    writes: [dKernel],
    numbers: [lanes.bytes, across, batch, channels, tiles.size, ...windowNumbers(window)],
    tiles: tiles.count,
    scratch: scratchFrom(0, lanes, window, bands, tiles.size).end,
  });
  return true;
}

/** Some channels. */
export const depthwiseProductsJob: Job = {
  name: "depthwiseProducts",
  prepare([x, dy, scratchMemory, dKernel], numbers) {
    const [bytes, vectors, batch, channels, size] = numbers;
    const lanes = bytes === 4 ? singles : doubles;
    const window = sameWindow(numbers, 5);
    const { inputHeight, inputWidth, outputHeight, outputWidth, strideHeight, strideWidth } = window;
    const bands = bandsForward(window);
    if (bands === undefined) throw new Error("internal: depthwiseProducts: the window has no bands.");
    const borders = bordersOf(window);
    const tiles = splitBy(channels, size);
    const scratch = scratchFrom(scratchAddress(scratchMemory, numbers), lanes, window, bands, size);
    const width = vectors * lanes.perVector;
    const pixel = 4 * channels;
    const taps = window.kernelHeight * window.kernelWidth;
    const sumsPanel = 16 * vectors * taps;
    const write = (to: number, all: Bands["all"]): BandTable[] =>
      writeTables(scratchMemory.buffer, to, all, pixel, 16 * vectors, runStrides(lanes, vectors).includes(strideWidth));
    const tables = write(scratch.tables, bands.all);
    const borderTables = write(
      scratch.borderTables,
      borders.map(({ band }) => band),
    );
    const multiply = kernelFunction(productsInPlaceKernel(lanes, vectors, strideWidth));
    const storeSums = kernelFunction(storeSumsKernel(lanes, vectors));
    const putZeros = zeroFunction(singles);
    return (index) => {
      const { from, to } = blockOf(tiles, index);
      const panels = (to - from) / width;
      putZeros(scratch.zeros, (scratch.end - scratch.zeros) / 4);
      for (let n = 0; n < batch; n++) {
        const image = x.byteOffset + 4 * from + n * inputHeight * inputWidth * pixel;
        const dyImage = dy.byteOffset + 4 * from + n * outputHeight * outputWidth * pixel;
        for (const { rows, strips, end } of tables) {
          multiply(
            strips,
            end,
            rows.to - rows.from,
            image + rows.from * strideHeight * inputWidth * pixel,
            strideHeight * inputWidth * pixel,
            strideWidth * pixel,
            pixel,
            dyImage + rows.from * outputWidth * pixel,
            outputWidth * pixel,
            pixel,
            scratch.sums,
            sumsPanel,
            panels,
          );
        }
        for (let i = 0; i < borders.length; i++) {
          const { rows, strips, end } = borderTables[i];
          const { rowStep, step } = borders[i];
          multiply(
            strips,
            end,
            rows.to,
            scratch.zeros,
            0,
            0,
            0,
            dyImage,
            rowStep * pixel,
            step * pixel,
            scratch.sums,
            sumsPanel,
            panels,
          );
        }
      }
      storeSums(scratch.sums, dKernel.byteOffset + 4 * from, panels, taps, pixel);
    };
  },
};
