/**
 * The greatest value of every channel over the pixels of an image, assembled, and its way back: some vectors of channels at a
 * time.
 *
 * The float64 quotient of a float32 value and a whole number that float32 holds rounds to their float32 quotient, for a double has
 * more than twice the digits. So shares are divided in float32.
 *
 * @module
 */
import { type Body, type Local, type NamedFunction, wasmFunction } from "../../assembly/code.js";
import { doWhile, whileLoop } from "../../assembly/control.js";
import { f32x4, i32, i32x4, v128 } from "../../assembly/instructions.js";
import { storeSideBySide } from "./stores.js";

/** Vectors of a pixel that are taken together: while one waits for the pixel before, the others go on. */
const TOGETHER = 4;

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** Does `body` for each of `pixels` pixels, at least 1; `pointers` go on from one to the next. */
function eachPixel(
  local: (type: "i32") => Local<"i32">,
  pixels: Local<"i32">,
  pixelStride: Local<"i32">,
  pointers: readonly Local<"i32">[],
  body: Body,
): Body {
  const left = local("i32");
  return [
    left.set(pixels),
    doWhile(
      [body, pointers.map((pointer) => pointer.set(i32.add(pointer, pixelStride))), left.set(i32.sub(left, 1))],
      left,
    ),
  ];
}

/** Does what `some` gives for so many vectors until none of `vectors` is left; `pointers` go on with them. */
function eachChannel(vectors: Local<"i32">, pointers: readonly Local<"i32">[], some: (count: number) => Body): Body {
  const next = (count: number): Body => [
    some(count),
    pointers.map((pointer) => pointer.set(i32.add(pointer, 16 * count))),
    vectors.set(i32.sub(vectors, count)),
  ];
  return [whileLoop(i32.ge_s(vectors, TOGETHER), next(TOGETHER)), whileLoop(vectors, next(1))];
}

/** y = the greatest of `pixels` pixels, at least 1: NaN where one is NaN, and +0 where zeros of both signs are. */
export const imageGreatestKernel: NamedFunction<Record<"x" | "y" | "pixels" | "pixelStride" | "vectors", "i32">> =
  wasmFunction(
    "imageGreatest",
    { x: "i32", y: "i32", pixels: "i32", pixelStride: "i32", vectors: "i32" },
    ({ x, y, pixels, pixelStride, vectors }, local) => {
      const pixel = local("i32");
      const all = upTo(TOGETHER).map(() => local("v128"));
      return eachChannel(vectors, [x, y], (count) => {
        const greatest = all.slice(0, count);
        const compare = greatest.map((best, j) => best.set(f32x4.max(best, v128.load(pixel, 16 * j))));
        return [
          pixel.set(x),
          greatest.map((best, j) => best.set(v128.load(x, 16 * j))),
          eachPixel(local, pixels, pixelStride, [pixel], compare),
          storeSideBySide(y, greatest),
        ];
      });
    },
  );

type GradientParameters = Record<"dy" | "x" | "y" | "dx" | "pixels" | "pixelStride" | "vectors", "i32">;

/**
 * dx = dy / (how many of the pixels equal y) where x equals y, and elsewhere +0; all of it NaN where none does. At least 1 pixel,
 * and no more than float32 counts.
 */
export const imageGreatestGradientKernel: NamedFunction<GradientParameters> = wasmFunction(
  "imageGreatestGradient",
  { dy: "i32", x: "i32", y: "i32", dx: "i32", pixels: "i32", pixelStride: "i32", vectors: "i32" },
  ({ dy, x, y, dx, pixels, pixelStride, vectors }, local) => {
    const [pixel, to] = [local("i32"), local("i32")];
    const [allGreatest, allCounts, allShares, isGreatest] = upTo(4).map(() => upTo(TOGETHER).map(() => local("v128")));
    return eachChannel(vectors, [dy, x, y, dx], (count) => {
      const [greatest, counts, shares] = [allGreatest, allCounts, allShares].map((all) => all.slice(0, count));
      // ones in all bits, where two are equal, are -1
      const countEqual = counts.map((sum, j) =>
        sum.set(i32x4.sub(sum, f32x4.eq(v128.load(pixel, 16 * j), greatest[j]))),
      );
      const values = isGreatest.slice(0, count);
      const share = [
        values.map((value, j) => value.set(f32x4.eq(v128.load(pixel, 16 * j), greatest[j]))),
        // of what no pixel equals counts holds NaN by now, elsewhere +0
        values.map((value, j) => value.set(v128.bitselect(shares[j], counts[j], value))),
        storeSideBySide(to, values),
      ];
      return [
        pixel.set(x),
        greatest.map((best, j) => best.set(v128.load(y, 16 * j))),
        counts.map((sum) => sum.set(v128.zero())),
        eachPixel(local, pixels, pixelStride, [pixel], countEqual),
        shares.map((each, j) => each.set(f32x4.div(v128.load(dy, 16 * j), f32x4.convert_i32x4_s(counts[j])))),
        counts.map((sum) => sum.set(i32x4.eq(sum, v128.zero()))),
        pixel.set(x),
        to.set(dx),
        eachPixel(local, pixels, pixelStride, [pixel, to], share),
      ];
    });
  },
);
