/**
 * Element-wise passes in float64, rounded when they are stored, assembled: over whole vectors, of which there is at least one.
 *
 * @module
 */
import { type NamedFunction, wasmFunction } from "../../assembly/code.js";
import { doWhile } from "../../assembly/control.js";
import { f64x2, i32, i32x4, i8x16, v128 } from "../../assembly/instructions.js";
import { both, eachWideVector, loadDoubles, loadWide, narrow, type Wide, wideConstant } from "./floats.js";

const [add, sub, mul, div] = [f64x2.add, f64x2.sub, f64x2.mul, f64x2.div].map(both);

/** What makes dx of dy and of the output y. */
export type GradientKernel = NamedFunction<Record<"dy" | "y" | "dx" | "vectors", "i32">>;

/** dx = what `compute` makes of dy, y and 1. */
function gradientKernel(name: string, compute: (dy: Wide, y: Wide, one: Wide) => Wide): GradientKernel {
  return wasmFunction(name, { dy: "i32", y: "i32", dx: "i32", vectors: "i32" }, ({ dy, y, dx, vectors }, local) => {
    const one = wideConstant(local, 1);
    const gradient = compute(loadWide(dy), loadWide(y), one.wide);
    return [one.set, eachWideVector(vectors, v128.store(dx, narrow(gradient)), [dy, y, dx])];
  });
}

/** dx = dy y (1 - y). */
export const sigmoidGradientKernel: GradientKernel = gradientKernel("sigmoidGradient", (dy, y, one) =>
  mul(mul(dy, y), sub(one, y)),
);

/** dx = dy ((1 - y) (1 + y)). */
export const tanhGradientKernel: GradientKernel = gradientKernel("tanhGradient", (dy, y, one) =>
  mul(dy, mul(sub(one, y), add(one, y))),
);

/** y = scale x + offset, `times` times one after another, at least once, with the scales and offsets of `vectors` vectors. */
export const rescaleKernel: NamedFunction<Record<"x" | "scale" | "offset" | "y" | "vectors" | "times", "i32">> =
  wasmFunction(
    "rescale",
    { x: "i32", scale: "i32", offset: "i32", y: "i32", vectors: "i32", times: "i32" },
    ({ x, scale, offset, y, vectors, times }, local) => {
      const [left, by, to] = [0, 1, 2].map(() => local("i32"));
      const line = add(mul(loadWide(x), loadDoubles(by)), loadDoubles(to));
      const numbers = [by, to].map((pointer) => [pointer, 32] as const);
      return doWhile(
        [
          left.set(vectors),
          by.set(scale),
          to.set(offset),
          eachWideVector(left, v128.store(y, narrow(line)), [x, y], numbers),
          times.set(i32.sub(times, 1)),
        ],
        times,
      );
    },
  );

/** y = x / divisor where a byte of `kept` is 1, and +0 where it is 0. */
export const dropKernel: NamedFunction<Record<"x" | "kept" | "y" | "vectors", "i32"> & { readonly divisor: "f64" }> =
  wasmFunction(
    "drop",
    { x: "i32", kept: "i32", y: "i32", vectors: "i32", divisor: "f64" },
    ({ x, kept, y, vectors, divisor }, local) => {
      const by = wideConstant(local, divisor);
      const quotients = div(loadWide(x), by.wide);
      const lanes = [0, 16, 16, 16, 1, 16, 16, 16, 2, 16, 16, 16, 3, 16, 16, 16];
      const flags = i8x16.shuffle(v128.load32_zero(kept), v128.zero(), lanes);
      const mask = i32x4.sub(v128.zero(), flags);
      const left = v128.and(narrow(quotients), mask);
      return [by.set, eachWideVector(vectors, v128.store(y, left), [x, y], [[kept, 4]])];
    },
  );
