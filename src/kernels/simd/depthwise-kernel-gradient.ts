/**
 * The gradient of depthwise convolution for its kernel, on the vector unit. With one filter a channel,
 *
 *     dKernel[kh, kw, c] = sum over n, oh, ow of padded x[n, oh*sH + kh*dH, ow*sW + kw*dW, c] * dy[n, oh, ow, c]
 *
 * Several filters a channel are made one first (`channel-multiplier.ts`).
 *
 * A tile is some taps of some channels, and runs through all positions in order, row by row: the pixels of dy of a row, and
 * the lines of x that it is the first to see, are packed in panels, the padding as zeros (`panel-lines.ts`), and stay in the
 * cache while the taps pass by. Where channels are whole vectors, and packing is not worth its while, pixels are multiplied
 * where they lie (`depthwise-products.ts`).
 *
 * @module
 */
import { wholeLines } from "../../tensor/heap.js";
import type { Job } from "../../parallel/job.js";
import { contiguous, empty, type Tensor } from "../../tensor/tensor.js";
import { type Execution, threadsOf } from "../execution.js";
import { blockOf, type Split, splitBy, splitEvenly } from "../split.js";
import { type Window2D, windowFrom, windowNumbers } from "../window.js";
import { repeatChannels } from "./channel-multiplier.js";
import { zeroFunction } from "./copy-kernel.js";
import { type DepthwiseKernels, depthwiseKernels } from "./depthwise-kernels.js";
import { cutChannels } from "./depthwise-operands.js";
import { sumProductsInPlace } from "./depthwise-products.js";
import { doubles, lanesOf, singles, sumsAt } from "./lanes.js";
import { outerProductKernels } from "./outer-product-kernels.js";
import { LINES_BYTES, type PanelLines, panelBytes, panelLines, rowPacker, tapPlaces } from "./panel-lines.js";
import { runSimd, scratchAddress } from "./run.js";
import { kernelFunction } from "./thread.js";
import { panelVectors } from "./wide.js";

/** What all tiles have in common. */
interface Plan {
  readonly kernels: DepthwiseKernels;
  readonly lines: PanelLines;
  readonly batch: number;
  readonly channels: number;
  readonly taps: Split;
  readonly across: Split;
}

/** The gradient for the kernel, [kH, kW, C, M], from float32 tensors `x` [N, H, W, C] and `dy` [N, OH, OW, C * M]. */
export function simdDepthwiseKernelGradient(
  x: Tensor,
  dy: Tensor,
  window: Window2D,
  execution: Execution,
  vectors: number = panelVectors(),
): Tensor {
  const batch = x.shape[0];
  const channels = dy.shape[3];
  const multiplier = channels / x.shape[3];
  const image = multiplier === 1 ? x : repeatChannels(x, multiplier, execution);
  const { kernelHeight, kernelWidth } = window;
  const dKernel = empty([kernelHeight, kernelWidth, x.shape[3], multiplier], x);
  const source = contiguous(image).data;
  const gradient = contiguous(dy).data;
  if (sumProductsInPlace(source, gradient, dKernel.data, batch, channels, window, execution, vectors)) return dKernel;
  const threads = threadsOf(execution);
  const kernels = depthwiseKernels(lanesOf(execution.accumulate), vectors);
  const lines = panelLines(window, 16 * vectors);
  const allTaps = kernelHeight * kernelWidth;
  const width = vectors * kernels.lanes.perVector;
  const across = cutChannels(channels, width, Math.floor(LINES_BYTES / panelBytes(lines)), threads);
  // taps are only shared where there are too few panels: who shares them packs the same pixels again
  const parts = across.count < threads ? Math.ceil(threads / across.count) : 1;
  const taps = splitEvenly(allTaps, Math.ceil(allTaps / parts), 1);
  const plan = { kernels, lines, batch, channels, taps, across };
  runSimd(execution, {
    job: simdDepthwiseKernelGradientJob,
    reads: [source, gradient],
    writes: [dKernel.data],
    numbers: [...[kernels.lanes.bytes, vectors, batch, channels, taps.size, across.size], ...windowNumbers(window)],
    tiles: taps.count * across.count,
    scratch: scratchFrom(0, plan).end,
  });
  return dKernel;
}

