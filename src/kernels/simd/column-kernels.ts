/**
 * The sums of `reduce.ts`, `normalize.ts` and `normalize-gradients.ts` over the rows of a matrix, assembled: a strip of
 * columns, some vectors wide, whose sums stay in registers on the way down. Kernels go on with the sums that they find, so
 * that all strips of some rows can be taken while these are in the cache.
 *
 * The means are read again in every row, from the nearest cache: registers are for the sums.
 *
 * A row of a strip is a line of the cache, and takes many instructions. A processor looks only so many of these ahead, and so
 * asks for few lines at a time. So a number of each of the next few rows is read before a few rows are summed, and nothing done
 * with it: their lines are fetched all at once. Plain sums of columns take so few instructions that they need none of this.
 *
 * With float64 accumulation four columns are two pairs of doubles. With float32 accumulation (`Single`) every product
 * and every sum is rounded, and four columns are one vector of floats.
 *
 * @module
 */
import {
  type Body,
  type Local,
  type NamedFunction,
  type Statement,
  type Value,
  wasmFunction,
} from "../../assembly/code.js";
import { doWhile, select, whileLoop } from "../../assembly/control.js";
import { i32, v128 } from "../../assembly/instructions.js";
import { doubleElements, type Elements, LANES, loadDoubles, singleElements, wherePositive } from "./floats.js";

type NewLocal = (type: "v128") => Local<"v128">;

/** The sums of four columns in registers. */
interface Sums<V> {
  readonly add: (terms: V) => Statement[];
  /** Takes the sums, kept as doubles, from memory. */
  readonly load: (from: Value<"i32">, offset: number) => Statement[];
  /** Stores the sums as doubles. */
  readonly store: (to: Value<"i32">, offset: number) => Statement[];
}

function sumsOf<V>(local: NewLocal, { hold, add, fromDoubles, toDoubles }: Elements<V>): Sums<V> {
  const sums = hold(local);
  return {
    add: (terms) => sums.set(add(sums.value, terms)),
    load: (from, offset) => sums.set(fromDoubles(loadDoubles(from, offset))),
    store: (to, offset) => {
      const [low, high] = toDoubles(sums.value);
      return [v128.store(to, low, offset), v128.store(to, high, offset + 16)];
    },
  };
}

/** 0, 1, ... for the vectors of a strip. */
const each = (vectors: number): number[] => Array.from({ length: vectors }, (_, v) => v);

/** How many rows are a few: they are summed while as many are fetched. */
const FEW_ROWS = 4;

/**
 * Runs `row` for each of `rows` rows, at least one; `pointers` move on by `stride` from each to the next. Before it runs a few,
 * it reads a number of each of the few behind them, as far as there are rows.
 */
function eachRow(
  local: (type: "i32") => Local<"i32">,
  { rows, stride }: Readonly<Record<"rows" | "stride", Local<"i32">>>,
  pointers: readonly Local<"i32">[],
  row: Body,
): Statement {
  const [few, coming, unused] = [local("i32"), local("i32"), local("i32")];
  const next = pointers.map(() => local("i32"));
  const atMostFew = (count: Local<"i32">): Value<"i32"> => select("i32", count, FEW_ROWS, i32.lt_s(count, FEW_ROWS));
  const moveOn = (moved: readonly Local<"i32">[]): Body => moved.map((at) => at.set(i32.add(at, stride)));
  const countDown = (count: Local<"i32">): Statement => count.set(i32.sub(count, 1));
  return doWhile(
    [
      few.set(atMostFew(rows)),
      rows.set(i32.sub(rows, few)),
      coming.set(atMostFew(rows)),
      next.map((at, i) => at.set(i32.add(pointers[i], i32.mul(stride, few)))),
      whileLoop(coming, [next.map((at) => unused.set(i32.load(at))), moveOn(next), countDown(coming)]),
      doWhile([row, moveOn(pointers), countDown(few)], few),
    ],
    rows,
  );
}

