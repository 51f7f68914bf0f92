/**
 * Depthwise convolution that reads images where they lie: for float32 sums, small kernels, and channels that are whole vectors.
 *
 * Packing lines, as `depthwise.ts` does, writes and reads every pixel once more than the arithmetic needs, and a small kernel
 * has so little arithmetic that it waits for memory. What hangs over the border is left out, so the kernel must be finite
 * (`padding.ts`); outputs are computed in groups that see the image through the same taps, each with a table of their places.
 *
 * A tile is some channels of some rows of outputs of an image.
 *
 * @module
 */
import { wholeLines } from "../../tensor/heap.js";
import type { Job } from "../../parallel/job.js";
import { type Execution, threadsOf } from "../execution.js";
import { splitBy } from "../split.js";
import { type Window2D, windowFrom, windowNumbers } from "../window.js";
import { zeroFunction } from "./copy-kernel.js";
import { depthwiseKernels } from "./depthwise-kernels.js";
import {
  cutTiles,
  depthwiseTile,
  type Operands,
  packFilters,
  type PackedFilters,
  type Weighing,
  widthOf,
} from "./depthwise-operands.js";
import { inPlaceKernel, TAP_BYTES } from "./depthwise-in-place-kernel.js";
import { PANEL_VECTORS, singles } from "./lanes.js";
import { groupsInside, type OutputGroup, outputGroups } from "./padding.js";
import { runSimd, scratchAddress } from "./run.js";
import { kernelFunction } from "./thread.js";

/** How often a value is used at most: a larger kernel makes up for packing, and reads panels faster than whole pixels. */
const MOST_USES = 16;
/** About how many bytes of filters a tile has: they stay in the first cache, beside the pixels. */
const FILTER_BYTES = 16_384;

/** Padding is left out along both axes. */
const BOTH = { rows: true, columns: true };

/** Where a tile keeps what, as addresses. */
interface Scratch extends PackedFilters {
  /** The tables of the taps of all groups, one after another. */
  readonly tables: number;
  readonly end: number;
}

function scratchFrom(
  address: number,
  { kernelHeight, kernelWidth }: Window2D,
  groups: readonly OutputGroup[],
  vectors: number,
  panels: number,
): Scratch {
  const taps = groups.reduce((sum, group) => sum + tapCount(group), 0);
  const filter = address + wholeLines(TAP_BYTES * taps);
  const filterPanel = kernelHeight * kernelWidth * 16 * vectors;
  const bias = filter + wholeLines(panels * filterPanel);
  return { tables: address, filter, filterPanel, bias, end: bias + wholeLines(panels * 16 * vectors) };
}

function tapCount({ rows, columns }: OutputGroup): number {
  return (rows.taps.to - rows.taps.from) * (columns.taps.to - columns.taps.from);
}

/**
 * Weighs pixels in place, in panels of at most `vectors` vectors.
 *
 * Returns false, and has written nothing, where that cannot be.
 */
export function weighInPlace(weighing: Weighing, execution: Execution, vectors: number): boolean {
  const { source, kernel, bias, window, planes, batch, channels, firstTap, rowTap, columnTap, result } = weighing;
  const across = PANEL_VECTORS.find((count) => count <= vectors && channels % (count * singles.perVector) === 0);
  if (execution.accumulate !== "float32" || planes !== 1 || across === undefined) return false;
  const taps = window.kernelHeight * window.kernelWidth;
  if (taps > MOST_USES * window.strideHeight * window.strideWidth) return false;
  const groups = groupsInside(window);
  if (groups === undefined) return false;
  const isInside = groups.every((group) => tapCount(group) === taps);
  if (!isInside && !weighing.isFinite()) return false;
  const width = across * singles.perVector;
  const most = Math.floor(FILTER_BYTES / (4 * taps * width));
  const tiles = cutTiles(window.outputHeight, batch, channels, width, most, threadsOf(execution));
  runSimd(execution, {
    job: depthwiseInPlaceJob,
    reads: [source, kernel, bias],
    writes: [result.data],
    numbers: [
      ...[across, batch, channels, firstTap, rowTap, columnTap, tiles.rows.size, tiles.across.size],
      ...[result.offset, result.image, result.line, result.position, ...windowNumbers(window)],
    ],
    tiles: batch * tiles.rows.count * tiles.across.count,
    scratch: scratchFrom(0, window, groups, across, tiles.across.size / width).end,
  });
  return true;
}