function planFrom(numbers: readonly number[]): Plan {
  const [bytes, vectors, batch, channels, taps, across] = numbers;
  const window = windowFrom(numbers, 6);
  return {
    kernels: depthwiseKernels(bytes === 4 ? singles : doubles, vectors),
    lines: panelLines(window, 16 * vectors),
    ...{ batch, channels },
    taps: splitBy(window.kernelHeight * window.kernelWidth, taps),
    across: splitBy(channels, across),
  };
}

/** Where a tile keeps what, as addresses. All but the table and zeros are of the type of the sums. */
interface Scratch {
  /** The places of taps. */
  readonly table: number;
  /** As many as the tile has channels. */
  readonly zeros: number;
  /** [panel][tap][channels of the panel] */
  readonly sums: number;
  /** [panel][line], and [panel][pixel] */
  readonly lines: number;
  readonly dy: number;
  readonly dyPanel: number;
  readonly end: number;
}

function scratchFrom(table: number, { kernels, lines, taps, across }: Plan): Scratch {
  const panels = Math.ceil(across.size / (kernels.vectors * kernels.lanes.perVector));
  const zeros = table + wholeLines(tapPlaces(lines).bytes);
  const sums = zeros + wholeLines(4 * across.size);
  const linesAt = sums + wholeLines(panels * taps.size * lines.pixel);
  const dy = linesAt + panels * panelBytes(lines);
  const dyPanel = lines.window.outputWidth * lines.pixel;
  return { table, zeros, sums, lines: linesAt, dy, dyPanel, end: dy + panels * dyPanel };
}

/** Some taps of some channels. */
export const simdDepthwiseKernelGradientJob: Job = {
  name: "simdDepthwiseKernelGradient",
  prepare([x, dy, scratchMemory, dKernel], numbers) {
    const plan = planFrom(numbers);
    const { kernels, lines, batch, channels } = plan;
    const { lanes, vectors } = kernels;
    const { window } = lines;
    const scratch = scratchFrom(scratchAddress(scratchMemory, numbers), plan);
    const width = vectors * lanes.perVector;
    const placesFor = tapPlaces(lines).write(scratchMemory.buffer, scratch.table);
    const { packPanels } = outerProductKernels(lanes, vectors);
    const packRow = rowPacker(lines, packPanels, 4 * channels, scratch.zeros);
    const packPixels = kernelFunction(packPanels);
    const multiply = kernelFunction(kernels.tapProducts);
    const putZeros = zeroFunction(singles);
    const columns = window.outputWidth;
    const linePanel = panelBytes(lines);
    return (index) => {
      const taps = blockOf(plan.taps, index % plan.taps.count);
      const { from, to } = blockOf(plan.across, Math.floor(index / plan.taps.count));
      const panels = Math.ceil((to - from) / width);
      const count = taps.to - taps.from;
      putZeros(scratch.zeros, (scratch.lines - scratch.zeros) / 4);
      for (let n = 0; n < batch; n++) {
        const image = x.byteOffset + 4 * (n * window.inputHeight * window.inputWidth * channels + from);
        for (let row = 0; row < window.outputHeight; row++) {
          packRow(image, row, row === 0, to - from, scratch.lines);
          const dyAt = dy.byteOffset + 4 * ((n * window.outputHeight + row) * columns * channels + from);
          packPixels(dyAt, scratch.dy, columns, 4 * channels, to - from, scratch.dyPanel);
          multiply(
            placesFor(row) + 4 * taps.from,
            scratch.lines,
            scratch.dy,
            scratch.sums,
            columns,
            count,
            panels,
            linePanel,
            scratch.dyPanel,
          );
        }
      }
      const sums = sumsAt(lanes, scratchMemory.buffer, scratch.sums, panels * count * width);
      for (let panel = 0, at = 0; panel < panels; panel++) {
        const first = from + panel * width;
        for (let i = 0; i < count; i++, at += width) {
          const place = (taps.from + i) * channels + first;
          for (let c = 0; c < width && first + c < to; c++) dKernel[place + c] = sums[at + c];
        }
      }
    };
  },
};
