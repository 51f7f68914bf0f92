/**
 * Convolutions on assembled kernels, forward and for the input's gradient.
 *
 * A window at (oh, ow) sees kH runs of kW * C values that lie side by side in the image: the rows of the left operand of a
 * product, with kH segments each (`product-kernel.ts`), and the kernel as a matrix [kH * kW * C, outC] on the right. Rows
 * of neighbouring windows overlap, so nothing is unfolded.
 *
 * A tile is some lines of output, (n, oh) as one index, over all images. Where windows reach over the border, where sums
 * are doubles, or with groups, it first copies the lines of input that it needs to its thread's scratch memory, with the
 * border as zeros, which are then multiplied like all else, as the definition has it.
 *
 *     x, lines 3 to 6          scratch                         row of the window at (oh, ow), as segments
 *                              0 0 | line 3 | 0 0
 *       line 3..6      ->      0 0 | line 4 | 0 0    ->        (line oh,     columns ow to ow + kW)
 *                              0 0 | line 5 | 0 0              (line oh + 1, columns ow to ow + kW) ...
 *
 * What follows the convolution, in inference a normalization, an addition, a ReLU, a tile does to what it has written while
 * that is in the cache.
 *
 * @module
 */
import type { Beside, Job } from "../../parallel/job.js";
import type { FloatArray } from "../../tensor/dtype.js";
import { type Execution, NO_VALUES, threadsOf } from "../execution.js";
import { blockOf } from "../split.js";
import { WINDOW_NUMBERS, type Window2D, windowFrom, windowNumbers } from "../window.js";
import { copyFunction } from "./copy-kernel.js";
import { finishKernels } from "./element-kernels.js";
import { LANES } from "./floats.js";
import { type Lanes, lanesOf } from "./lanes.js";
import { TileScratch, tileMultiplier } from "./multiply.js";
import { chooseNormalizeKernel } from "./normalize-kernels.js";
import {
  type Packing,
  packingFrom,
  packingNumber,
  panelBytes,
  RIGHT_NUMBERS,
  type RightLayout,
  type RightOperand,
  rightFrom,
  rightLayout,
  rightNumbers,
  scratchPanelBytes,
  withRight,
} from "./panels.js";
import { planTiles, splitUnits } from "./plan.js";
import { runSimd, type SimdRun, scratchAddress } from "./run.js";
import { runKernel } from "./thread.js";
import { panelVectors } from "./wide.js";

/** Where results go: element (n, oh, ow, co of group g) to `offset + n * image + oh * line + ow * position + g * columns + co`. */
export interface ResultPlaces {
  readonly data: FloatArray;
  readonly offset: number;
  readonly image: number;
  readonly line: number;
  readonly position: number;
}

/** A convolution as a product. */
export interface Convolution {
  /** Images [batch, inputHeight, inputWidth, groups * channels], contiguous. */
  readonly images: FloatArray;
  readonly batch: number;
  /** Of one group. */
  readonly channels: number;
  /** Padding may be negative: then windows begin inside the image. */
  readonly window: Window2D;
  readonly kernel: FloatArray;
  /** How `kernel` is read; `outer` is kH, and `inner` times `depth` is kW * channels. */
  readonly right: RightOperand;
  readonly bias: FloatArray;
  readonly result: ResultPlaces;
  /** What is done to a result that is one contiguous tensor, of whole vectors of columns. */
  readonly finish?: ConvolutionFinish | undefined;
}

/** What follows a convolution. */
export interface ConvolutionFinish {
  /** What the kernels of `normalize-kernels.ts` read, interleaved, or empty where nothing is normalized. */
  readonly map: FloatArray;
  /** As long as the result, or empty for none. */
  readonly addend: FloatArray;
  readonly rectify: boolean;
}

/** How the windows of a tile find their values. */
interface Reading {
  /** Whether they read a copy. */
  readonly copied: boolean;
  /** Lines from the first to the last that a window sees, and columns that all windows of a line see. */
  readonly reach: number;
  readonly columns: number;
  /** Segments of each line of a window, and values of each. */
  readonly segmentsPerLine: number;
  readonly length: number;
}

function readingOf(window: Window2D, lanes: Lanes, groups: number, channels: number): Reading {
  const reach = (window.kernelHeight - 1) * window.dilationHeight + 1;
  const columns = (window.outputWidth - 1) * window.strideWidth + (window.kernelWidth - 1) * window.dilationWidth + 1;
  const bottom = (window.outputHeight - 1) * window.strideHeight - window.padTop + reach;
  const inside =
    window.padTop <= 0 &&
    window.padLeft <= 0 &&
    bottom <= window.inputHeight &&
    columns - window.padLeft <= window.inputWidth;
  const together = window.dilationWidth === 1;
  return {
    copied: !inside || groups > 1 || lanes.name === "float64",
    reach,
    columns,
    segmentsPerLine: together ? 1 : window.kernelWidth,
    length: together ? window.kernelWidth * channels : channels,
  };
}

