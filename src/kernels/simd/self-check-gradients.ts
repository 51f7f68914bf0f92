/**
 * Whether the assembled kernels of filter gradients, of depthwise convolution and of few filters compute the bits that they
 * must; see `self-check.ts`.
 *
 * @module
 */
import { STRIP_BYTES } from "./depthwise-bands.js";
import { depthwiseKernels } from "./depthwise-kernels.js";
import { FEW_FILTERS, FEW_FILTERS_VECTORS, fewFiltersKernels } from "./few-filters-kernels.js";
import { inPlaceKernel } from "./depthwise-in-place-kernel.js";
import { productsInPlaceKernel } from "./depthwise-products-kernel.js";
import { doubles, type Lanes, PANEL_VECTORS, singles } from "./lanes.js";
import { GROUP, outerProductKernels } from "./outer-product-kernels.js";
import { type Check, checkOf, LEFT, type MakeArray, RIGHT, roundingIn, tableOf } from "./self-check-arrays.js";

/** Positions: a grid that lies in order in both operands. */
const GRID = { images: 2, rows: 2, columns: 3, aRow: 0, aImage: 0, bRow: 0, bImage: 0 };
const POSITIONS = GRID.images * GRID.rows * GRID.columns;
/** Weighted pixels: four together and two alone, in some channels less than a panel has. */
const PIXELS = 6;
/** Taps of depthwise convolution, some taken together and one alone; each is one pixel further on. */
const TAPS = 6;
/** Taps and channels of a convolution with few filters: four channels are packed together and one alone. */
const FEW_TAPS = 2;
const CHANNELS = 5;

