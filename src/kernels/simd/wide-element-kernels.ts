/**
 * Element-wise passes in float64, rounded when they are stored, assembled: over whole vectors, of which there is at least one.
 *
 * @module
 */
import { type Body, type Local, type NamedFunction, wasmFunction } from "../../assembly/code.js";
import { doWhile } from "../../assembly/control.js";
import { f64x2, i32, i32x4, i8x16, v128 } from "../../assembly/instructions.js";
import { both, loadDoubles, loadWide, narrow, type Wide } from "./floats.js";

const [add, sub, mul, div] = [f64x2.add, f64x2.sub, f64x2.mul, f64x2.div].map(both);

/** Does `body` for each of `vectors` vectors, which are counted down; pointers go on by so many bytes each time. */
function eachVector(vectors: Local<"i32">, steps: readonly (readonly [Local<"i32">, number])[], body: Body): Body {
  const goOn = steps.map(([pointer, bytes]) => pointer.set(i32.add(pointer, bytes)));
  return doWhile([body, goOn, vectors.set(i32.sub(vectors, 1))], vectors);
}

/** What makes dx of dy and of the output y. */
export type GradientKernel = NamedFunction<Record<"dy" | "y" | "dx" | "vectors", "i32">>;

/** dx = what `compute` makes of dy, y and 1. */
function gradientKernel(name: string, compute: (dy: Wide, y: Wide, one: Wide) => Wide): GradientKernel {
  return wasmFunction(name, { dy: "i32", y: "i32", dx: "i32", vectors: "i32" }, ({ dy, y, dx, vectors }, local) => {
    const one = local("v128");
    const gradient = compute(loadWide(dy), loadWide(y), [one, one]);
    const steps = [dy, y, dx].map((pointer) => [pointer, 16] as const);
    return [one.set(f64x2.splat(1)), eachVector(vectors, steps, v128.store(dx, narrow(gradient)))];
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
      const steps = [
        [x, 16],
        [y, 16],
        [by, 32],
        [to, 32],
      ] as const;
      return doWhile(
        [
          left.set(vectors),
          by.set(scale),
          to.set(offset),
          eachVector(left, steps, v128.store(y, narrow(line))),
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
      const by = local("v128");
      const quotients = div(loadWide(x), [by, by]);
      const lanes = [0, 16, 16, 16, 1, 16, 16, 16, 2, 16, 16, 16, 3, 16, 16, 16];
      const flags = i8x16.shuffle(v128.load32_zero(kept), v128.zero(), lanes);
      const mask = i32x4.sub(v128.zero(), flags);
      const steps = [
        [x, 16],
        [y, 16],
        [kept, 4],
      ] as const;
      return [
        by.set(f64x2.splat(divisor)),
        eachVector(vectors, steps, v128.store(y, v128.and(narrow(quotients), mask))),
      ];
    },
  );
