/**
 * Whether the assembled kernels of filter gradients, of depthwise convolution and of few filters compute the bits that they
 * must; see `self-check.ts`.
 *
 * @module
 */
import { STRIP_BYTES } from "./depthwise-bands.js";
import { depthwiseKernels, PART_BYTES, writeParts } from "./depthwise-kernels.js";
import { FEW_FILTERS, FEW_FILTERS_VECTORS, fewFiltersKernels } from "./few-filters-kernels.js";
import { inPlaceKernel } from "./depthwise-in-place-kernel.js";
import { productsInPlaceKernel, storeSumsKernel } from "./depthwise-products-kernel.js";
import { inPlaceVectors, runStrides } from "./depthwise-runs.js";
import { doubles, type Lanes, PANEL_VECTORS, singles } from "./lanes.js";
import { GROUP, outerProductKernels } from "./outer-product-kernels.js";
import { type Check, checkOf, LEFT, type MakeArray, RIGHT, roundingIn, tableOf } from "./self-check-arrays.js";

/** Positions: a grid that lies in order in both operands. */
const GRID = { images: 2, rows: 2, columns: 3, aRow: 0, aImage: 0, bRow: 0, bImage: 0 };
const POSITIONS = GRID.images * GRID.rows * GRID.columns;
/** Weighted pixels: four together and two alone, in some channels less than a panel has. */
const PIXELS = 6;
/** Taps of depthwise convolution, some taken together and one alone. */
const TAPS = 6;
/** Taps and channels of a convolution with few filters: four channels are packed together and one alone. */
const FEW_TAPS = 2;
const CHANNELS = 5;

/** Their checks. */
export function gradientChecks(make: MakeArray): readonly Check[] {
  return [singles, doubles].flatMap((lanes) => [
    ...PANEL_VECTORS.flatMap((vectors) => [
      outerProductCheck(make, lanes, vectors),
      tapProductCheck(make, lanes, vectors),
      weightedPixelCheck(make, lanes, vectors),
    ]),
    ...inPlaceVectors(lanes).flatMap((vectors) =>
      runStrides(lanes, vectors).flatMap((stride) => [
        inPlaceCheck(make, lanes, vectors, stride),
        productsInPlaceCheck(make, lanes, vectors, stride),
      ]),
    ),
    ...FEW_FILTERS_VECTORS.flatMap((vectors) =>
      [3, FEW_FILTERS].map((filters) => fewFiltersCheck(make, lanes, vectors, filters)),
    ),
  ]);
}

