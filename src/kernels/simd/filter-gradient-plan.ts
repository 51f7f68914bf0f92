/**
 * How the filter gradient is cut: into tiles, which threads share, and each tile's positions into blocks, which stay in
 * the cache.
 *
 * A tile is a block of dKernel, [taps, channels, filters] of one group, and reads all positions. It should be large:
 * what is read of a pixel serves 2 * taps * filters, or 2 * taps * channels, operations. But its sums must stay in the
 * second cache, and every thread needs a tile; more tiles would share the work more evenly, but lose more by reading.
 * Where threads would have none, blocks of channels are halved first, then those of filters, then those of taps.
 *
 * @module
 */
import { onceForNumbers } from "../once-for-numbers.js";
import { blockOf, type Split, splitEvenly } from "../split.js";
import { WINDOW_NUMBERS, type Window2D, window2D, windowFrom, windowNumbers } from "../window.js";
import type { Range } from "./axes.js";
import { doubles, type Lanes, PANEL_VECTORS, singles } from "./lanes.js";
import { type OuterProductKernels, outerProductKernels, GROUP } from "./outer-product-kernels.js";

/** The most sums in a tile: 256 KiB of float32, or twice that of float64. */
const MOST_SUMS = 65_536;
/** The most channels and filters in a tile: beyond these, packing costs next to nothing. */
const MOST_ACROSS = 512;
/** About how many bytes of x and dy a block of positions has, and how many positions at most. */
const BLOCK_BYTES = 196_608;
const MOST_POSITIONS = 2048;

/** A grid of positions. */
export interface Grid {
  readonly images: number;
  readonly rows: number;
  readonly columns: number;
}

/** What is to be computed. */
export interface FilterGradientShape {
  readonly batch: number;
  readonly channels: number;
  readonly filters: number;
  readonly groups: number;
  readonly window: Window2D;
}

/** What all tiles have in common. */
export interface Plan extends FilterGradientShape {
  readonly kernels: OuterProductKernels;
  /** Whether panels are of channels, and groups of filters: where there are too few filters for a panel. */
  readonly turned: boolean;
  /** How the taps, and the channels and filters of a group, are shared between tiles. */
  readonly taps: Split;
  readonly groupChannels: Split;
  readonly groupFilters: Split;
  /** The most positions in a block. */
  readonly positions: Grid;
}

/** One block of dKernel. Channels and filters are counted within their group. */
export interface FilterTile {
  readonly group: number;
  readonly taps: Range;
  readonly channels: Range;
  readonly filters: Range;
}

/** The plan for `threads` threads, in panels of at most `vectors` vectors. */
export function planFilterGradient(whole: FilterGradientShape, lanes: Lanes, vectors: number, threads: number): Plan {
  const shape = flattened(whole);
  const { batch, channels, filters, groups, window } = shape;
  const turned = filters / groups <= GROUP && channels / groups > GROUP;
  const kernels = outerProductKernels(lanes, panelFor((turned ? channels : filters) / groups, lanes, vectors));
  const units = unitsOf(kernels, turned);
  let taps = splitEvenly(window.kernelHeight * window.kernelWidth, Number.POSITIVE_INFINITY, 1);
  let groupChannels = splitEvenly(channels / groups, MOST_ACROSS, units.channels);
  let groupFilters = splitEvenly(filters / groups, MOST_ACROSS, units.filters);
  const tooLarge = (): boolean => taps.size * groupChannels.size * groupFilters.size > MOST_SUMS;
  const tooFew = (): boolean => groups * taps.count * groupChannels.count * groupFilters.count < threads;
  while (tooLarge() && groupChannels.size > 32) groupChannels = halved(groupChannels, units.channels);
  while (tooLarge() && taps.size > 1) taps = halved(taps, 1);
  while (tooFew() && groupChannels.size > units.channels) groupChannels = halved(groupChannels, units.channels);
  while (tooFew() && groupFilters.size > units.filters) groupFilters = halved(groupFilters, units.filters);
  while (tooFew() && taps.size > 1) taps = halved(taps, 1);
  const pixels = groupChannels.size * window.strideHeight * window.strideWidth + groupFilters.size;
  const most = Math.min(MOST_POSITIONS, Math.ceil(BLOCK_BYTES / lanes.bytes / pixels));
  return { ...shape, kernels, turned, taps, groupChannels, groupFilters, positions: positionGrid(window, batch, most) };
}

/** How many channels and filters the kernels take together: a group of one, and a panel of the other. */
function unitsOf({ width }: OuterProductKernels, turned: boolean): { channels: number; filters: number } {
  return turned ? { channels: width, filters: GROUP } : { channels: GROUP, filters: width };
}

