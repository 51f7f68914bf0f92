/**
 * Convolutions on assembled kernels, forward and for the input's gradient.
 *
 * A window at (oh, ow) sees kH runs of kW * C values that lie side by side in the image: the rows of the left operand of a
 * product, with kH segments each (`product-kernel.ts`), and the kernel as a matrix [kH * kW * C, outC] on the right. Rows
 * of neighbouring windows overlap, so nothing is unfolded.
 *
 * A tile is some lines of output, (n, oh) as one index, over all images. What hangs over the border is left out where the
 * kernel is finite (`padding.ts`). Where it is multiplied, where sums are doubles, or with groups, a tile first copies the
 * lines of input that it needs to its thread's scratch memory, with the border as zeros.
 *
 *     x, lines 3 to 6          scratch                         row of the window at (oh, ow), as segments
 *                              0 0 | line 3 | 0 0
 *       line 3..6      ->      0 0 | line 4 | 0 0    ->        (line oh,     columns ow to ow + kW)
 *                              0 0 | line 5 | 0 0              (line oh + 1, columns ow to ow + kW) ...
 *
 * What follows the convolution, in inference a normalization, an addition, a ReLU, is done to float32 sums before they leave the
 * registers. Where sums are doubles, the last panel is not whole, or the addend would be waited for, a tile does it to what it has
 * written while that is in the cache.
 *
 * @module
 */
import type { Beside, Job, PrepareTiles } from "../../parallel/job.js";
import type { FloatArray } from "../../tensor/dtype.js";
import { type Execution, NO_VALUES, threadsOf } from "../execution.js";
import { blockOf } from "../split.js";
import type { Window2D } from "../window.js";
import type { Range } from "./axes.js";
import { planFrom, planNumbers, type ResultPlaces } from "./convolve-plan.js";
import { finishKernels } from "./element-kernels.js";
import { LANES } from "./floats.js";
import {
  alwaysCopies,
  copyBytes,
  lineCopier,
  lineNormalizer,
  type LinePrologue,
  pixelsPerLine,
  type Reading,
  readingOf,
} from "./image-lines.js";
import { lanesOf, singles } from "./lanes.js";
import { type ResultFinish, TileScratch, tileMultiplier } from "./multiply.js";
import { chooseNormalizeKernel } from "./normalize-kernels.js";
import { chooseSkipping, NO_SKIPPING } from "./padding.js";
import { panelBytes, type RightLayout, type RightOperand, rightLayout } from "./panels.js";
import { planTiles, splitUnits } from "./plan.js";
import { FINISH_BITS } from "./product-kernel.js";
import { type Packing, scratchPanelBytes, withRight } from "./right-arrays.js";
import { runSimd, type SimdRun, scratchAddress } from "./run.js";
import { runKernel } from "./thread.js";
import { partsOf, TileRows } from "./tile-rows.js";
import { panelVectors } from "./wide.js";

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
  /** Whether all values of the kernel are finite; asked only where padding could be left out then. */
  readonly isFinite: () => boolean;
  readonly bias: FloatArray;
  readonly result: ResultPlaces & { readonly data: FloatArray };
  /** What is done to the images first, of which windows must see no border; there is one group then. */
  readonly prologue?: LinePrologue | undefined;
  /** What is done to a result that is one contiguous tensor, of whole vectors of columns. */
  readonly finish?: ConvolutionFinish | undefined;
}

/** Tiles of all columns for each thread that are enough. */
const FEWEST_WHOLE = 4;

/**
 * With more columns than these what is added to sums in registers comes from far apart, a line of the cache for each row and at
 * last a page of memory, and is waited for; a pass over whole rows reads it from front to back.
 */
const MOST_ADDED_COLUMNS = 512;

/** What follows a convolution. */
export interface ConvolutionFinish {
  /** What the kernels of `normalize-kernels.ts` read, interleaved, or empty where nothing is normalized. */
  readonly map: FloatArray;
  /** As long as the result, or empty for none. */
  readonly addend: FloatArray;
  readonly rectify: boolean;
}

