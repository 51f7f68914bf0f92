/**
 * Whether the assembled kernels of filter gradients and of depthwise convolution compute the bits that they must; see
 * `self-check.ts`.
 *
 * @module
 */
import type { FloatArray } from "../../tensor/dtype.js";
import { sharedHeap } from "../../tensor/heap.js";
import { channelProducts, PRODUCT_VECTORS, weightedPixels } from "./depthwise-kernels.js";
import { doubles, type Lanes, PANEL_VECTORS, singles } from "./lanes.js";
import { GROUP, outerProductKernels } from "./outer-product-kernels.js";
import type { runKernel } from "./thread.js";

type Run = typeof runKernel;

const LEFT = [1.1, -2.3, 0.7, 1e-40, -5.9, 16777217, -0, 0.3, -1.4e-45, 1e20, 2.5, -0.1, 3e-39];
const RIGHT = [0.3, -1.7, 2.9, -0, 4.1, 1e-38, -0.01, 1e-20, 7.7, 0.1, -3.3];

/** Positions: a grid that lies in order in both operands. */
const GRID = { images: 2, rows: 2, columns: 3, aRow: 0, aImage: 0, bRow: 0, bImage: 0 };
const POSITIONS = GRID.images * GRID.rows * GRID.columns;
/** Channels of channel products: some for a kernel of every width. */
const channelsFor = ({ perVector }: Lanes): number => (PRODUCT_VECTORS + 4 + 2 + 1) * perVector + 1;
/** Weighted pixels: four together and two alone, each of which reads itself and the next through two taps. */
const PIXELS = 6;
const TAPS = 2;
/** Space for arrays that are read and written in whole vectors. */
const SLACK = 64;

/** The first difference, in words; undefined where there is none. */
export function findGradientDifference(run: Run): string | undefined {
  for (const lanes of [singles, doubles]) {
    const difference = checkChannelProducts(lanes, run);
    if (difference !== undefined) return difference;
    for (const vectors of PANEL_VECTORS) {
      const inPanel = checkOuterProducts(lanes, vectors, run) ?? checkWeightedPixels(lanes, vectors, run);
      if (inPanel !== undefined) return inPanel;
    }
  }
  return undefined;
}

/** An array in the heap: numbers of the type of `lanes`, filled with `values` in turn. */
type MakeArray = (lanes: Lanes, length: number, values: readonly number[]) => FloatArray;

/** Calls `use` with a maker of arrays that last until it returns. */
function withArrays<Result>(use: (make: MakeArray) => Result): Result {
  const heap = sharedHeap();
  const offsets: number[] = [];
  try {
    return use((lanes, length, values) => {
      const offset = heap.allocate(length * lanes.bytes + SLACK);
      offsets.push(offset);
      const array = heap.view(lanes === doubles ? "float64" : "float32", offset, length);
      for (let i = 0; i < length; i++) array[i] = Math.fround(values[i % values.length]);
      return array;
    });
  } finally {
    for (const offset of offsets) heap.free(offset);
  }
}

function roundingIn(lanes: Lanes): (value: number) => number {
  return lanes === singles ? Math.fround : (value) => value;
}

function firstDifference(what: string, actual: FloatArray, expected: (i: number) => number): string | undefined {
  for (let i = 0; i < actual.length; i++) {
    if (!Object.is(actual[i], expected(i))) return `${what} gives ${actual[i]}, not ${expected(i)}`;
  }
  return undefined;
}

function checkOuterProducts(lanes: Lanes, vectors: number, run: Run): string | undefined {
  return withArrays((make) => {
    const kernels = outerProductKernels(lanes, vectors);
    const round = roundingIn(lanes);
    const { width } = kernels;
    const a = make(lanes, POSITIONS * GROUP, LEFT);
    const b = make(lanes, POSITIONS * width, RIGHT);
    const sums = make(lanes, GROUP * width, [0]);
    run(kernels.outerProducts, {
      ...{ a: a.byteOffset, aGroup: 0, channels: GROUP, b: b.byteOffset, bPanel: 0, panels: 1, sums: sums.byteOffset },
      ...{ ...GRID, aStep: GROUP * lanes.bytes, bStep: width * lanes.bytes },
    });
    return firstDifference(`an outer product with ${lanes.name} sums and ${vectors} vectors`, sums, (i) => {
      const channel = Math.floor(i / width);
      const filter = i % width;
      let sum = 0;
      for (let k = 0; k < POSITIONS; k++) sum = round(sum + round(a[k * GROUP + channel] * b[k * width + filter]));
      return sum;
    });
  });
}

function checkChannelProducts(lanes: Lanes, run: Run): string | undefined {
  return withArrays((make) => {
    const round = roundingIn(lanes);
    const channels = channelsFor(lanes);
    const a = make(singles, POSITIONS * channels, LEFT);
    const b = make(singles, POSITIONS * channels, RIGHT);
    const sums = make(lanes, channels, [0]);
    const panel = 4 * PRODUCT_VECTORS * lanes.perVector;
    run(channelProducts(lanes), {
      ...{ a: a.byteOffset, aGroup: panel, channels, b: b.byteOffset, bPanel: panel, panels: 1, sums: sums.byteOffset },
      ...{ ...GRID, aStep: 4 * channels, bStep: 4 * channels },
    });
    return firstDifference(`a product of channels with ${lanes.name} sums`, sums, (c) => {
      let sum = 0;
      for (let k = 0; k < POSITIONS; k++) sum = round(sum + round(a[k * channels + c] * b[k * channels + c]));
      return sum;
    });
  });
}

function checkWeightedPixels(lanes: Lanes, vectors: number, run: Run): string | undefined {
  return withArrays((make) => {
    const round = roundingIn(lanes);
    const channels = vectors * lanes.perVector;
    const source = make(singles, (PIXELS + TAPS - 1) * channels, LEFT);
    const filter = make(lanes, TAPS * channels, RIGHT);
    const start = make(lanes, channels, [0]);
    const bias = make(lanes, channels, RIGHT);
    const out = make(singles, PIXELS * channels, [Number.NaN]);
    const spill = make(lanes, 4 * channels, [0]);
    const memory = make(singles, 2 * TAPS, [0]);
    const table = new Int32Array(memory.buffer, memory.byteOffset, 2 * TAPS);
    for (let tap = 0; tap < TAPS; tap++) table.set([tap * 4 * channels, tap * 16 * vectors], 2 * tap);
    run(weightedPixels(lanes, vectors), {
      ...{
        table: table.byteOffset,
        taps: TAPS,
        channels,
        filterPanel: 0,
        columns: PIXELS,
        rows: 1,
        sourceRow: 0,
        outRow: 0,
      },
      ...{ source: source.byteOffset, sourceStep: 4 * channels, filter: filter.byteOffset },
      ...{ start: start.byteOffset, bias: bias.byteOffset, spill: spill.byteOffset },
      ...{ out: out.byteOffset, outStep: 4 * channels },
    });
    return firstDifference(`a weighted pixel with ${lanes.name} sums and ${vectors} vectors`, out, (i) => {
      let sum = 0;
      for (let tap = 0; tap < TAPS; tap++) {
        sum = round(sum + round(source[i + tap * channels] * filter[tap * channels + (i % channels)]));
      }
      return Math.fround(round(sum + bias[i % channels]));
    });
  });
}
