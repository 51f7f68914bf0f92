/**
 * The gradient of depthwise convolution for its kernel, on the vector unit. With one filter a channel,
 *
 *     dKernel[kh, kw, c] = sum over n, oh, ow of padded x[n, oh*sH + kh*dH, ow*sW + kw*dW, c] * dy[n, oh, ow, c]
 *
 * Several filters a channel are made one first (`channel-multiplier.ts`).
 *
 * A tile is some taps of some channels, and runs through all positions in blocks that stay in the cache, as in
 * `filter-gradient.ts`; but the product of two pixels is that of each channel with itself (`tap-products.ts`).
 *
 * @module
 */
import type { Job } from "../../parallel/job.js";
import { contiguous, empty, type Tensor } from "../../tensor/tensor.js";
import { type Execution, threadsOf } from "../execution.js";
import { blockOf, type Split, splitEvenly } from "../split.js";
import { type Window2D, windowFrom, windowNumbers } from "../window.js";
import { ranges } from "./axes.js";
import { repeatChannels } from "./channel-multiplier.js";
import { channelProducts, channelsOf, PRODUCT_VECTORS } from "./depthwise-kernels.js";
import { type Grid, positionGrid } from "./filter-gradient-plan.js";
import { doubles, type Lanes, lanesOf, PANEL_VECTORS, singles, sumsAt } from "./lanes.js";
import { runSimd, scratchAddress } from "./run.js";
import { addTap, addZeroProducts, type Block, type Positions } from "./tap-products.js";
import { kernelFunction } from "./thread.js";

/** How many tiles a thread should have, so that one that was held up leaves the others something to take. */
const TILES_PER_THREAD = 2;
/** About how many bytes of x and dy a block of positions has: both stay in the second cache while the taps pass by. */
const BLOCK_BYTES = 524_288;
/** Bytes of zeros to multiply the padding by: as many as a panel has channels. */
const ZEROS = 128;

/** Space behind sums, for vectors that are loaded for the sake of their first lane. */
const SLACK = 64;

/** What all tiles have in common. */
interface Plan {
  readonly lanes: Lanes;
  readonly batch: number;
  readonly channels: number;
  /** The most taps and channels of a tile. */
  readonly taps: Split;
  readonly across: Split;
  readonly positions: Grid;
  readonly window: Window2D;
}

/** Bytes of the sums of one tap. */
function tapBytes({ lanes, across }: Plan): number {
  return Math.ceil((across.size * lanes.bytes) / SLACK) * SLACK + SLACK;
}

function split(total: number, size: number): Split {
  return { total, size, count: Math.ceil(total / size) };
}

/** The gradient for the kernel, [kH, kW, C, M], from float32 tensors `x` [N, H, W, C] and `dy` [N, OH, OW, C * M]. */
export function simdDepthwiseKernelGradient(x: Tensor, dy: Tensor, window: Window2D, execution: Execution): Tensor {
  const batch = x.shape[0];
  const channels = dy.shape[3];
  const multiplier = channels / x.shape[3];
  const image = multiplier === 1 ? x : repeatChannels(x, multiplier, execution);
  const { kernelHeight, kernelWidth, strideHeight, strideWidth } = window;
  const dKernel = empty([kernelHeight, kernelWidth, x.shape[3], multiplier], x);
  const lanes = lanesOf(execution.accumulate);
  const threads = threadsOf(execution);
  const tiles = threads === 1 ? 1 : TILES_PER_THREAD * threads;
  const panel = channelsOf(lanes, PANEL_VECTORS[0]);
  // whole taps are shared only where there are too few panels of channels
  const across = splitEvenly(channels, Math.max(panel, Math.ceil(channels / tiles / panel) * panel), panel);
  const taps = splitEvenly(
    kernelHeight * kernelWidth,
    Math.ceil((kernelHeight * kernelWidth * across.count) / tiles),
    1,
  );
  const pixels = 4 * channels * (1 + strideHeight * strideWidth);
  const positions = positionGrid(window, batch, Math.max(1, Math.floor(BLOCK_BYTES / pixels)));
  const plan = { lanes, batch, channels, taps, across, positions, window };
  runSimd(execution, {
    job: simdDepthwiseKernelGradientJob,
    reads: [contiguous(image).data, contiguous(dy).data],
    writes: [dKernel.data],
    numbers: [
      ...[lanes.bytes, batch, channels, taps.size, across.size],
      ...[positions.images, positions.rows, positions.columns, ...windowNumbers(window)],
    ],
    tiles: taps.count * across.count,
    scratch: ZEROS + (2 * taps.size + 1) * tapBytes(plan),
  });
  return dKernel;
}

