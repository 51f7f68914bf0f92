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
 * Where a normalization is done to x on the way, the channels of the tile in all pixels of the block are first written
 * beside each other, normalized, as the layer before the convolution would have left them in memory.
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
import { LANES } from "./floats.js";
import type { ImageOperand, Operand, Pixels, Positions } from "./tap-products.js";
import { runKernel } from "./thread.js";
import type { Window2D } from "../window.js";

/** The longest pixels, in bytes, that are read where they lie; and those if each value is for many products. */
const LONGEST_PIXEL = 256;
const LONGEST_BUSY_PIXEL = 64;
/** Of how many products a value must be for its copy to cost less than it gains. */
const MANY_PRODUCTS = 144;

/** Panels begin at different sets of the cache. */
const STAGGER = 64;

/** What is done to the pixels of x, of which every one is in one window at most, before a tile reads them. */
export interface PixelPrologue {
  /** One of the kernels of `normalize-kernels.ts`, the parameters in their order. */
  readonly normalize: (...values: number[]) => void;
  /** Addresses of the numbers of the tile's channels, and of room for {@link preparedBytes}. */
  readonly map: number;
  readonly room: number;
}

/** Bytes that the pixels of a block take after a {@link PixelPrologue}. */
export function preparedBytes({ positions, groupChannels }: Plan): number {
  return 4 * countOf(positions) * groupChannels.size;
}

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
interface PixelSize {
  /** Bytes from a pixel to the next. */
  readonly bytes: number;
  /** Values of it that are in the tile, and how many values of the other operand each tap multiplies each of them with. */
  readonly values: number;
  readonly partners: number;
  /** Whether they are read in panels: these are whole vectors, so panels that are not full must be copied. */
  readonly inPanels: boolean;
}

/** Whether pixels are copied for a tile. */
function isPacked({ kernels }: Plan, { taps }: FilterTile, { bytes, values, partners, inPanels }: PixelSize): boolean {
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

/** The channels of `tile` in all pixels that `block` sees, after the prologue; packed to `scratch` if need be. */
export function imageOperand(
  plan: Plan,
  tile: FilterTile,
  block: Positions,
  x: number,
  scratch: number,
  prologue?: PixelPrologue,
): ImageOperand {
  const { kernels, turned } = plan;
  const unit = tileUnits(plan).channels;
  const values = tile.channels.to - tile.channels.from;
  const partners = tile.filters.to - tile.filters.from;
  const inMemory = pixelsInMemory(plan, tile, block, x);
  const pixels = prologue === undefined ? inMemory : preparedPixels(plan, tile, block, inMemory, prologue);
  if (!isPacked(plan, tile, { bytes: pixels.column, values, partners, inPanels: turned })) {
    const { address, column, row, image, rows, columns } = pixels;
    return { address, column, row, image, panel: 4 * unit, rows, columns };
  }
  const packed = pixelsSeen(plan, block, scratch, unit * kernels.lanes.bytes);
  const panel = (block.images.to - block.images.from) * packed.image + STAGGER;
  const pack = turned ? kernels.packPanels : kernels.packGroups;
  forEachRun(pixels, packed, block, (from, to, count, fromStep) => {
    runKernel(pack, { from, to, count, fromStep, columns: values, panelBytes: panel });
  });
  const { address, column, row, image, rows, columns } = packed;
  return { address, column, row, image, panel, rows, columns };
}

/** The channels of `tile` in all pixels of the images of `block`, where the tensor at the address `x` has them. */
function pixelsInMemory(
  { window: { inputHeight, inputWidth }, channels, groups }: Plan,
  { group, channels: { from } }: FilterTile,
  { images }: Positions,
  x: number,
): Pixels {
  const column = 4 * channels;
  const row = inputWidth * column;
  const image = inputHeight * row;
  return {
    address: x + images.from * image + 4 * (group * (channels / groups) + from),
    column,
    row,
    image,
    rows: { first: 0, step: 1, count: inputHeight },
    columns: { first: 0, step: 1, count: inputWidth },
  };
}

/** Pixels of `column` bytes, those alone that `block` sees, at `address`. */
function pixelsSeen({ window }: Plan, block: Positions, address: number, column: number): Pixels {
  const rows = inputsSeen(block.rows, verticalAxis(window));
  const columns = inputsSeen(block.columns, horizontalAxis(window));
  const row = columns.count * column;
  return { address, column, row, image: rows.count * row, rows, columns };
}

/**
 * Calls `move` for runs of `count` pixels that `to` has one behind the other, and `from` `fromStep` bytes apart: rows that
 * follow each other in memory in one go.
 */
function forEachRun(
  from: Pixels,
  to: Pixels,
  { images }: Positions,
  move: (from: number, to: number, count: number, fromStep: number) => void,
): void {
  const { rows, columns } = to;
  const rowStep = rows.step / from.rows.step;
  const columnStep = columns.step / from.columns.step;
  const together = rowStep === 1 && columnStep === 1 && columns.count === from.columns.count ? rows.count : 1;
  const count = together * columns.count;
  if (count === 0) return;
  const first =
    from.address +
    ((rows.first - from.rows.first) / from.rows.step) * from.row +
    ((columns.first - from.columns.first) / from.columns.step) * from.column;
  for (let n = 0; n < images.to - images.from; n++) {
    for (let r = 0; r < rows.count; r += together) {
      const fromRow = first + n * from.image + r * rowStep * from.row;
      move(fromRow, to.address + n * to.image + r * to.row, count, columnStep * from.column);
    }
  }
}

/** The channels of `tile` in the pixels that `block` sees, after the prologue. */
function preparedPixels(
  plan: Plan,
  tile: FilterTile,
  block: Positions,
  pixels: Pixels,
  { normalize, map, room }: PixelPrologue,
): Pixels {
  const bytes = 4 * (tile.channels.to - tile.channels.from);
  const vectors = bytes / (4 * LANES);
  const prepared = pixelsSeen(plan, block, room, bytes);
  forEachRun(pixels, prepared, block, (from, to, count, fromStep) => {
    normalize(from, map, 0, to, vectors, count, fromStep - bytes, 0);
  });
  return prepared;
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
