/**
 * Whether the assembled kernels compute, on this machine and in this engine, the bits that they must.
 *
 * Small products of awkward values (numbers that round, subnormals, signed zeros, an infinity) run on every product kernel,
 * and are compared with plain loops. An engine compiles a kernel twice: at once and simply, and again, optimized, while it
 * runs; only then may it pair vectors. So the comparison is made at first use and again after the 16th, 256th, 4096th and
 * 65536th job: what the loops give is computed once, and then a comparison takes about a millisecond. Threads share the
 * compiled code: the calling thread's check speaks for all.
 *
 * @module
 */
import type { FloatArray } from "../../tensor/dtype.js";
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
import { FINISH_BITS, productsKernel, ROW_KIND, SPILL_BYTES } from "./product-kernel.js";
import { writeRowKind, writeTable } from "./table-kernel.js";
import {
  type Check,
  checkOf,
  Checks,
  LEFT,
  type MakeArray,
  NUMBERS,
  positivePart,
  RIGHT,
  roundingIn,
  type Run,
} from "./self-check-arrays.js";
import { gradientChecks } from "./self-check-gradients.js";
import { passChecks } from "./self-check-passes.js";
import { runKernel } from "./thread.js";

/** Rows of the left operand: a tile of every kernel, and a row of another kind, which has but a part of its second segment. */
const ROWS = NARROW_TILE_ROWS + 1;
const LAST = ROWS - 1;
/** Two segments of a row, of an odd length: a round of the inner loop and a part of one. */
const LENGTH = 9;
const DEPTH = 2 * LENGTH;
/** The first value of the last row that is multiplied. */
const FIRST_OF_LAST = LENGTH + 1;
/** Columns of the right operand, of which a kernel multiplies with as many as its panel has. */
const COLUMNS = Math.max(...PANEL_VECTORS) * singles.perVector;
/** Everything that can be done to results. */
const EVERY_FINISH = FINISH_BITS.normalize + FINISH_BITS.add + FINISH_BITS.rectify;
/** Other values than those of the first row of the right operand. */
const BIAS = RIGHT.map((_, i) => RIGHT[(3 * i) % RIGHT.length]);

let checks: Checks | undefined;

/** The first difference between what kernels compute and what they must, in words; undefined where there is none. */
export function findDifference(run: Run = runKernel): string | undefined {
  checks ??= new Checks((make) => [...productChecks(make), ...gradientChecks(make), ...passChecks(make)]);
  return checks.findDifference(run);
}

function productChecks(make: MakeArray): readonly Check[] {
  const a = make(singles, ROWS * DEPTH, LEFT);
  a[ROWS * DEPTH - 3] = Number.POSITIVE_INFINITY;
  const operands = { a, b: make(singles, DEPTH * COLUMNS, RIGHT), bias: make(singles, COLUMNS, BIAS) };
  return [singles, doubles].flatMap((lanes) => {
    const expected = productOf(operands, lanes);
    return PANEL_VECTORS.flatMap((vectors) => {
      const width = vectors * lanes.perVector;
      const kernels = WIDE_PANEL_VECTORS.includes(vectors) ? [false, true] : [false];
      return [width, width - 1].flatMap((columns) =>
        kernels.flatMap((readsAhead) => {
          const canFinish = lanes === singles && columns === width;
          return (canFinish ? [false, true] : [false]).map((finishes) =>
            productCheck(make, operands, expected, { lanes, vectors, columns, readsAhead, finishes }),
          );
        }),
      );
    });
  });
}

/** What is multiplied: [ROWS, DEPTH] with [DEPTH, COLUMNS]. */
interface Operands {
  readonly a: FloatArray;
  readonly b: FloatArray;
  readonly bias: FloatArray;
}

/** The products, [ROWS, COLUMNS], by plain loops. */
function productOf({ a, b, bias }: Operands, lanes: Lanes): Float32Array {
  const round = roundingIn(lanes);
  const product = new Float32Array(ROWS * COLUMNS);
  for (let row = 0; row < ROWS; row++) {
    const first = row === LAST ? FIRST_OF_LAST : 0;
    for (let column = 0; column < COLUMNS; column++) {
      let sum = 0;
      for (let k = first; k < DEPTH; k++) sum = round(sum + round(a[row * DEPTH + k] * b[k * COLUMNS + column]));
      product[row * COLUMNS + column] = round(sum + bias[column]);
    }
  }
  return product;
}

