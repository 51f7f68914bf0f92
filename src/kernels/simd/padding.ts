/**
 * Padding that is not multiplied.
 *
 * Where a window hangs over the border of the image, the definition multiplies zeros. Where the weights there are finite these
 * terms are +0 or -0, and they change no bit: sums begin at +0 and therefore are never -0. So where a whole kernel is finite
 * they are left out, and outputs are computed in groups that see the image through the same taps.
 *
 *                        columns 0   1 to W-2   W-1
 *                 taps     1, 2      0, 1, 2    0, 1         The nine groups of a 3x3 kernel with padding "same".
 *      row 0      1, 2    corner      edge     corner        Of the products of an 8x8 image one in six is with a zero,
 *      1 to H-2  0, 1, 2   edge      inside     edge         of those of a 32x32 image one in twenty-four.
 *      row H-1    0, 1    corner      edge     corner
 *
 * But sums are computed in tiles of four rows, and a group that is no whole number of tiles fills up the last. What is won or
 * lost by that is reckoned before, for the lines and for the columns.
 *
 * @module
 */
import { onceForWindow, type Window2D } from "../window.js";
import { type Axis, horizontalAxis, type OutputsSeeing, outputsByTaps, type Range, verticalAxis } from "./axes.js";
import { TILE_ROWS } from "./lanes.js";

/** Whether the padding above and below, and that on the left and right, is left out. */
export interface Skipping {
  readonly rows: boolean;
  readonly columns: boolean;
}

/** Outputs that see the image through the same taps, and these. */
export interface OutputGroup {
  readonly rows: OutputsSeeing;
  readonly columns: OutputsSeeing;
}

/** The outputs of `window` in groups, along the axes along which padding is left out. */
export function outputGroups(window: Window2D, skipping: Skipping): OutputGroup[] {
  const { outputHeight, outputWidth, kernelHeight, kernelWidth } = window;
  const rows = skipping.rows ? outputsByTaps(verticalAxis(window), outputHeight) : together(outputHeight, kernelHeight);
  const columns = skipping.columns
    ? outputsByTaps(horizontalAxis(window), outputWidth)
    : together(outputWidth, kernelWidth);
  return rows.flatMap((row) => columns.map((column) => ({ rows: row, columns: column })));
}

/** All outputs along an axis, and all taps. */
function together(outputs: number, taps: number): OutputsSeeing[] {
  return [{ outputs: { from: 0, to: outputs }, taps: { from: 0, to: taps } }];
}

/** The outputs of a window in groups, where all see something of the image and groups are not many; else undefined. */
export const groupsInside: (window: Window2D) => readonly OutputGroup[] | undefined = onceForWindow((window) => {
  const rows = outputsByTaps(verticalAxis(window), window.outputHeight);
  const columns = outputsByTaps(horizontalAxis(window), window.outputWidth);
  if (rows.length * columns.length > MOST_GROUPS || ![...rows, ...columns].every(seesImage)) return undefined;
  return outputGroups(window, { rows: true, columns: true });
});

function seesImage({ taps }: OutputsSeeing): boolean {
  return taps.to > taps.from;
}

/** What it takes to begin with a group, in turns of the inner loop, which multiply a value of each of four rows. */
const BEGINNING = 32;
/** More groups than that, of a kernel as large as the image or so, are not worth a look. */
const MOST_GROUPS = 64;

/** What is left out, and in how many groups the outputs are then. */
export interface SkippingPlan extends Skipping {
  readonly groups: number;
}

/** Nothing is left out. */
export const NO_SKIPPING: SkippingPlan = { rows: false, columns: false, groups: 1 };

/** What can be left out of a window, and what is best for tiles of so many lines over so many channels, as one number. */
interface Choices {
  readonly possible: Skipping;
  readonly best: Map<number, SkippingPlan>;
}

const choicesOf = onceForWindow((window): Choices => {
  const rows = canSkip(verticalAxis(window), window.outputHeight);
  // columns that are left out must be the first or last ones of a run of values
  const columns = window.dilationWidth === 1 && canSkip(horizontalAxis(window), window.outputWidth);
  return { possible: { rows, columns }, best: new Map() };
});

/**
 * Along which axes padding is best left out, where tiles are `lines` lines of outputs of a window over `channels` channels.
 */
export function chooseSkipping(window: Window2D, lines: number, channels: number): SkippingPlan {
  const { possible, best } = choicesOf(window);
  if (!possible.rows && !possible.columns) return NO_SKIPPING;
  const key = lines * 2 ** 26 + channels;
  let plan = best.get(key);
  if (plan === undefined) {
    plan = choose(window, possible, lines, channels);
    best.set(key, plan);
  }
  return plan;
}

function choose(window: Window2D, possible: Skipping, lines: number, channels: number): SkippingPlan {
  let best = NO_SKIPPING;
  let least = Number.POSITIVE_INFINITY;
  for (const rows of possible.rows ? [false, true] : [false]) {
    for (const columns of possible.columns ? [false, true] : [false]) {
      const groups = outputGroups(window, { rows, columns });
      if (groups.length > MOST_GROUPS) continue;
      const cost = costOf(groups, window.outputHeight, lines, channels);
      if (cost >= least) continue;
      least = cost;
      best = { rows, columns, groups: groups.length };
    }
  }
  return best;
}

/** Whether some outputs see padding along an axis, and all see some of the image. */
function canSkip(axis: Axis, outputs: number): boolean {
  const kinds = outputsByTaps(axis, outputs);
  return kinds.some(({ taps }) => taps.to - taps.from < axis.kernel) && kinds.every(seesImage);
}

/** What tiles of `lines` lines cost, in the unit of {@link BEGINNING}, for as many images as a tile holds, at least one. */
function costOf(groups: readonly OutputGroup[], height: number, lines: number, channels: number): number {
  const images = Math.max(1, Math.floor(lines / height));
  let cost = 0;
  for (let from = 0; from < height; from += lines) {
    const tile = { from, to: Math.min(height, from + lines) };
    for (const { rows, columns } of groups) {
      const outputs = images * lengthOf(overlap(rows.outputs, tile)) * lengthOf(columns.outputs);
      if (outputs === 0) continue;
      cost += BEGINNING + Math.ceil(outputs / TILE_ROWS) * lengthOf(rows.taps) * lengthOf(columns.taps) * channels;
    }
  }
  return cost;
}

/** What two ranges have in common, which may be empty. */
export function overlap(a: Range, b: Range): Range {
  const from = Math.max(a.from, b.from);
  return { from, to: Math.max(from, Math.min(a.to, b.to)) };
}

function lengthOf({ from, to }: Range): number {
  return to - from;
}
