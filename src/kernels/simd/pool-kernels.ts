/**
 * The greatest element under every window of a row of windows, assembled: some vectors of channels at a time.
 *
 * @module
 */
import { type Body, type NamedFunction, type Value, wasmFunction } from "../../assembly/code.js";
import { doWhile, whileLoop } from "../../assembly/control.js";
import { f32x4, i32, i32x4, i8x16, v128 } from "../../assembly/instructions.js";
import { storeSideBySide } from "./stores.js";

/** 0, 1, 2, 3: the bytes of 0x03020100, each followed by three zeros. */
function laneNumbers(): Value<"v128"> {
  const lanes = [0, 16, 16, 16, 1, 16, 16, 16, 2, 16, 16, 16, 3, 16, 16, 16];
  return i8x16.shuffle(i32x4.splat(0x03020100), v128.zero(), lanes);
}

type Parameters = Record<
  | ("x" | "start" | "windows" | "step" | "rows" | "columns")
  | ("rowStride" | "pixelStride" | "vectors" | "y" | "argmax"),
  "i32"
>;

/** Vectors of a pixel that are taken together: while one waits for what came of a comparison, the others go on. */
const TOGETHER = 4;

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/**
 * For `windows` windows of `rows` x `columns` pixels each, whose first pixels lie `step` bytes apart from `start` on: the
 * greatest of every channel, to `y`; and, if it `tellsPlaces`, its place among the elements from `x` on, to `argmax`. A later
 * element is greater when it is not less than or equal to the greatest so far, and that is no NaN.
 */
function makeKernel(tellsPlaces: boolean): NamedFunction<Parameters> {
  const parameters = {
    ...({ x: "i32", start: "i32", windows: "i32", step: "i32", rows: "i32", columns: "i32" } as const),
    ...({ rowStride: "i32", pixelStride: "i32", vectors: "i32", y: "i32", argmax: "i32" } as const),
  };
  return wasmFunction(tellsPlaces ? "poolGreatestPlaces" : "poolGreatest", parameters, (p, local) => {
    const [channel, vectorsLeft, row, rowsLeft, pixel, pixelsLeft] = upTo(6).map(() => local("i32"));
    const [value, mask, lanes, here] = upTo(4).map(() => local("v128"));
    const [allGreatest, allPlaces] = [0, 1].map(() => upTo(TOGETHER).map(() => local("v128")));
    const setHere = here.set(i32x4.splat(i32.shr_u(i32.sub(pixel, p.x), 2)));
    /** The next `count` vectors of channels. */
    const some = (count: number): Body => {
      const greatest = allGreatest.slice(0, count);
      const places = tellsPlaces ? allPlaces.slice(0, count) : [];
      const overPixels = doWhile(
        [
          tellsPlaces ? setHere : [],
          greatest.map((best, j) => [
            value.set(v128.load(pixel, 16 * j)),
            mask.set(v128.andnot(f32x4.eq(best, best), f32x4.le(value, best))),
            best.set(v128.bitselect(value, best, mask)),
            tellsPlaces ? places[j].set(v128.bitselect(here, places[j], mask)) : [],
          ]),
          pixel.set(i32.add(pixel, p.pixelStride)),
          pixelsLeft.set(i32.sub(pixelsLeft, 1)),
        ],
        pixelsLeft,
      );
      const overRows = doWhile(
        [
          pixel.set(row),
          pixelsLeft.set(p.columns),
          overPixels,
          row.set(i32.add(row, p.rowStride)),
          rowsLeft.set(i32.sub(rowsLeft, 1)),
        ],
        rowsLeft,
      );
      return [
        pixel.set(channel),
        tellsPlaces ? setHere : [],
        greatest.map((best, j) => best.set(v128.load(channel, 16 * j))),
        places.map((place) => place.set(here)),
        row.set(channel),
        rowsLeft.set(p.rows),
        overRows,
        places.map((place, j) => place.set(i32x4.add(i32x4.add(place, lanes), i32x4.splat(4 * j)))),
        storeSideBySide(p.y, greatest),
        storeSideBySide(p.argmax, places),
        [channel, p.y, p.argmax].map((pointer) => pointer.set(i32.add(pointer, 16 * count))),
        vectorsLeft.set(i32.sub(vectorsLeft, count)),
      ];
    };
    return [
      tellsPlaces ? lanes.set(laneNumbers()) : [],
      doWhile(
        [
          channel.set(p.start),
          vectorsLeft.set(p.vectors),
          whileLoop(i32.ge_s(vectorsLeft, TOGETHER), some(TOGETHER)),
          whileLoop(vectorsLeft, some(1)),
          p.start.set(i32.add(p.start, p.step)),
          p.windows.set(i32.sub(p.windows, 1)),
        ],
        p.windows,
      ),
    ];
  });
}

/** The kernel that tells places, too. */
export const poolPlacesKernel: NamedFunction<Parameters> = makeKernel(true);

/** The kernel that does not: `argmax` may be anything. */
export const poolGreatestKernel: NamedFunction<Parameters> = makeKernel(false);
