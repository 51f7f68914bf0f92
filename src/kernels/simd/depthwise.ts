/**
 * Depthwise convolution on the vector unit: the forward pass, and the gradient for the input. With one filter a channel,
 *
 *     y[n, oh, ow, c] = sum over kh, kw of padded x[n, oh*sH + kh*dH, ow*sW + kw*dW, c] * kernel[kh, kw, c]  + bias[c]
 *     dx[n, h, w, c]  = sum over oh, ow of dy[n, oh, ow, c] * kernel[kh, kw, c]
 *
 * The gradient is a depthwise convolution again, or some: one for each phase of the strides (`phases.ts`), which share lines.
 *
 * A tile is some channels of some rows of outputs of an image. It goes down row by row: packs the lines of the image that a
 * row is the first to see in panels, with zeros for the padding, which are then multiplied like all else, as the definition
 * has it (`panel-lines.ts`), and weighs them. So a line is read and packed once, and what is written lies side by side. Where
 * channels are whole vectors, and packing is not worth its while, pixels are weighed where they lie (`depthwise-in-place.ts`).
 *
 * Several filters a channel are made one first (`channel-multiplier.ts`).
 *
 * @module
 */
import { wholeLines } from "../../tensor/heap.js";
import { withArraysInHeap } from "../../parallel/borrow.js";
import type { Job } from "../../parallel/job.js";
import { contiguous, empty, type Tensor } from "../../tensor/tensor.js";
import { biasData, type Execution, NO_VALUES, threadsOf } from "../execution.js";
import { splitBy } from "../split.js";
import { sameWindow, type Window2D, windowNumbers } from "../window.js";
import { fillZeros } from "../zeros.js";
import { partChannels, repeatChannels } from "./channel-multiplier.js";
import { zeroFunction } from "./copy-kernel.js";
import { type DepthwiseKernels, depthwiseKernels, PART_BYTES, writeParts } from "./depthwise-kernels.js";
import { isKernelFinite } from "./finite.js";
import { doubles, lanesOf, singles } from "./lanes.js";
import { weighInPlace } from "./depthwise-in-place.js";
import {
  cutTiles,
  depthwiseTile,
  packFilters,
  packPanelsOf,
  type PackedFilters,
  type Tiles,
  type Weighing,
  widthOf,
} from "./depthwise-operands.js";
import { linesBack, linesForward, type SharedLines, stepsOf } from "./depthwise-parts.js";
import { LINES_BYTES, type PanelLines, panelBytes, panelLines, rowPacker, tapPlaces } from "./panel-lines.js";
import { phasesOf } from "./phases.js";
import { runSimd, scratchAddress } from "./run.js";
import { kernelFunction } from "./thread.js";
import { panelVectors } from "./wide.js";

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
  const weights = contiguous(kernel).data;
  const source = multiplier === 1 ? x : repeatChannels(x, multiplier, execution);
  const { outputHeight, outputWidth } = window;
  const [batch, , , channels] = source.shape;
  const y = empty([batch, outputHeight, outputWidth, channels], x);
  const weighing = {
    source: contiguous(source).data,
    kernel: weights,
    bias: biasData(bias),
    out: y.data,
    planes: 1,
    batch,
    channels,
    window,
    isBack: false,
    isFinite: () => isKernelFinite(weights, execution),
  };
  weigh(weighing, execution, vectors);
  return y;
}

/**
 * The gradient for the input from `dy` [N, OH, OW, C * M] and `kernel` [kH, kW, C, M]; both of float32. Undefined where the
 * values of `kernel` are not all finite.
 */
export function simdDepthwiseInputGradient(
  dy: Tensor,
  kernel: Tensor,
  window: Window2D,
  execution: Execution,
  vectors: number = panelVectors(),
): Tensor | undefined {
  if (!isKernelFinite(contiguous(kernel).data, execution)) return undefined;
  const [, , channels, planes] = kernel.shape;
  const { inputHeight, inputWidth } = window;
  const batch = dy.shape[0];
  const dx = empty([batch, inputHeight, inputWidth, channels], dy);
  const [source, weights] =
    planes === 1 ? [dy, kernel] : [dy, kernel].map((each) => partChannels(each, planes, execution));
  const { seen, hasUnseen } = phasesOf(window);
  // in the heap all the time, since both write a part of dx
  withArraysInHeap([contiguous(source).data, contiguous(weights).data], [dx.data], ([images, taps], [target]) => {
    if (hasUnseen) fillZeros(target, execution); // no phase writes there
    const weighing = {
      source: images,
      kernel: taps,
      bias: NO_VALUES,
      out: target,
      planes,
      batch,
      channels,
      window,
      isBack: true,
      isFinite: () => true,
    };
    if (seen.length > 0) weigh(weighing, execution, vectors);
  });
  return dx;
}

/** What all tiles have in common. */
interface Plan extends Tiles {
  readonly kernels: DepthwiseKernels;
  readonly shared: SharedLines;
  readonly lines: PanelLines;
  readonly planes: number;
}

/** Where a tile keeps what, as addresses. Filter, bias and lines are of the type of the sums. */
interface Scratch extends PackedFilters {
  /** The places of taps. */
  readonly table: number;
  /** The parts of a row. */
  readonly parts: number;
  /** As many as the tile has channels. */
  readonly zeros: number;
  readonly spill: number;
  /** [plane][panel][line] */
  readonly lines: number;
  readonly linePanel: number;
  readonly linePlane: number;
  readonly end: number;
}