/** `name` of a kernel for a strip of `vectors` vectors. */
const nameOf = <V>(name: string, vectors: number, { suffix }: Elements<V>): string => `${name}${suffix}${vectors}`;

type SumParameters = Record<"x" | "stride" | "rows" | "sums", "i32">;

function columnSumsKernel<V>(vectors: number, elements: Elements<V>): NamedFunction<SumParameters> {
  return wasmFunction(
    nameOf("columnSums", vectors, elements),
    { x: "i32", stride: "i32", rows: "i32", sums: "i32" },
    ({ x, stride, rows, sums }, local) => {
      const columns = each(vectors).map(() => sumsOf(local, elements));
      return [
        columns.map((column, v) => column.load(sums, 32 * v)),
        doWhile(
          [
            columns.map((column, v) => column.add(elements.load(x, 16 * v))),
            x.set(i32.add(x, stride)),
            rows.set(i32.sub(rows, 1)),
          ],
          rows,
        ),
        columns.map((column, v) => column.store(sums, 32 * v)),
      ];
    },
  );
}

type SquareParameters = Record<"x" | "stride" | "rows" | "mean" | "squares", "i32">;

function deviationSquaresKernel<V>(vectors: number, elements: Elements<V>): NamedFunction<SquareParameters> {
  const { bytes, load, numbers, sub, mul } = elements;
  return wasmFunction(
    nameOf("deviationSquares", vectors, elements),
    { x: "i32", stride: "i32", rows: "i32", mean: "i32", squares: "i32" },
    ({ x, stride, rows, mean, squares }, local) => {
      const columns = each(vectors).map(() => sumsOf(local, elements));
      const deviation = elements.hold(local);
      return [
        columns.map((column, v) => column.load(squares, 32 * v)),
        eachRow(
          local,
          { rows, stride },
          [x],
          columns.map((column, v) => [
            deviation.set(sub(load(x, 16 * v), numbers(mean, bytes * v))),
            column.add(mul(deviation.value, deviation.value)),
          ]),
        ),
        columns.map((column, v) => column.store(squares, 32 * v)),
      ];
    },
  );
}

type GradientParameters = Record<
  "dy" | "x" | "positive" | "stride" | "rows" | "mean" | "scale" | "offset" | "dySum" | "dyDot",
  "i32"
>;

function normalizationSumsKernel<V>(
  vectors: number,
  elements: Elements<V>,
  masked: boolean,
): NamedFunction<GradientParameters> {
  const { bytes, load, numbers, add, sub, mul, narrow } = elements;
  const readsOutput = masked && !elements.recomputes;
  return wasmFunction(
    nameOf(masked ? "normalizationSumsMasked" : "normalizationSums", vectors, elements),
    {
      ...{ dy: "i32", x: "i32", positive: "i32", stride: "i32", rows: "i32" },
      ...{ mean: "i32", scale: "i32", offset: "i32", dySum: "i32", dyDot: "i32" },
    },
    ({ dy, x, positive, stride, rows, mean, scale, offset, dySum, dyDot }, local) => {
      const columns = each(vectors).map(() => ({
        sum: sumsOf(local, elements),
        dot: sumsOf(local, elements),
      }));
      const [gradient, deviation, floats] = [elements.hold(local), elements.hold(local), local("v128")];
      const output = (v: number): Value<"v128"> =>
        readsOutput
          ? v128.load(positive, 16 * v)
          : narrow(add(mul(deviation.value, numbers(scale, bytes * v)), numbers(offset, bytes * v)));
      return [
        columns.map((column, v) => [column.sum.load(dySum, 32 * v), column.dot.load(dyDot, 32 * v)]),
        eachRow(
          local,
          { rows, stride },
          readsOutput ? [dy, x, positive] : [dy, x],
          columns.map((column, v) => {
            const dyHere = v128.load(dy, 16 * v);
            return [
              deviation.set(sub(load(x, 16 * v), numbers(mean, bytes * v))),
              floats.set(masked ? wherePositive(dyHere, output(v)) : dyHere),
              gradient.set(elements.from(floats)),
              column.sum.add(gradient.value),
              column.dot.add(mul(gradient.value, deviation.value)),
            ];
          }),
        ),
        columns.map((column, v) => [column.sum.store(dySum, 32 * v), column.dot.store(dyDot, 32 * v)]),
      ];
    },
  );
}

