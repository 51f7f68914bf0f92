/**
 * How depthwise convolution runs through images that it reads where they lie.
 *
 * What hangs over the border of an image is left out (`padding.ts`), so outputs are told apart by the taps through which they see it.
 * Side by side in a row, those that see it through the same taps are a *strip*; rows that are made of the same strips are a *band*,
 * and a kernel runs through a band by itself:
 *
 *     rows 0        strips  | corner | edge   | corner |        The three bands of a 3x3 kernel with padding "same",
 *     rows 1..H-2           |  edge  | inside |  edge  |        of three strips each.
 *     row  H-1              | corner | edge   | corner |
 *
 * The gradient for the input is made of phases of the strides (`phases.ts`). They share bands: a row of a band is a row of each
 * phase, so that lines of dy are read once for all of them, and what is written lies side by side.
 *
 * @module
 */
import { onceForWindow, type Window2D } from "../window.js";
import { type Axis, horizontalAxis, outputsByTaps, type Range, verticalAxis } from "./axes.js";
import { linesBack, type Part, partsBack, partsForward } from "./depthwise-parts.js";
import { RUN_BYTES, runTapsOf } from "./depthwise-runs.js";
import { groupsInside, type OutputGroup } from "./padding.js";

/** A tap: which one of those that are packed, and which pixel it reads, counted from the first one that the window would begin with. */
interface Tap {
  readonly tap: number;
  readonly pixel: number;
}

/** Outputs side by side that see an image through the same taps. Places are in pixels. */
interface Strip {
  readonly columns: number;
  /** What the window of the first one begins with, and where this one lies, both counted from the row. */
  readonly source: number;
  readonly output: number;
  readonly taps: readonly Tap[];
  /** The taps of a run: so many, one after another, see pixels side by side, over and over (`depthwise-runs.ts`). */
  readonly runTaps: number;
}

/** Rows that are made of the same strips. */
export interface Band {
  readonly rows: Range;
  readonly strips: readonly Strip[];
}

/** How to run through an image. */
export interface Bands {
  readonly all: readonly Band[];
  /** Rows of all bands. */
  readonly rows: number;
  /** Whether all outputs see the image through all taps. */
  readonly isInside: boolean;
}

/** How often a value is used at most: a larger kernel makes up for packing, and reads panels faster than whole pixels. */
const MOST_USES = 16;

/** The bands of the forward pass and of the gradient for the kernel; undefined where an image is better packed. */
export const bandsForward: (window: Window2D) => Bands | undefined = onceForWindow((window) =>
  bandsOf(partsForward(window), [0], 1),
);

/**
 * The bands of the gradient for the input, whose phases must see some tap; undefined where dy is better packed. Taps are those of
 * `linesBack`, in their order.
 */
export const bandsBack: (window: Window2D) => Bands | undefined = onceForWindow((window) => {
  const firstTaps = linesBack(window).parts.map(({ firstTap }) => firstTap);
  return bandsOf(partsBack(window), firstTaps, window.strideWidth);
});

/** The bands of `parts`, which write every `step`-th pixel of a row; the taps of each are packed from one of `firstTaps` on. */
function bandsOf(parts: readonly Part[], firstTaps: readonly number[], step: number): Bands | undefined {
  const inside = parts.map(({ window }) => (isSmall(window) ? groupsInside(window) : undefined));
  if (!inside.every((some) => some !== undefined)) return undefined;
  const groups = parts.map(({ window }) => outputsByTaps(verticalAxis(window), window.outputHeight));
  const cuts = [...new Set([0, ...groups.flat().map(({ outputs }) => outputs.to)])].toSorted((a, b) => a - b);
  const all = cuts.slice(1).map((to, i) => {
    const from = cuts[i];
    const strips = parts.flatMap((part, k) => {
      const seen = groups[k].find(({ outputs }) => outputs.from <= from && to <= outputs.to);
      return seen === undefined ? [] : stripsOf(part, firstTaps[k], step, seen.taps); // a phase may have a row less than another
    });
    return { rows: { from, to }, strips };
  });
  const tapCount = ({ rows, columns }: OutputGroup): number =>
    (rows.taps.to - rows.taps.from) * (columns.taps.to - columns.taps.from);
  const isInside = parts.every(({ window: { kernelHeight, kernelWidth } }, k) =>
    inside[k].every((group) => tapCount(group) === kernelHeight * kernelWidth),
  );
  return { all, rows: cuts[cuts.length - 1], isInside };
}

function isSmall({ kernelHeight, kernelWidth, strideHeight, strideWidth }: Window2D): boolean {
  return kernelHeight * kernelWidth <= MOST_USES * strideHeight * strideWidth;
}