/** Their checks. */
export function gradientChecks(make: MakeArray): readonly Check[] {
  const inPlace = PANEL_VECTORS.map((vectors) => inPlaceCheck(make, vectors));
  const both = [singles, doubles].flatMap((lanes) => [
    ...PANEL_VECTORS.flatMap((vectors) => [
      outerProductCheck(make, lanes, vectors),
      tapProductCheck(make, lanes, vectors),
      weightedPixelCheck(make, lanes, vectors),
    ]),
    ...FEW_FILTERS_VECTORS.flatMap((vectors) =>
      [3, FEW_FILTERS].map((filters) => fewFiltersCheck(make, lanes, vectors, filters)),
    ),
  ]);
  const products = PANEL_VECTORS.map((vectors) => productsInPlaceCheck(make, vectors));
  return [...both, ...inPlace, ...products];
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

function weightedPixelCheck(make: MakeArray, lanes: Lanes, vectors: number): Check {
  const { weightedPixels } = depthwiseKernels(lanes, vectors);
  const round = roundingIn(lanes);
  const width = vectors * lanes.perVector;
  const channels = 2 * width - 1; // a whole panel, and one that lacks a channel
  const panel = (PIXELS + TAPS - 1) * width;
  const source = make(lanes, 2 * panel, LEFT);
  const filter = make(lanes, 2 * TAPS * width, RIGHT);
  const bias = make(lanes, 2 * width, RIGHT);
  const out = make(singles, PIXELS * channels, [Number.NaN]);
  const spill = make(lanes, PIXELS * width, [0]);
  const pixels = {
    ...{ table: placesOf(make, 16 * vectors), taps: TAPS, channels, columns: PIXELS },
    ...{ source: source.byteOffset, sourcePanel: lanes.bytes * panel },
    ...{ filter: filter.byteOffset, filterPanel: 16 * vectors * TAPS },
    ...{ bias: bias.byteOffset, spill: spill.byteOffset, out: out.byteOffset, outStep: 4 * channels },
  };
  return checkOf(
    `a weighted pixel with ${lanes.name} sums and ${vectors} vectors`,
    out,
    (run) => run(weightedPixels, pixels),
    (i) => {
      const [pixel, channel] = [Math.floor(i / channels), i % channels];
      const [ofPanel, c] = [Math.floor(channel / width), channel % width];
      let sum = 0;
      for (let tap = 0; tap < TAPS; tap++) {
        const value = source[ofPanel * panel + (pixel + tap) * width + c];
        sum = round(sum + round(value * filter[(ofPanel * TAPS + tap) * width + c]));
      }
      return Math.fround(round(sum + bias[channel]));
    },
  );
}

/** A strip of pixels of `pixel` bytes, whose taps see pixels from the last to the first. */
function stripOf(make: MakeArray, pixel: number, tapBytes: number): { strips: number; end: number } {
  const taps = Array.from({ length: TAPS }, (_, tap) => [(TAPS - 1 - tap) * pixel, tap * tapBytes]).flat();
  const table = tableOf(make, taps);
  const strips = tableOf(make, [table, table + 4 * taps.length, PIXELS, 0, 0]);
  return { strips, end: strips + STRIP_BYTES };
}

/** Weighted pixels of two panels, every second pixel of an image. */
function inPlaceCheck(make: MakeArray, vectors: number): Check {
  const round = roundingIn(singles);
  const width = vectors * singles.perVector;
  const channels = 2 * width;
  const source = make(singles, (2 * PIXELS + TAPS) * channels, LEFT);
  const filter = make(singles, TAPS * channels, RIGHT);
  const bias = make(singles, channels, RIGHT);
  const out = make(singles, PIXELS * channels, [Number.NaN]);
  const pixels = {
    ...{ ...stripOf(make, 4 * channels, 16 * vectors), rows: 1, panels: 2 },
    ...{ source: source.byteOffset, sourceRow: 0, sourceStep: 8 * channels },
    ...{ filter: filter.byteOffset, filterPanel: 16 * vectors * TAPS, bias: bias.byteOffset },
    ...{ out: out.byteOffset, outRow: 0, outStep: 4 * channels },
  };
  return checkOf(
    `a weighted pixel in place with ${vectors} vectors`,
    out,
    (run) => run(inPlaceKernel(vectors), pixels),
    (i) => {
      const [pixel, channel] = [Math.floor(i / channels), i % channels];
      const [ofPanel, c] = [Math.floor(channel / width), channel % width];
      let sum = 0;
      for (let tap = 0; tap < TAPS; tap++) {
        const value = source[(2 * pixel + TAPS - 1 - tap) * channels + channel];
        sum = round(sum + round(value * filter[(ofPanel * TAPS + tap) * width + c]));
      }
      return round(sum + bias[channel]);
    },
  );
}

/** Products of two panels, with every second pixel of an image. */
function productsInPlaceCheck(make: MakeArray, vectors: number): Check {
  const round = roundingIn(singles);
  const width = vectors * singles.perVector;
  const channels = 2 * width;
  const source = make(singles, (2 * PIXELS + TAPS) * channels, LEFT);
  const dy = make(singles, PIXELS * channels, RIGHT);
  const sums = make(singles, TAPS * channels, [0]);
  const products = {
    ...{ ...stripOf(make, 4 * channels, 16 * vectors), rows: 1, panels: 2 },
    ...{ source: source.byteOffset, sourceRow: 0, sourceStep: 8 * channels },
    ...{ dy: dy.byteOffset, dyRow: 0, dyStep: 4 * channels },
    ...{ sums: sums.byteOffset, sumsPanel: 16 * vectors * TAPS },
  };
  return checkOf(
    `a product in place with ${vectors} vectors`,
    sums,
    (run) => run(productsInPlaceKernel(vectors), products),
    (i) => {
      const [tap, c] = [Math.floor(i / width) % TAPS, i % width];
      const channel = Math.floor(i / width / TAPS) * width + c;
      let sum = 0;
      for (let pixel = 0; pixel < PIXELS; pixel++) {
        const value = source[(2 * pixel + TAPS - 1 - tap) * channels + channel];
        sum = round(sum + round(value * dy[pixel * channels + channel]));
      }
      return sum;
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