/** How many numbers the job is told before those of its window. */
const OWN_NUMBERS = 12;

/** Some channels of some rows of outputs of an image. */
export const depthwiseInPlaceJob: Job = {
  name: "depthwiseInPlace",
  prepare([source, kernel, bias, scratchMemory, out], numbers) {
    const [vectors, batch, channels, firstTap, rowTap, columnTap, rowsSize, acrossSize] = numbers;
    const [offset, image, line, position] = numbers.slice(OWN_NUMBERS - 4);
    const window = windowFrom(numbers, OWN_NUMBERS);
    const operands: Operands = { planes: 1, batch, channels, firstTap, rowTap, columnTap };
    const kernels = depthwiseKernels(singles, vectors);
    const width = widthOf(kernels);
    const tiles = { rows: splitBy(window.outputHeight, rowsSize), across: splitBy(channels, acrossSize) };
    const groups = outputGroups(window, BOTH);
    const address = scratchAddress(scratchMemory, numbers);
    const scratch = scratchFrom(address, window, groups, vectors, acrossSize / width);
    zeroFunction(singles)(scratch.bias, (scratch.end - scratch.bias) / 4);
    const tables = writeTables(scratchMemory.buffer, scratch.tables, window, groups, 4 * channels, 16 * vectors);
    const weigh = kernelFunction(inPlaceKernel(vectors));
    const pixel = 4 * channels;
    const pitch = window.inputWidth * pixel;
    let packed: number | undefined; // the first of the channels whose filters are packed
    return (index) => {
      const { n, down, channels: some } = depthwiseTile(tiles, index);
      const { from, to } = some;
      if (packed !== from) packFilters(kernels, operands, window, scratch, kernel, bias, from, to - from);
      packed = from;
      const imageAt = source.byteOffset + n * window.inputHeight * pitch + 4 * from;
      const outAt = out.byteOffset + 4 * (offset + n * image + from);
      for (let oh = down.from; oh < down.to; oh++) {
        const lineAt = imageAt + (oh * window.strideHeight - window.padTop) * pitch - window.padLeft * pixel;
        for (let i = 0; i < groups.length; i++) {
          const { outputs } = groups[i].columns;
          const ofRows = groups[i].rows.outputs;
          if (oh < ofRows.from || ofRows.to <= oh) continue;
          weigh(
            tables[i],
            tapCount(groups[i]),
            outputs.to - outputs.from,
            lineAt + outputs.from * window.strideWidth * pixel,
            window.strideWidth * pixel,
            scratch.filter,
            scratch.filterPanel,
            scratch.bias,
            outAt + 4 * (oh * line + outputs.from * position),
            4 * position,
            (to - from) / width,
          );
        }
      }
    };
  },
};

/**
 * Writes the tables of the taps of all groups to `address` in `memory`: where the window of an output reads, in pixels of `pixel`
 * bytes, and where the weights are, `tapBytes` for each tap. Returns where they are.
 */
function writeTables(
  memory: ArrayBufferLike,
  address: number,
  { inputWidth, kernelWidth, dilationHeight, dilationWidth }: Window2D,
  groups: readonly OutputGroup[],
  pixel: number,
  tapBytes: number,
): number[] {
  let to = address;
  return groups.map((group) => {
    const table = new Int32Array(memory, to, (TAP_BYTES / 4) * tapCount(group));
    to += table.byteLength;
    let i = 0;
    for (let kh = group.rows.taps.from; kh < group.rows.taps.to; kh++) {
      for (let kw = group.columns.taps.from; kw < group.columns.taps.to; kw++) {
        table[i++] = (kh * dilationHeight * inputWidth + kw * dilationWidth) * pixel;
        table[i++] = (kh * kernelWidth + kw) * tapBytes;
      }
    }
    return table.byteOffset;
  });
}