/**
 * Computes a convolution whose sums, images and results are not empty; and what waits `beside` it, if anything does.
 *
 * Returns false, and has written nothing, where several tiles would have to do the prologue to the same lines, so that threads
 * have enough of them.
 */
export function convolve(convolution: Convolution, execution: Execution, beside?: Beside): boolean {
  const { images, batch, channels, window, kernel, bias, result, prologue, finish } = convolution;
  const lanes = lanesOf(execution.accumulate);
  const layout = rightLayout(lanes, panelVectors(), convolution.right);
  const pixel = channels * lanes.bytes;
  const units = batch * window.outputHeight;
  const threads = threadsOf(execution);
  const plan = planTiles(
    {
      units,
      rowsPerUnit: window.outputWidth,
      bytesPerUnit: pixelsPerLine(window, alwaysCopies(lanes, layout.groups, prologue !== undefined)) * pixel,
      panels: layout.panels.length * layout.groups,
      bytesPerPanel: panelBytes(layout),
    },
    threads,
  );
  const tilesDown = splitUnits(units, plan.units, threads).count;
  const isCut = plan.panels < layout.panels.length;
  if (prologue !== undefined && isCut && tilesDown < FEWEST_WHOLE * threads) return false;
  // a tile does not go on into the next group, and does the prologue for all panels
  const tilePanels = prologue === undefined ? Math.min(layout.panels.length, plan.panels) : layout.panels.length;
  const best = prologue === undefined ? chooseSkipping(window, plan.units, channels) : NO_SKIPPING;
  const skipping = (best.rows || best.columns) && convolution.isFinite() ? best : NO_SKIPPING;
  const reading = readingOf(window, lanes, layout.groups, channels, prologue !== undefined, skipping);
  const copies = reading.copied ? copyBytes(plan.units, batch, window, reading, pixel) + reading.lineBytes : 0;
  withRight(execution, layout, tilesDown > 1, kernel, bias, ({ packing, right, bias: biases }) => {
    const scratch = tileScratch(0, layout, packing, plan.units * window.outputWidth, skipping.groups, window, reading);
    const run: SimdRun = {
      job: convolveJob,
      reads: [images, right, biases, prologue?.map ?? NO_VALUES, finish?.map ?? NO_VALUES, finish?.addend ?? NO_VALUES],
      writes: [result.data],
      numbers: planNumbers({
        ...{ layout, window, packing, batch, channels, tileLines: plan.units, tilePanels, result, threads, skipping },
        ...{ prepares: prologue !== undefined, rectifiesFirst: prologue?.rectify === true },
        rectifies: finish?.rectify === true,
      }),
      tiles: tilesDown * layout.groups * Math.ceil(layout.panels.length / tilePanels),
      scratch: scratch.end + copies,
    };
    runSimd(execution, run, beside);
  });
  return true;
}

function tileScratch(
  address: number,
  layout: RightLayout,
  packing: Packing,
  rows: number,
  kinds: number,
  { kernelHeight }: Window2D,
  { segmentsPerLine }: Reading,
): TileScratch {
  return new TileScratch(address, rows, kinds, kernelHeight * segmentsPerLine, scratchPanelBytes(layout, packing));
}

/** Some lines of output, and some panels of one group of its channels. */
export const convolveJob: Job = {
  name: "convolve",
  prepare: (arrays, numbers) => convolveFor(numbers)(arrays),
  prepareFor: convolveFor,
};