interface ProductKernel {
  readonly lanes: Lanes;
  readonly vectors: number;
  /** Of the panel. */
  readonly columns: number;
  readonly readsAhead: boolean;
  readonly finishes: boolean;
}

function productCheck(
  make: MakeArray,
  { a, b, bias }: Operands,
  expected: Float32Array,
  { lanes, vectors, columns, readsAhead, finishes }: ProductKernel,
): Check {
  const filledUp = tileRows(vectors); // the last row, again and again
  const c = make(singles, ROWS * columns, [Number.NaN]);
  const copy = make(lanes, ROWS * DEPTH, [0]).byteOffset;
  const panel = make(lanes, DEPTH * vectors * lanes.perVector, [0]).byteOffset;
  const [rows, results] = [0, 1].map(() => make(singles, LAST + filledUp, [0]).byteOffset);
  const kinds = make(singles, 2 * ROW_KIND.length, [0]).byteOffset;
  const segments = make(singles, 2, [0]).byteOffset;
  const spill = make(singles, SPILL_BYTES / 4, [0]).byteOffset;
  const [map, addend] = [3, ROWS].map((rows) => make(singles, finishes ? rows * columns : 0, NUMBERS));

  const copying = {
    ...{ from: a.byteOffset, to: copy, runs: 1, runStride: 0, runLength: DEPTH },
    ...{ before: 0, after: 0, rows: ROWS, rowStride: 4 * DEPTH },
  };
  const right = { from: b.byteOffset, rowStride: 4 * COLUMNS, columnStride: 4, depth: DEPTH, columns };
  const lines = { lines: LAST, lineStride: DEPTH * lanes.bytes, count: 1, stride: 0 };
  const last = { lines: 1, lineStride: 0, count: filledUp, stride: 0 };
  const skipped = FIRST_OF_LAST - LENGTH; // values of the last row's segment
  const tables = [
    { ...lines, to: rows, first: 0 },
    { ...lines, to: results, first: 0, lineStride: 4 * columns },
    { ...last, to: rows + 4 * LAST, first: (LAST * DEPTH + skipped) * lanes.bytes },
    { ...last, to: results + 4 * LAST, first: 4 * LAST * columns },
    { lines: 1, lineStride: 0, to: segments, first: 0, count: 2, stride: LENGTH * lanes.bytes },
  ];
  const rowKinds = [
    { to: kinds, rows, results, count: LAST, segments, segmentCount: 2, length: LENGTH, first: 0 },
    {
      ...{ to: kinds + 4 * ROW_KIND.length, rows: rows + 4 * LAST, results: results + 4 * LAST, count: 1 },
      ...{ segments: segments + 4, segmentCount: 1, length: DEPTH - FIRST_OF_LAST, first: FIRST_OF_LAST },
    },
  ];
  const product = {
    ...{ kinds, kindCount: rowKinds.length, a: copy, c: c.byteOffset },
    ...{ panel, segmentRows: LENGTH, bias: bias.byteOffset, columns, spill },
    ...{ finishes: finishes ? EVERY_FINISH : 0, map: map.byteOffset, addend: addend.byteOffset },
  };
  const own = (i: number): number => expected[Math.floor(i / columns) * COLUMNS + (i % columns)];

  return checkOf(
    `a product with ${lanes.name} sums, ${vectors} vectors and ${columns} columns${finishes ? ", finished" : ""}`,
    c,
    (run) => {
      run(copyKernel(lanes), copying);
      run(packKernel(lanes, vectors), { ...right, to: panel });
      for (const table of tables) run(writeTable, table);
      for (const kind of rowKinds) run(writeRowKind, kind);
      if (readsAhead) run(aheadKernel(lanes, vectors), { ...product, ahead: panel, aheadStep: 4 });
      else run(productsKernel(lanes, vectors), { ...product, panels: 1, panelBytes: 0 });
    },
    (i) => (finishes ? finished(own(i), map, columns, i % columns, addend[i]) : own(i)),
  );
}

/** What normalization, addition and ReLU make of `y` in a column of a panel. */
function finished(y: number, map: FloatArray, columns: number, column: number, addend: number): number {
  const together = Math.min(columns, 2 * singles.perVector);
  const numbers = 3 * together * Math.floor(column / together) + (column % together);
  const [mean, scale, offset] = [0, 1, 2].map((which) => map[numbers + which * together]);
  const { fround } = Math;
  return positivePart(fround(fround(fround(fround(y - mean) * scale) + offset) + addend));
}
