/**
 * The inner loop of the gradient of depthwise convolution for its kernel, on images as they lie in memory.
 *
 *     sums[tap, c] += source[pixel + place of tap, c] * dy[pixel, c]        for the pixels of a row, in order
 *
 * The mirror image of `depthwise-in-place-kernel.ts`: here dy of four pixels stays in registers while the taps pass by, each of
 * which adds four products to its sums, one after another; then the next channels of the same pixels follow. So both images
 * are read from front to back, whole pixels at a time, and sums are loaded and stored once for four products. They lie in panels
 * of channels. It is for float32 sums: for float64 sums every value would be widened once for each tap.
 *
 * @module
 */
import { type Body, type Local, type NamedFunction, wasmFunction } from "../../assembly/code.js";
import { doWhile } from "../../assembly/control.js";
import { i32, v128 } from "../../assembly/instructions.js";
import { advance, type BandPlace, PIXELS, walkBand } from "./depthwise-band-walk.js";
import { TAP_BYTES } from "./depthwise-bands.js";
import { forEachWidth } from "./family.js";
import { PANEL_VECTORS, singles } from "./lanes.js";
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
  | "dy"
  | "dyRow"
  | "dyStep"
  /** [panel][tap][channels of the panel], and bytes from one panel to the next. */
  | "sums"
  | "sumsPanel"
  /** Panels of channels, all of which exist. */
  | "panels";

const parameters: Record<ProductsParameter, "i32"> = {
  ...{ strips: "i32", end: "i32", rows: "i32", source: "i32", sourceRow: "i32", sourceStep: "i32" },
  ...{ dy: "i32", dyRow: "i32", dyStep: "i32", sums: "i32", sumsPanel: "i32", panels: "i32" },
};

/** A kernel that adds the products of a band. It takes its parameters in the order in which `ProductsParameter` names them. */
export type ProductsInPlaceKernel = NamedFunction<Record<ProductsParameter, "i32">>;

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

function makeKernel(vectors: number): ProductsInPlaceKernel {
  return wasmFunction(`productsInPlace_${vectors}`, parameters, (p, local) => {
    const panel = 16 * vectors;
    const allPixels = upTo(PIXELS).map(() => upTo(vectors).map(() => local("v128")));
    const sums = upTo(vectors).map(() => local("v128"));
    const [tap, from, at, source, dy, ofPanel, panelsLeft] = upTo(7).map(() => local("i32"));
    const loadAll = (vectorsOf: readonly Local<"v128">[], address: Local<"i32">): Body =>
      vectorsOf.map((vector, j) => vector.set(v128.load(address, 16 * j)));
    const some = (count: number, { table, tableEnd, ...place }: BandPlace): Body => {
      const pixels = allPixels.slice(0, count);
      const addTap = [
        from.set(i32.add(source, i32.load(tap))),
        at.set(i32.add(ofPanel, i32.load(tap, 4))),
        loadAll(sums, at),
        pixels.map((pixel, i) => [
          i === 0 ? [] : advance(from, p.sourceStep),
          sums.map((sum, j) => sum.set(singles.addProduct(sum, v128.load(from, 16 * j), pixel[j]))),
        ]),
        storeSideBySide(at, sums),
        advance(tap, TAP_BYTES),
      ];
      return [
        source.set(place.source),
        dy.set(place.other),
        ofPanel.set(p.sums),
        panelsLeft.set(p.panels),
        doWhile(
          [
            from.set(dy),
            pixels.map((pixel, i) => [i === 0 ? [] : advance(from, p.dyStep), loadAll(pixel, from)]),
            tap.set(table),
            doWhile(addTap, i32.ne(tap, tableEnd)),
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

/** The kernel for panels of `vectors` vectors. */
export const productsInPlaceKernel: (vectors: number) => ProductsInPlaceKernel = forEachWidth(makeKernel);

/** All of them. */
export const productsInPlaceKernels: readonly ProductsInPlaceKernel[] = PANEL_VECTORS.map((vectors) =>
  productsInPlaceKernel(vectors),
);