/** What computes tiles of the convolution that `numbers` tell of, given its arrays. */
function convolveFor(numbers: readonly number[]): PrepareTiles {
  const plan = planFrom(numbers);
  const { layout, window, batch, tilePanels, split, geometry, rectifies } = plan;
  const { lanes, groups, columns, panels } = layout;
  const { reading, channels, left } = geometry;
  const { offset, image, line, position } = plan.result;
  const across = Math.ceil(panels.length / tilePanels);
  return ([images, right, bias, before, map, addend, scratchMemory, result]) => {
    const prologue = before.length > 0 ? { map: before, rectify: plan.rectifiesFirst } : undefined;
    const address = scratchAddress(scratchMemory, numbers);
    const mostRows = plan.tileLines * window.outputWidth;
    const kinds = geometry.groups.length;
    const scratch = tileScratch(address, layout, plan.packing, mostRows, kinds, window, reading);
    scratch.setSegments(
      window.kernelHeight,
      window.dilationHeight * left.line,
      reading.segmentsPerLine,
      window.dilationWidth * left.position,
    );
    const copyLines =
      prologue === undefined
        ? lineCopier(window, reading, lanes, channels, groups)
        : lineNormalizer(window, reading, lanes, channels, prologue, scratch.end);
    const copiesAt = scratch.end + reading.lineBytes;
    const rows = new TileRows(geometry, scratch);
    const canFinishSums = lanes === singles && plan.hasWholePanels;
    const finishesSums = canFinishSums && (addend.length === 0 || columns <= MOST_ADDED_COLUMNS);
    const multiply = tileMultiplier(
      scratch,
      reading.length,
      layout,
      { packing: plan.packing, right, bias },
      batch * window.outputHeight * window.outputWidth,
      finishesSums ? resultFinish(result, map, addend, rectifies) : undefined,
    );
    const finish = finishesSums ? undefined : finisher(layout, result.byteOffset, map, addend, rectifies, position);
    /** Copies what a block of lines of a group sees. */
    const copyBlock = (group: number, lines: Range): void => {
      for (const part of partsOf(geometry, lines)) {
        const from = images.byteOffset + part.image * left.image + 4 * group * channels;
        copyLines(from, part.outputs.from * window.strideHeight - window.padTop, part.height, copiesAt + part.seenAt);
      }
    };
    /** Where what the window at (n, oh, 0) sees begins, were there an image on all sides. */
    const seenAt = (n: number, oh: number): number =>
      images.byteOffset +
      n * left.image +
      (oh * window.strideHeight - window.padTop) * left.line -
      window.padLeft * left.position;
    let copied = -1;
    return (tile) => {
      const block = Math.floor(tile / across);
      const group = block % groups;
      const lines = blockOf(split, Math.floor(block / groups));
      const n = Math.floor(lines.from / window.outputHeight);
      const oh = lines.from - n * window.outputHeight;
      rows.hold(oh, lines.to - lines.from);
      if (reading.copied && block !== copied) copyBlock(group, lines); // the tile before may have had other panels only
      copied = block;
      const firstPanel = (tile % across) * tilePanels;
      const a = reading.copied ? copiesAt : seenAt(n, oh);
      const c = result.byteOffset + 4 * (offset + n * image + oh * line + group * columns);
      multiply(group, firstPanel, firstPanel + tilePanels, a, c);
      // lines of all images follow each other
      finish?.(lines.from * line, (lines.to - lines.from) * window.outputWidth, group, firstPanel, tilePanels);
    };
  };
}

/** What product kernels are told that shall finish `result`. */
function resultFinish(result: FloatArray, map: FloatArray, addend: FloatArray, rectify: boolean): ResultFinish {
  return {
    finishes:
      (map.length > 0 ? FINISH_BITS.normalize : 0) +
      (addend.length > 0 ? FINISH_BITS.add : 0) +
      (rectify ? FINISH_BITS.rectify : 0),
    map: map.byteOffset,
    addend: addend.byteOffset - result.byteOffset,
  };
}

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
  const normalizeKernel = chooseNormalizeKernel(map, adds, rectify);
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
    else
      runKernel(normalizeKernel, {
        ...part,
        x: part.y,
        skipWritten: part.skip,
        map: map.byteOffset + map.BYTES_PER_ELEMENT * valuesPerChannel * first,
      });
  };
}
