/**
 * Whether the assembled passes in float32, whose vectors V8 may pair too, compute the bits that they must; see
 * `self-check.ts`.
 *
 * @module
 */
import type { FloatArray } from "../../tensor/dtype.js";
import { copyRowsKernel } from "./copy-kernel.js";
import { boundedGradientKernels, boundedKernels, finishKernels, rectifyKernel, sumKernels } from "./element-kernels.js";
import { imageGreatestGradientKernel, imageGreatestKernel } from "./image-greatest-kernels.js";
import { PANEL_VECTORS, singles } from "./lanes.js";
import { normalizationGradientKernels, normalizeKernels } from "./normalize-kernels.js";
import { outerProductKernels } from "./outer-product-kernels.js";
import { poolGradientKernels, poolGreatestKernel, poolPlacesKernel } from "./pool-kernels.js";
import { type Check, checkOf, type MakeArray, NUMBERS, positivePart } from "./self-check-arrays.js";

const FIRST = [1.1, -2.3, -0, 1e-40, Number.NaN, 16777217, 0, -1.4e-45, Number.POSITIVE_INFINITY, 1e20, -0.1];
const SECOND = [0.3, -1.7, -0, 2.9, 4.1, 1e-38, -1e20];

/** Vectors: two together, and one alone. */
const VECTORS = 3;
const LENGTH = 4 * VECTORS;

/** Their checks. */
export function passChecks(make: MakeArray): readonly Check[] {
  return [
    ...elementChecks(make),
    ...boundedChecks(make),
    ...normalizationChecks(make),
    ...PANEL_VECTORS.map((vectors) => packingCheck(make, vectors)),
    ...poolChecks(make),
    poolGradientCheck(make),
    ...imageChecks(make),
    rowsCheck(make),
  ];
}

function elementChecks(make: MakeArray): readonly Check[] {
  const [x, other] = [make(singles, LENGTH, FIRST), make(singles, LENGTH, SECOND)];
  const [sum, rectified] = [0, 1].map(() => make(singles, LENGTH, [Number.NaN]));
  const finished = make(singles, LENGTH, FIRST);
  const summed = { first: x.byteOffset, second: other.byteOffset, positive: other.byteOffset, to: sum.byteOffset };
  const places = { y: finished.byteOffset, addend: other.byteOffset };
  return [
    checkOf(
      "a masked sum",
      sum,
      (run) => run(sumKernels[1][1], { ...summed, vectors: VECTORS, start: -0 }),
      (i) => (other[i] > 0 ? Math.fround(x[i] + other[i]) : 0),
    ),
    checkOf(
      "a ReLU",
      rectified,
      (run) => run(rectifyKernel, { x: x.byteOffset, y: rectified.byteOffset, vectors: VECTORS }),
      (i) => positivePart(x[i]),
    ),
    checkOf(
      "a sum with a ReLU",
      finished,
      (run) => run(finishKernels.addRectify, { ...places, vectors: VECTORS, rows: 1, skip: 0 }),
      (i) => positivePart(Math.fround(x[i] + other[i])),
    ),
  ];
}

/** ReLU with a threshold and a maximum, on values that are these and others. */
function boundedChecks(make: MakeArray): readonly Check[] {
  const [threshold, maxValue] = [0.25, 6];
  const x = make(singles, LENGTH, [1.1, 0.25, -2, 6, Number.NaN, 7, -0, Number.NEGATIVE_INFINITY, 0.5, 1e-40, -7]);
  const dy = make(singles, LENGTH, SECOND);
  const places = { x: x.byteOffset, vectors: VECTORS, threshold, maxValue };
  const { fround } = Math;
  return (["bounded", "sloped"] as const).flatMap((kind) => {
    const slope = kind === "sloped" ? 0.3 : 0;
    const [y, dx] = [0, 1].map(() => make(singles, LENGTH, [Number.NaN]));
    const below = (i: number): number =>
      kind === "sloped" || Number.isNaN(x[i]) ? fround(slope * (x[i] - threshold)) : 0;
    const slopeAt = (value: number): number => {
      if (value > threshold) return value < maxValue ? 1 : 0;
      return value === threshold ? 0 : slope;
    };
    return [
      checkOf(
        `a ${kind} ReLU`,
        y,
        (run) => run(boundedKernels[kind], { ...places, y: y.byteOffset, slope }),
        (i) => (x[i] > threshold ? Math.min(x[i], maxValue) : below(i)),
      ),
      checkOf(
        `the gradient of a ${kind} ReLU`,
        dx,
        (run) =>
          run(boundedGradientKernels[kind], {
            ...{ ...places, dy: dy.byteOffset, dx: dx.byteOffset, slope },
            ...{ atThreshold: 0, atMax: 0 },
          }),
        (i) => (slopeAt(x[i]) === 0 ? 0 : fround(slopeAt(x[i]) * dy[i])),
      ),
    ];
  });
}

