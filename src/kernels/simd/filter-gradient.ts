/**
 * The filter gradient of convolution on the vector unit.
 *
 *     dKernel[kh, kw, c, f] = sum over n, oh, ow of padded x[n, oh*sH + kh*dH, ow*sW + kw*dW, c] * dy[n, oh, ow, f]
 *
 * For one tap (kh, kw) this is a sum of outer products, a pixel of x times a pixel of dy, over the positions (n, oh, ow).
 * A tile of the job is a block of dKernel: some taps, channels and filters. It runs through the positions in blocks that
 * stay in the cache, and for each of them through its taps, while the sums rest unrounded in scratch memory.
 *
 * In training a normalization before a kernel of one pixel writes nothing: a tile normalizes what it reads.
 *
 * The gradient of the bias is the sum of dy over the same positions: one tile for each filter adds up what it reads.
 *
 * What the padding gives is summed apart (`tap-products.ts`), and only where it can be other than 0: where dy is not finite.
 * Every dy is in the sum of some tap, with every channel, which is not finite then. So the sums of a tile's first channel tell,
 * and no pass over dy is needed.
 *
 * @module
 */
import { CACHE_LINE } from "../../tensor/heap.js";
import { Beside, type Job } from "../../parallel/job.js";
import { decideHere } from "../../parallel/recording.js";
import type { FloatArray } from "../../tensor/dtype.js";
import { allocateInScope, doublesInScope } from "../../tensor/arena.js";
import { contiguous, empty, type Tensor } from "../../tensor/tensor.js";
import { type Execution, NO_VALUES, runTiles, threadsOf } from "../execution.js";
import { type Prologue, packedMap, unpacked } from "../normalize.js";
import { addColumns } from "../reduce.js";
import type { Window2D } from "../window.js";
import { zeroFunction } from "./copy-kernel.js";
import { LANES } from "./floats.js";
import { lanesOf, singles, sumsAt } from "./lanes.js";
import { chooseNormalizeKernel, interleave } from "./normalize-kernels.js";
import { GROUP, type OuterProductKernels } from "./outer-product-kernels.js";
import { everyOutputSees, ranges } from "./axes.js";
import { sumOfNothing } from "./finite-kernel.js";
import {
  fetchPixels,
  gradientOperand,
  imageOperand,
  packedBytes,
  positionRow,
  preparedBytes,
} from "./filter-gradient-operands.js";
import {
  countTiles,
  type FilterTile,
  filterTile,
  PLAN_NUMBERS,
  type Plan,
  planFilterGradient,
  planFrom,
  planNumbers,
  tileUnits,
} from "./filter-gradient-plan.js";
import { runSimd, type SimdRun, scratchAddress, withScratch } from "./run.js";
import { addTap } from "./tap-products.js";
import { kernelFunction, runKernel } from "./thread.js";
import { panelVectors } from "./wide.js";

/** Numbers of a channel in a prologue: mean, scale and offset. */
const PROLOGUE_VALUES = 3;

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
  /** Pixels of x after the prologue, and the numbers for that. */
  readonly prepared: number;
  readonly map: number;
  readonly end: number;
}

/** How a tile uses the scratch memory at `zeros`; `prepares`: there is a prologue. */
function scratchFrom(zeros: number, plan: Plan, prepares: boolean): Scratch {
  const { kernels, taps, turned } = plan;
  const { groups, panels } = tileUnits(plan);
  const tile = GROUP * 16 * kernels.vectors;
  const tapPadding = (turned ? groups : panels) * tile;
  const tapSums = groups * panels * tile;
  const packed = packedBytes(plan);
  const padding = zeros + CACHE_LINE;
  const sums = padding + taps.size * tapPadding;
  const x = sums + taps.size * tapSums;
  const dy = x + packed.x;
  const prepared = dy + packed.dy;
  const map = prepared + (prepares ? preparedBytes(plan) : 0);
  const end = map + (prepares ? 4 * PROLOGUE_VALUES * plan.groupChannels.size : 0);
  return { zeros, sums, tapSums, padding, tapPadding, x, dy, prepared, map, end };
}

/**
 * The gradient for the kernel, [kH, kW, C / groups, outC], from float32 tensors `x` [N, H, W, C] and
 * `dy` [N, OH, OW, outC].
 */