/** Bytes that the copies of a tile of `lines` lines take at most, over all images that it touches. */
function copyBytes(lines: number, batch: number, window: Window2D, { reach, columns }: Reading, pixel: number): number {
  const images = Math.min(batch, lines, Math.floor((lines - 2) / window.outputHeight) + 2);
  const inputLines = lines * window.strideHeight + images * Math.max(0, reach - window.strideHeight);
  return inputLines * columns * pixel;
}

/** Computes a convolution whose sums, images and results are not empty; and what waits `beside` it, if anything does. */
export function convolve(convolution: Convolution, execution: Execution, beside?: Beside): void {
  const { images, batch, channels, window, kernel, bias, result, finish } = convolution;
  const lanes = lanesOf(execution.accumulate);
  const layout = rightLayout(lanes, panelVectors(), convolution.right);
  const reading = readingOf(window, lanes, layout.groups, channels);
  const pixel = channels * lanes.bytes;
  const units = batch * window.outputHeight;
  const threads = threadsOf(execution);
  const plan = planTiles(
    {
      units,
      rowsPerUnit: window.outputWidth,
      bytesPerUnit: window.strideHeight * reading.columns * pixel,
      panels: layout.panels.length * layout.groups,
      bytesPerPanel: panelBytes(layout),
    },
    threads,
  );
  const tilePanels = Math.min(layout.panels.length, plan.panels); // a tile does not go on into the next group
  const shared = threads > 1;
  const tilesDown = splitUnits(units, plan.units, shared).count;
  const copies = reading.copied ? copyBytes(plan.units, batch, window, reading, pixel) : 0;
  withRight(execution, layout, tilesDown > 1, kernel, bias, ({ packing, right, bias: biases }) => {
    const scratch = tileScratch(0, layout, packing, plan.units * window.outputWidth, window, reading);
    const run: SimdRun = {
      job: convolveJob,
      reads: [images, right, biases, finish?.map ?? NO_VALUES, finish?.addend ?? NO_VALUES],
      writes: [result.data],
      numbers: [
        ...rightNumbers(layout),
        ...windowNumbers(window),
        packingNumber(packing),
        batch,
        channels,
        plan.units,
        tilePanels,
        result.offset,
        result.image,
        result.line,
        result.position,
        Number(finish?.rectify === true),
        Number(shared),
      ],
      tiles: tilesDown * layout.groups * Math.ceil(layout.panels.length / tilePanels),
      scratch: scratch.end + copies,
    };
    runSimd(execution, run, beside);
  });
}

function tileScratch(
  address: number,
  layout: RightLayout,
  packing: Packing,
  rows: number,
  { kernelHeight }: Window2D,
  { segmentsPerLine }: Reading,
): TileScratch {
  return new TileScratch(address, rows, kernelHeight * segmentsPerLine, scratchPanelBytes(layout, packing));
}

/** Some lines of output, and some panels of one group of its channels. */
export const convolveJob: Job = {
  name: "convolve",
  prepare([images, right, bias, map, addend, scratchMemory, result], numbers) {
    const layout = rightFrom(numbers);
    const { lanes, groups, columns } = layout;
    const window = windowFrom(numbers, RIGHT_NUMBERS);
    const [packingIs, batch, channels, tileLines, tilePanels, offset, image, line, position, rectify, shared] =
      numbers.slice(RIGHT_NUMBERS + WINDOW_NUMBERS);
    const packing = packingFrom(packingIs);
    const reading = readingOf(window, lanes, groups, channels);
    const across = Math.ceil(layout.panels.length / tilePanels);
    const split = splitUnits(batch * window.outputHeight, tileLines, shared === 1);

    const address = scratchAddress(scratchMemory, numbers);
    const scratch = tileScratch(address, layout, packing, tileLines * window.outputWidth, window, reading);
    const pixel = reading.copied ? channels * lanes.bytes : channels * 4;
    const pitch = (reading.copied ? reading.columns : window.inputWidth) * pixel;
    scratch.setSegments(
      window.kernelHeight,
      window.dilationHeight * pitch,
      reading.segmentsPerLine,
      window.dilationWidth * pixel,
    );
    const copyLines = lineCopier(window, reading, lanes, channels, groups);
    const imageBytes = 4 * window.inputHeight * window.inputWidth * channels * groups;
    const multiply = tileMultiplier(
      scratch,
      window.kernelHeight * reading.segmentsPerLine,
      reading.length,
      layout,
      { packing, right, bias },
      batch * window.outputHeight * window.outputWidth,
    );
    const finish = finisher(layout, result.byteOffset, map, addend, rectify === 1, position);
    return (tile) => {
      const block = Math.floor(tile / across);
      const group = block % groups;
      const lines = blockOf(split, Math.floor(block / groups));
      scratch.clearRows();
      let copyAt = scratch.end;
      for (let from = lines.from; from < lines.to; ) {
        const n = Math.floor(from / window.outputHeight);
        const oh = from - n * window.outputHeight;
        const count = Math.min(window.outputHeight - oh, lines.to - from);
        const top = oh * window.strideHeight - window.padTop;
        const imageAt = images.byteOffset + n * imageBytes;
        let first: number;
        if (reading.copied) {
          first = copyAt;
          const height = (count - 1) * window.strideHeight + reading.reach;
          copyAt = copyLines(imageAt + 4 * group * channels, top, height, copyAt);
        } else {
          first = imageAt + top * pitch - window.padLeft * pixel;
        }
        scratch.addRows(
          count,
          window.outputWidth,
          { first, lineStride: window.strideHeight * pitch, stride: window.strideWidth * pixel },
          {
            first: result.byteOffset + 4 * (offset + n * image + oh * line + group * columns),
            lineStride: 4 * line,
            stride: 4 * position,
          },
        );
        from += count;
      }
      const firstPanel = (tile % across) * tilePanels;
      multiply(group, firstPanel, firstPanel + tilePanels);
      // lines of all images follow each other
      finish?.(lines.from * line, (lines.to - lines.from) * window.outputWidth, group, firstPanel, tilePanels);
    };
  },
};

