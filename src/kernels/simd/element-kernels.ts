/**
 * Element-wise passes over whole vectors, assembled: sums of one or two tensors, with or without the mask of a ReLU; and ReLU.
 *
 * The float64 sum of two float32 values rounds to their float32 sum, so vectors of floats are added as they are.
 *
 * @module
 */
import { type Body, type Local, type NamedFunction, type Value, wasmFunction } from "../../assembly/code.js";
import { doWhile, when, whileLoop } from "../../assembly/control.js";
import { f32x4, f64, f64x2, i32, i32x4, v128 } from "../../assembly/instructions.js";
import { both, narrow, positivePart, wherePositive, widen } from "./floats.js";
import { storeSideBySide } from "./stores.js";

/**
 * Runs `element` for `vectors` vectors, which are counted down, and stores what it gives at `to`. It is given how many bytes
 * the vector lies behind the pointers.
 */
function eachVector(
  local: (type: "v128") => Local<"v128">,
  vectors: Local<"i32">,
  pointers: readonly Local<"i32">[],
  to: Local<"i32">,
  element: (offset: number) => Value<"v128">,
): Body {
  const values = [local("v128"), local("v128")];
  const some = (count: 1 | 2): Body => {
    const together = values.slice(0, count);
    return [
      together.map((value, i) => value.set(element(16 * i))),
      storeSideBySide(to, together),
      pointers.map((pointer) => pointer.set(i32.add(pointer, 16 * count))),
      vectors.set(i32.sub(vectors, count)),
    ];
  };
  return [whileLoop(i32.ge_s(vectors, 2), some(2)), when(vectors, some(1))];
}

type SumParameters = { readonly [K in "first" | "second" | "positive" | "to" | "vectors"]: "i32" } & {
  readonly start: "f32";
};

function sumKernel(name: string, terms: 1 | 2, masked: boolean): NamedFunction<SumParameters> {
  return wasmFunction(
    name,
    { first: "i32", second: "i32", positive: "i32", to: "i32", vectors: "i32", start: "f32" },
    ({ first, second, positive, to, vectors, start }, local) => {
      const begin = local("v128");
      const pointers = [first, to, ...(terms === 2 ? [second] : []), ...(masked ? [positive] : [])];
      return [
        begin.set(f32x4.splat(start)),
        eachVector(local, vectors, pointers, to, (offset) => {
          const one = f32x4.add(begin, v128.load(first, offset));
          const sum = terms === 2 ? f32x4.add(one, v128.load(second, offset)) : one;
          return masked ? wherePositive(sum, v128.load(positive, offset)) : sum;
        }),
      ];
    },
  );
}

/** The sum of one or two tensors, everywhere or where a third is positive. */
export const sumKernels: readonly [
  plain: readonly NamedFunction<SumParameters>[],
  masked: readonly NamedFunction<SumParameters>[],
] = [
  [sumKernel("sum1", 1, false), sumKernel("sum2", 2, false)],
  [sumKernel("sum1Masked", 1, true), sumKernel("sum2Masked", 2, true)],
];

/** y = max(x, 0). */
export const rectifyKernel: NamedFunction<Record<"x" | "y" | "vectors", "i32">> = wasmFunction(
  "rectify",
  { x: "i32", y: "i32", vectors: "i32" },
  ({ x, y, vectors }, local) => {
    const held = local("v128");
    return eachVector(local, vectors, [x, y], y, (offset) => positivePart(v128.load(x, offset), held));
  },
);

/** dx = dy where x > 0, +0 elsewhere. */
export const rectifyGradientKernel: NamedFunction<Record<"dy" | "x" | "dx" | "vectors", "i32">> = wasmFunction(
  "rectifyGradient",
  { dy: "i32", x: "i32", dx: "i32", vectors: "i32" },
  ({ dy, x, dx, vectors }, local) =>
    eachVector(local, vectors, [dy, x, dx], dx, (offset) => wherePositive(v128.load(dy, offset), v128.load(x, offset))),
);

type BoundedParameters = Record<"x" | "y" | "vectors", "i32"> &
  Record<"threshold" | "maxValue", "f32"> & {
    readonly slope: "f64";
  };

function boundedKernel(name: string, isSloped: boolean): NamedFunction<BoundedParameters> {
  return wasmFunction(
    name,
    { x: "i32", y: "i32", vectors: "i32", threshold: "f32", maxValue: "f32", slope: "f64" },
    ({ x, y, vectors, threshold, maxValue, slope }, local) => {
      const [begin, most, value, wideBegin, by] = [0, 1, 2, 3, 4].map(() => local("v128"));
      const sloped = narrow(both(f64x2.mul)(both(f64x2.sub)(widen(value), [wideBegin, wideBegin]), [by, by]));
      const below = isSloped ? sloped : v128.and(value, f32x4.ne(value, value));
      return [
        begin.set(f32x4.splat(threshold)),
        most.set(f32x4.splat(maxValue)),
        isSloped ? [wideBegin.set(f64x2.splat(f64.promote_f32(threshold))), by.set(f64x2.splat(slope))] : [],
        eachVector(local, vectors, [x, y], y, (offset) =>
          v128.bitselect(f32x4.pmin(most, value.tee(v128.load(x, offset))), below, f32x4.gt(value, begin)),
        ),
      ];
    },
  );
}

