/**
 * The two operands of the filter gradient in a block of positions: where pixels of x and of dy are read.
 *
 * Short pixels are read where they lie. A tile that reads 16 bytes of every long pixel would use a small part of each
 * line, and lines that far apart fall on few sets of the cache. There, and where sums are kept in float64, the channels
 * and filters of the tile are first copied into panels as wide as a tile of registers: x as [panel][pixel][4], only
 * those pixels that the block sees, dy as [panel][position][filters of the panel]; the other way round in a plan that is
 * turned. The more products a value is for, the
 * sooner that pays: a 3x3 kernel of 32 channels and filters takes a fifth less time, a 1x1 kernel of 64 more.
 *
 * A 1x1 kernel has so little to compute for each pixel that it would mostly wait for the next ones. So its blocks are fetched
 * before they are used.
 *
 * @module
 */
import { CACHE_LINE } from "../../tensor/heap.js";
import { type Axis, horizontalAxis, inputsSeen, type Range, verticalAxis } from "./axes.js";
import { fetchLines } from "./fetch-kernel.js";
import { type FilterTile, type Grid, type Plan, tileUnits } from "./filter-gradient-plan.js";
import type { ImageOperand, Operand, Positions } from "./tap-products.js";
import { runKernel } from "./thread.js";
import type { Window2D } from "../window.js";

/** The longest pixels, in bytes, that are read where they lie; and those if each value is for many products. */
const LONGEST_PIXEL = 256;
const LONGEST_BUSY_PIXEL = 64;
/** Of how many products a value must be for its copy to cost less than it gains. */
const MANY_PRODUCTS = 144;

/** Panels begin at different sets of the cache. */
const STAGGER = 64;

