/**
 * Lines of an image as the kernels of depthwise convolution read them: a few channels side by side, with zeros for what a
 * window sees outside of the image. The kernels of few filters read panels of one channel, planes.
 *
 *     image [H, W, C]  ->  [panel of channels][line][column mod stride][column div stride][channels of the panel]
 *
 * With a stride, a tap reads every s-th column of a line. Columns that leave the same remainder lie next to each other
 * here, so that a kernel goes from a column to the next one of the same tap by one pixel, whatever the stride.
 *
 * Outputs are computed row by row, and only the lines that a row sees are kept: line i in place i mod their number, the next
 * one over the first. So each line is packed once, and stays in the cache while all taps pass over it.
 *
 * Values are widened where sums are doubles. Channels that a panel lacks are zeros.
 *
 * @module
 */
import type { Window2D } from "../window.js";
import type { PackKernel } from "./panel-kernels.js";
import { kernelFunction } from "./thread.js";

/** Columns of a line that leave the same remainder: zeros, some of the image, zeros. */
interface LineColumns {
  /** Bytes from the start of a line. */
  readonly at: number;
  readonly before: number;
  readonly inside: number;
  readonly after: number;
  /** The first one in the image. */
  readonly first: number;
}

/** How the lines that a window sees lie in memory. Sizes are bytes of one panel. */
export interface PanelLines {
  readonly window: Window2D;
  /** Of the channels of a panel. */
  readonly pixel: number;
  readonly line: number;
  /** Lines from the first to the last that one output sees. */
  readonly reach: number;
  /** Those that taps read. */
  readonly columns: readonly LineColumns[];
}

/** The lines that `window` sees, in panels whose pixels take `pixel` bytes. */
export function panelLines(window: Window2D, pixel: number): PanelLines {
  const { inputWidth, kernelHeight, kernelWidth, strideWidth, dilationHeight, dilationWidth, padLeft } = window;
  const seen = (window.outputWidth - 1) * strideWidth + (kernelWidth - 1) * dilationWidth + 1;
  const each = Math.ceil(seen / strideWidth);
  const remainders = new Set(Array.from({ length: kernelWidth }, (_, kw) => (kw * dilationWidth) % strideWidth));
  const columns = [...remainders].map((remainder) => {
    const count = Math.ceil((seen - remainder) / strideWidth);
    const within = (column: number): number => Math.max(0, Math.min(count, column));
    // column i is column remainder + i * strideWidth - padLeft of the image
    const before = within(Math.ceil((padLeft - remainder) / strideWidth));
    const end = within(Math.ceil((inputWidth + padLeft - remainder) / strideWidth));
    const inside = Math.max(0, end - before);
    const first = remainder + before * strideWidth - padLeft;
    return { at: remainder * each * pixel, before, inside, after: count - before - inside, first };
  });
  const reach = (kernelHeight - 1) * dilationHeight + 1;
  return { window, pixel, line: strideWidth * each * pixel, reach, columns };
}

/** The most bytes of lines of a tile: they must stay in the second cache while the taps pass over them. */
export const LINES_BYTES = 262_144;

/** Bytes between panels, so that the same pixels of several do not fall in the same set of a cache. */
const PANEL_GAP = 64;

/** Bytes from one panel of the lines that a row of outputs sees to the next. */
export function panelBytes({ reach, line }: PanelLines): number {
  return reach * line + PANEL_GAP;
}

/** Where line `row` of an image is kept: bytes from the start of the panel. */
function linePlace({ window, reach, line }: PanelLines, row: number): number {
  return ((row + window.padTop) % reach) * line;
}

/** Where the first output of a row reads through tap number `tap`, if it sees the lines from place `start` on. */
function tapPlace(lines: PanelLines, start: number, tap: number): number {
  const { strideWidth, kernelWidth, dilationHeight, dilationWidth } = lines.window;
  const kh = Math.floor(tap / kernelWidth);
  const column = (tap - kh * kernelWidth) * dilationWidth;
  const ofRemainder = (column % strideWidth) * (lines.line / strideWidth);
  const place = (start + kh * dilationHeight) % lines.reach;
  return place * lines.line + ofRemainder + Math.floor(column / strideWidth) * lines.pixel;
}

