/**
 * The inner loop of the gradient of depthwise convolution for its kernel, on images as they lie in memory.
 *
 *     sums[tap, c] += source[pixel + place of tap, c] * dy[pixel, c]        for the pixels of a row, in order
 *
 * The mirror image of `depthwise-in-place-kernel.ts`: here dy of four pixels stays in registers while the taps pass by, in runs
 * (`depthwise-runs.ts`), each of which adds four products to its sums, one after another; then the next channels of the same pixels
 * follow. So both images are read from front to back, whole pixels at a time, and sums are loaded and stored once for four
 * products. They lie in panels of channels, from which another kernel stores them, rounded, when all are done. Values are widened for
 * float64 sums when they are loaded.
 *
 * @module
 */
import { type Body, type NamedFunction, wasmFunction } from "../../assembly/code.js";
import { doWhile } from "../../assembly/control.js";
import { i32, v128 } from "../../assembly/instructions.js";
import { advance, type BandPlace, PIXELS, walkBand } from "./depthwise-band-walk.js";
import {
  eachColumn,
  eachRun,
  type InPlaceFamily,
  inPlaceFamily,
  inPlaceVectors,
  RUN,
  RUN_BYTES,
} from "./depthwise-runs.js";
import { type Family, family } from "./family.js";
import type { Lanes } from "./lanes.js";
import { storeRounded, storeSideBySide } from "./stores.js";

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

function makeKernel(lanes: Lanes, vectors: number, stride: number): ProductsInPlaceKernel {
  return wasmFunction(`productsInPlace${stride}_${lanes.name}_${vectors}`, parameters, (p, local) => {
    const panel = 4 * vectors * lanes.perVector;
    const allPixels = upTo(PIXELS).map(() => upTo(vectors).map(() => local("v128")));
    const sums = upTo(RUN).map(() => upTo(vectors).map(() => local("v128")));
    const value = local("v128");
    const [entry, from, at, source, dy, ofPanel, panelsLeft] = upTo(7).map(() => local("i32"));
    const some = (count: number, { table, tableEnd: end, runTaps, ...place }: BandPlace): Body => {
      const pixels = allPixels.slice(0, count);
      const run = (taps: number): Body => [
        from.set(i32.add(source, i32.load(entry))),
        at.set(i32.add(ofPanel, i32.load(entry, 4))),
        sums.slice(0, taps).map((each, t) => each.map((sum, j) => sum.set(v128.load(at, 16 * (t * vectors + j))))),
        eachColumn(from, count, taps, stride, p.sourceStep, p.sourcePixel, (uses) =>
          upTo(vectors).map((j) => [
            value.set(lanes.load(from, j)),
            uses.map(({ window, tap: t }) => sums[t][j].set(lanes.addProduct(sums[t][j], value, pixels[window][j]))),
          ]),
        ),
        storeSideBySide(at, sums.slice(0, taps).flat()),
        advance(entry, RUN_BYTES),
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
            entry.set(table),
            eachRun({ entry, end, runTaps }, count === PIXELS, run),
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

const kernels = inPlaceFamily(makeKernel);

/** The kernel that sums in `lanes`, in panels of `vectors` vectors, for windows that are so many pixels apart. */
export const productsInPlaceKernel: InPlaceFamily<ProductsInPlaceKernel>["of"] = kernels.of;

type StoreParameter =
  /** [panel][tap][channels of the panel], at least one of each */
  | "sums"
  /** Where those of the first panel's first tap go, and bytes from there to those of the next tap. */
  | "to"
  | "panels"
  | "taps"
  | "toStep";

/** A kernel that rounds sums and stores those of a tap side by side. It takes its parameters in the order of `StoreParameter`. */
export type StoreSumsKernel = NamedFunction<Record<StoreParameter, "i32">>;

function makeStore(lanes: Lanes, vectors: number): StoreSumsKernel {
  const parameters: Record<StoreParameter, "i32"> = {
    sums: "i32",
    to: "i32",
    panels: "i32",
    taps: "i32",
    toStep: "i32",
  };
  return wasmFunction(`storeTapSums_${lanes.name}_${vectors}`, parameters, (p, local) => {
    const sums = upTo(vectors).map(() => local("v128"));
    const [at, left] = [local("i32"), local("i32")];
    const ofTap = [
      sums.map((sum, j) => sum.set(v128.load(p.sums, 16 * j))),
      storeRounded(lanes, at, sums),
      advance(p.sums, 16 * vectors),
      advance(at, p.toStep),
      left.set(i32.sub(left, 1)),
    ];
    return doWhile(
      [
        at.set(p.to),
        left.set(p.taps),
        doWhile(ofTap, left),
        advance(p.to, 4 * vectors * lanes.perVector),
        p.panels.set(i32.sub(p.panels, 1)),
      ],
      p.panels,
    );
  });
}

const stores = family(makeStore, inPlaceVectors);

/** The kernel that stores what was summed in `lanes`, in panels of `vectors` vectors. */
export const storeSumsKernel: Family<StoreSumsKernel> = stores.of;

/** All kernels of this file. */
export const productsInPlaceKernels: readonly (ProductsInPlaceKernel | StoreSumsKernel)[] = [
  ...kernels.all,
  ...stores.all,
];
