/**
 * Packing the right operand of a product, so that the inner loop reads it front to back.
 *
 *     b [depth, columns]  ->  panels [ceil(columns / width)][depth][width]
 *
 * A panel is `width` columns of b side by side; the last one is filled up with zeros.
 *
 * @module
 */
import { type NamedFunction, wasmFunction } from "../../assembly/code.js";
import { doWhile } from "../../assembly/control.js";
import { i32, v128 } from "../../assembly/instructions.js";

/** Packs one panel of 16 whole columns, `depth` of at least 1 rows of them; `rowStride` in bytes. */
export const packPanel: NamedFunction<Record<"from" | "rowStride" | "depth" | "to", "i32">> = wasmFunction(
  "packPanel",
  { from: "i32", rowStride: "i32", depth: "i32", to: "i32" },
  ({ from, rowStride, depth, to }) =>
    doWhile(
      [
        [0, 16, 32, 48].map((at) => v128.store(to, v128.load(from, at), at)),
        from.set(i32.add(from, rowStride)),
        to.set(i32.add(to, 64)),
        depth.set(i32.sub(depth, 1)),
      ],
      i32.gt_s(depth, 0),
    ),
);
