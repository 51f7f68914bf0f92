/**
 * What both ways to weigh pixels in depthwise convolution share: what is weighed, filters in panels of channels, and tiles.
 *
 * @module
 */
import type { FloatArray } from "../../tensor/dtype.js";
import { blockOf, type Split, splitEvenly } from "../split.js";
import type { Window2D } from "../window.js";
import type { Range } from "./axes.js";
import type { DepthwiseKernels } from "./depthwise-kernels.js";
import { outerProductKernels } from "./outer-product-kernels.js";
import type { PackKernel } from "./panel-kernels.js";
import { kernelFunction } from "./thread.js";

/**
 * What is weighed: `source` [planes, batch, H, W, channels] with `kernel` [planes, taps, channels], where a tap sums over planes, and
 * with a bias or none.
 */
export interface Weighing {
  readonly source: FloatArray;
  readonly kernel: FloatArray;
  readonly bias: FloatArray;
  readonly out: FloatArray;
  readonly planes: number;
  readonly batch: number;
  readonly channels: number;
  readonly window: Window2D;
  /** Whether it is the gradient for the input of `window`. */
  readonly isBack: boolean;
  /** Whether all values of the kernel are finite; asked only where padding is left out. */
  readonly isFinite: () => boolean;
}

/** Channels of a panel. */
export function widthOf({ lanes, vectors }: DepthwiseKernels): number {
  return vectors * lanes.perVector;
}

/** How many tiles a thread should have, so that one that was held up leaves the others something to take. */
const TILES_PER_THREAD = 4;
/** Rows that a tile should have at least: neighbours both read the lines between them. */
const FEWEST_ROWS = 8;

/** How the rows of outputs of an image, and its channels, are cut into tiles. */
export interface Tiles {
  readonly rows: Split;
  readonly across: Split;
}

/** Tiles of at most `most` panels of `width` channels, but enough of them for all threads. */
export function cutTiles(
  outputHeight: number,
  batch: number,
  channels: number,
  width: number,
  most: number,
  threads: number,
): Tiles {
  const allPanels = Math.ceil(channels / width);
  const wanted = threads === 1 ? 1 : TILES_PER_THREAD * threads;
  const few = Math.min(outputHeight, FEWEST_ROWS);
  let panels = Math.max(1, Math.min(allPanels, most));
  let rows = outputHeight;
  const count = (): number => batch * Math.ceil(outputHeight / rows) * Math.ceil(allPanels / panels);
  while (count() < wanted && rows > few) rows = Math.ceil(rows / 2);
  while (count() < wanted && panels > 1) panels = Math.ceil(panels / 2);
  while (count() < wanted && rows > 1) rows = Math.ceil(rows / 2);
  return { rows: splitEvenly(outputHeight, rows, 1), across: splitEvenly(channels, panels * width, width) };
}

/** How many tiles a thread should have of those that all read the same pixels. */
const CHANNEL_TILES_PER_THREAD = 2;
/** Bytes of a pixel that such a tile should read at least: lines of the cache come from memory in pairs. */
const FEWEST_PIXEL_BYTES = 128;

/** Tiles of all outputs of at most `most` panels of `width` channels, for the gradient for the kernel; as many as threads can use. */
export function cutChannels(channels: number, width: number, most: number, threads: number): Split {
  const panelsFor = (tiles: number): number => Math.ceil(channels / tiles / width);
  const fewest = Math.min(panelsFor(threads), Math.ceil(FEWEST_PIXEL_BYTES / (4 * width)));
  const wanted = threads === 1 ? 1 : CHANNEL_TILES_PER_THREAD * threads;
  const panels = Math.max(1, Math.min(most, Math.max(fewest, panelsFor(wanted))));
  return splitEvenly(channels, panels * width, width);
}

/** The kernel that packs channels in panels; those of filters are as wide. */
export function packPanelsOf({ lanes, vectors }: DepthwiseKernels): PackKernel {
  return outerProductKernels(lanes, vectors).packPanels;
}

/** What tile `index` is: some rows of outputs of image `n`, and some of its channels. */
export function depthwiseTile({ rows, across }: Tiles, index: number): { n: number; down: Range; channels: Range } {
  const strip = Math.floor(index / across.count);
  const n = Math.floor(strip / rows.count);
  return { n, down: blockOf(rows, strip % rows.count), channels: blockOf(across, index % across.count) };
}

/** Where filters and biases are packed. */
export interface PackedFilters {
  /** [panel][tap][channels of the panel], and bytes from one panel to the next. */
  readonly filter: number;
  readonly filterPanel: number;
  readonly bias: number;
}

/** Packs the filters and biases of `count` channels from `first` on, of the `taps` of each of `planes`, in this order. */
export function packFilters(
  kernels: DepthwiseKernels,
  planes: number,
  taps: readonly number[],
  packed: PackedFilters,
  kernel: FloatArray,
  bias: FloatArray,
  channels: number,
  first: number,
  count: number,
): void {
  const run = kernelFunction(packPanelsOf(kernels)); // from, to, count, fromStep, columns, panelBytes
  const pixel = 16 * kernels.vectors;
  let to = packed.filter;
  for (const tap of taps) {
    for (let plane = 0; plane < planes; plane++, to += pixel) {
      const at = (plane * kernel.length) / planes + tap * channels + first;
      run(kernel.byteOffset + 4 * at, to, 1, 0, count, packed.filterPanel);
    }
  }
  if (bias.length > 0) run(bias.byteOffset + 4 * first, packed.bias, 1, 0, count, pixel);
}
