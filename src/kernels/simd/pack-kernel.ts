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
import { f32, f64, f64x2, i32, v128 } from "../../assembly/instructions.js";
import { type Family, family } from "./family.js";
import type { Lanes } from "./lanes.js";

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
    const vector = (j: number): Body =>
      lanes.name === "float32"
        ? v128.store(p.to, v128.load(p.from, 16 * j), 16 * j)
        : v128.store(p.to, f64x2.promote_low_f32x4(v128.load64_zero(p.from, 8 * j)), 16 * j);
    const wholeRows = doWhile(
      [
        upTo(vectors).map(vector),
        p.from.set(i32.add(p.from, p.rowStride)),
        p.to.set(i32.add(p.to, rowBytes)),
        p.depth.set(i32.sub(p.depth, 1)),
      ],
      p.depth,
    );
    const eachColumn = whileLoop(i32.lt_s(column, width), [
      packColumn(lanes, rowBytes, p.from, p.rowStride, p.depth, p.to, i32.lt_s(column, p.columns), local),
      p.from.set(i32.add(p.from, p.columnStride)),
      p.to.set(i32.add(p.to, lanes.bytes)),
      column.set(i32.add(column, 1)),
    ]);
    return when(i32.and(i32.eq(p.columns, width), i32.eq(p.columnStride, 4)), wholeRows, eachColumn);
  });
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
