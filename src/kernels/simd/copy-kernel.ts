/**
 * Copies of the left operand of a product in scratch memory: the part of an image that a tile reads, with a border of
 * zeros, or rows of a matrix; widened where sums are doubles. And copies of rows between matrices of any width.
 *
 * @module
 */
import {
  type Body,
  type Local,
  type NamedFunction,
  type Signature,
  type Value,
  wasmFunction,
} from "../../assembly/code.js";
import { doWhile, whileLoop } from "../../assembly/control.js";
import { f32, f64, f64x2, i32, v128 } from "../../assembly/instructions.js";
import { doubles, type Lanes, singles } from "./lanes.js";
import { storeSideBySide } from "./stores.js";
import { kernelFunction } from "./thread.js";

/** What the copying kernel is told. Strides are in bytes, counts in values. */
type CopyParameter =
  | "from"
  | "to"
  /** Runs of values in a row, at least 1, and bytes from one to the next. */
  | "runs"
  | "runStride"
  | "runLength"
  /** Zeros before and after the runs of a row. */
  | "before"
  | "after"
  /** Rows, at least 1, and bytes from one to the next. */
  | "rows"
  | "rowStride";

/** A kernel that copies rows made of runs of values, side by side and with zeros before and after each row. */
export type CopyKernel = NamedFunction<Record<CopyParameter, "i32">>;

/** What {@link CopyKernel} is given. */
export type CopyArguments = Readonly<Record<CopyParameter, number>>;

function makeCopyKernel(lanes: Lanes): CopyKernel {
  const parameters: Record<CopyParameter, "i32"> = {
    ...{ from: "i32", to: "i32", runs: "i32", runStride: "i32", runLength: "i32" },
    ...{ before: "i32", after: "i32", rows: "i32", rowStride: "i32" },
  };
  return wasmFunction(`copy_${lanes.name}`, parameters, (p, local) => {
    const run = local("i32");
    const runsLeft = local("i32");
    return doWhile(
      [
        putZeros(lanes, p.before, p.to, local),
        run.set(p.from),
        runsLeft.set(p.runs),
        doWhile(
          [
            putRun(lanes, run, p.runLength, p.to, local),
            run.set(i32.add(run, p.runStride)),
            runsLeft.set(i32.sub(runsLeft, 1)),
          ],
          runsLeft,
        ),
        putZeros(lanes, p.after, p.to, local),
        p.from.set(i32.add(p.from, p.rowStride)),
        p.rows.set(i32.sub(p.rows, 1)),
      ],
      p.rows,
    );
  });
}

/** Writes `count` zeros and advances `to` behind them. */
function putZeros(lanes: Lanes, count: Local<"i32">, to: Local<"i32">, local: (type: "i32") => Local<"i32">): Body {
  const end = local("i32");
  const zero = lanes.name === "float32" ? f32.store(to, 0) : f64.store(to, 0);
  return [
    end.set(i32.add(to, i32.mul(count, lanes.bytes))),
    whileLoop(i32.le_u(i32.add(to, 16), end), [v128.store(to, v128.zero()), to.set(i32.add(to, 16))]),
    whileLoop(i32.lt_u(to, end), [zero, to.set(i32.add(to, lanes.bytes))]),
  ];
}

/** Copies `count` values from `from`, widened where sums are doubles, and advances `to` behind them. */
function putRun(
  lanes: Lanes,
  from: Local<"i32">,
  count: Value<"i32">,
  to: Local<"i32">,
  local: <T extends "i32" | "v128">(type: T) => Local<T>,
): Body {
  const read = local("i32");
  const end = local("i32");
  const pair = [local("v128"), local("v128")];
  const wide = lanes.name === "float64";
  const step = wide ? 8 : 16; // bytes read for 16 bytes written
  const some = (i: number): Value<"v128"> =>
    wide ? f64x2.promote_low_f32x4(v128.load64_zero(read, step * i)) : v128.load(read, step * i);
  const one = wide ? f64.store(to, f64.promote_f32(f32.load(read))) : f32.store(to, f32.load(read));
  const vectors = (count: 1 | 2): Body =>
    whileLoop(i32.le_u(i32.add(read, count * step), end), [
      pair.slice(0, count).map((vector, i) => vector.set(some(i))),
      storeSideBySide(to, pair.slice(0, count)),
      read.set(i32.add(read, count * step)),
      to.set(i32.add(to, count * 16)),
    ]);
  return [
    read.set(from),
    end.set(i32.add(from, i32.shl(count, 2))),
    vectors(2),
    vectors(1),
    whileLoop(i32.lt_u(read, end), [one, read.set(i32.add(read, 4)), to.set(i32.add(to, lanes.bytes))]),
  ];
}

const ofSingles = makeCopyKernel(singles);
const ofDoubles = makeCopyKernel(doubles);

/** Copies `rows` rows, at least 1, of `columns` floats each. Strides are bytes from one row to the next. */
export const copyRowsKernel: NamedFunction<
  Record<"from" | "to" | "rows" | "fromStride" | "toStride" | "columns", "i32">
> = wasmFunction(
  "copyRows",
  { from: "i32", to: "i32", rows: "i32", fromStride: "i32", toStride: "i32", columns: "i32" },
  ({ from, to, rows, fromStride, toStride, columns }, local) => {
    const at = local("i32");
    return doWhile(
      [
        at.set(to),
        putRun(singles, from, columns, at, local),
        from.set(i32.add(from, fromStride)),
        to.set(i32.add(to, toStride)),
        rows.set(i32.sub(rows, 1)),
      ],
      rows,
    );
  },
);

/** The copying kernels. */
export const copyKernels: readonly NamedFunction<Signature>[] = [ofSingles, ofDoubles, copyRowsKernel];

/** The kernel that copies for sums in `lanes`. */
export function copyKernel(lanes: Lanes): CopyKernel {
  return lanes === singles ? ofSingles : ofDoubles;
}

/** The kernel of {@link copyKernel} on this thread, for those who call it for every tile. */
export function copyFunction(lanes: Lanes): (values: CopyArguments) => void {
  const run = kernelFunction(copyKernel(lanes));
  return (v) => run(v.from, v.to, v.runs, v.runStride, v.runLength, v.before, v.after, v.rows, v.rowStride);
}

/**
 * What writes `count` zeros of `lanes` at the address `to`: a copy of nothing, with zeros before it. `fill` of an array in
 * shared memory stores one element after another.
 */
export function zeroFunction(lanes: Lanes): (to: number, count: number) => void {
  const run = kernelFunction(copyKernel(lanes));
  return (to, count) => run(to, to, 1, 0, 0, count, 0, 1, 0);
}