function planFrom(numbers: readonly number[]): Plan {
  const [bytes, batch, channels, tapSize, channelSize, images, rows, columns] = numbers;
  const window = windowFrom(numbers, 8);
  return {
    lanes: bytes === 4 ? singles : doubles,
    ...{ batch, channels, window },
    taps: split(window.kernelHeight * window.kernelWidth, tapSize),
    across: split(channels, channelSize),
    positions: { images, rows, columns },
  };
}

/** Some taps of some channels. */
export const simdDepthwiseKernelGradientJob: Job = {
  name: "simdDepthwiseKernelGradient",
  prepare:
    ([x, dy, scratchMemory, dKernel], numbers) =>
    (index) => {
      const plan = planFrom(numbers);
      const { lanes, batch, channels, window } = plan;
      const taps = blockOf(plan.taps, index % plan.taps.count);
      const { from, to } = blockOf(plan.across, Math.floor(index / plan.taps.count));
      const zeros = scratchAddress(scratchMemory, numbers);
      const sums = zeros + ZEROS;
      const padding = sums + plan.taps.size * tapBytes(plan);
      const trial = padding + plan.taps.size * tapBytes(plan);
      const start = (zeros - scratchMemory.byteOffset) / 4;
      scratchMemory.fill(0, start, start + (trial + tapBytes(plan) - zeros) / 4);
      const products = {
        ...{ window, zeros, channels: to - from, paddingChannels: to - from, panels: 1 },
        multiply: kernelFunction(channelProducts(lanes)),
      };
      for (const images of ranges(batch, plan.positions.images)) {
        for (const rows of ranges(window.outputHeight, plan.positions.rows)) {
          for (const columns of ranges(window.outputWidth, plan.positions.columns)) {
            const block = blockAt(plan, { images, rows, columns }, x.byteOffset + 4 * from, dy.byteOffset + 4 * from);
            // once dy has shown a value that is not finite, what the padding gives must be summed for each tap
            addZeroProducts(products, block, trial);
            const finite = sumsAt(lanes, scratchMemory.buffer, trial, to - from).every((sum) => sum === 0);
            for (let tap = taps.from, i = 0; tap < taps.to; tap++, i++) {
              addTap(products, { ...block, finite }, tap, sums + i * tapBytes(plan), padding + i * tapBytes(plan));
            }
          }
        }
      }
      for (let tap = taps.from, i = 0; tap < taps.to; tap++, i++) {
        const total = sumsAt(lanes, scratchMemory.buffer, sums + i * tapBytes(plan), to - from);
        const outside = sumsAt(lanes, scratchMemory.buffer, padding + i * tapBytes(plan), to - from);
        for (let c = 0; c < to - from; c++) dKernel[tap * channels + from + c] = total[c] + outside[c];
      }
    },
};

/** A block of positions, both of whose operands are read where they lie. */
function blockAt(
  { lanes, channels, window }: Plan,
  positions: Positions,
  x: number,
  dy: number,
): Omit<Block, "finite"> {
  const { inputHeight, inputWidth, outputHeight, outputWidth } = window;
  const { images, rows, columns } = positions;
  const column = 4 * channels;
  const panel = 4 * channelsOf(lanes, PRODUCT_VECTORS);
  const every = { first: 0, step: 1 };
  const imageBytes = inputHeight * inputWidth * column;
  const gradientBytes = outputHeight * outputWidth * column;
  return {
    positions,
    image: {
      ...{ address: x + images.from * imageBytes, column, row: inputWidth * column, image: imageBytes, panel },
      rows: { ...every, count: inputHeight },
      columns: { ...every, count: inputWidth },
    },
    gradient: {
      address: dy + images.from * gradientBytes + (rows.from * outputWidth + columns.from) * column,
      ...{ column, row: outputWidth * column, image: gradientBytes, panel },
    },
  };
}
