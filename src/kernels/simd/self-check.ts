/**
 * Whether the assembled kernels compute, on this machine and in this engine, the bits that they must.
 *
 * Small products of awkward values (numbers that round, subnormals, signed zeros, an infinity) run on every product kernel,
 * and are compared with plain loops. An engine compiles a kernel twice: at once and simply, and again, optimized, while it
 * runs; only then may it pair vectors. So the comparison is made at first use and again after the 16th, 256th, 4096th and
 * 65536th job, which takes some milliseconds each time. Threads share the compiled code: the calling thread's check
 * speaks for all.
 *
 * @module
 */
import { sharedHeap } from "../../tensor/heap.js";
import { aheadKernel } from "./ahead-kernel.js";
import { copyKernel } from "./copy-kernel.js";
import {
  doubles,
  type Lanes,
  NARROW_TILE_ROWS,
  PANEL_VECTORS,
  singles,
  tileRows,
  WIDE_PANEL_VECTORS,
} from "./lanes.js";
import { packKernel } from "./pack-kernel.js";
import { productsKernel, SPILL_BYTES } from "./product-kernel.js";
import { writeTable } from "./table-kernel.js";
import { findGradientDifference } from "./self-check-gradients.js";
import { findPassDifference } from "./self-check-passes.js";
import { runKernel } from "./thread.js";

/** Rows of the left operand: a tile of every kernel, and one row of the next. */
const ROWS = NARROW_TILE_ROWS + 1;
/** Two segments of a row, of an odd length: a round of the inner loop and a part of one. */
const LENGTH = 9;
const DEPTH = 2 * LENGTH;

const LEFT = [1.1, -2.3, 0.7, 1e-40, -5.9, 16777217, -0, 0.3, -1.4e-45, 1e20, 2.5, -0.1, 3e-39];
const RIGHT = [0.3, -1.7, 2.9, -0, 4.1, 1e-38, -0.01, 1e-20, 7.7, 0.1, -3.3];

/** The first difference between what kernels compute and what they must, in words; undefined where there is none. */
export function findDifference(run: typeof runKernel = runKernel): string | undefined {
  for (const lanes of [singles, doubles]) {
    for (const vectors of PANEL_VECTORS) {
      const width = vectors * lanes.perVector;
      for (const columns of [width, width - 1]) {
        for (const readsAhead of WIDE_PANEL_VECTORS.includes(vectors) ? [false, true] : [false]) {
          const difference = checkProduct(lanes, vectors, columns, readsAhead, run);
          if (difference !== undefined) return difference;
        }
      }
    }
  }
  return findGradientDifference(run) ?? findPassDifference(run);
}

function checkProduct(
  lanes: Lanes,
  vectors: number,
  columns: number,
  readsAhead: boolean,
  run: typeof runKernel,
): string | undefined {
  const heap = sharedHeap();
  const width = vectors * lanes.perVector;
  const tiles = Math.ceil(ROWS / tileRows(vectors));
  const tableBytes = 4 * tiles * tileRows(vectors);
  // one block: a, b, bias, c, the copy of a, the panel, the tables, and room for the sums of a tile
  const floats = ROWS * DEPTH + DEPTH * columns + width + ROWS * columns;
  const address = heap.allocate(4 * floats + (ROWS + width) * DEPTH * 8 + 2 * tableBytes + 8 + SPILL_BYTES);
  try {
    const [a, b, bias, c] = [ROWS * DEPTH, DEPTH * columns, width, ROWS * columns].map((length, i, lengths) =>
      heap.view("float32", address + 4 * lengths.slice(0, i).reduce((sum, each) => sum + each, 0), length),
    );
    a.forEach((_, i) => void (a[i] = LEFT[i % LEFT.length]));
    a[ROWS * DEPTH - 3] = Number.POSITIVE_INFINITY;
    b.forEach((_, i) => void (b[i] = RIGHT[i % RIGHT.length]));
    bias.forEach((_, i) => void (bias[i] = RIGHT[(3 * i) % RIGHT.length]));
    const copy = address + 4 * floats;
    const panel = copy + ROWS * DEPTH * 8;
    const rows = panel + width * DEPTH * 8;
    const results = rows + tableBytes;
    const segments = results + tableBytes;

    run(copyKernel(lanes), {
      ...{ from: a.byteOffset, to: copy, runs: 1, runStride: 0, runLength: DEPTH },
      ...{ before: 0, after: 0, rows: ROWS, rowStride: 4 * DEPTH },
    });
    const right = { from: b.byteOffset, rowStride: 4 * columns, columnStride: 4, depth: DEPTH, columns };
    run(packKernel(lanes, vectors), { ...right, to: panel });
    const lines = { lines: ROWS, lineStride: DEPTH * lanes.bytes, count: 1, stride: 0 };
    run(writeTable, { ...lines, to: rows, first: copy });
    run(writeTable, { ...lines, to: results, first: c.byteOffset, lineStride: 4 * columns });
    const missing = tableBytes / 4 - ROWS; // the last row again
    const again = { lines: 1, lineStride: 0, count: missing, stride: 0 };
    run(writeTable, { ...again, to: rows + 4 * ROWS, first: copy + (ROWS - 1) * DEPTH * lanes.bytes });
    run(writeTable, { ...again, to: results + 4 * ROWS, first: c.byteOffset + 4 * (ROWS - 1) * columns });
    run(writeTable, { lines: 1, lineStride: 0, to: segments, first: 0, count: 2, stride: LENGTH * lanes.bytes });
    const product = {
      ...{ rows, results, resultOffset: 0, tiles, segments, segmentCount: 2, length: LENGTH },
      ...{ panel, bias: bias.byteOffset, columns, spill: segments + 8 },
    };
    if (readsAhead) run(aheadKernel(lanes, vectors), { ...product, ahead: panel, aheadStep: 4 });
    else run(productsKernel(lanes, vectors), { ...product, panels: 1, panelBytes: 0 });

    const round = lanes === singles ? Math.fround : (value: number) => value;
    for (let i = 0; i < ROWS; i++) {
      for (let j = 0; j < columns; j++) {
        let sum = 0;
        for (let k = 0; k < DEPTH; k++) sum = round(sum + round(a[i * DEPTH + k] * b[k * columns + j]));
        const expected = Math.fround(round(sum + bias[j]));
        const actual = c[i * columns + j];
        if (!Object.is(actual, expected)) {
          return `a product with ${lanes.name} sums, ${vectors} vectors and ${columns} columns gives ${actual}, not ${expected}`;
        }
      }
    }
    return undefined;
  } finally {
    heap.free(address);
  }
}
