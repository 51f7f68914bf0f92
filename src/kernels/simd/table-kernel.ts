/**
 * Tables of addresses for the product kernels, which find the rows of their operands in them.
 *
 * @module
 */
import { type NamedFunction, wasmFunction } from "../../assembly/code.js";
import { doWhile } from "../../assembly/control.js";
import { i32 } from "../../assembly/instructions.js";
import { ROW_KIND, type RowKindField } from "./product-kernel.js";
import { kernelFunction } from "./thread.js";

type TableParameter = "to" | "first" | "lines" | "lineStride" | "count" | "stride";

/**
 * Writes `lines` times `count` addresses to the table at `to`: entry (l, i) is `first + l * lineStride + i * stride`, all
 * in bytes. Both counts are at least 1.
 */
export const writeTable: NamedFunction<Record<TableParameter, "i32">> = wasmFunction(
  "writeTable",
  { to: "i32", first: "i32", lines: "i32", lineStride: "i32", count: "i32", stride: "i32" },
  ({ to, first, lines, lineStride, count, stride }, local) => {
    const address = local("i32");
    const left = local("i32");
    return doWhile(
      [
        address.set(first),
        left.set(count),
        doWhile(
          [
            i32.store(to, address),
            to.set(i32.add(to, 4)),
            address.set(i32.add(address, stride)),
            left.set(i32.sub(left, 1)),
          ],
          left,
        ),
        first.set(i32.add(first, lineStride)),
        lines.set(i32.sub(lines, 1)),
      ],
      lines,
    );
  },
);

/** Writes what a product kernel is told of rows of one kind at `to`. */
export const writeRowKind: NamedFunction<Record<RowKindField | "to", "i32">> = wasmFunction(
  "writeRowKind",
  {
    ...{ to: "i32", rows: "i32", results: "i32", count: "i32" },
    ...{ segments: "i32", segmentCount: "i32", length: "i32", first: "i32" },
  },
  (p) => ROW_KIND.map((field, i) => i32.store(p.to, p[field], 4 * i)),
);

/** {@link writeTable} on this thread, for those who call it for every tile. */
export function tableFunction(): (values: Readonly<Record<TableParameter, number>>) => void {
  const run = kernelFunction(writeTable);
  return (v) => run(v.to, v.first, v.lines, v.lineStride, v.count, v.stride);
}

/** {@link writeRowKind} on this thread, for those who call it for many tiles. */
export function rowKindFunction(): (to: number, values: Readonly<Record<RowKindField, number>>) => void {
  const run = kernelFunction(writeRowKind);
  return (to, v) => run(to, v.rows, v.results, v.count, v.segments, v.segmentCount, v.length, v.first);
}
