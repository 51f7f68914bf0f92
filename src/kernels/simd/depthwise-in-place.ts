/**
 * Depthwise convolution that reads images where they lie: for small kernels, and channels that are whole vectors; with float64 sums,
 * for which values are widened when they are loaded, only where each is used a few times, or V8 would not fuse what is packed.
 *
 * Packing lines, as `depthwise.ts` does, writes and reads every pixel once more than the arithmetic needs, and a small kernel
 * has so little arithmetic that it waits for memory. What hangs over the border is left out, so the kernel must be finite
 * (`padding.ts`). The gradient for the input is computed in all its phases at once (`depthwise-bands.ts`).
 *
 * A tile is some channels of some rows of outputs of an image.
 *
 * @module
 */
import { wholeLines } from "../../tensor/heap.js";
import type { Job } from "../../parallel/job.js";
import { type Execution, threadsOf } from "../execution.js";
import { splitBy } from "../split.js";
import { sameWindow, type Window2D, windowNumbers } from "../window.js";
import { zeroFunction } from "./copy-kernel.js";
import { type Bands, bandsBack, bandsForward, tableBytes, writeTables } from "./depthwise-bands.js";
import { inPlaceKernel } from "./depthwise-in-place-kernel.js";
import { depthwiseKernels } from "./depthwise-kernels.js";
import {
  cutTiles,
  depthwiseTile,
  packFilters,
  type PackedFilters,
  type Weighing,
  widthOf,
} from "./depthwise-operands.js";
import { linesBack, linesForward, stepsOf } from "./depthwise-parts.js";
import { doubles, type Lanes, lanesOf, singles } from "./lanes.js";
import { inPlaceVectors, MOST_WIDENED_VECTORS, runStrides } from "./depthwise-runs.js";
import { overlap } from "./padding.js";
import { runSimd, scratchAddress } from "./run.js";
import { kernelFunction } from "./thread.js";

/** About how many bytes of filters a tile has: they stay in the first cache, beside the pixels. */
const FILTER_BYTES = 16_384;

/**
 * How often a value may be widened at most where panels of `vectors` vectors could be packed instead. Packing widens it once, but
 * writes and reads it once more; and it pays only where V8 fuses pairs of the vectors that are packed.
 */
function mostWidenings(vectors: number): number {
  return vectors > MOST_WIDENED_VECTORS ? 4 : Number.POSITIVE_INFINITY;
}

/**
 * Whether kernels that sum in `lanes`, and could do so in panels of `vectors` vectors, should read what is seen through `window` in
 * place: back, dy, each value for every tap.
 */
export function readsInPlace(lanes: Lanes, vectors: number, window: Window2D, isBack: boolean): boolean {
  const { kernelHeight, kernelWidth, strideHeight, strideWidth } = window;
  const uses = (kernelHeight * kernelWidth) / (isBack ? 1 : strideHeight * strideWidth);
  return lanes === singles || uses <= mostWidenings(vectors);
}

/** Where a tile keeps what, as addresses. */
interface Scratch extends PackedFilters {
  readonly tables: number;
  readonly end: number;
}

function scratchFrom(
  tables: number,
  { kernelHeight, kernelWidth }: Window2D,
  bands: Bands,
  vectors: number,
  panels: number,
): Scratch {
  const filter = tables + wholeLines(tableBytes(bands.all));
  const filterPanel = 16 * kernelHeight * kernelWidth * vectors;
  const bias = filter + wholeLines(panels * filterPanel);
  return { tables, filter, filterPanel, bias, end: bias + wholeLines(16 * panels * vectors) };
}

/**
 * The most vectors, up to `vectors`, that all panels of `channels` channels can be made of, if there must be `fewest` panels;
 * undefined where there are none.
 */
export function wholePanels(lanes: Lanes, channels: number, vectors: number, fewest = 1): number | undefined {
  return inPlaceVectors(lanes).find((count) => {
    const panels = channels / (count * lanes.perVector);
    return count <= vectors && Number.isInteger(panels) && panels >= fewest;
  });
}

