/**
 * Packing the right operand of a product, so that the inner loop reads it front to back.
 *
 *     b [depth, columns]  ->  panel [depth, width]
 *
 * A panel is some neighbouring columns of b, widened where sums are doubles. Columns that do not exist are zeros.
 *
 * @module
 */
import { type Body, type Local, type NamedFunction, wasmFunction } from "../../assembly/code.js";
import { doWhile, when, whileLoop } from "../../assembly/control.js";
import { f32, f64, i32, v128 } from "../../assembly/instructions.js";
import { type Family, family } from "./family.js";
import type { Lanes } from "./lanes.js";
import { storeSideBySide } from "./stores.js";
import { kernelFunction } from "./thread.js";
import { storeFour, transposed } from "./transpose.js";

type PackParameter = "from" | "rowStride" | "columnStride" | "depth" | "columns" | "to";

/** A kernel that packs `depth` (at least 1) rows into a panel of some width; strides are in bytes. */
export type PackKernel = NamedFunction<Record<PackParameter, "i32">>;

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

function makePackKernel(lanes: Lanes, vectors: number): PackKernel {
  const width = vectors * lanes.perVector;
  const rowBytes = width * lanes.bytes;
  const parameters: Record<PackParameter, "i32"> = {
    ...{ from: "i32", rowStride: "i32", columnStride: "i32", depth: "i32", columns: "i32", to: "i32" },
  };
  return wasmFunction(`pack_${lanes.name}_${vectors}`, parameters, (p, local) => {
    const column = local("i32");
    const values = upTo(vectors).map(() => local("v128"));
    const wholeRows = doWhile(
      [
        values.map((value, j) => value.set(lanes.load(p.from, j))),
        storeSideBySide(p.to, values),
        p.from.set(i32.add(p.from, p.rowStride)),
        p.to.set(i32.add(p.to, rowBytes)),
        p.depth.set(i32.sub(p.depth, 1)),
      ],
      p.depth,
    );
    const next = (columns: number): Body => [
      p.from.set(i32.add(p.from, i32.mul(p.columnStride, columns))),
      p.to.set(i32.add(p.to, columns * lanes.bytes)),
      column.set(i32.add(column, columns)),
    ];
    const sideBySide = i32.and(i32.le_s(i32.add(column, 4), p.columns), i32.eq(p.rowStride, 4));
    const fourColumns = width < 4 ? [] : whileLoop(sideBySide, [packFourColumns(lanes, rowBytes, p, local), next(4)]);
    const eachColumn = whileLoop(i32.lt_s(column, width), [
      packColumn(lanes, rowBytes, p.from, p.rowStride, p.depth, p.to, i32.lt_s(column, p.columns), local),
      next(1),
    ]);
    return when(i32.and(i32.eq(p.columns, width), i32.eq(p.columnStride, 4)), wholeRows, [fourColumns, eachColumn]);
  });
}

/**
 * Packs four columns whose values lie side by side, as those of a transposed matrix do: four values of each column are
 * read at once, and transposed.
 */
function packFourColumns(
  lanes: Lanes,
  rowBytes: number,
  { from, columnStride, depth, to }: { readonly [K in PackParameter]: Local<"i32"> },
  local: <T extends "i32" | "v128">(type: T) => Local<T>,
): Body {
  const reads = upTo(4).map(() => local("i32"));
  const write = local("i32");
  const left = local("i32");
  const wide = lanes.name === "float64";
  const storeOne = (read: Local<"i32">, i: number): Body =>
    wide ? f64.store(write, f64.promote_f32(f32.load(read)), 8 * i) : f32.store(write, f32.load(read), 4 * i);
  const advance = (rows: number): Body => [
    reads.map((read) => read.set(i32.add(read, 4 * rows))),
    write.set(i32.add(write, rows * rowBytes)),
    left.set(i32.sub(left, rows)),
  ];
  return [
    reads.map((read, i) => read.set(i === 0 ? from : i32.add(reads[i - 1], columnStride))),
    write.set(to),
    left.set(depth),
    whileLoop(i32.ge_s(left, 4), [
      transposed(
        reads.map((read) => v128.load(read)),
        local,
        (column, k) => storeFour(lanes, write, column, k * rowBytes),
      ),
      advance(4),
    ]),
    whileLoop(left, [reads.map(storeOne), advance(1)]),
  ];
}

/** Packs one column, or zeros where it does not exist. */
function packColumn(
  lanes: Lanes,
  rowBytes: number,
  from: Local<"i32">,
  rowStride: Local<"i32">,
  depth: Local<"i32">,
  to: Local<"i32">,
  exists: ReturnType<typeof i32.lt_s>,
  local: (type: "i32") => Local<"i32">,
): Body {
  const read = local("i32");
  const write = local("i32");
  const left = local("i32");
  const store = (value: ReturnType<typeof f32.load> | 0): Body => {
    if (lanes.name === "float32") return f32.store(write, value);
    return f64.store(write, value === 0 ? 0 : f64.promote_f32(value));
  };
  const advance = [write.set(i32.add(write, rowBytes)), left.set(i32.sub(left, 1))];
  return [
    read.set(from),
    write.set(to),
    left.set(depth),
    when(
      exists,
      doWhile([store(f32.load(read)), read.set(i32.add(read, rowStride)), advance], left),
      doWhile([store(0), advance], left),
    ),
  ];
}

const kernels = family(makePackKernel);

/** The kernels for all panels. */
export const packKernels: readonly PackKernel[] = kernels.all;

/** The kernel for panels of `vectors` vectors of `lanes`. */
export const packKernel: Family<PackKernel> = kernels.of;

/** The kernel of {@link packKernel} on this thread, for those who call it often. */
export function packFunction(lanes: Lanes, vectors: number): (values: Readonly<Record<PackParameter, number>>) => void {
  const run = kernelFunction(packKernel(lanes, vectors));
  return (v) => run(v.from, v.rowStride, v.columnStride, v.depth, v.columns, v.to);
}
