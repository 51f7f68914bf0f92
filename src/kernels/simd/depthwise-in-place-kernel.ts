/**
 * The inner loop of depthwise convolution on an image as it lies in memory.
 *
 *     out[pixel, c] = sum over taps of source[pixel + place of tap, c] * filter[tap, c]  + bias[c]
 *
 * Four pixels at a time share the loads of the filter, while their sums stay in registers; then the next channels of the same
 * pixels follow. So the image is read from front to back, whole pixels at a time. Only filter and bias are packed, in panels of
 * channels. It is for float32 sums: for float64 sums every value would be widened once for each tap.
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

type InPlaceParameter =
  /** The tables of the strips of a band, at least one, and their end (`depthwise-bands.ts`). */
  | "strips"
  | "end"
  /** Rows, at least 1. */
  | "rows"
  /** The first row of the source, and bytes from there to the next one, and from one output's pixel to the next one's. */
  | "source"
  | "sourceRow"
  | "sourceStep"
  /** [panel][tap][channels of the panel], bytes from one panel to the next, and the bias of all channels. */
  | "filter"
  | "filterPanel"
  | "bias"
  | "out"
  | "outRow"
  | "outStep"
  /** Panels of channels, all of which exist. */
  | "panels";

const parameters: Record<InPlaceParameter, "i32"> = {
  ...{ strips: "i32", end: "i32", rows: "i32", source: "i32", sourceRow: "i32", sourceStep: "i32", filter: "i32" },
  ...{ filterPanel: "i32", bias: "i32", out: "i32", outRow: "i32", outStep: "i32", panels: "i32" },
};

/** A kernel that weighs the pixels of a band. It takes its parameters in the order in which `InPlaceParameter` names them. */
export type InPlaceKernel = NamedFunction<Record<InPlaceParameter, "i32">>;

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

function makeKernel(vectors: number): InPlaceKernel {
  return wasmFunction(`weightedInPlace_${vectors}`, parameters, (p, local) => {
    const panel = 16 * vectors;
    const allSums = upTo(PIXELS).map(() => upTo(vectors).map(() => local("v128")));
    const weights = upTo(vectors).map(() => local("v128"));
    const [tap, from, weight, to, source, filter, bias, out, panelsLeft] = upTo(9).map(() => local("i32"));
    const loadAll = (address: Local<"i32">): Body => weights.map((w, j) => w.set(v128.load(address, 16 * j)));
    const pixels = (count: number, { table, tableEnd, ...place }: BandPlace): Body => {
      const sums = allSums.slice(0, count);
      const addTap = [
        from.set(i32.add(source, i32.load(tap))),
        weight.set(i32.add(filter, i32.load(tap, 4))),
        loadAll(weight),
        sums.map((each, i) => [
          i === 0 ? [] : advance(from, p.sourceStep),
          each.map((sum, j) => sum.set(singles.addProduct(sum, v128.load(from, 16 * j), weights[j]))),
        ]),
        advance(tap, TAP_BYTES),
      ];
      return [
        source.set(place.source),
        filter.set(p.filter),
        bias.set(p.bias),
        out.set(place.other),
        panelsLeft.set(p.panels),
        doWhile(
          [
            sums.flat().map((sum) => sum.set(v128.zero())),
            tap.set(table),
            doWhile(addTap, i32.ne(tap, tableEnd)),
            loadAll(bias),
            to.set(out),
            sums.map((each) => [
              each.map((sum, j) => sum.set(singles.add(sum, weights[j]))),
              storeSideBySide(to, each),
              advance(to, p.outStep),
            ]),
            [source, bias, out].map((pointer) => advance(pointer, panel)),
            advance(filter, p.filterPanel),
            panelsLeft.set(i32.sub(panelsLeft, 1)),
          ],
          panelsLeft,
        ),
      ];
    };
    return walkBand({ ...p, other: p.out, otherRow: p.outRow, otherStep: p.outStep }, local, pixels);
  });
}

/** The kernel for panels of `vectors` vectors. */
export const inPlaceKernel: (vectors: number) => InPlaceKernel = forEachWidth(makeKernel);

/** All kernels for images in place. */
export const inPlaceKernels: readonly InPlaceKernel[] = PANEL_VECTORS.map((vectors) => inPlaceKernel(vectors));
