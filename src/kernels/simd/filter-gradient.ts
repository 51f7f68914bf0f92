/**
 * The filter gradient of convolution on the vector unit.
 *
 *     dKernel[kh, kw, c, f] = sum over n, oh, ow of padded x[n, oh*sH + kh*dH, ow*sW + kw*dW, c] * dy[n, oh, ow, f]
 *
 * For one tap (kh, kw) this is a sum of outer products, a pixel of x times a pixel of dy, over the positions (n, oh, ow).
 * A tile of the job is a block of dKernel: some taps, channels and filters. It runs through the positions in blocks that
 * stay in the cache, and for each of them through its taps, while the sums rest unrounded in scratch memory. No patch is
 * ever copied: the positions of a block are a grid in x as they are in dy.
 *
 * **Padding.** The positions at which a tap lies in the padding are left out of its grid. Their terms are 0 * dy, which
 * is +0 or -0, or NaN where dy is infinite or NaN. Adding a zero never changes a sum that began at +0, since such a sum
 * is never -0: only (-0) + (-0) is. And NaN stays, whenever it was added. So these terms are summed apart, once for all
 * channels, and added at the end: the bits are those of the sum in its order.
 *
 * @module
 */
import type { Job } from "../../parallel/job.js";
import { contiguous, empty, type Tensor } from "../../tensor/tensor.js";
import type { Execution } from "../execution.js";
import type { Window2D } from "../window.js";
import { lanesOf } from "./lanes.js";
import { GROUP } from "./outer-product-kernels.js";
import {
  gradientOperand,
  horizontalAxis,
  type ImageOperand,
  imageOperand,
  type Operand,
  outputsInside,
  type Positions,
  packedBytes,
  verticalAxis,
} from "./filter-gradient-operands.js";
import {
  countTiles,
  type FilterTile,
  filterTile,
  type Plan,
  planFilterGradient,
  planFrom,
  planNumbers,
  type Range,
} from "./filter-gradient-plan.js";
import { runSimd, scratchAddress } from "./run.js";
import { kernelFunction, runKernel } from "./thread.js";
import { panelVectors } from "./wide.js";

/** Where a tile keeps what, as addresses. */
interface Scratch {
  readonly zeros: number;
  readonly sums: number;
  /** Of one tap. */
  readonly tapSums: number;
  readonly padding: number;
  readonly tapPadding: number;
  readonly x: number;
  readonly dy: number;
  readonly end: number;
}

const CACHE_LINE = 64;

/** How a tile uses the scratch memory at `zeros`. */
function scratchFrom(zeros: number, plan: Plan): Scratch {
  const { kernels, taps, groupChannels, groupFilters } = plan;
  const panels = Math.ceil(groupFilters.size / kernels.width);
  const tapPadding = panels * GROUP * 16 * kernels.vectors;
  const tapSums = Math.ceil(groupChannels.size / GROUP) * tapPadding;
  const packed = packedBytes(plan);
  const padding = zeros + CACHE_LINE;
  const sums = padding + taps.size * tapPadding;
  const x = sums + taps.size * tapSums;
  const dy = x + packed.x;
  return { zeros, sums, tapSums, padding, tapPadding, x, dy, end: dy + packed.dy };
}

/**
 * The gradient for the kernel, [kH, kW, C / groups, outC], from float32 tensors `x` [N, H, W, C] and
 * `dy` [N, OH, OW, outC], in panels of at most `vectors` vectors.
 */
export function simdFilterGradient(
  x: Tensor,
  dy: Tensor,
  window: Window2D,
  groups: number,
  execution: Execution,
  vectors: number = panelVectors(),
): Tensor {
  const [batch, , , channels] = x.shape;
  const filters = dy.shape[3];
  const dKernel = empty([window.kernelHeight, window.kernelWidth, channels / groups, filters], x);
  const lanes = lanesOf(execution.accumulate);
  const threads = execution.pool?.threads ?? 1;
  const plan = planFilterGradient({ batch, channels, filters, groups, window }, lanes, vectors, threads);
  runSimd(execution, {
    job: simdFilterGradientJob,
    reads: [contiguous(x).data, contiguous(dy).data],
    writes: [dKernel.data],
    numbers: planNumbers(plan),
    tiles: countTiles(plan),
    scratch: scratchFrom(0, plan).end,
  });
  return dKernel;
}

/** What a tile works with. */
interface Work {
  readonly plan: Plan;
  readonly tile: FilterTile;
  readonly panels: number;
  readonly scratch: Scratch;
  /** {@link OuterProductKernels.outerProducts}, for every tap of every block. */
  readonly outerProducts: (...values: number[]) => void;
}

/** A block of positions, and where its pixels are read. */
interface Block {
  readonly positions: Positions;
  readonly image: ImageOperand;
  readonly gradient: Operand;
}

