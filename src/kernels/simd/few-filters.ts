/**
 * Convolutions with few filters on the vector unit: forward, and the gradient for an input of few channels, such as a
 * picture's.
 *
 * A tile is some rows of outputs of an image. It goes down row by row: packs the lines of the image that a row is the first
 * to see in planes of one channel, with zeros for the padding, which are then multiplied like all else, as the definition has
 * it (`panel-lines.ts`), and weighs them (`few-filters-kernels.ts`).
 *
 * @module
 */
import { wholeLines } from "../../tensor/heap.js";
import type { Beside, Job } from "../../parallel/job.js";
import type { FloatArray } from "../../tensor/dtype.js";
import { type Execution, threadsOf } from "../execution.js";
import { onceForNumbers } from "../once-for-numbers.js";
import { blockOf, type Split, splitBy } from "../split.js";
import { WINDOW_NUMBERS, windowFrom, windowNumbers } from "../window.js";
import type { Convolution } from "./convolve.js";
import { FEW_FILTERS, fewFiltersKernels } from "./few-filters-kernels.js";
import { type Lanes, lanesOf, sumsAt } from "./lanes.js";
import { type PanelLines, panelBytes, panelLines, rowPacker, tapPlaces } from "./panel-lines.js";
import { panelPacker, RIGHT_NUMBERS, type RightLayout, rightFrom, rightLayout, rightNumbers } from "./panels.js";
import { runSimd, scratchAddress } from "./run.js";
import { kernelFunction } from "./thread.js";
import { panelVectors } from "./wide.js";

/** How many tiles a thread should have, so that one that was held up leaves the others something to take. */
const TILES_PER_THREAD = 4;
/** The most bytes of planes and weights: they must stay in the second cache. */
const MOST_BYTES = 524_288;
/** Positions of a row, and taps, below which to pack an image takes longer than is gained. */
const FEWEST_POSITIONS = 8;
const FEWEST_TAPS = 2;

/** What all tiles have in common. */
interface Plan {
  readonly layout: RightLayout;
  readonly lines: PanelLines;
  readonly batch: number;
  /** Of a group. */
  readonly channels: number;
  /** Of positions, at a time. */
  readonly vectors: number;
  readonly rows: Split;
}

/** Where a tile keeps what, as addresses. Weights, biases, sums and planes are of the type of the sums. */
interface Scratch {
  /** The places of taps. */
  readonly places: number;
  /** As many as an image has channels. */
  readonly zeros: number;
  /** [group][term][{@link FEW_FILTERS}] */
  readonly weights: number;
  /** [group][{@link FEW_FILTERS}] */
  readonly bias: number;
  readonly spill: number;
  /** [channel][line] */
  readonly planes: number;
  readonly end: number;
}

function scratchFrom(places: number, { layout, lines, channels, vectors }: Plan): Scratch {
  const { lanes, groups, terms } = layout;
  const zeros = places + wholeLines(tapPlaces(lines).bytes);
  const weights = zeros + wholeLines(4 * groups * channels);
  const bias = weights + wholeLines(groups * terms * FEW_FILTERS * lanes.bytes);
  const spill = bias + wholeLines(groups * FEW_FILTERS * lanes.bytes);
  const planes = spill + FEW_FILTERS * 16 * vectors;
  // a kernel reads up to a vector behind the last line
  const end = planes + groups * channels * panelBytes(lines) + 16 * vectors;
  return { places, zeros, weights, bias, spill, planes, end };
}

function planOf({ right, window, batch, channels }: Convolution, lanes: Lanes, threads: number): Plan {
  const { outputHeight, outputWidth } = window;
  const vectors = outputWidth > 2 * lanes.perVector ? 4 : 2;
  const wanted = threads === 1 ? 1 : TILES_PER_THREAD * threads;
  let rows = outputHeight;
  while (rows > 1 && batch * Math.ceil(outputHeight / rows) < wanted) rows = Math.ceil(rows / 2);
  const layout = rightLayout(lanes, FEW_FILTERS / lanes.perVector, right);
  return {
    layout,
    lines: panelLines(window, lanes.bytes),
    batch,
    channels,
    vectors,
    rows: splitBy(outputHeight, rows),
  };
}

/** Whether a convolution has few filters, and suits the kernels; without wide vectors they gain nothing. */
function isFew({ right, window, finish }: Convolution): boolean {
  const taps = window.kernelHeight * window.kernelWidth;
  const suits = taps >= FEWEST_TAPS && window.outputWidth >= FEWEST_POSITIONS && finish === undefined;
  return right.columns <= FEW_FILTERS && suits && panelVectors() === 4;
}

