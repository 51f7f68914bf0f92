/**
 * Depthwise convolution on the vector unit: the forward pass, and the gradient for the input. With one filter a channel,
 *
 *     y[n, oh, ow, c] = sum over kh, kw of padded x[n, oh*sH + kh*dH, ow*sW + kw*dW, c] * kernel[kh, kw, c]  + bias[c]
 *     dx[n, h, w, c]  = sum over oh, ow of dy[n, oh, ow, c] * kernel[kh, kw, c]
 *
 * Both weigh the pixels that they read with a row of the kernel for each tap. Pixels that use the same taps are computed
 * together: all outputs but those at a border, or all inputs in one phase of the strides (`tap-runs.ts`).
 *
 * Several filters a channel are made one first (`channel-multiplier.ts`).
 *
 * Forward, taps in the padding are left out. Their terms are 0 * kernel, which is a zero, and changes no sum that began
 * at +0, or NaN where the kernel is infinite or NaN: where that is so, sums begin at NaN.
 *
 * @module
 */
import type { Job } from "../../parallel/job.js";
import type { FloatArray } from "../../tensor/dtype.js";
import { contiguous, empty, type Tensor } from "../../tensor/tensor.js";
import { biasData, type Execution, threadsOf } from "../execution.js";
import { blockOf, type Split, splitEvenly } from "../split.js";
import { type Window2D, windowFrom, windowNumbers } from "../window.js";
import { horizontalAxis, verticalAxis } from "./axes.js";
import { partChannels, repeatChannels } from "./channel-multiplier.js";
import { channelsOf, weightedPixels } from "./depthwise-kernels.js";
import { doubles, type Lanes, lanesOf, PANEL_VECTORS, singles, sumsAt } from "./lanes.js";
import { outerProductKernels } from "./outer-product-kernels.js";
import { runSimd, scratchAddress } from "./run.js";
import { inputRuns, outputRuns, type Run } from "./tap-runs.js";
import { kernelFunction, runKernel } from "./thread.js";
import { panelVectors } from "./wide.js";

/** How many tiles a thread should have, so that one that was held up leaves the others something to take. */
const TILES_PER_THREAD = 4;

/** Space behind an array in scratch memory, for vectors that are loaded for the sake of their first lane. */
const SLACK = 64;

/** What a tap in the padding reads. */
const PADDING = 0;

/** What all tiles have in common. */
interface Plan {
  readonly lanes: Lanes;
  /** Vectors of a panel of channels. */
  readonly vectors: number;
  readonly backward: boolean;
  /** Filters of a channel, each with a plane of its own in what is read; 1 forward. */
  readonly planes: number;
  /** Whether what the padding gives may be NaN, and is computed. */
  readonly multipliesPadding: boolean;
  readonly channels: number;
  /** The most rows and channels of a tile. */
  readonly rowBlock: number;
  readonly channelBlock: number;
  readonly window: Window2D;
}

/** The sizes of what is written, or read. */
function sizes({ backward, window }: Plan, written: boolean): { height: number; width: number } {
  const { inputHeight, inputWidth, outputHeight, outputWidth } = window;
  if (backward === written) return { height: inputHeight, width: inputWidth };
  return { height: outputHeight, width: outputWidth };
}

/** Taps in all planes. */
function tapsOf({ planes, window }: Plan): number {
  return planes * window.kernelHeight * window.kernelWidth;
}

/** Where a tile keeps what, as addresses. All but the table are of the type of the sums. */
interface Scratch {
  /** Two integers for each tap. */
  readonly table: number;
  /** [panel][tap][channels of the panel] */
  readonly filter: number;
  readonly filterPanel: number;
  readonly start: number;
  readonly bias: number;
  readonly spill: number;
  readonly end: number;
}

function scratchFrom(table: number, plan: Plan): Scratch {
  const { lanes, vectors, channelBlock } = plan;
  const taps = tapsOf(plan);
  const panels = Math.ceil(channelBlock / channelsOf(lanes, vectors));
  const filterPanel = taps * vectors * 16 + SLACK;
  const filter = table + Math.ceil((8 * taps) / SLACK) * SLACK;
  const start = filter + panels * filterPanel;
  const bias = start + panels * vectors * 16 + SLACK;
  const spill = bias + panels * vectors * 16 + SLACK;
  return { table, filter, filterPanel, start, bias, spill, end: spill + 4 * Math.max(...PANEL_VECTORS) * 16 };
}

/** The most filters of a group of one channel that vectors should run along the channels for. */
const FEW_FILTERS = 4;

/** Whether a grouped convolution is best computed as a depthwise one, whose kernel is the same memory. */
export function isDepthwise(groups: number, groupChannels: number, groupFilters: number): boolean {
  return groups > 1 && groupChannels === 1 && groupFilters <= FEW_FILTERS;
}