/** Bytes of scratch memory for packed pixels of x, and of dy. */
export function packedBytes(plan: Plan): { x: number; dy: number } {
  const { window, positions, kernels, groupChannels, groupFilters } = plan;
  const most = (outputs: number, axis: Axis): number =>
    axis.kernel === 1
      ? outputs
      : Math.min(axis.input, (outputs - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1);
  const pixels =
    positions.images * most(positions.rows, verticalAxis(window)) * most(positions.columns, horizontalAxis(window));
  const units = tileUnits(plan);
  const { bytes } = kernels.lanes;
  return {
    x: Math.ceil(groupChannels.size / units.channels) * (pixels * units.channels * bytes + STAGGER),
    dy: Math.ceil(groupFilters.size / units.filters) * (countOf(positions) * units.filters * bytes + STAGGER),
  };
}

/** What tells whether the pixels of an operand are copied for a tile. */
interface Pixels {
  /** Bytes of a pixel of the tensor. */
  readonly bytes: number;
  /** Values of it that are in the tile, and how many values of the other operand each tap multiplies each of them with. */
  readonly values: number;
  readonly partners: number;
  /** Whether they are read in panels: these are whole vectors, so panels that are not full must be copied. */
  readonly inPanels: boolean;
}

/** Whether pixels are copied for a tile. */
function isPacked({ kernels }: Plan, { taps }: FilterTile, { bytes, values, partners, inPanels }: Pixels): boolean {
  const isBusy = (taps.to - taps.from) * partners >= MANY_PRODUCTS;
  const isLong = bytes > (isBusy ? LONGEST_BUSY_PIXEL : LONGEST_PIXEL);
  return kernels.lanes.bytes === 8 || isLong || (inPanels && values % kernels.width > 0);
}

function countOf({ images, rows, columns }: Grid): number {
  return images * rows * columns;
}

/**
 * Fetches the pixels of a block of a plan whose images are one row of pixels, each a position: those of which the tile reads
 * most lines of the cache. Of longer ones the other lines belong to other threads.
 */
export function fetchPixels(
  { batch, window, channels, filters }: Plan,
  tile: FilterTile,
  block: Positions,
  x: number,
  dy: number,
): void {
  const { kernelHeight, kernelWidth, inputHeight, inputWidth, outputWidth } = window;
  if (kernelHeight * kernelWidth > 1 || batch * inputHeight > 1 || inputWidth !== outputWidth) return;
  const linesOf = (values: number): number => Math.ceil((4 * values) / CACHE_LINE);
  const fetch = (pixels: number, values: number, { from, to }: Range): void => {
    if (2 * linesOf(to - from) <= linesOf(values)) return;
    const at = (column: number): number => pixels + 4 * values * column;
    runKernel(fetchLines, { from: at(block.columns.from), end: at(block.columns.to) });
  };
  fetch(x, channels, tile.channels);
  fetch(dy, filters, tile.filters);
}

/** The channels of `tile` in all pixels that `block` sees; packed to `scratch` if need be. */
export function imageOperand(plan: Plan, tile: FilterTile, block: Positions, x: number, scratch: number): ImageOperand {
  const { window, channels, groups, kernels, turned } = plan;
  const unit = tileUnits(plan).channels;
  const tileChannels = tile.channels.to - tile.channels.from;
  const pixel = 4 * channels;
  const row = window.inputWidth * pixel;
  const image = window.inputHeight * row;
  const from = x + block.images.from * image + 4 * (tile.group * (channels / groups) + tile.channels.from);
  const partners = tile.filters.to - tile.filters.from;
  if (!isPacked(plan, tile, { bytes: pixel, values: tileChannels, partners, inPanels: turned })) {
    const rows = { first: 0, step: 1, count: window.inputHeight };
    const columns = { first: 0, step: 1, count: window.inputWidth };
    return { address: from, column: pixel, row, image, panel: 4 * unit, rows, columns };
  }
  const rows = inputsSeen(block.rows, verticalAxis(window));
  const columns = inputsSeen(block.columns, horizontalAxis(window));
  const images = block.images.to - block.images.from;
  const packedPixel = unit * kernels.lanes.bytes;
  const panel = images * rows.count * columns.count * packedPixel + STAGGER;
  // rows that follow each other in memory are copied in one go
  const together = rows.step === 1 && columns.step === 1 && columns.count === window.inputWidth ? rows.count : 1;
  const count = together * columns.count;
  for (let n = 0, to = scratch; n < images && count > 0; n++) {
    for (let r = 0; r < rows.count; r += together, to += count * packedPixel) {
      runKernel(turned ? kernels.packPanels : kernels.packGroups, {
        from: from + n * image + (rows.first + r * rows.step) * row + columns.first * pixel,
        to,
        count,
        fromStep: columns.step * pixel,
        columns: tileChannels,
        panelBytes: panel,
      });
    }
  }
  return {
    address: scratch,
    column: packedPixel,
    row: columns.count * packedPixel,
    panel,
    rows,
    columns,
    image: rows.count * columns.count * packedPixel,
  };
}

/** The first position of a block, and how many follow each other from there: whole images, whole rows of one, or a part of one. */
export function positionRow(
  { outputHeight, outputWidth }: Window2D,
  { images, rows, columns }: Positions,
): { readonly first: number; readonly count: number } {
  return {
    first: (images.from * outputHeight + rows.from) * outputWidth + columns.from,
    count: (images.to - images.from) * (rows.to - rows.from) * (columns.to - columns.from),
  };
}

/** The filters of `tile` at all positions of `block`; packed to `scratch` if need be. */
export function gradientOperand(plan: Plan, tile: FilterTile, block: Positions, dy: number, scratch: number): Operand {
  const { window, filters, groups, kernels, turned } = plan;
  const unit = tileUnits(plan).filters;
  const columns = block.columns.to - block.columns.from;
  const rows = block.rows.to - block.rows.from;
  const tileFilters = tile.filters.to - tile.filters.from;
  const { first, count } = positionRow(window, block);
  const from = dy + 4 * (first * filters + tile.group * (filters / groups) + tile.filters.from);
  const partners = tile.channels.to - tile.channels.from;
  if (!isPacked(plan, tile, { bytes: 4 * filters, values: tileFilters, partners, inPanels: !turned })) {
    const pixel = 4 * filters;
    return { address: from, column: pixel, row: columns * pixel, image: rows * columns * pixel, panel: 4 * unit };
  }
  const pixel = unit * kernels.lanes.bytes;
  const panel = count * pixel + STAGGER;
  runKernel(turned ? kernels.packGroups : kernels.packPanels, {
    from,
    to: scratch,
    count,
    fromStep: 4 * filters,
    columns: tileFilters,
    panelBytes: panel,
  });
  return { address: scratch, column: pixel, row: columns * pixel, image: rows * columns * pixel, panel };
}