/** Pixels whose sums a kernel may spill. */
const SPILLED_PIXELS = 4;

function scratchFrom(table: number, plan: Plan): Scratch {
  const { kernels, shared, lines, planes, across } = plan;
  const panels = Math.ceil(across.size / widthOf(kernels));
  const parts = table + wholeLines(tapPlaces(lines, planes, 0, shared.places).bytes);
  const zeros = parts + wholeLines(shared.parts.length * PART_BYTES);
  const filter = zeros + wholeLines(4 * across.size);
  const filterPanel = planes * shared.taps.length * lines.pixel;
  const bias = filter + wholeLines(panels * filterPanel);
  const spill = bias + wholeLines(panels * lines.pixel);
  const linesAt = spill + wholeLines(SPILLED_PIXELS * lines.pixel);
  const linePanel = panelBytes(lines);
  const linePlane = panels * linePanel;
  const end = linesAt + planes * linePlane;
  return { table, parts, zeros, filter, filterPanel, bias, spill, lines: linesAt, linePanel, linePlane, end };
}

function weigh(weighing: Weighing, execution: Execution, vectors: number): void {
  if (weighInPlace(weighing, execution, vectors)) return;
  const { source, kernel, bias, out, planes, batch, channels, window, isBack } = weighing;
  const kernels = depthwiseKernels(lanesOf(execution.accumulate), vectors);
  const shared = isBack ? linesBack(window) : linesForward(window);
  const lines = panelLines(shared.window, 16 * vectors);
  const most = Math.floor(LINES_BYTES / planes / panelBytes(lines));
  const threads = threadsOf(execution);
  const { rows, across } = cutTiles(shared.window.outputHeight, batch, channels, widthOf(kernels), most, threads);
  const plan = { kernels, shared, lines, planes, rows, across };
  runSimd(execution, {
    job: simdDepthwiseJob,
    reads: [source, kernel, bias],
    writes: [out],
    numbers: [
      ...[kernels.lanes.bytes, vectors, planes, batch, channels, rows.size, across.size, Number(isBack)],
      ...windowNumbers(window),
    ],
    tiles: batch * rows.count * across.count,
    scratch: scratchFrom(0, plan).end,
  });
}

/** How many numbers a job is told before those of its window. */
const OWN_NUMBERS = 8;

/** Some channels of some rows of an image. */
export const simdDepthwiseJob: Job = {
  name: "simdDepthwise",
  prepare([source, kernel, bias, scratchMemory, out], numbers) {
    const [bytes, vectors, planes, batch, channels, rowsSize, acrossSize, back] = numbers;
    const window = sameWindow(numbers, OWN_NUMBERS);
    const shared = back === 1 ? linesBack(window) : linesForward(window);
    const lines = panelLines(shared.window, 16 * vectors);
    const kernels = depthwiseKernels(bytes === 4 ? singles : doubles, vectors);
    const rows = splitBy(shared.window.outputHeight, rowsSize);
    const plan = { kernels, shared, lines, planes, rows, across: splitBy(channels, acrossSize) };
    const { read, write } = stepsOf(window, back === 1);
    const pixel = 4 * channels;
    const scratch = scratchFrom(scratchAddress(scratchMemory, numbers), plan);
    zeroFunction(singles)(scratch.zeros, (scratch.spill - scratch.zeros) / 4);
    const places = tapPlaces(lines, planes, scratch.linePlane, shared.places);
    const placesFor = places.write(scratchMemory.buffer, scratch.table);
    const parts = shared.parts.map(({ firstTap, taps, rowTaps, columns, output }) => ({
      ...{ table: 4 * planes * firstTap, taps: planes * taps, rowTaps: planes === 1 ? rowTaps : 1, columns },
      ...{ filter: planes * firstTap * lines.pixel, out: output * pixel },
    }));
    writeParts(scratchMemory.buffer, scratch.parts, parts);
    const packRow = rowPacker(lines, packPanelsOf(kernels), pixel, scratch.zeros);
    const weighPixels = kernelFunction(kernels.weightedPixels);
    let packed: number | undefined; // the first of the channels whose filters are packed
    return (index) => {
      const { n, down, channels: some } = depthwiseTile(plan, index);
      const { from, to } = some;
      if (packed !== from) packFilters(kernels, planes, shared.taps, scratch, kernel, bias, channels, from, to - from);
      packed = from;
      let partCount = shared.parts.length;
      for (let row = down.from; row < down.to; row++) {
        for (let plane = 0; plane < planes; plane++) {
          const at = source.byteOffset + (plane * batch + n) * read.image * pixel + 4 * from;
          packRow(at, row, row === down.from, to - from, scratch.lines + plane * scratch.linePlane);
        }
        while (row >= shared.parts[partCount - 1].rows) partCount--;
        weighPixels(
          placesFor(row),
          scratch.parts,
          scratch.parts + partCount * PART_BYTES,
          scratch.lines,
          scratch.filter,
          scratch.bias,
          out.byteOffset + 4 * from + (n * write.image + row * write.row) * pixel,
          write.step * pixel,
          to - from,
          scratch.spill,
          scratch.linePanel,
          scratch.filterPanel,
        );
      }
    };
  },
};
