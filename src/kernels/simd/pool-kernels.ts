/**
 * The greatest element under every window of a row of windows, assembled, and its way back: some vectors of channels at a time.
 *
 * @module
 */
import { type Body, type Local, type NamedFunction, type Value, wasmFunction } from "../../assembly/code.js";
import { doWhile, whileLoop } from "../../assembly/control.js";
import { f32x4, i32, i32x4, i8x16, v128 } from "../../assembly/instructions.js";
import { doubleElements, type Elements, singleElements } from "./floats.js";
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

type GradientParameters = Record<
  | ("place" | "placeStep" | "elements" | "dy" | "argmax" | "rows" | "columns")
  | ("rowStride" | "pixelStride" | "vectors" | "dx" | "step"),
  "i32"
>;

/**
 * The gradient for `elements` pixels of the input, `step` bytes and `placeStep` places apart, from `dx` and `place` on. Each is seen
 * by `rows` x `columns` windows, at least one, and the next one by those a pixel further on: `dy` and `argmax` are what the
 * first window of the first one has. dy counts where the window's greatest element is here; elsewhere +0 is added, which
 * changes no sum that began at +0.
 */
function makeGradientKernel<V>(elements: Elements<V>): NamedFunction<GradientParameters> {
  const parameters = {
    ...({
      place: "i32",
      placeStep: "i32",
      elements: "i32",
      dy: "i32",
      argmax: "i32",
      rows: "i32",
      columns: "i32",
    } as const),
    ...({ rowStride: "i32", pixelStride: "i32", vectors: "i32", dx: "i32", step: "i32" } as const),
  };
  return wasmFunction(`poolGreatestGradient${elements.suffix}`, parameters, (p, local) => {
    const [channel, to, place, vectorsLeft] = upTo(4).map(() => local("i32"));
    const [row, rowsLeft, pixel, pixelsLeft, places] = upTo(5).map(() => local("i32"));
    const [lanes, terms] = [0, 1].map(() => local("v128"));
    const allHere = upTo(TOGETHER).map(() => local("v128"));
    const allSums = upTo(TOGETHER).map(() => elements.hold(local));
    const add = (pointer: Local<"i32">, bytes: Local<"i32"> | number): Body => pointer.set(i32.add(pointer, bytes));
    const countDown = (left: Local<"i32">, count = 1): Body => left.set(i32.sub(left, count));
    /** The next `count` vectors of channels. */
    const some = (count: number): Body => {
      const sums = allSums.slice(0, count);
      const overPixels = doWhile(
        [
          places.set(i32.add(pixel, i32.sub(p.argmax, p.dy))),
          sums.map((sum, j) => [
            terms.set(v128.and(v128.load(pixel, 16 * j), i32x4.eq(v128.load(places, 16 * j), allHere[j]))),
            sum.set(elements.add(sum.value, elements.from(terms))),
          ]),
          add(pixel, p.pixelStride),
          countDown(pixelsLeft),
        ],
        pixelsLeft,
      );
      return [
        terms.set(v128.zero()),
        sums.map((sum, j) => [
          sum.set(elements.from(terms)),
          allHere[j].set(i32x4.add(i32x4.splat(i32.add(place, 4 * j)), lanes)),
        ]),
        row.set(channel),
        rowsLeft.set(p.rows),
        doWhile(
          [pixel.set(row), pixelsLeft.set(p.columns), overPixels, add(row, p.rowStride), countDown(rowsLeft)],
          rowsLeft,
        ),
        sums.map((sum, j) => v128.store(to, elements.narrow(sum.value), 16 * j)).toReversed(),
        add(channel, 16 * count),
        add(to, 16 * count),
        add(place, 4 * count),
        countDown(vectorsLeft, count),
      ];
    };
    return [
      lanes.set(laneNumbers()),
      doWhile(
        [
          channel.set(p.dy),
          to.set(p.dx),
          place.set(p.place),
          vectorsLeft.set(p.vectors),
          whileLoop(i32.ge_s(vectorsLeft, TOGETHER), some(TOGETHER)),
          whileLoop(vectorsLeft, some(1)),
          [p.dy, p.argmax].map((pointer) => add(pointer, p.pixelStride)),
          add(p.dx, p.step),
          add(p.place, p.placeStep),
          countDown(p.elements),
        ],
        p.elements,
      ),
    ];
  });
}

/** The way back, for both accumulations. */
export const poolGradientKernels: Readonly<Record<"double" | "single", NamedFunction<GradientParameters>>> = {
  double: makeGradientKernel(doubleElements),
  single: makeGradientKernel(singleElements),
};