/** The strips of a row of `part` that sees the image through the taps `down`. */
function stripsOf({ window, output }: Part, firstTap: number, step: number, down: Range): Strip[] {
  const { inputWidth, kernelWidth, strideWidth, dilationHeight, dilationWidth, padTop, padLeft, outputWidth } = window;
  return outputsByTaps(horizontalAxis(window), outputWidth).map(({ outputs, taps: across }) => {
    const taps: Tap[] = [];
    for (let kh = down.from; kh < down.to; kh++) {
      for (let kw = across.from; kw < across.to; kw++) {
        const pixel = kh * dilationHeight * inputWidth + kw * dilationWidth;
        taps.push({ tap: firstTap + kh * kernelWidth + kw, pixel });
      }
    }
    return {
      columns: outputs.to - outputs.from,
      source: outputs.from * strideWidth - padLeft - padTop * inputWidth,
      output: output + outputs.from * step,
      taps,
      runTaps: dilationWidth === 1 ? runTapsOf(across.to - across.from) : 1,
    };
  });
}

/** Outputs that see zeros of the padding, as one band of a strip whose taps all read the same pixel, of zeros. */
export interface Border {
  readonly band: Band;
  /** Pixels of outputs from one row of the band to the next, and from one output of the strip to the next. */
  readonly rowStep: number;
  readonly step: number;
}

/** The outputs that see padding above and below, and then on the left and right; those in corners are among both. */
export const bordersOf: (window: Window2D) => readonly Border[] = onceForWindow((window) => {
  const { outputHeight, outputWidth, kernelHeight, kernelWidth } = window;
  const down = {
    axis: verticalAxis(window),
    outputs: outputHeight,
    step: outputWidth,
    taps: kernelHeight,
    tapStep: kernelWidth,
  };
  const across = { axis: horizontalAxis(window), outputs: outputWidth, step: 1, taps: kernelWidth, tapStep: 1 };
  return [...bordersAlong(down, across), ...bordersAlong(across, down)];
});

/** An axis of a window: pixels from one output to the next, and taps from one tap to the next. */
interface Steps {
  readonly axis: Axis;
  readonly outputs: number;
  readonly step: number;
  readonly taps: number;
  readonly tapStep: number;
}

/** The outputs that see padding at the ends of an axis. The rows of a band go along it, and the strip along the `other` one. */
function bordersAlong({ axis, outputs, step, taps, tapStep }: Steps, other: Steps): Border[] {
  const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
  return outputsByTaps(axis, outputs).flatMap((group) => {
    const outside = upTo(taps).filter((k) => k < group.taps.from || group.taps.to <= k);
    if (outside.length === 0) return [];
    const ofStrip = outside.flatMap((k) =>
      upTo(other.taps).map((otherK) => ({ tap: k * tapStep + otherK * other.tapStep, pixel: 0 })),
    );
    const strip = { columns: other.outputs, source: 0, output: group.outputs.from * step, taps: ofStrip, runTaps: 1 };
    const rows = { from: 0, to: group.outputs.to - group.outputs.from };
    return [{ band: { rows, strips: [strip] }, rowStep: step, step: other.step }];
  });
}

/** Bytes of the table of a strip: where the table of its runs begins and ends, taps of a run, its columns, its source and its output. */
export const STRIP_BYTES = 24;

/** The rows of a band, and where the table of its strips begins and ends. */
export interface BandTable {
  readonly rows: Range;
  readonly strips: number;
  readonly end: number;
}

/** Bytes that the tables of `bands` have at most. */
export function tableBytes(bands: readonly Band[]): number {
  let bytes = 0;
  for (const { strips } of bands) for (const { taps } of strips) bytes += STRIP_BYTES + RUN_BYTES * taps.length;
  return bytes;
}

/** Writes the tables of `bands` to `address` in `memory`, for pixels of `pixel` bytes, `tapBytes` of weights or sums of a tap, with runs of taps or one by one. */
export function writeTables(
  memory: ArrayBufferLike,
  address: number,
  bands: readonly Band[],
  pixel: number,
  tapBytes: number,
  hasRuns: boolean,
): BandTable[] {
  const table = new Int32Array(memory, address, tableBytes(bands) / 4);
  let at = 0;
  return bands.map(({ rows, strips }) => {
    const first = at;
    at += (STRIP_BYTES / 4) * strips.length;
    const end = at;
    strips.forEach(({ columns, source, output, taps, runTaps }, i) => {
      const begin = at;
      const step = hasRuns ? runTaps : 1;
      for (let first = 0; first < taps.length; first += step) {
        table[at++] = taps[first].pixel * pixel;
        table[at++] = taps[first].tap * tapBytes;
      }
      let to = first + (STRIP_BYTES / 4) * i;
      table[to++] = address + 4 * begin;
      table[to++] = address + 4 * at;
      table[to++] = step;
      table[to++] = columns;
      table[to++] = source * pixel;
      table[to++] = output * pixel;
    });
    return { rows, strips: address + 4 * first, end: address + 4 * end };
  });
}