/** Rows: a pair, and one alone. */
const ROWS = 3;

function normalizationChecks(make: MakeArray): readonly Check[] {
  const [x, dy, addend] = [FIRST, SECOND, NUMBERS].map((values) => make(singles, ROWS * LENGTH, values));
  const [y, dx] = [0, 1].map(() => make(singles, ROWS * LENGTH, [Number.NaN]));
  const [map, gradientMap] = [3, 5].map((valuesPerChannel) => make(singles, valuesPerChannel * LENGTH, NUMBERS));
  /** Number `which` of the channel of element `i`: those of the first eight channels stand together, then those of the last four. */
  const numberOf = (map: FloatArray, which: number, i: number): number => {
    const channel = i % LENGTH;
    const [first, count] = channel < 8 ? [0, 8] : [(8 * map.length) / LENGTH, 4];
    return map[first + which * count + (channel % 8)];
  };
  const { fround } = Math;
  const where = { x: x.byteOffset, addend: addend.byteOffset, vectors: VECTORS, rows: ROWS };
  return [
    checkOf(
      "a normalization with a sum and a ReLU",
      y,
      (run) =>
        run(normalizeKernels.single.addRectify, {
          ...{ ...where, map: map.byteOffset, y: y.byteOffset },
          ...{ skip: 0, skipWritten: 0 },
        }),
      (i) => {
        const [mean, scale, offset] = [0, 1, 2].map((which) => numberOf(map, which, i));
        const own = fround(fround(fround(x[i] - mean) * scale) + offset);
        return positivePart(fround(own + addend[i]));
      },
    ),
    checkOf(
      "the gradient of a normalization with a ReLU, in a sum",
      dx,
      (run) =>
        run(normalizationGradientKernels.single.maskedSum, {
          ...{ ...where, map: gradientMap.byteOffset, dx: dx.byteOffset },
          ...{ dy: dy.byteOffset, positive: 0 }, // not read
        }),
      (i) => {
        const [mean, scale, shift, slope, offset] = [0, 1, 2, 3, 4].map((which) => numberOf(gradientMap, which, i));
        const deviation = fround(x[i] - mean);
        const gradient = fround(fround(deviation * scale) + offset) > 0 ? dy[i] : 0;
        const own = fround(scale * fround(fround(gradient - shift) - fround(deviation * slope)));
        return fround(fround(0 + own) + addend[i]);
      },
    ),
  ];
}

/** Channels of a pool: four vectors, which are taken together, and one alone. */
const POOL_CHANNELS = 20;

/** Two windows of two by two pixels, side by side in two lines. */
function poolChecks(make: MakeArray): readonly Check[] {
  const line = 4; // pixels
  const x = make(singles, 2 * line * POOL_CHANNELS, FIRST);
  const [alone, greatest, places] = [0, 1, 2].map(() => make(singles, 2 * POOL_CHANNELS, [Number.NaN]));
  const pixel = 4 * POOL_CHANNELS;
  const windows = {
    ...{ x: x.byteOffset, start: x.byteOffset, windows: 2, step: 2 * pixel, rows: 2, columns: 2 },
    ...{ rowStride: line * pixel, pixelStride: pixel, vectors: POOL_CHANNELS / singles.perVector },
  };
  const withPlaces = { ...windows, y: greatest.byteOffset, argmax: places.byteOffset };
  /** Where the greatest of a channel under a window is. */
  const placeOf = (i: number): number => {
    const first = 2 * Math.floor(i / POOL_CHANNELS);
    const under = [first, first + 1, first + line, first + line + 1].map(
      (at) => at * POOL_CHANNELS + (i % POOL_CHANNELS),
    );
    return under.reduce((best, at) => (x[at] <= x[best] || Number.isNaN(x[best]) ? best : at));
  };
  return [
    checkOf(
      "a pool",
      alone,
      (run) => run(poolGreatestKernel, { ...windows, y: alone.byteOffset, argmax: 0 }),
      (i) => x[placeOf(i)],
    ),
    checkOf(
      "a pool with places",
      greatest,
      (run) => run(poolPlacesKernel, withPlaces),
      (i) => x[placeOf(i)],
    ),
    checkOf(
      "the place of the greatest in a pool",
      places,
      (run) => run(poolPlacesKernel, withPlaces),
      (i) => new Float32Array(Int32Array.of(placeOf(i)).buffer)[0], // as whole numbers, which are written as they are
    ),
  ];
}