/** Finishes what lies in some panels of a group of `rows` positions, of which the first is `at` values behind the start. */
type Finisher = (at: number, rows: number, group: number, firstPanel: number, count: number) => void;

/** What finishes results at the address `y`, whose positions are `channels` values apart; undefined where nothing follows. */
function finisher(
  { panels, columns }: RightLayout,
  y: number,
  map: FloatArray,
  addend: FloatArray,
  rectify: boolean,
  channels: number,
): Finisher | undefined {
  const adds = addend.length > 0;
  const normalizes = map.length > 0;
  if (!normalizes && !adds && !rectify) return undefined;
  const normalizeKernel = chooseNormalizeKernel(adds, rectify);
  const finishKernel = finishKernels[adds ? (rectify ? "addRectify" : "add") : "rectify"];
  const valuesPerChannel = map.length / channels;
  return (at, rows, group, firstPanel, count) => {
    const from = panels[firstPanel].from;
    const to = panels.at(firstPanel + count)?.from ?? columns;
    const first = group * columns + from;
    const part = {
      y: y + 4 * (at + first),
      addend: addend.byteOffset + 4 * (at + first),
      vectors: (to - from) / LANES,
      rows,
      skip: 4 * (channels - (to - from)),
    };
    if (!normalizes) runKernel(finishKernel, part);
    else runKernel(normalizeKernel, { ...part, x: part.y, map: map.byteOffset + 8 * valuesPerChannel * first });
  };
}

/** Copies `height` lines of the image at an address, from line `top` on, to `to`; returns where the copy ends. */
type LineCopier = (image: number, top: number, height: number, to: number) => number;

/** Copies lines of an image, with zeros for what is outside. */
function lineCopier(
  { inputHeight, inputWidth, padLeft }: Window2D,
  { columns }: Reading,
  lanes: Lanes,
  channels: number,
  groups: number,
): LineCopier {
  const left = Math.max(0, -padLeft); // the first column of the image that is seen, and the one behind the last
  const right = Math.min(inputWidth, columns - padLeft);
  const together = groups === 1;
  const line = columns * channels;
  const lineBytes = line * lanes.bytes;
  const pixelBytes = 4 * channels * groups;
  const copy = copyFunction(lanes);
  return (image, top, height, to) => {
    const above = Math.min(height, Math.max(0, -top));
    const inside = right > left ? Math.max(0, Math.min(inputHeight, top + height) - (top + above)) : 0;
    const below = height - above - inside;
    if (above > 0) copy({ from: image, to, before: above * line, ...NO_RUNS });
    if (inside > 0) {
      copy({
        from: image + ((top + above) * inputWidth + left) * pixelBytes,
        to: to + above * lineBytes,
        runs: together ? 1 : right - left,
        runStride: pixelBytes,
        runLength: together ? (right - left) * channels : channels,
        before: (left + padLeft) * channels,
        after: (columns - padLeft - right) * channels,
        rows: inside,
        rowStride: inputWidth * pixelBytes,
      });
    }
    if (below > 0) copy({ from: image, to: to + (above + inside) * lineBytes, before: below * line, ...NO_RUNS });
    return to + height * lineBytes;
  };
}

/** Of a copy that is zeros. */
const NO_RUNS = { runs: 1, runStride: 0, runLength: 0, after: 0, rows: 1, rowStride: 0 } as const;
