/**
 * What both ways to weigh pixels in depthwise convolution share: what is weighed, filters in panels of channels, and tiles.
 *
 * @module
 */
import type { FloatArray } from "../../tensor/dtype.js";
import { blockOf, type Split, splitEvenly } from "../split.js";
import type { Window2D } from "../window.js";
import type { Range } from "./axes.js";
import type { ResultPlaces } from "./convolve.js";
import type { DepthwiseKernels } from "./depthwise-kernels.js";
import { outerProductKernels } from "./outer-product-kernels.js";
import type { PackKernel } from "./panel-kernels.js";
import { runKernel } from "./thread.js";

/** How `source` [planes, batch, H, W, channels] and `kernel` [planes, all taps, channels] are read. A tap sums over planes. */
export interface Operands {
  readonly planes: number;
  readonly batch: number;
  readonly channels: number;
  /** The tap in `kernel` that is the first of the window, and the steps to that of the next row and column. */
  readonly firstTap: number;
  readonly rowTap: number;
  readonly columnTap: number;
}

/** What is weighed. */
export interface Weighing extends Operands {
  readonly source: FloatArray;
  readonly kernel: FloatArray;
  /** Whether all values of the kernel are finite; asked only where padding could be left out then. */
  readonly isFinite: () => boolean;
  readonly bias: FloatArray;
  readonly window: Window2D;
  readonly result: ResultPlaces;
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

/** Packs the filters and biases of `count` channels from `first` on. */
export function packFilters(
  kernels: DepthwiseKernels,
  { planes, channels, firstTap, rowTap, columnTap }: Operands,
  { kernelHeight, kernelWidth }: Window2D,
  packed: PackedFilters,
  kernel: FloatArray,
  bias: FloatArray,
  first: number,
  count: number,
): void {
  const packPanels = packPanelsOf(kernels);
  const pixel = 16 * kernels.vectors;
  const pack = (from: number, to: number, panel: number): void =>
    runKernel(packPanels, { from, to, count: 1, fromStep: 0, columns: count, panelBytes: panel });
  for (let kh = 0, to = packed.filter; kh < kernelHeight; kh++) {
    for (let kw = 0; kw < kernelWidth; kw++) {
      for (let plane = 0; plane < planes; plane++, to += pixel) {
        const at = (plane * kernel.length) / planes + (firstTap + kh * rowTap + kw * columnTap) * channels + first;
        pack(kernel.byteOffset + 4 * at, to, packed.filterPanel);
      }
    }
  }
  if (bias.length > 0) pack(bias.byteOffset + 4 * first, packed.bias, pixel);
}