export function simdFilterGradient(
  x: Tensor,
  dy: Tensor,
  window: Window2D,
  groups: number,
  execution: Execution,
  options: FilterGradientOptions = {},
): Tensor {
  return filterGradientBeside(x, dy, window, groups, execution, () => undefined, options).dKernel;
}

/** What else there is to a filter gradient. */
export interface FilterGradientOptions {
  /**
   * What is done to x first, in whole vectors of channels and with float32 sums, where windows are of one pixel and see no
   * border.
   */
  readonly prologue?: Prologue | undefined;
  /** Vectors in a panel at most. */
  readonly vectors?: number;
}

/**
 * {@link simdFilterGradient}, and what `compute` gives, which may take along the work for it; and the sums of dy over all
 * positions, not yet rounded to its type, where tiles have whole vectors of filters.
 */
export function filterGradientBeside<Other>(
  x: Tensor,
  dy: Tensor,
  window: Window2D,
  groups: number,
  execution: Execution,
  compute: (beside: Beside) => Other,
  { prologue, vectors = panelVectors() }: FilterGradientOptions = {},
): { readonly dKernel: Tensor; readonly dySums: Float64Array | undefined; readonly other: Other } {
  const [batch, , , channels] = x.shape;
  const filters = dy.shape[3];
  const dKernel = empty([window.kernelHeight, window.kernelWidth, channels / groups, filters], x);
  const lanes = lanesOf(execution.accumulate);
  const threads = threadsOf(execution);
  const plan = planFilterGradient({ batch, channels, filters, groups, window }, lanes, vectors, threads);
  const tiles = countTiles(plan);
  const sumsOfNothing = allocateInScope("float32", tiles);
  const dySums = hasWholeVectors(plan) ? doublesInScope(filters) : undefined;
  const map = prologue === undefined ? NO_VALUES : packedMap(prologue.map, true);
  const runOf = (padding: boolean): SimdRun => ({
    job: simdFilterGradientJob,
    reads: [contiguous(x).data, contiguous(dy).data, map],
    writes: [dKernel.data, sumsOfNothing, dySums ?? NO_VALUES],
    numbers: [...planNumbers(plan), Number(padding), Number(prologue?.rectify === true)],
    tiles,
    scratch: scratchFrom(0, plan, prologue !== undefined).end,
  });
  const isChecked = everyOutputSees(window);
  const other = withScratch(execution, runOf(!isChecked), (run) => {
    const beside = new Beside(run);
    const computed = compute(beside);
    runTiles(execution, ...beside.take());
    return computed;
  });
  const isFinite = (): boolean => sumsOfNothing.every((sum) => sum === 0);
  if (isChecked && !decideHere(sumsOfNothing, isFinite)) runSimd(execution, runOf(true));
  return { dKernel, dySums, other };
}

/** Whether each tile has whole vectors of filters. */
function hasWholeVectors({ filters, groups, groupFilters: { size, count } }: Plan): boolean {
  return (filters / groups) % LANES === 0 && (count === 1 || size % LANES === 0);
}

/**
 * One block of dKernel, [kH, kW, C / groups, outC]; and 0 where its first channel is finite for all taps, else NaN; and where
 * it is the first block of its filters the sums of their dy, if these are wanted.
 */
