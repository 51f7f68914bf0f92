/**
 * Well-known sizes: what networks ask of a backend every day, for which kernels have paths of their own.
 *
 * Cases of sizes that all differ find swapped axes, and never see a path for a square window of 1, 2 or 3 taps, for
 * channels in blocks of 4 or 16, or for a sum that is cut into blocks. So a share of the cases of every such operation is
 * drawn from here.
 *
 * @module
 */
import type { Draw } from "../draw.js";
import type { Geometry } from "./problem.js";

/** One case in so many has well-known sizes; all sizes of the others differ. */
const KNOWN_SHARE = 3;
/** Whole blocks of 16 or 32 channels, one more, and the first width of ResNets. */
const WIDE = [16, 17, 32, 33, 64] as const;
/** Images of colours, one vector of four, and two. */
const NARROW = [3, 4, 8] as const;
/** As large as images must be for pixels with and without padding: the reference computes thousands of them. */
const MOST_SIDE = 5;
/** Windows of more taps are those of the stem, which sees few channels. */
const MOST_TAPS = 3;
/** Blocks of a sum of products are of 64 to 256 terms. */
const LONG = [65, 300] as const;

/** A square window: taps along both axes, and strides. */
export type KnownWindow = readonly [taps: number, strides: number];

/** Those of the convolutions of ResNets: stem, bottlenecks, shortcuts. */
export const KNOWN_CONVOLUTIONS: readonly KnownWindow[] = [
  [1, 1],
  [1, 2],
  [3, 1],
  [3, 2],
  [7, 2],
];

/** Those that are pooled over. */
export const KNOWN_POOLS: readonly KnownWindow[] = [
  [2, 1],
  [2, 2],
  [3, 1],
  [3, 2],
];

/** Whether the next case has well-known sizes. */
export function isKnown(draw: Draw): boolean {
  return draw.once(KNOWN_SHARE);
}

/** A square image of many channels. */
export function knownImage(draw: Draw, leastSide: number): Geometry["sizes"] {
  const side = draw.integer(leastSide, Math.max(leastSide, MOST_SIDE));
  return { batch: draw.integer(1, 2), height: side, width: side, channels: draw.choice(WIDE) };
}

/** One of `windows` over a square image, with many filters, many channels, or as many of both. */
export function knownWindow(draw: Draw, windows: readonly KnownWindow[]): Geometry["sizes"] {
  const [taps, strides] = draw.choice(windows);
  const image = knownImage(draw, Math.max(4, taps));
  const narrow = draw.choice(NARROW);
  const [wideChannels, wideFilters] = [
    [image["channels"], narrow],
    [narrow, image["channels"]],
  ];
  // long sums are of many channels
  const [channels, filters] =
    taps > MOST_TAPS ? wideFilters : draw.choice([wideChannels, wideChannels, wideFilters, [16, 16]]);
  return {
    ...image,
    channels,
    filters,
    kernelHeight: taps,
    kernelWidth: taps,
    strideHeight: strides,
    strideWidth: strides,
    dilationHeight: 1,
    dilationWidth: 1,
  };
}

/** Sizes of a product of matrices, one of which crosses blocks: each of its three sums is that long sometimes. */
export function knownProduct(draw: Draw): readonly [rows: number, inputs: number, units: number] {
  const long = draw.integer(...LONG);
  const [a, b] = [draw.choice([1, 4, 17]), draw.choice([1, 10, 16])];
  return draw.choice([
    [long, a, b],
    [a, long, b],
    [a, b, long],
  ]);
}

/** Rows of as many classes as data sets have. */
export function knownClasses(draw: Draw): { readonly rows: number; readonly classes: number } {
  return { rows: draw.integer(1, 4), classes: draw.choice([10, 100, 1000]) };
}
