/**
 * The inner loop of depthwise convolution on an image as it lies in memory.
 *
 *     out[pixel, c] = sum over taps of source[pixel + place of tap, c] * filter[tap, c]  + bias[c]
 *
 * Four pixels at a time share the loads of the filter, and of what they see in common (`depthwise-runs.ts`), while their sums stay
 * in registers; then the next channels of the same pixels follow. So the image is read from front to back, whole pixels at a time.
 * Only filter and bias are packed, in panels of channels, in the type of the sums. Values are widened for float64 sums when they
 * are loaded.
 *
 * @module
 */
import { type Body, type Local, type NamedFunction, wasmFunction } from "../../assembly/code.js";
import { doWhile } from "../../assembly/control.js";
import { i32, v128 } from "../../assembly/instructions.js";
import { advance, type BandPlace, PIXELS, walkBand } from "./depthwise-band-walk.js";
import { eachColumn, eachRun, type InPlaceFamily, inPlaceFamily, RUN, RUN_BYTES } from "./depthwise-runs.js";
import type { Lanes } from "./lanes.js";
import { storeRounded } from "./stores.js";

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
  /** Bytes from one pixel of the source to the next one. */
  | "sourcePixel"
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
  ...{ strips: "i32", end: "i32", rows: "i32", source: "i32", sourceRow: "i32", sourceStep: "i32", sourcePixel: "i32" },
  ...{ filter: "i32", filterPanel: "i32", bias: "i32", out: "i32", outRow: "i32", outStep: "i32", panels: "i32" },
};

/** A kernel that weighs the pixels of a band. It takes its parameters in the order in which `InPlaceParameter` names them. */
export type InPlaceKernel = NamedFunction<Record<InPlaceParameter, "i32">>;

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

function makeKernel(lanes: Lanes, vectors: number, stride: number): InPlaceKernel {
  return wasmFunction(`weightedInPlace${stride}_${lanes.name}_${vectors}`, parameters, (p, local) => {
    const panel = 4 * vectors * lanes.perVector;
    const allSums = upTo(PIXELS).map(() => upTo(vectors).map(() => local("v128")));
    const weights = upTo(RUN).map(() => upTo(vectors).map(() => local("v128")));
    const value = local("v128");
    const [entry, from, weight, to, source, filter, bias, out, panelsLeft] = upTo(9).map(() => local("i32"));
    const loadAll = (each: readonly Local<"v128">[], address: Local<"i32">): Body =>
      each.map((vector, j) => vector.set(v128.load(address, 16 * j)));
    const pixels = (count: number, { table, tableEnd: end, runTaps, ...place }: BandPlace): Body => {
      const sums = allSums.slice(0, count);
      const run = (taps: number): Body => [
        from.set(i32.add(source, i32.load(entry))),
        weight.set(i32.add(filter, i32.load(entry, 4))),
        weights
          .slice(0, taps)
          .map((each, t) => each.map((vector, j) => vector.set(v128.load(weight, 16 * (t * vectors + j))))),
        eachColumn(from, count, taps, stride, p.sourceStep, p.sourcePixel, (uses) =>
          upTo(vectors).map((j) => [
            value.set(lanes.load(from, j)),
            uses.map(({ window, tap: t }) => {
              const sum = sums[window][j];
              return sum.set(lanes.addProduct(sum, value, weights[t][j]));
            }),
          ]),
        ),
        advance(entry, RUN_BYTES),
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
            entry.set(table),
            eachRun({ entry, end, runTaps }, count === PIXELS, run),
            loadAll(weights[0], bias),
            to.set(out),
            sums.map((each) => [
              each.map((sum, j) => sum.set(lanes.add(sum, weights[0][j]))),
              storeRounded(lanes, to, each),
              advance(to, p.outStep),
            ]),
            [source, out].map((pointer) => advance(pointer, panel)),
            advance(bias, 16 * vectors),
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

const kernels = inPlaceFamily(makeKernel);

/** The kernel that sums in `lanes`, in panels of `vectors` vectors, for windows that are so many pixels apart. */
export const inPlaceKernel: InPlaceFamily<InPlaceKernel>["of"] = kernels.of;

/** All kernels for images in place. */
export const inPlaceKernels: readonly InPlaceKernel[] = kernels.all;
