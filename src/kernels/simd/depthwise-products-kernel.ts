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
import { doWhile, when, whileLoop } from "../../assembly/control.js";
import { i32, v128 } from "../../assembly/instructions.js";
import { STRIP_BYTES, TAP_BYTES } from "./depthwise-bands.js";
import { forEachWidth } from "./family.js";
import { PANEL_VECTORS, singles } from "./lanes.js";
import { storeSideBySide } from "./stores.js";

/** Pixels of dy that stay in registers. */
const PIXELS = 4;

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
    const [strip, table, tableEnd, left, stripSource, stripDy] = upTo(6).map(() => local("i32"));
    const loadAll = (vectorsOf: readonly Local<"v128">[], address: Local<"i32">): Body =>
      vectorsOf.map((vector, j) => vector.set(v128.load(address, 16 * j)));
    const advance = (pointer: Local<"i32">, bytes: Local<"i32"> | number): Body => pointer.set(i32.add(pointer, bytes));
    const some = (count: number): Body => {
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
        source.set(stripSource),
        dy.set(stripDy),
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
        stripSource.set(i32.add(stripSource, i32.mul(p.sourceStep, count))),
        stripDy.set(i32.add(stripDy, i32.mul(p.dyStep, count))),
        left.set(i32.sub(left, count)),
      ];
    };
    const ofStrip = [
      [table, tableEnd, left, stripSource, stripDy].map((value, i) => value.set(i32.load(strip, 4 * i))),
      stripSource.set(i32.add(stripSource, p.source)),
      stripDy.set(i32.add(stripDy, p.dy)),
      whileLoop(i32.ge_s(left, PIXELS), some(PIXELS)),
      upTo(PIXELS - 1).map((i) => when(i32.eq(left, i + 1), some(i + 1))),
      advance(strip, STRIP_BYTES),
    ];
    return doWhile(
      [
        strip.set(p.strips),
        doWhile(ofStrip, i32.ne(strip, p.end)),
        advance(p.source, p.sourceRow),
        advance(p.dy, p.dyRow),
        p.rows.set(i32.sub(p.rows, 1)),
      ],
      p.rows,
    );
  });
}

/** The kernel for panels of `vectors` vectors. */
export const productsInPlaceKernel: (vectors: number) => ProductsInPlaceKernel = forEachWidth(makeKernel);

/** All of them. */
export const productsInPlaceKernels: readonly ProductsInPlaceKernel[] = PANEL_VECTORS.map((vectors) =>
  productsInPlaceKernel(vectors),
);
