/**
 * Packing pixels in panels: a few of their channels side by side, pixel behind pixel, widened where sums are doubles.
 *
 *     pixels [count, columns]  ->  panels [ceil(columns / width)][count][width]
 *
 * Pixels are read front to back, each once. The last panel is filled up with zeros.
 *
 * @module
 */
import { type NamedFunction, wasmFunction } from "../../assembly/code.js";
import { doWhile, when, whileLoop } from "../../assembly/control.js";
import { f32, f64, i32, v128 } from "../../assembly/instructions.js";
import { doubles, type Lanes } from "./lanes.js";
import { storeSideBySide } from "./stores.js";

/** `count` pixels of `columns` float32 values, `fromStep` bytes apart, to panels that begin `panelBytes` apart. */
type PackParameter = "from" | "to" | "count" | "fromStep" | "columns" | "panelBytes";

/** A kernel that packs pixels in panels of some width. */
export type PackKernel = NamedFunction<Record<PackParameter, "i32">>;

export const packParameters: PackKernel["signature"] = {
  ...{ from: "i32", to: "i32", count: "i32", fromStep: "i32", columns: "i32", panelBytes: "i32" },
};

/** The kernel called `name` for panels of `width` values, a whole number of vectors. */
export function packKernel(lanes: Lanes, width: number, name: string): PackKernel {
  const wide = lanes === doubles;
  const vectors = Array.from({ length: width / lanes.perVector }, (_, i) => i);
  return wasmFunction(name, packParameters, (p, local) => {
    const from = local("i32");
    const to = local("i32");
    const left = local("i32");
    const values = vectors.map(() => local("v128"));
    const wholePanel = [values.map((value, i) => value.set(lanes.load(from, i))), storeSideBySide(to, values)];
    const partOfPanel = [
      vectors.map((i) => v128.store(to, v128.zero(), 16 * i)),
      doWhile(
        [
          wide ? f64.store(to, f64.promote_f32(f32.load(from))) : f32.store(to, f32.load(from)),
          from.set(i32.add(from, 4)),
          to.set(i32.add(to, lanes.bytes)),
          left.set(i32.sub(left, 1)),
        ],
        left,
      ),
    ];
    return doWhile(
      [
        from.set(p.from),
        to.set(p.to),
        left.set(p.columns),
        whileLoop(i32.ge_s(left, width), [
          wholePanel,
          from.set(i32.add(from, 4 * width)),
          to.set(i32.add(to, p.panelBytes)),
          left.set(i32.sub(left, width)),
        ]),
        when(left, partOfPanel),
        p.from.set(i32.add(p.from, p.fromStep)),
        p.to.set(i32.add(p.to, width * lanes.bytes)),
        p.count.set(i32.sub(p.count, 1)),
      ],
      p.count,
    );
  });
}