/** Places of all taps, for every place where the first line that a row of outputs sees may be. */
interface TapPlaces {
  readonly bytes: number;
  /** Writes the tables to `address` in `memory`; returns where the one for a row of outputs is. */
  readonly write: (memory: ArrayBufferLike, address: number) => (output: number) => number;
}

/** The tables of the places of `taps`, or of all, each in `planes` planes, `planeBytes` apart, before the next one. */
export function tapPlaces(lines: PanelLines, planes = 1, planeBytes = 0, taps?: readonly number[]): TapPlaces {
  const { kernelHeight, kernelWidth, strideHeight } = lines.window;
  const { reach } = lines;
  const length = (taps === undefined ? kernelHeight * kernelWidth : taps.length) * planes;
  return {
    bytes: 4 * reach * length,
    write: (memory, address) => {
      const tables = new Int32Array(memory, address, reach * length);
      for (let i = 0; i < tables.length; i++) {
        const start = Math.floor(i / length);
        const index = Math.floor((i - start * length) / planes);
        const tap = taps === undefined ? index : taps[index];
        tables[i] = tapPlace(lines, start, tap) + (i % planes) * planeBytes;
      }
      return (output) => address + 4 * length * ((output * strideHeight) % reach);
    },
  };
}

/**
 * Packs the lines of some channels of the image at `image` that row `output` of the outputs sees. Where that is not the
 * `first` row, the lines that the row before sees are there.
 */
type RowPacker = (image: number, output: number, first: boolean, channels: number, to: number) => void;

/** Bytes of an image that are read for all remainders of a column before those behind them: half the first cache. */
const READ_BYTES = 16_384;

/**
 * What packs, with the kernel `pack`, lines of images whose pixels are `pixelBytes` apart. At the address `zeros` are as many
 * as the channels.
 */
export function rowPacker(lines: PanelLines, pack: PackKernel, pixelBytes: number, zeros: number): RowPacker {
  const { reach, line } = lines;
  const { strideHeight, padTop } = lines.window;
  const { packPadding, packLine } = linePackers(lines, pack, pixelBytes, zeros);
  return (image, output, first, channels, to) => {
    const top = output * strideHeight - padTop;
    const seen = first ? 0 : Math.max(0, reach - strideHeight);
    // all lines have their padding in the same places, so that it stays
    if (first) for (let i = 0; i < reach; i++) packPadding(channels, to + i * line);
    for (let row = top + seen; row < top + reach; row++) packLine(image, row, channels, to + linePlace(lines, row));
  };
}

/** What packs the columns of a line that are outside of the image, and those inside of line `row`, which may be outside. */
interface LinePackers {
  readonly packPadding: (channels: number, to: number) => void;
  readonly packLine: (image: number, row: number, channels: number, to: number) => void;
}

function linePackers(lines: PanelLines, kernel: PackKernel, pixelBytes: number, zeros: number): LinePackers {
  const { window, line, pixel, columns } = lines;
  const { inputHeight, inputWidth, strideWidth } = window;
  const panel = panelBytes(lines);
  const pack = kernelFunction(kernel); // from, to, count, fromStep, columns, panelBytes
  const step = strideWidth * pixelBytes;
  const together = columns.length === 1 ? Number.POSITIVE_INFINITY : Math.ceil(READ_BYTES / step);
  const longest = Math.max(...columns.map(({ inside }) => inside));
  return {
    packPadding(channels, to) {
      for (const { at, before, inside, after } of columns) {
        if (before > 0) pack(zeros, to + at, before, 0, channels, panel);
        if (after > 0) pack(zeros, to + at + (before + inside) * pixel, after, 0, channels, panel);
      }
    },
    packLine(image, row, channels, to) {
      if (row < 0 || row >= inputHeight) {
        pack(zeros, to, line / pixel, 0, channels, panel);
        return;
      }
      const from = image + row * inputWidth * pixelBytes;
      for (let i = 0; i < longest; i += together) {
        for (const { at, before, inside, first } of columns) {
          const count = Math.min(together, inside - i);
          if (count <= 0) continue;
          pack(from + first * pixelBytes + i * step, to + at + (before + i) * pixel, count, step, channels, panel);
        }
      }
    },
  };
}