/** How channels and filters are cut in a tile of a plan. */
export function tileUnits({ kernels, turned, groupChannels, groupFilters }: Plan): {
  /** Those that the kernels take together. */
  readonly channels: number;
  readonly filters: number;
  /** Groups that are multiplied with panels. */
  readonly groups: number;
  readonly panels: number;
} {
  const { channels, filters } = unitsOf(kernels, turned);
  const ofChannels = Math.ceil(groupChannels.size / channels);
  const ofFilters = Math.ceil(groupFilters.size / filters);
  const [groups, panels] = turned ? [ofFilters, ofChannels] : [ofChannels, ofFilters];
  return { channels, filters, groups, panels };
}

/** Where every window is one pixel and every pixel is in one window, all images are one row of pixels. */
function flattened(shape: FilterGradientShape): FilterGradientShape {
  const { batch, window } = shape;
  const { inputHeight, inputWidth, outputHeight, outputWidth } = window;
  if (window.kernelHeight * window.kernelWidth > 1 || batch === 0) return shape;
  if (inputHeight !== outputHeight || inputWidth !== outputWidth || window.padTop + window.padLeft > 0) return shape;
  const pixels = batch * inputHeight * inputWidth;
  return { ...shape, batch: 1, window: window2D([1, pixels], [1, 1], [1, 1], "valid", [1, 1]) };
}

/** Vectors of the narrowest panel that holds all filters of a group; else `most`. */
function panelFor(filters: number, { perVector }: Lanes, most: number): number {
  return PANEL_VECTORS.findLast((vectors) => vectors < most && vectors * perVector >= filters) ?? most;
}

/** Blocks of half the size. */
function halved({ total, size }: Split, unit: number): Split {
  return splitEvenly(total, Math.ceil(size / 2 / unit) * unit, unit);
}

/** A block of about `most` positions: whole images, or whole rows of one, or a part of a row. */
export function positionGrid({ outputHeight, outputWidth }: Window2D, batch: number, most: number): Grid {
  if (outputWidth > most) return { images: 1, rows: 1, columns: splitEvenly(outputWidth, most, 1).size };
  const rows = Math.floor(most / outputWidth);
  if (outputHeight > rows) return { images: 1, rows: splitEvenly(outputHeight, rows, 1).size, columns: outputWidth };
  const images = Math.floor(most / (outputHeight * outputWidth));
  return { images: splitEvenly(batch, images, 1).size, rows: outputHeight, columns: outputWidth };
}

/** How many tiles there are. */
export function countTiles({ groups, taps, groupChannels, groupFilters }: Plan): number {
  return groups * taps.count * groupChannels.count * groupFilters.count;
}

/** Tile number `index`. */
export function filterTile({ taps, groupChannels, groupFilters }: Plan, index: number): FilterTile {
  const tap = Math.floor(index / taps.count);
  const channel = Math.floor(tap / groupChannels.count);
  return {
    taps: blockOf(taps, index % taps.count),
    channels: blockOf(groupChannels, tap % groupChannels.count),
    filters: blockOf(groupFilters, channel % groupFilters.count),
    group: Math.floor(channel / groupFilters.count),
  };
}

/** The plan as numbers for a job, to be read back with {@link planFrom}. */
export function planNumbers(plan: Plan): number[] {
  const { batch, channels, filters, groups, kernels } = plan;
  const { images, rows, columns } = plan.positions;
  return [
    batch,
    channels,
    filters,
    groups,
    kernels.lanes.bytes,
    kernels.vectors,
    Number(plan.turned),
    plan.taps.size,
    plan.groupChannels.size,
    plan.groupFilters.size,
    images,
    rows,
    columns,
    ...windowNumbers(plan.window),
  ];
}

/** Numbers that a plan takes. */
export const PLAN_NUMBERS: number = 13 + WINDOW_NUMBERS;

/** The plan that {@link planNumbers} wrote at the start of `numbers`. */
export const planFrom: (numbers: readonly number[]) => Plan = onceForNumbers(PLAN_NUMBERS, readPlan);

function readPlan(numbers: readonly number[]): Plan {
  const [batch, channels, filters, groups, bytes, vectors, turned] = numbers;
  const [tapSize, channelSize, filterSize, images, rows, columns] = numbers.slice(7, 13);
  const window = windowFrom(numbers, 13);
  const split = (total: number, size: number): Split => ({ total, size, count: Math.ceil(total / size) });
  return {
    batch,
    channels,
    filters,
    groups,
    window,
    kernels: outerProductKernels(bytes === 4 ? singles : doubles, vectors),
    turned: turned === 1,
    taps: split(window.kernelHeight * window.kernelWidth, tapSize),
    groupChannels: split(channels / groups, channelSize),
    groupFilters: split(filters / groups, filterSize),
    positions: { images, rows, columns },
  };
}