/** The convolution of `x` [N, H, W, C] with `kernel` [kH, kW, C, M], plus `bias` [C * M]; all of float32. */
export function simdDepthwise(
  x: Tensor,
  kernel: Tensor,
  bias: Tensor | undefined,
  window: Window2D,
  execution: Execution,
  vectors: number = panelVectors(),
): Tensor {
  const multiplier = kernel.shape[3];
  const source = multiplier === 1 ? x : repeatChannels(x, multiplier, execution);
  const y = empty([x.shape[0], window.outputHeight, window.outputWidth, source.shape[3]], x);
  weigh({ source, kernel, bias, out: y, window, backward: false, planes: 1 }, execution, vectors);
  return y;
}

/** The gradient for the input from `dy` [N, OH, OW, C * M] and `kernel` [kH, kW, C, M]; both of float32. */
export function simdDepthwiseInputGradient(
  dy: Tensor,
  kernel: Tensor,
  window: Window2D,
  execution: Execution,
  vectors: number = panelVectors(),
): Tensor {
  const [, , channels, planes] = kernel.shape;
  const dx = empty([dy.shape[0], window.inputHeight, window.inputWidth, channels], dy);
  const [source, weights] =
    planes === 1 ? [dy, kernel] : [dy, kernel].map((each) => partChannels(each, planes, execution));
  weigh({ source, kernel: weights, bias: undefined, out: dx, window, backward: true, planes }, execution, vectors);
  return dx;
}

/** What is weighed: `source` [planes, N, ...] with `kernel` [planes, kH, kW, C]. */
interface Weighing {
  readonly source: Tensor;
  readonly kernel: Tensor;
  readonly bias: Tensor | undefined;
  readonly out: Tensor;
  readonly window: Window2D;
  readonly backward: boolean;
  readonly planes: number;
}

function weigh(
  { source, kernel, bias, out, window, backward, planes }: Weighing,
  execution: Execution,
  vectors: number,
): void {
  const lanes = lanesOf(execution.accumulate);
  const [batch, height, , channels] = out.shape;
  const threads = threadsOf(execution);
  const most = channelsOf(lanes, vectors);
  // images are shared first, then rows, then channels
  const tiles = threads === 1 ? 1 : Math.ceil((TILES_PER_THREAD * threads) / Math.max(1, batch));
  const rowBlock = splitEvenly(
    height,
    Math.max(window.strideHeight, Math.ceil(height / tiles)),
    window.strideHeight,
  ).size;
  const across = Math.ceil(tiles / Math.ceil(height / rowBlock));
  const channelBlock = splitEvenly(channels, Math.max(most, Math.ceil(channels / across / most) * most), most).size;
  const multipliesPadding = !backward && !allFinite(contiguous(kernel).data);
  const plan = { lanes, vectors, backward, planes, multipliesPadding, channels, rowBlock, channelBlock, window };
  runSimd(execution, {
    job: simdDepthwiseJob,
    reads: [contiguous(source).data, contiguous(kernel).data, biasData(bias)],
    writes: [out.data],
    numbers: [
      ...[lanes.bytes, vectors, Number(backward), planes, Number(multipliesPadding)],
      ...[channels, rowBlock, channelBlock, ...windowNumbers(window)],
    ],
    tiles: batch * Math.ceil(height / rowBlock) * Math.ceil(channels / channelBlock),
    scratch: scratchFrom(0, plan).end,
  });
}

/** Whether all of `values` are finite: 0 times any other is NaN. */
function allFinite(values: FloatArray): boolean {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += PADDING * values[i];
  return sum === 0;
}

function planFrom(numbers: readonly number[]): Plan {
  const [bytes, vectors, backward, planes, multipliesPadding, channels, rowBlock, channelBlock] = numbers;
  return {
    lanes: bytes === 4 ? singles : doubles,
    vectors,
    backward: backward === 1,
    multipliesPadding: multipliesPadding === 1,
    ...{ planes, channels, rowBlock, channelBlock },
    window: windowFrom(numbers, 8),
  };
}

