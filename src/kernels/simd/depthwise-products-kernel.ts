/**
 * The inner loop of the gradient of depthwise convolution for its kernel, on images as they lie in memory.
 *
 *     sums[tap, c] += source[pixel + place of tap, c] * dy[pixel, c]        for the pixels of a row, in order
 *
 * The mirror image of `depthwise-in-place-kernel.ts`: here dy of four pixels stays in registers while the taps pass by, in runs
 * (`depthwise-runs.ts`), each of which adds four products to its sums, one after another; then the next channels of the same pixels
 * follow. So both images are read from front to back, whole pixels at a time, and sums are loaded and stored once for four
 * products. They lie in panels of channels. Values are widened for float64 sums when they are loaded.
 *
 * @module
 */
import { type Body, type NamedFunction, wasmFunction } from "../../assembly/code.js";
import { doWhile } from "../../assembly/control.js";
import { i32, v128 } from "../../assembly/instructions.js";
import { advance, type BandPlace, PIXELS, walkBand } from "./depthwise-band-walk.js";
import { TAP_BYTES } from "./depthwise-bands.js";
import { eachColumn, inPlaceVectors, RUN, runStride, takeTaps } from "./depthwise-runs.js";
import { type Family, family } from "./family.js";
import type { Lanes } from "./lanes.js";
import { storeSideBySide } from "./stores.js";

type ProductsParameter =
  /** The tables of the strips of a band, at least one, and their end (`depthwise-bands.ts`). */
  | "strips"
  | "end"
  /** Rows, at least 1. */
  | "rows"
  /** The first row of the source, and bytes from there to the next one, and from one pixel's window to the next one's. */
  | "source"
  | "sourceRow"
  | "sourceStep"
  /** Bytes from one pixel of the source to the next one. */
  | "sourcePixel"
  | "dy"
  | "dyRow"
  | "dyStep"
  /** [panel][tap][channels of the panel], and bytes from one panel to the next. */
  | "sums"
  | "sumsPanel"
  /** Panels of channels, all of which exist. */
  | "panels";

const parameters: Record<ProductsParameter, "i32"> = {
  ...{ strips: "i32", end: "i32", rows: "i32", source: "i32", sourceRow: "i32", sourceStep: "i32", sourcePixel: "i32" },
  ...{ dy: "i32", dyRow: "i32", dyStep: "i32", sums: "i32", sumsPanel: "i32", panels: "i32" },
};

/** A kernel that adds the products of a band. It takes its parameters in the order in which `ProductsParameter` names them. */
export type ProductsInPlaceKernel = NamedFunction<Record<ProductsParameter, "i32">>;

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

function makeKernel(lanes: Lanes, vectors: number): ProductsInPlaceKernel {
  return wasmFunction(`productsInPlace_${lanes.name}_${vectors}`, parameters, (p, local) => {
    const panel = 4 * vectors * lanes.perVector;
    const allPixels = upTo(PIXELS).map(() => upTo(vectors).map(() => local("v128")));
    const sums = upTo(RUN).map(() => upTo(vectors).map(() => local("v128")));
    const value = local("v128");
    const [tap, left, from, at, source, dy, ofPanel, panelsLeft] = upTo(8).map(() => local("i32"));
    const some = (count: number, { table, tableEnd, rowTaps, ...place }: BandPlace): Body => {
      const pixels = allPixels.slice(0, count);
      const run = (taps: number): Body => [
        from.set(i32.add(source, i32.load(tap))),
        at.set(i32.add(ofPanel, i32.load(tap, 4))),
        sums.slice(0, taps).map((each, t) => each.map((sum, j) => sum.set(v128.load(at, 16 * (t * vectors + j))))),
        eachColumn(from, count, taps, runStride(lanes), p.sourceStep, p.sourcePixel, (uses) =>
          upTo(vectors).map((j) => [
            value.set(lanes.load(from, j)),
            uses.map(({ window, tap: t }) => sums[t][j].set(lanes.addProduct(sums[t][j], value, pixels[window][j]))),
          ]),
        ),
        storeSideBySide(at, sums.slice(0, taps).flat()),
        advance(tap, TAP_BYTES * taps),
      ];
      return [
        source.set(place.source),
        dy.set(place.other),
        ofPanel.set(p.sums),
        panelsLeft.set(p.panels),
        doWhile(
          [
            from.set(dy),
            pixels.map((pixel, i) => [
              i === 0 ? [] : advance(from, p.dyStep),
              pixel.map((vector, j) => vector.set(lanes.load(from, j))),
            ]),
            tap.set(table),
            takeTaps({ tap, end: tableEnd, rowTaps, left }, count === PIXELS, run),
            [source, dy].map((pointer) => advance(pointer, panel)),
            advance(ofPanel, p.sumsPanel),
            panelsLeft.set(i32.sub(panelsLeft, 1)),
          ],
          panelsLeft,
        ),
      ];
    };
    return walkBand({ ...p, other: p.dy, otherRow: p.dyRow, otherStep: p.dyStep }, local, some);
  });
}

const kernels = family(makeKernel, inPlaceVectors);

/** The kernel that sums in `lanes`, in panels of `vectors` vectors. */
export const productsInPlaceKernel: Family<ProductsInPlaceKernel> = kernels.of;

/** All of them. */
export const productsInPlaceKernels: readonly ProductsInPlaceKernel[] = kernels.all;