/**
 * Weighs pixels in place, in panels of at most `vectors` vectors.
 *
 * Returns false, and has written nothing, where that cannot be.
 */
export function weighInPlace(
  { source, kernel, bias, out, planes, batch, channels, window, isBack, isFinite }: Weighing,
  execution: Execution,
  vectors: number,
): boolean {
  const lanes = lanesOf(execution.accumulate);
  const across = wholePanels(lanes, channels, vectors);
  if (planes !== 1 || across === undefined || !readsInPlace(lanes, vectors, window, isBack)) return false;
  const bands = isBack ? bandsBack(window) : bandsForward(window);
  if (bands === undefined || !(bands.isInside || isFinite())) return false;
  const kernels = depthwiseKernels(lanes, across);
  const width = widthOf(kernels);
  const most = Math.floor(FILTER_BYTES / (window.kernelHeight * window.kernelWidth * 16 * across));
  const tiles = cutTiles(bands.rows, batch, channels, width, most, threadsOf(execution));
  runSimd(execution, {
    job: depthwiseInPlaceJob,
    reads: [source, kernel, bias],
    writes: [out],
    numbers: [
      ...[lanes.bytes, across, batch, channels, tiles.rows.size, tiles.across.size, Number(isBack)],
      ...windowNumbers(window),
    ],
    tiles: batch * tiles.rows.count * tiles.across.count,
    scratch: scratchFrom(0, window, bands, across, tiles.across.size / width).end,
  });
  return true;
}

/** How many numbers the job is told before those of its window. */
const OWN_NUMBERS = 7;

/** Some channels of some rows of outputs of an image. */
export const depthwiseInPlaceJob: Job = {
  name: "depthwiseInPlace",
  prepare([source, kernel, bias, scratchMemory, out], numbers) {
    const [bytes, vectors, , channels, rowsSize, acrossSize, back] = numbers;
    const window = sameWindow(numbers, OWN_NUMBERS);
    const bands = back === 1 ? bandsBack(window) : bandsForward(window);
    if (bands === undefined) throw new Error("internal: depthwiseInPlace: the window has no bands.");
    const pixel = 4 * channels;
    const { read, write } = stepsOf(window, back === 1);
    const { taps } = back === 1 ? linesBack(window) : linesForward(window);
    const kernels = depthwiseKernels(bytes === 4 ? singles : doubles, vectors);
    const { lanes } = kernels;
    const width = widthOf(kernels);
    const tiles = { rows: splitBy(bands.rows, rowsSize), across: splitBy(channels, acrossSize) };
    const address = scratchAddress(scratchMemory, numbers);
    const scratch = scratchFrom(address, window, bands, vectors, acrossSize / width);
    zeroFunction(singles)(scratch.bias, (scratch.end - scratch.bias) / 4);
    const tables = writeTables(
      scratchMemory.buffer,
      scratch.tables,
      bands.all,
      pixel,
      16 * vectors,
      runStrides(lanes, vectors).includes(read.step),
    );
    const weigh = kernelFunction(inPlaceKernel(lanes, vectors, read.step));
    let packed: number | undefined; // the first of the channels whose filters are packed
    return (index) => {
      const { n, down, channels: some } = depthwiseTile(tiles, index);
      const { from, to } = some;
      if (packed !== from) packFilters(kernels, 1, taps, scratch, kernel, bias, channels, from, to - from);
      packed = from;
      for (const { rows, strips, end } of tables) {
        const these = overlap(rows, down);
        if (these.from === these.to) continue;
        weigh(
          strips,
          end,
          these.to - these.from,
          source.byteOffset + 4 * from + (n * read.image + these.from * read.row) * pixel,
          read.row * pixel,
          read.step * pixel,
          pixel,
          scratch.filter,
          scratch.filterPanel,
          scratch.bias,
          out.byteOffset + 4 * from + (n * write.image + these.from * write.row) * pixel,
          write.row * pixel,
          write.step * pixel,
          (to - from) / width,
        );
      }
    };
  },
};