/** One block of dKernel, [kH, kW, C / groups, outC]. */
export const simdFilterGradientJob: Job = {
  name: "simdFilterGradient",
  run([x, dy, scratchMemory, dKernel], numbers, index) {
    const plan = planFrom(numbers);
    const { batch, window, channels, filters, groups, kernels } = plan;
    const tile = filterTile(plan, index);
    const scratch = scratchFrom(scratchAddress(scratchMemory, numbers), plan);
    const panels = Math.ceil((tile.filters.to - tile.filters.from) / kernels.width);
    const work = { plan, tile, panels, scratch, outerProducts: kernelFunction(kernels.outerProducts) };
    const start = (scratch.zeros - scratchMemory.byteOffset) / 4;
    scratchMemory.fill(0, start, start + (scratch.x - scratch.zeros) / 4);
    for (const images of ranges(batch, plan.positions.images)) {
      for (const rows of ranges(window.outputHeight, plan.positions.rows)) {
        for (const columns of ranges(window.outputWidth, plan.positions.columns)) {
          const positions = { images, rows, columns };
          const image = imageOperand(plan, tile, positions, x.byteOffset, scratch.x);
          const gradient = gradientOperand(plan, tile, positions, dy.byteOffset, scratch.dy);
          for (let tap = tile.taps.from; tap < tile.taps.to; tap++) addTap(work, { positions, image, gradient }, tap);
        }
      }
    }
    const firstFilter = tile.group * (filters / groups) + tile.filters.from;
    for (let tap = tile.taps.from, i = 0; tap < tile.taps.to; tap++, i++) {
      runKernel(kernels.store, {
        sums: scratch.sums + i * scratch.tapSums,
        padding: scratch.padding + i * scratch.tapPadding,
        to: dKernel.byteOffset + 4 * ((tap * (channels / groups) + tile.channels.from) * filters + firstFilter),
        channels: tile.channels.to - tile.channels.from,
        filters: tile.filters.to - tile.filters.from,
        toStep: 4 * filters,
      });
    }
  },
};

/** [0, total), cut into ranges of `size`. */
function ranges(total: number, size: number): Range[] {
  return Array.from({ length: Math.ceil(total / size) }, (_, i) => ({
    from: i * size,
    to: Math.min(total, (i + 1) * size),
  }));
}

/** Adds the products of one tap at the positions of a block. */
function addTap(work: Work, block: Block, tap: number): void {
  const { positions } = block;
  const { window } = work.plan;
  const kh = Math.floor(tap / window.kernelWidth);
  const kw = tap - kh * window.kernelWidth;
  const rows = outputsInside(positions.rows, kh, verticalAxis(window));
  const columns = outputsInside(positions.columns, kw, horizontalAxis(window));
  addInside(work, block, tap, rows, columns);
  // the positions above, below, left and right of these
  addPadding(work, block, tap, { from: positions.rows.from, to: rows.from }, positions.columns);
  addPadding(work, block, tap, { from: rows.to, to: positions.rows.to }, positions.columns);
  addPadding(work, block, tap, rows, { from: positions.columns.from, to: columns.from });
  addPadding(work, block, tap, rows, { from: columns.to, to: positions.columns.to });
}

/** The outer products of a tap at `rows` and `columns`, all of which see the image through it. */
function addInside(work: Work, { positions, image, gradient }: Block, tap: number, rows: Range, columns: Range): void {
  const height = rows.to - rows.from;
  const width = columns.to - columns.from;
  if (height <= 0 || width <= 0) return;
  const { window } = work.plan;
  const { channels } = work.tile;
  const kh = Math.floor(tap / window.kernelWidth);
  const kw = tap - kh * window.kernelWidth;
  const row = rows.from * window.strideHeight + kh * window.dilationHeight - window.padTop;
  const column = columns.from * window.strideWidth + kw * window.dilationWidth - window.padLeft;
  const aRow = (window.strideHeight / image.rows.step) * image.row;
  const aColumn = (window.strideWidth / image.columns.step) * image.column;
  work.outerProducts(
    image.address +
      ((row - image.rows.first) / image.rows.step) * image.row +
      ((column - image.columns.first) / image.columns.step) * image.column,
    image.panel,
    channels.to - channels.from,
    gradient.address +
      (rows.from - positions.rows.from) * gradient.row +
      (columns.from - positions.columns.from) * gradient.column,
    gradient.panel,
    work.panels,
    work.scratch.sums + (tap - work.tile.taps.from) * work.scratch.tapSums,
    positions.images.to - positions.images.from,
    height,
    width,
    aColumn,
    aRow - width * aColumn,
    image.image - height * aRow,
    gradient.column,
    gradient.row - width * gradient.column,
    gradient.image - height * gradient.row,
  );
}

/** The products of a tap at `rows` and `columns`, where it lies in the padding: of one channel, which is zero. */
function addPadding(work: Work, { positions, gradient }: Block, tap: number, rows: Range, columns: Range): void {
  const height = rows.to - rows.from;
  const width = columns.to - columns.from;
  if (height <= 0 || width <= 0) return;
  work.outerProducts(
    work.scratch.zeros,
    0,
    1,
    gradient.address +
      (rows.from - positions.rows.from) * gradient.row +
      (columns.from - positions.columns.from) * gradient.column,
    gradient.panel,
    work.panels,
    work.scratch.padding + (tap - work.tile.taps.from) * work.scratch.tapPadding,
    positions.images.to - positions.images.from,
    height,
    width,
    0,
    0,
    0,
    gradient.column,
    gradient.row - width * gradient.column,
    gradient.image - height * gradient.row,
  );
}