/** Kernels by the vectors of their strip, widest first. */
export type Strips<P> = readonly { readonly vectors: number; readonly kernel: P }[];

const strips = <P>(widths: readonly number[], make: (vectors: number) => P): Strips<P> =>
  widths.map((vectors) => ({ vectors, kernel: make(vectors) }));

/** For both accumulations. */
interface BothAccumulations<P> {
  readonly double: Strips<P>;
  readonly single: Strips<P>;
}

const forBoth = <P>(
  widths: readonly number[],
  make: <V>(vectors: number, elements: Elements<V>) => P,
): BothAccumulations<P> => ({
  double: strips(widths, (vectors) => make(vectors, doubleElements)),
  single: strips(widths, (vectors) => make(vectors, singleElements)),
});

/** sums[c] += sum of x[r, c]. At least one row. */
export const columnSumsKernels: BothAccumulations<NamedFunction<SumParameters>> = forBoth([4, 2, 1], columnSumsKernel);

/** squares[c] += sum of (x[r, c] - mean[c])^2. At least one row. */
export const deviationSquaresKernels: BothAccumulations<NamedFunction<SquareParameters>> = forBoth(
  [4, 2, 1],
  deviationSquaresKernel,
);

/**
 * Both sums of backward, without and with a ReLU behind the normalization. At least one row. The ReLU's output is `positive`, or
 * with float32 accumulation computed again of x, with the numbers that made it.
 */
export const normalizationSumsKernels: Record<
  "plain" | "masked",
  BothAccumulations<NamedFunction<GradientParameters>>
> = {
  plain: forBoth([4, 2, 1], (vectors, elements) => normalizationSumsKernel(vectors, elements, false)),
  masked: forBoth([4, 2, 1], (vectors, elements) => normalizationSumsKernel(vectors, elements, true)),
};

/** Rows that are walked down by all strips of a tile before the next ones hold about so many elements. */
const ELEMENTS_AT_ONCE = 131072;

/** A part of a matrix with `channels` columns that one kernel sums. */
export interface Strip<P> {
  readonly kernel: P;
  /** Its first column. */
  readonly column: number;
  /** Its first element, at the first row and column. */
  readonly at: number;
  readonly rows: number;
}

/** The columns `from` to `to` of a matrix [rows, channels]. */
export interface ColumnRange {
  readonly rows: number;
  readonly channels: number;
  readonly from: number;
  readonly to: number;
}

/**
 * Calls `run` for strips of a matrix [rows, channels] that make up its columns `from` to `to`, a number of whole vectors,
 * each with the widest kernel that fits: all strips of some rows, then those of the next.
 */
export function forEachStrip<P>(
  strips: Strips<P>,
  {
    rows,
    channels,
    from,
    to,
  }: { readonly rows: number; readonly channels: number; readonly from: number; readonly to: number },
  run: (strip: Strip<P>) => void,
): void {
  const most = Math.max(1, Math.floor(ELEMENTS_AT_ONCE / channels));
  for (let row = 0; row < rows; row += most) {
    for (let column = from; column < to; ) {
      const strip = strips.find(({ vectors }) => column + vectors * LANES <= to);
      if (strip === undefined) throw new Error(`internal: simd: ${to - from} columns are no whole vectors.`);
      run({ kernel: strip.kernel, column, at: row * channels + column, rows: Math.min(most, rows - row) });
      column += strip.vectors * LANES;
    }
  }
}