/**
 * y = min(x, maxValue) where x > threshold; elsewhere slope (x - threshold) in float64, rounded, or with a `bounded` one, whose slope
 * is 0, +0, but NaN where x is NaN.
 */
export const boundedKernels: Readonly<Record<"bounded" | "sloped", NamedFunction<BoundedParameters>>> = {
  bounded: boundedKernel("rectifyBounded", false),
  sloped: boundedKernel("rectifySloped", true),
};

type BoundedGradientParameters = Record<"dy" | "x" | "dx" | "vectors" | "atThreshold" | "atMax", "i32"> &
  Record<"threshold" | "maxValue", "f32"> & { readonly slope: "f64" };

function boundedGradientKernel(name: string, isSloped: boolean): NamedFunction<BoundedGradientParameters> {
  return wasmFunction(
    name,
    {
      ...({ dy: "i32", x: "i32", dx: "i32", vectors: "i32", atThreshold: "i32", atMax: "i32" } as const),
      ...({ threshold: "f32", maxValue: "f32", slope: "f64" } as const),
    },
    ({ dy, x, dx, vectors, atThreshold, atMax, threshold, maxValue, slope }, local) => {
      const [begin, most, isSlopedThere, passesThere] = [0, 1, 2, 3].map(() => local("v128"));
      const [value, gradient, by, isAbove] = [0, 1, 2, 3].map(() => local("v128"));
      return [
        begin.set(f32x4.splat(threshold)),
        most.set(f32x4.splat(maxValue)),
        passesThere.set(i32x4.splat(i32.sub(0, atMax))),
        isSloped ? [isSlopedThere.set(i32x4.splat(i32.sub(0, atThreshold))), by.set(f64x2.splat(slope))] : [],
        eachVector(local, vectors, [dy, x, dx], dx, (offset) => {
          const loaded = gradient.tee(v128.load(dy, offset));
          const above = isAbove.tee(f32x4.gt(value.tee(v128.load(x, offset)), begin));
          const atMost = v128.or(f32x4.lt(value, most), v128.and(f32x4.eq(value, most), passesThere));
          const passed = v128.and(loaded, v128.and(above, atMost));
          if (!isSloped) return passed;
          const sloped = narrow(both(f64x2.mul)(widen(gradient), [by, by]));
          const isBelow = v128.andnot(v128.or(f32x4.ne(value, begin), isSlopedThere), isAbove);
          return v128.or(passed, v128.and(sloped, isBelow));
        }),
      ];
    },
  );
}

/**
 * dx = dy where threshold < x < maxValue, and where x is maxValue if `atMax` is 1; slope dy, in float64, rounded, where x < threshold or
 * is NaN, and where it is the threshold if `atThreshold` is 1; elsewhere +0. The slope of a `bounded` one is 0, and gives +0.
 */
export const boundedGradientKernels: Readonly<Record<"bounded" | "sloped", NamedFunction<BoundedGradientParameters>>> =
  {
    bounded: boundedGradientKernel("rectifyBoundedGradient", false),
    sloped: boundedGradientKernel("rectifySlopedGradient", true),
  };

type FinishParameters = Record<"y" | "addend" | "vectors" | "rows" | "skip", "i32">;

function finishKernel(name: string, adds: boolean, rectifies: boolean): NamedFunction<FinishParameters> {
  return wasmFunction(
    name,
    { y: "i32", addend: "i32", vectors: "i32", rows: "i32", skip: "i32" },
    ({ y, addend, vectors, rows, skip }, local) => {
      const left = local("i32");
      const held = local("v128");
      const pointers = adds ? [y, addend] : [y];
      return doWhile(
        [
          left.set(vectors),
          eachVector(local, left, pointers, y, (offset) => {
            const own = v128.load(y, offset);
            const sum = adds ? f32x4.add(own, v128.load(addend, offset)) : own;
            return rectifies ? positivePart(sum, held) : sum;
          }),
          pointers.map((pointer) => pointer.set(i32.add(pointer, skip))),
          rows.set(i32.sub(rows, 1)),
        ],
        rows,
      );
    },
  );
}

/**
 * What follows a result that is not normalized, in its place: an addend, a ReLU, or both. At least one row; from the end of
 * a row to the beginning of the next there are `skip` bytes.
 */
export const finishKernels: Record<"add" | "rectify" | "addRectify", NamedFunction<FinishParameters>> = {
  add: finishKernel("finishAdd", true, false),
  rectify: finishKernel("finishRectify", false, true),
  addRectify: finishKernel("finishAddRectify", true, true),
};