export const simdFilterGradientJob: Job = {
  name: "simdFilterGradient",
  prepare([x, dy, map, scratchMemory, dKernel, sumsOfNothing, dySums], numbers) {
    const plan = planFrom(numbers);
    const { batch, window, channels, filters, groups, kernels, turned } = plan;
    const skipsPadding = numbers[PLAN_NUMBERS] === 0;
    const imageRanges = ranges(batch, plan.positions.images);
    const rowRanges = ranges(window.outputHeight, plan.positions.rows);
    const columnRanges = ranges(window.outputWidth, plan.positions.columns);
    const putZeros = zeroFunction(singles);
    const prepares = map.length > 0;
    const normalize = kernelFunction(chooseNormalizeKernel(map, false, numbers[PLAN_NUMBERS + 1] === 1));
    const numbersOfChannels = prepares ? unpacked(map, channels) : [];
    return (index) => {
      const tile = filterTile(plan, index);
      const scratch = scratchFrom(scratchAddress(scratchMemory, numbers), plan, prepares);
      const prologue = prepares ? { normalize, map: scratch.map, room: scratch.prepared } : undefined;
      if (prepares) {
        const { from, to } = tile.channels;
        const room = sumsAt(singles, scratchMemory.buffer, scratch.map, PROLOGUE_VALUES * (to - from));
        interleave(
          numbersOfChannels.map((values) => values.subarray(from, to)),
          room,
        );
      }
      const [left, right] = turned ? [tile.filters, tile.channels] : [tile.channels, tile.filters];
      const products = {
        window,
        multiply: kernelFunction(kernels.outerProducts),
        turned,
        channels: left.to - left.from,
        panels: Math.ceil((right.to - right.from) / kernels.width),
        zeros: scratch.zeros,
      };
      putZeros(scratch.zeros, (scratch.x - scratch.zeros) / 4);
      const firstFilter = tile.group * (filters / groups) + tile.filters.from;
      const sumsDy = dySums.length > 0 && tile.taps.from === 0 && tile.channels.from === 0;
      const endFilter = firstFilter + tile.filters.to - tile.filters.from;
      if (sumsDy) dySums.fill(0, firstFilter, endFilter);
      for (const images of imageRanges) {
        for (const rows of rowRanges) {
          for (const columns of columnRanges) {
            const positions = { images, rows, columns };
            fetchPixels(plan, tile, positions, x.byteOffset, dy.byteOffset);
            if (sumsDy) {
              const { first, count } = positionRow(plan.window, positions);
              const part = { rows: count, channels: filters, from: firstFilter, to: endFilter };
              addColumns(dy.byteOffset + 4 * filters * first, dySums.byteOffset, part, kernels.lanes === singles);
            }
            const image = imageOperand(plan, tile, positions, x.byteOffset, scratch.x, prologue);
            const gradient = gradientOperand(plan, tile, positions, dy.byteOffset, scratch.dy);
            const block = { positions, image, gradient, finite: skipsPadding };
            for (let tap = tile.taps.from, i = 0; tap < tile.taps.to; tap++, i++) {
              const sums = scratch.sums + i * scratch.tapSums;
              addTap(products, block, tap, sums, scratch.padding + i * scratch.tapPadding);
            }
          }
        }
      }
      let found = 0;
      for (let tap = tile.taps.from, i = 0; tap < tile.taps.to; tap++, i++) {
        const sums = scratch.sums + i * scratch.tapSums;
        const padding = scratch.padding + i * scratch.tapPadding;
        const first = (tap * (channels / groups) + tile.channels.from) * filters + firstFilter;
        if (turned) storeTurned(kernels, tile, scratchMemory.buffer, sums, padding, dKernel, first, filters);
        else {
          runKernel(kernels.store, {
            ...{ sums, padding, to: dKernel.byteOffset + 4 * first, toStep: 4 * filters },
            ...{ channels: left.to - left.from, filters: right.to - right.from },
          });
        }
        const from = dKernel.byteOffset + 4 * first;
        const to = sumsOfNothing.byteOffset + 4 * index;
        runKernel(sumOfNothing, { from, end: from + 4 * (tile.filters.to - tile.filters.from), to });
        found += sumsOfNothing[index];
      }
      sumsOfNothing[index] = found;
    };
  },
};

/**
 * Rounds the sums of a tap in a tile that is turned, [panel of channels][group of filters][filter][channel], each added to
 * what the padding gives for its filter, and stores them as a row of filters for each channel, `step` values apart, from
 * `first` on. The buffer of dKernel may be one from before the memory grew, and end before the scratch memory.
 */
function storeTurned(
  { lanes, width }: OuterProductKernels,
  tile: FilterTile,
  memory: ArrayBufferLike,
  sums: number,
  padding: number,
  dKernel: FloatArray,
  first: number,
  step: number,
): void {
  const channels = tile.channels.to - tile.channels.from;
  const filters = tile.filters.to - tile.filters.from;
  const panel = Math.ceil(filters / GROUP) * GROUP * width;
  const values = sumsAt(lanes, memory, sums, Math.ceil(channels / width) * panel);
  const ofPadding = sumsAt(lanes, memory, padding, panel);
  for (let channel = 0; channel < channels; channel++) {
    const ofPanel = Math.floor(channel / width);
    for (let filter = 0; filter < filters; filter++) {
      const place = filter * width + channel - ofPanel * width;
      dKernel[first + channel * step + filter] = values[ofPanel * panel + place] + ofPadding[filter * width];
    }
  }
}