/** Two pixels side by side, and three windows, of which each pixel is seen by two. */
function poolGradientCheck(make: MakeArray): Check {
  const windows = 3;
  const [dy, places] = [SECOND, [0]].map((values) => make(singles, windows * POOL_CHANNELS, values));
  const dx = make(singles, 2 * POOL_CHANNELS, [Number.NaN]);
  const argmax = new Int32Array(places.buffer, places.byteOffset, places.length);
  // a window has chosen the first pixel, the second, or none of them
  argmax.forEach((_, i) => {
    argmax[i] = ((Math.floor(i / POOL_CHANNELS) + i) % 3) * POOL_CHANNELS + (i % POOL_CHANNELS);
  });
  const pixel = 4 * POOL_CHANNELS;
  return checkOf(
    "the gradient of a pool",
    dx,
    (run) =>
      run(poolGradientKernels.single, {
        ...{ place: 0, placeStep: POOL_CHANNELS, elements: 2, dy: dy.byteOffset, argmax: places.byteOffset },
        ...{ rows: 1, columns: 2, rowStride: windows * pixel, pixelStride: pixel },
        ...{ vectors: POOL_CHANNELS / singles.perVector, dx: dx.byteOffset, step: pixel },
      }),
    (i) => {
      const seen = [i, i + POOL_CHANNELS].filter((at) => argmax[at] === i);
      return seen.reduce((sum, at) => Math.fround(sum + dy[at]), 0);
    },
  );
}

/** The greatest of three pixels, of which two may be equal. */
function imageChecks(make: MakeArray): readonly Check[] {
  const pixels = 3;
  const x = make(singles, pixels * POOL_CHANNELS, [1, -0, Number.NaN, 0.3, -2, 0, 7, 1]);
  const [dy, greatest] = [SECOND, [Number.NaN]].map((values) => make(singles, POOL_CHANNELS, values));
  const known = make(singles, POOL_CHANNELS, [0]);
  const dx = make(singles, pixels * POOL_CHANNELS, [Number.NaN]);
  const valuesOf = (c: number): number[] => [0, 1, 2].map((pixel) => x[pixel * POOL_CHANNELS + c]);
  known.forEach((_, c) => {
    known[c] = Math.max(...valuesOf(c));
  });
  const along = { pixels, pixelStride: 4 * POOL_CHANNELS, vectors: POOL_CHANNELS / singles.perVector };
  return [
    checkOf(
      "the greatest of an image",
      greatest,
      (run) => run(imageGreatestKernel, { x: x.byteOffset, y: greatest.byteOffset, ...along }),
      (c) => known[c],
    ),
    checkOf(
      "the gradient of the greatest of an image",
      dx,
      (run) =>
        run(imageGreatestGradientKernel, {
          ...{ dy: dy.byteOffset, x: x.byteOffset, y: known.byteOffset, dx: dx.byteOffset },
          ...along,
        }),
      (i) => {
        const c = i % POOL_CHANNELS;
        const count = valuesOf(c).filter((value) => value === known[c]).length;
        if (count === 0) return Number.NaN;
        return x[i] === known[c] ? dy[c] / count : 0;
      },
    ),
  ];
}

/** Two rows of a pair of vectors, one alone, and a rest, into a wider matrix. */
function rowsCheck(make: MakeArray): Check {
  const [columns, stride] = [LENGTH + 2, LENGTH + 5];
  const rows = make(singles, 2 * columns, FIRST);
  const copied = make(singles, 2 * stride, [0.5]);
  const strides = { fromStride: 4 * columns, toStride: 4 * stride };
  return checkOf(
    "a copy of rows",
    copied,
    (run) => run(copyRowsKernel, { from: rows.byteOffset, to: copied.byteOffset, rows: 2, ...strides, columns }),
    (i) => (i % stride < columns ? rows[Math.floor(i / stride) * columns + (i % stride)] : 0.5),
  );
}

/** Two pixels of a whole panel of channels and one of the next. */
function packingCheck(make: MakeArray, vectors: number): Check {
  const { packPanels, width } = outerProductKernels(singles, vectors);
  const channels = width + 1;
  const pixels = make(singles, 2 * channels, FIRST);
  const packed = make(singles, 4 * width, [Number.NaN]);
  const pack = {
    ...{ from: pixels.byteOffset, to: packed.byteOffset, count: 2 },
    ...{ fromStep: 4 * channels, columns: channels, panelBytes: 8 * width },
  };
  return checkOf(
    `packing with ${vectors} vectors`,
    packed,
    (run) => run(packPanels, pack),
    (i) => {
      const pixel = Math.floor(i / width) % 2;
      const channel = (i % width) + (i < 2 * width ? 0 : width);
      return channel < channels ? pixels[pixel * channels + channel] : 0;
    },
  );
}