/** Some channels of some rows of an image. */
export const simdDepthwiseJob: Job = {
  name: "simdDepthwise",
  prepare:
    ([source, kernel, bias, scratchMemory, out], numbers) =>
    (index) => {
      const plan = planFrom(numbers);
      const { lanes, window, backward, channels } = plan;
      const written = sizes(plan, true);
      const down: Split = {
        total: written.height,
        size: plan.rowBlock,
        count: Math.ceil(written.height / plan.rowBlock),
      };
      const across: Split = {
        total: channels,
        size: plan.channelBlock,
        count: Math.ceil(channels / plan.channelBlock),
      };
      const strip = Math.floor(index / across.count);
      const rows = blockOf(down, strip % down.count);
      const image = Math.floor(strip / down.count);
      const { from, to } = blockOf(across, index % across.count);
      const read = sizes(plan, false);
      const tile: Tile = {
        plan,
        scratch: scratchFrom(scratchAddress(scratchMemory, numbers), plan),
        channels: to - from,
        weigh: kernelFunction(weightedPixels(lanes, plan.vectors)),
        source: source.byteOffset + 4 * (image * read.height * read.width * channels + from),
        plane: (4 * source.length) / plan.planes,
        out: out.byteOffset + 4 * (image * written.height * written.width * channels + from),
      };
      const startAndBias = (tile.scratch.start - scratchMemory.byteOffset) / 4;
      scratchMemory.fill(0, startAndBias, startAndBias + (tile.scratch.spill - tile.scratch.start) / 4);
      packOperands(tile, kernel, bias, from);
      const [vertical, horizontal] = [verticalAxis(window), horizontalAxis(window)];
      const whole = { from: 0, to: written.width };
      const rowRuns = backward ? inputRuns(vertical, window.outputHeight, rows) : outputRuns(vertical, rows);
      const columnRuns = backward ? inputRuns(horizontal, window.outputWidth, whole) : outputRuns(horizontal, whole);
      const start = sumsAt(lanes, scratchMemory.buffer, tile.scratch.start, to - from);
      const table = new Int32Array(scratchMemory.buffer, tile.scratch.table, 2 * tapsOf(plan));
      for (const row of rowRuns) {
        for (const column of columnRuns) {
          if (plan.multipliesPadding) addPadding(plan, kernel, from, row, column, start);
          weighRun(tile, table, row, column);
        }
      }
    },
};

/** What the runs of a tile have in common. */
interface Tile {
  readonly plan: Plan;
  readonly scratch: Scratch;
  readonly channels: number;
  readonly weigh: (...values: number[]) => void;
  /** The first channel of the tile in the first pixel that may be read, and that is written. */
  readonly source: number;
  readonly out: number;
  /** Bytes of a plane of what is read. */
  readonly plane: number;
}

/** Copies the channels of the tile, from `first` on, of kernel and bias to scratch memory, in the type of the sums. */
function packOperands(
  { plan, scratch, channels: count }: Tile,
  kernel: FloatArray,
  bias: FloatArray,
  first: number,
): void {
  const { lanes, vectors, channels } = plan;
  const { packFilters } = outerProductKernels(lanes, vectors);
  const copy = { fromStep: 4 * channels, columns: count };
  const from = kernel.byteOffset + 4 * first;
  runKernel(packFilters, { ...copy, from, to: scratch.filter, count: tapsOf(plan), panelBytes: scratch.filterPanel });
  if (bias.length > 0) {
    const panelBytes = 16 * vectors;
    runKernel(packFilters, { ...copy, from: bias.byteOffset + 4 * first, to: scratch.bias, count: 1, panelBytes });
  }
}

/** Sets `start` to what the taps in the padding add to the outputs of two runs: 0, or NaN. */
function addPadding(plan: Plan, kernel: FloatArray, first: number, row: Run, column: Run, start: FloatArray): void {
  const { channels, window } = plan;
  start.fill(0);
  for (let kh = 0, at = first; kh < window.kernelHeight; kh++) {
    for (let kw = 0; kw < window.kernelWidth; kw++, at += channels) {
      const inside = row.taps.some(({ tap }) => tap === kh) && column.taps.some(({ tap }) => tap === kw);
      for (let c = 0; c < start.length && !inside; c++) start[c] += PADDING * kernel[at + c];
    }
  }
}

/** Computes the pixels of a run of rows and a run of columns. */
function weighRun({ plan, scratch, weigh, ...tile }: Tile, table: Int32Array, row: Run, column: Run): void {
  const { vectors, channels, window } = plan;
  const pixel = 4 * channels;
  const read = sizes(plan, false).width * pixel;
  const written = sizes(plan, true).width * pixel;
  let taps = 0;
  for (const vertical of row.taps) {
    for (const horizontal of column.taps) {
      const at = vertical.source * read + horizontal.source * pixel;
      const tap = vertical.tap * window.kernelWidth + horizontal.tap;
      for (let m = 0; m < plan.planes; m++, taps++) {
        table[2 * taps] = at + m * tile.plane;
        table[2 * taps + 1] = (m * window.kernelHeight * window.kernelWidth + tap) * 16 * vectors;
      }
    }
  }
  weigh(
    scratch.table,
    taps,
    column.count,
    tile.source,
    column.sourceStep * pixel,
    scratch.filter,
    scratch.start,
    scratch.bias,
    tile.out + row.first * written + column.first * pixel,
    column.step * pixel,
    scratch.spill,
    tile.channels,
    scratch.filterPanel,
    row.count,
    row.sourceStep * read,
    row.step * written,
  );
}