function outerProductCheck(make: MakeArray, lanes: Lanes, vectors: number): Check {
  const { outerProducts, width } = outerProductKernels(lanes, vectors);
  const round = roundingIn(lanes);
  const a = make(lanes, POSITIONS * GROUP, LEFT);
  const b = make(lanes, POSITIONS * width, RIGHT);
  const sums = make(lanes, GROUP * width, [0]);
  const product = {
    ...{ a: a.byteOffset, aGroup: 0, channels: GROUP, b: b.byteOffset, bPanel: 0, panels: 1, sums: sums.byteOffset },
    ...{ ...GRID, aStep: GROUP * lanes.bytes, bStep: width * lanes.bytes },
  };
  return checkOf(
    `an outer product with ${lanes.name} sums and ${vectors} vectors`,
    sums,
    (run) => run(outerProducts, product),
    (i) => {
      const channel = Math.floor(i / width);
      const filter = i % width;
      let sum = 0;
      for (let k = 0; k < POSITIONS; k++) sum = round(sum + round(a[k * GROUP + channel] * b[k * width + filter]));
      return sum;
    },
  );
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** The place of each tap: `step` bytes further on than the one before. */
function placesOf(make: MakeArray, step: number, taps: number = TAPS): number {
  return tableOf(
    make,
    Array.from({ length: taps }, (_, tap) => tap * step),
  );
}

function tapProductCheck(make: MakeArray, lanes: Lanes, vectors: number): Check {
  const { tapProducts } = depthwiseKernels(lanes, vectors);
  const round = roundingIn(lanes);
  const width = vectors * lanes.perVector;
  const source = make(lanes, (POSITIONS + TAPS - 1) * width, LEFT);
  const dy = make(lanes, POSITIONS * width, RIGHT);
  const sums = make(lanes, TAPS * width, [0]);
  const product = {
    ...{ table: placesOf(make, 16 * vectors), taps: TAPS, panels: 1, sourcePanel: 0, dyPanel: 0 },
    ...{ source: source.byteOffset, dy: dy.byteOffset, sums: sums.byteOffset, columns: POSITIONS },
  };
  return checkOf(
    `a product of taps with ${lanes.name} sums and ${vectors} vectors`,
    sums,
    (run) => run(tapProducts, product),
    (i) => {
      let sum = 0;
      for (let k = 0; k < POSITIONS; k++) {
        sum = round(sum + round(source[k * width + i] * dy[k * width + (i % width)]));
      }
      return sum;
    },
  );
}

/** How many taps are in a row: kernels take them three, two or one at a time. */
const ROW_TAPS: readonly number[] = [3, 2, 1];

/** The pixel that is seen through `tap` of rows of `rowTaps` taps: those of the last row come first. */
function placeOf(tap: number, rowTaps: number): number {
  const row = Math.floor(tap / rowTaps);
  return TAPS - (row + 1) * rowTaps + (tap % rowTaps);
}

/** A part for each of {@link ROW_TAPS}, one behind the other. */
function weightedPixelCheck(make: MakeArray, lanes: Lanes, vectors: number): Check {
  const { weightedPixels } = depthwiseKernels(lanes, vectors);
  const round = roundingIn(lanes);
  const width = vectors * lanes.perVector;
  const channels = 2 * width - 1; // a whole panel, and one that lacks a channel
  const panel = (PIXELS + TAPS - 1) * width;
  const source = make(lanes, 2 * panel, LEFT);
  const filter = make(lanes, 2 * TAPS * width, RIGHT);
  const bias = make(lanes, 2 * width, RIGHT);
  const out = make(singles, ROW_TAPS.length * PIXELS * channels, [Number.NaN]);
  const spill = make(lanes, PIXELS * width, [0]);
  const places = ROW_TAPS.flatMap((rowTaps) => upTo(TAPS).map((tap) => placeOf(tap, rowTaps) * 16 * vectors));
  const parts = make(singles, ROW_TAPS.length * (PART_BYTES / 4), [0]);
  writeParts(
    parts.buffer,
    parts.byteOffset,
    ROW_TAPS.map((rowTaps, i) => ({
      ...{ table: 4 * TAPS * i, taps: TAPS, rowTaps, columns: PIXELS, filter: 0, out: 4 * PIXELS * channels * i },
    })),
  );
  const pixels = {
    ...{ table: tableOf(make, places), parts: parts.byteOffset, partsEnd: parts.byteOffset + 4 * parts.length },
    ...{ source: source.byteOffset, sourcePanel: lanes.bytes * panel },
    ...{ filter: filter.byteOffset, filterPanel: 16 * vectors * TAPS },
    ...{ bias: bias.byteOffset, spill: spill.byteOffset, out: out.byteOffset, outStep: 4 * channels, channels },
  };
  return checkOf(
    `a weighted pixel with ${lanes.name} sums and ${vectors} vectors`,
    out,
    (run) => run(weightedPixels, pixels),
    (i) => {
      const [index, channel] = [Math.floor(i / channels), i % channels];
      const [part, pixel] = [Math.floor(index / PIXELS), index % PIXELS];
      const [ofPanel, c] = [Math.floor(channel / width), channel % width];
      let sum = 0;
      for (let tap = 0; tap < TAPS; tap++) {
        const value = source[ofPanel * panel + (pixel + placeOf(tap, ROW_TAPS[part])) * width + c];
        sum = round(sum + round(value * filter[(ofPanel * TAPS + tap) * width + c]));
      }
      return Math.fround(round(sum + bias[channel]));
    },
  );
}

/** Strips of images in place: rows of taps, and taps of a row. Three runs of three are taken without a loop. */
const STRIPS: readonly (readonly [rows: number, rowTaps: number])[] = [
  [3, 3],
  [2, 3],
  [3, 2],
  [4, 1],
];
/** Taps of the widest one. */
const STRIP_TAPS = 9;

/** The pixel that is seen through `tap` in a strip: rows of taps see the pixels of the strip from behind. */
function stripPlace([rows, rowTaps]: (typeof STRIPS)[number], tap: number): number {
  return (rows - 1 - Math.floor(tap / rowTaps)) * rowTaps + (tap % rowTaps);
}

/** The tables of {@link STRIPS}, one behind the other in the image that is not seen through taps, of pixels of `pixel` bytes. */
function stripsOf(make: MakeArray, pixel: number, tapBytes: number): { strips: number; end: number } {
  const all = STRIPS.flatMap((strip, i) => {
    const [rows, rowTaps] = strip;
    const firsts = upTo(rows).map((row) => row * rowTaps);
    const runs = firsts.flatMap((tap) => [stripPlace(strip, tap) * pixel, tap * tapBytes]);
    const table = tableOf(make, runs);
    return [table, table + 4 * runs.length, rowTaps, PIXELS, 0, i * PIXELS * pixel];
  });
  const strips = tableOf(make, all);
  return { strips, end: strips + STRIPS.length * STRIP_BYTES };
}

/** Weighted pixels of two panels. */
function inPlaceCheck(make: MakeArray, lanes: Lanes, vectors: number, stride: number): Check {
  const round = roundingIn(lanes);
  const width = vectors * lanes.perVector;
  const channels = 2 * width;
  const source = make(singles, (stride * PIXELS + STRIP_TAPS) * channels, LEFT);
  const filter = make(lanes, STRIP_TAPS * channels, RIGHT);
  const bias = make(lanes, channels, RIGHT);
  const out = make(singles, STRIPS.length * PIXELS * channels, [Number.NaN]);
  const pixel = 4 * channels;
  const pixels = {
    ...{ ...stripsOf(make, pixel, 16 * vectors), rows: 1, panels: 2 },
    ...{ source: source.byteOffset, sourceRow: 0, sourceStep: stride * pixel, sourcePixel: pixel },
    ...{ filter: filter.byteOffset, filterPanel: 16 * vectors * STRIP_TAPS, bias: bias.byteOffset },
    ...{ out: out.byteOffset, outRow: 0, outStep: pixel },
  };
  return checkOf(
    `a weighted pixel in place with ${lanes.name} sums, ${vectors} vectors and stride ${stride}`,
    out,
    (run) => run(inPlaceKernel(lanes, vectors, stride), pixels),
    (i) => {
      const [index, channel] = [Math.floor(i / channels), i % channels];
      const [strip, column] = [STRIPS[Math.floor(index / PIXELS)], index % PIXELS];
      const [ofPanel, c] = [Math.floor(channel / width), channel % width];
      let sum = 0;
      for (let tap = 0; tap < strip[0] * strip[1]; tap++) {
        const value = source[(stride * column + stripPlace(strip, tap)) * channels + channel];
        sum = round(sum + round(value * filter[(ofPanel * STRIP_TAPS + tap) * width + c]));
      }
      return Math.fround(round(sum + bias[channel]));
    },
  );
}

/** Products of two panels, and how they are stored. */
function productsInPlaceCheck(make: MakeArray, lanes: Lanes, vectors: number, stride: number): Check {
  const round = roundingIn(lanes);
  const width = vectors * lanes.perVector;
  const channels = 2 * width;
  const source = make(singles, (stride * PIXELS + STRIP_TAPS) * channels, LEFT);
  const dy = make(singles, STRIPS.length * PIXELS * channels, RIGHT);
  const sums = make(lanes, STRIP_TAPS * channels, [0]).byteOffset;
  const dKernel = make(singles, STRIP_TAPS * channels, [Number.NaN]);
  const pixel = 4 * channels;
  const products = {
    ...{ ...stripsOf(make, pixel, 16 * vectors), rows: 1, panels: 2 },
    ...{ source: source.byteOffset, sourceRow: 0, sourceStep: stride * pixel, sourcePixel: pixel },
    ...{ dy: dy.byteOffset, dyRow: 0, dyStep: pixel, sums, sumsPanel: 16 * vectors * STRIP_TAPS },
  };
  const stored = { sums, to: dKernel.byteOffset, panels: 2, taps: STRIP_TAPS, toStep: pixel };
  return checkOf(
    `a product in place with ${lanes.name} sums, ${vectors} vectors and stride ${stride}`,
    dKernel,
    (run) => {
      run(productsInPlaceKernel(lanes, vectors, stride), products);
      run(storeSumsKernel(lanes, vectors), stored);
    },
    (i) => {
      const [tap, channel] = [Math.floor(i / channels), i % channels];
      let sum = 0;
      for (const [index, strip] of STRIPS.entries()) {
        for (let column = 0; column < PIXELS && tap < strip[0] * strip[1]; column++) {
          const value = source[(stride * column + stripPlace(strip, tap)) * channels + channel];
          sum = round(sum + round(value * dy[(index * PIXELS + column) * channels + channel]));
        }
      }
      return Math.fround(sum);
    },
  );
}

function fewFiltersCheck(make: MakeArray, lanes: Lanes, vectors: number, filters: number): Check {
  const { packPlanes, weigh } = fewFiltersKernels(lanes, vectors);
  const round = roundingIn(lanes);
  const width = vectors * lanes.perVector;
  const columns = width + 1; // a vector of positions, and one more
  const plane = 2 * width + FEW_TAPS; // all that is read, in whole vectors
  const planes = make(lanes, CHANNELS * plane, [Number.NaN]);
  const image = make(singles, plane * CHANNELS, LEFT);
  const weights = make(lanes, FEW_TAPS * CHANNELS * FEW_FILTERS, RIGHT);
  const bias = make(lanes, FEW_FILTERS, RIGHT);
  const out = make(singles, columns * filters, [Number.NaN]);
  const spill = make(lanes, FEW_FILTERS * width, [0]);
  const pack = {
    ...{ from: image.byteOffset, fromStep: 4 * CHANNELS, columns: CHANNELS, count: plane },
    ...{ to: planes.byteOffset, panelBytes: lanes.bytes * plane },
  };
  const weighing = {
    ...{ places: placesOf(make, lanes.bytes, FEW_TAPS), taps: FEW_TAPS, channels: CHANNELS, filters },
    ...{ planeBytes: lanes.bytes * plane, source: planes.byteOffset, weights: weights.byteOffset },
    ...{ bias: bias.byteOffset, spill: spill.byteOffset, out: out.byteOffset, outStep: 4 * filters, columns },
  };
  return checkOf(
    `one of ${filters} filters with ${lanes.name} sums and ${vectors} vectors`,
    out,
    (run) => {
      run(packPlanes, pack);
      run(weigh(filters), weighing);
    },
    (i) => {
      const [position, filter] = [Math.floor(i / filters), i % filters];
      let sum = 0;
      for (let tap = 0; tap < FEW_TAPS; tap++) {
        for (let c = 0; c < CHANNELS; c++) {
          const value = image[(position + tap) * CHANNELS + c];
          sum = round(sum + round(value * weights[(tap * CHANNELS + c) * FEW_FILTERS + filter]));
        }
      }
      return Math.fround(round(sum + bias[filter]));
    },
  );
}