/** Computes a convolution, and what waits `beside` it, if these kernels suit it; else returns false. */
export function convolveFewFilters(convolution: Convolution, execution: Execution, beside?: Beside): boolean {
  if (!isFew(convolution)) return false;
  const { window, images, kernel, bias, result } = convolution;
  const plan = planOf(convolution, lanesOf(execution.accumulate), threadsOf(execution));
  const scratch = scratchFrom(0, plan).end;
  if (scratch > MOST_BYTES) return false;
  const { layout, batch, channels, vectors, rows } = plan;
  runSimd(
    execution,
    {
      job: fewFiltersJob,
      reads: [images, kernel, bias],
      writes: [result.data],
      numbers: [
        ...rightNumbers(layout),
        ...windowNumbers(window),
        ...[batch, channels, vectors, rows.size],
        ...[result.offset, result.image, result.line, result.position],
      ],
      tiles: batch * rows.count,
      scratch,
    },
    beside,
  );
  return true;
}

const planFrom: (numbers: readonly number[]) => Plan = onceForNumbers(RIGHT_NUMBERS + WINDOW_NUMBERS + 4, readPlan);

function readPlan(numbers: readonly number[]): Plan {
  const layout = rightFrom(numbers);
  const window = windowFrom(numbers, RIGHT_NUMBERS);
  const [batch, channels, vectors, rows] = numbers.slice(RIGHT_NUMBERS + WINDOW_NUMBERS);
  const lines = panelLines(window, layout.lanes.bytes);
  return { layout, lines, batch, channels, vectors, rows: splitBy(window.outputHeight, rows) };
}

/** Some rows of an image. */
export const fewFiltersJob: Job = {
  name: "fewFilters",
  prepare([images, kernel, bias, scratchMemory, out], numbers) {
    const plan = planFrom(numbers);
    const [offset, image, line, position] = numbers.slice(RIGHT_NUMBERS + WINDOW_NUMBERS + 4);
    const { layout, lines, channels, vectors, rows } = plan;
    const { lanes, groups, columns, terms } = layout;
    const { window } = lines;
    const scratch = scratchFrom(scratchAddress(scratchMemory, numbers), plan);
    const taps = window.kernelHeight * window.kernelWidth;
    const placesFor = tapPlaces(lines).write(scratchMemory.buffer, scratch.places);
    new Float32Array(scratchMemory.buffer, scratch.zeros, groups * channels).fill(0);
    packOperands(layout, kernel, bias, scratch, scratchMemory.buffer);
    const kernels = fewFiltersKernels(lanes, vectors);
    const packRow = rowPacker(lines, kernels.packPlanes, 4 * groups * channels, scratch.zeros);
    const weigh = kernelFunction(kernels.weigh(columns));
    const imageBytes = 4 * window.inputHeight * window.inputWidth * groups * channels;
    const planeBytes = panelBytes(lines);
    return (index) => {
      const n = Math.floor(index / rows.count);
      const { from, to } = blockOf(rows, index % rows.count);
      for (let row = from; row < to; row++) {
        packRow(images.byteOffset + n * imageBytes, row, row === from, groups * channels, scratch.planes);
        const places = placesFor(row);
        for (let group = 0; group < groups; group++) {
          weigh(
            places,
            taps,
            channels,
            planeBytes,
            scratch.planes + group * channels * planeBytes,
            scratch.weights + group * terms * FEW_FILTERS * lanes.bytes,
            scratch.bias + group * FEW_FILTERS * lanes.bytes,
            out.byteOffset + 4 * (offset + n * image + row * line + group * columns),
            4 * position,
            window.outputWidth,
            columns,
            scratch.spill,
          );
        }
      }
    };
  },
};

/** Packs the weights and biases of all groups. */
function packOperands(
  layout: RightLayout,
  kernel: FloatArray,
  bias: FloatArray,
  scratch: Scratch,
  memory: ArrayBufferLike,
): void {
  const { lanes, groups, columns, terms } = layout;
  const pack = panelPacker(layout, kernel);
  const biases = sumsAt(lanes, memory, scratch.bias, groups * FEW_FILTERS).fill(0);
  for (let group = 0; group < groups; group++) {
    const to = scratch.weights + group * terms * FEW_FILTERS * lanes.bytes;
    pack(group, { from: 0, columns, vectors: FEW_FILTERS / lanes.perVector }, to);
    for (let f = 0; f < columns && bias.length > 0; f++) biases[group * FEW_FILTERS + f] = bias[group * columns + f];
  }
}
