/**
 * The inner loops of depthwise convolution. Every channel has a filter of its own, so vectors run along the channels.
 *
 * **Weighted pixels**, for the forward pass and the gradient for the input:
 *
 *     out[pixel, c] = sum over taps of source[pixel + place of tap, c] * filter[tap, c]  + bias[c]
 *
 * Four pixels at a time share the loads of the filter, and of what they see in common (`depthwise-runs.ts`), while their sums
 * stay in registers.
 *
 * **Tap products**, for the gradient for the filter:
 *
 *     sums[tap, c] += source[position + place of tap, c] * dy[position, c]        for the positions of a row, in order
 *
 * Five taps at a time share the loads of dy, while their sums stay in registers.
 *
 * Operands are packed in panels of channels, in the type of the sums (`panel-lines.ts`); only what is written is not. The
 * next pixel of a panel is the next one in memory.
 *
 * @module
 */
import {
  type Body,
  type Local,
  type NamedFunction,
  type Signature,
  type Value,
  wasmFunction,
} from "../../assembly/code.js";
import { call, doWhile, when, whileLoop } from "../../assembly/control.js";
import { f32, f64, i32, v128 } from "../../assembly/instructions.js";
import { RUN, takeTaps, usesOfColumns } from "./depthwise-runs.js";
import { type Family, family } from "./family.js";
import { doubles, type Lanes } from "./lanes.js";
import { storeRounded, storeSideBySide } from "./stores.js";

/** Pixels that share the loads of the filter. */
const PIXELS = 4;

/** Taps that share the loads of dy. */
const TAPS = 5;

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** What is of its own in each of the parts that read the same lines (`depthwise-parts.ts`). Places are in bytes. */
interface WeightedPart {
  /** Where the places of its taps begin in the table, and how many there are, at least 1. */
  readonly table: number;
  readonly taps: number;
  /** How many of them, one after another, see columns side by side, over and over; 1 where none do (`depthwise-runs.ts`). */
  readonly rowTaps: number;
  /** A row of pixels. */
  readonly columns: number;
  /** Where its filters begin in a panel, and its first pixel in a row of the output. */
  readonly filter: number;
  readonly out: number;
}

const PART_FIELDS: readonly (keyof WeightedPart)[] = ["table", "taps", "rowTaps", "columns", "filter", "out"];

/** Bytes of a part in the table of parts. */
export const PART_BYTES: number = 4 * PART_FIELDS.length;

/** Writes the table of `parts` to `address` in `memory`. */
export function writeParts(memory: ArrayBufferLike, address: number, parts: readonly WeightedPart[]): void {
  const table = new Int32Array(memory, address, parts.length * PART_FIELDS.length);
  table.set(parts.flatMap((part) => PART_FIELDS.map((field) => part[field])));
}

type WeightedTileParameter =
  | keyof WeightedPart
  | "source"
  /** In `filter` and here one vector of channels behind the other, in `filter` for each tap. */
  | "bias"
  | "outStep"
  /** How many channels are left; the panel may have more. */
  | "channels"
  /** Scratch memory for the sums of {@link PIXELS} pixels. */
  | "spill";

const weightedTileParameters: Record<WeightedTileParameter, "i32"> = {
  ...{ table: "i32", taps: "i32", rowTaps: "i32", columns: "i32", source: "i32", filter: "i32", bias: "i32" },
  ...{ out: "i32", outStep: "i32", channels: "i32", spill: "i32" },
};

type WeightedTileKernel = NamedFunction<Record<WeightedTileParameter, "i32">>;

/** The sums of some pixels, each of some vectors. */
type PixelSums = readonly (readonly Local<"v128">[])[];

/** A row of pixels of one panel. */
function weightedTile(lanes: Lanes, vectors: number): WeightedTileKernel {
  return wasmFunction(`weightedTile_${lanes.name}_${vectors}`, weightedTileParameters, (p, local) => {
    const width = vectors * lanes.perVector;
    const pixel = vectors * 16;
    const allSums = upTo(PIXELS).map(() => upTo(vectors).map(() => local("v128")));
    const filters = upTo(RUN).map(() => upTo(vectors).map(() => local("v128")));
    const value = local("v128");
    const [from, tap, end, weight, to, toEnd, left, leftOfRow] = upTo(8).map(() => local("i32"));
    const nextPixel = p.out.set(i32.add(p.out, p.outStep));
    const filter = filters[0];
    const storeEachChannel = [
      to.set(p.out),
      toEnd.set(i32.add(p.out, i32.shl(p.channels, 2))),
      doWhile(
        [
          lanes === doubles ? f32.store(to, f32.demote_f64(f64.load(from))) : f32.store(to, f32.load(from)),
          from.set(i32.add(from, lanes.bytes)),
          to.set(i32.add(to, 4)),
        ],
        i32.ne(to, toEnd),
      ),
    ];
    const spill = (sums: PixelSums): Body => storeSideBySide(p.spill, sums.flat());
    const someChannels = (sums: PixelSums): Body => [
      spill(sums),
      sums.map((_, i) => [from.set(i32.add(p.spill, i * pixel)), storeEachChannel, nextPixel]),
    ];
    // V8 fuses only what leads to stores side by side, as those of rounded sums are not: it would compute 128 bits at a time
    const allChannels = (sums: PixelSums): Body => [
      lanes === doubles ? spill(sums) : [],
      sums.map((each) => [storeRounded(lanes, p.out, each), nextPixel]),
    ];
    const run = (sums: PixelSums, taps: number): Body => [
      from.set(i32.add(p.source, i32.load(tap))),
      filters.slice(0, taps).map((each, t) => each.map((f, j) => f.set(v128.load(weight, t * pixel + 16 * j)))),
      usesOfColumns(sums.length, taps, 1).map((uses, column) =>
        upTo(vectors).map((j) => [
          value.set(v128.load(from, column * pixel + 16 * j)),
          uses.map(({ window, tap: t }) => {
            const sum = sums[window][j];
            return sum.set(lanes.addProduct(sum, value, filters[t][j]));
          }),
        ]),
      ),
      tap.set(i32.add(tap, 4 * taps)),
      weight.set(i32.add(weight, taps * pixel)),
    ];
    const pixels = (count: number): Body => {
      const sums = allSums.slice(0, count);
      return [
        sums.map((each) => each.map((sum) => sum.set(v128.zero()))),
        tap.set(p.table),
        weight.set(p.filter),
        takeTaps({ tap, end, rowTaps: p.rowTaps, left: leftOfRow }, count === PIXELS, (taps) => run(sums, taps)),
        filter.map((vector, j) => vector.set(v128.load(p.bias, 16 * j))),
        sums.map((each) => each.map((sum, j) => sum.set(lanes.add(sum, filter[j])))),
        when(i32.ge_s(p.channels, width), allChannels(sums), someChannels(sums)),
        p.source.set(i32.add(p.source, count * pixel)),
        left.set(i32.sub(left, count)),
      ];
    };
    return [
      end.set(i32.add(p.table, i32.shl(p.taps, 2))),
      left.set(p.columns),
      whileLoop(i32.ge_s(left, PIXELS), pixels(PIXELS)),
      upTo(PIXELS - 1).map((i) => when(i32.eq(left, i + 1), pixels(i + 1))),
    ];
  });
}

type WeightedParameter =
  /** The places of taps. */
  | "table"
  /** The table of parts, at least one, and its end. */
  | "parts"
  | "partsEnd"
  | "source"
  | "filter"
  | "bias"
  | "out"
  | "outStep"
  | "channels"
  | "spill"
  /** Bytes from one panel to the next. */
  | "sourcePanel"
  | "filterPanel";

const weightedParameters: Record<WeightedParameter, "i32"> = {
  ...{ table: "i32", parts: "i32", partsEnd: "i32", source: "i32", filter: "i32", bias: "i32", out: "i32" },
  ...{ outStep: "i32", channels: "i32", spill: "i32", sourcePanel: "i32", filterPanel: "i32" },
};

/** A kernel that weighs the pixels of a row of each of some parts, panel by panel: a panel of the lines stays in the first cache. */
export type WeightedKernel = NamedFunction<Record<WeightedParameter, "i32">>;

function weightedKernel(lanes: Lanes, vectors: number, tile: WeightedTileKernel): WeightedKernel {
  return wasmFunction(`weightedPixels_${lanes.name}_${vectors}`, weightedParameters, (p, local) => {
    const width = vectors * lanes.perVector;
    const part = local("i32");
    const of = (field: keyof WeightedPart): Value<"i32"> => i32.load(part, 4 * PART_FIELDS.indexOf(field));
    const ofPart = {
      ...{ taps: of("taps"), rowTaps: of("rowTaps"), columns: of("columns") },
      ...{
        table: i32.add(p.table, of("table")),
        filter: i32.add(p.filter, of("filter")),
        out: i32.add(p.out, of("out")),
      },
    };
    return doWhile(
      [
        part.set(p.parts),
        doWhile([call(tile, { ...p, ...ofPart }), part.set(i32.add(part, PART_BYTES))], i32.ne(part, p.partsEnd)),
        p.source.set(i32.add(p.source, p.sourcePanel)),
        p.out.set(i32.add(p.out, 4 * width)),
        p.filter.set(i32.add(p.filter, p.filterPanel)),
        p.bias.set(i32.add(p.bias, 16 * vectors)),
        p.channels.set(i32.sub(p.channels, width)),
      ],
      i32.gt_s(p.channels, 0),
    );
  });
}

type TapTileParameter =
  /** The place of each tap in the source. */
  | "table"
  | "source"
  | "dy"
  /** [tap][vectors] */
  | "sums"
  /** Positions: a row of them. */
  | "columns";

const tapTileParameters: Record<TapTileParameter, "i32"> = {
  ...{ table: "i32", source: "i32", dy: "i32", sums: "i32", columns: "i32" },
};

type TapTileKernel = NamedFunction<Record<TapTileParameter, "i32">>;

/** The products of `taps` taps of one panel. */
function tapTile(lanes: Lanes, vectors: number, taps: number): TapTileKernel {
  return wasmFunction(`tapTile${taps}_${lanes.name}_${vectors}`, tapTileParameters, (p, local) => {
    const sums = upTo(taps).map(() => upTo(vectors).map(() => local("v128")));
    const sources = upTo(taps).map(() => local("i32"));
    const dy = upTo(vectors).map(() => local("v128"));
    const pixel = vectors * 16;
    return [
      sums.map((each, t) => each.map((sum, j) => sum.set(v128.load(p.sums, t * pixel + 16 * j)))),
      sources.map((pointer, t) => pointer.set(i32.add(p.source, i32.load(p.table, 4 * t)))),
      doWhile(
        [
          dy.map((vector, j) => vector.set(v128.load(p.dy, 16 * j))),
          sums.map((each, t) =>
            each.map((sum, j) => sum.set(lanes.addProduct(sum, v128.load(sources[t], 16 * j), dy[j]))),
          ),
          [...sources, p.dy].map((pointer) => pointer.set(i32.add(pointer, pixel))),
          p.columns.set(i32.sub(p.columns, 1)),
        ],
        p.columns,
      ),
      storeSideBySide(p.sums, sums.flat()),
    ];
  });
}

type TapParameter =
  | TapTileParameter
  | "taps"
  | "panels"
  /** Bytes from one panel to the next. */
  | "sourcePanel"
  | "dyPanel";

/** A kernel that adds the products of some taps, at least 1, in a row of some panels to their sums, [panel][tap][vectors]. */
export type TapKernel = NamedFunction<Record<TapParameter, "i32">>;

function tapKernel(lanes: Lanes, vectors: number, tiles: readonly TapTileKernel[]): TapKernel {
  const parameters: Record<TapParameter, "i32"> = {
    ...tapTileParameters,
    ...{ taps: "i32", panels: "i32", sourcePanel: "i32", dyPanel: "i32" },
  };
  return wasmFunction(`tapProducts_${lanes.name}_${vectors}`, parameters, (p, local) => {
    const [table, left] = [local("i32"), local("i32")];
    const some = (taps: number): Body => [
      call(tiles[taps - 1], { ...p, table }),
      table.set(i32.add(table, 4 * taps)),
      p.sums.set(i32.add(p.sums, taps * vectors * 16)),
      left.set(i32.sub(left, taps)),
    ];
    return doWhile(
      [
        table.set(p.table),
        left.set(p.taps),
        whileLoop(i32.ge_s(left, TAPS), some(TAPS)),
        upTo(TAPS - 1).map((i) => when(i32.eq(left, i + 1), some(i + 1))),
        p.source.set(i32.add(p.source, p.sourcePanel)),
        p.dy.set(i32.add(p.dy, p.dyPanel)),
        p.panels.set(i32.sub(p.panels, 1)),
      ],
      p.panels,
    );
  });
}

/** The kernels for one way to sum and one width of panels. */
export interface DepthwiseKernels {
  readonly lanes: Lanes;
  readonly vectors: number;
  readonly weightedPixels: WeightedKernel;
  readonly tapProducts: TapKernel;
  /** What the module must contain. */
  readonly all: readonly NamedFunction<Signature>[];
}

function kernelsFor(lanes: Lanes, vectors: number): DepthwiseKernels {
  const ofRow = weightedTile(lanes, vectors);
  const ofTaps = upTo(TAPS).map((i) => tapTile(lanes, vectors, i + 1));
  const weightedPixels = weightedKernel(lanes, vectors, ofRow);
  const tapProducts = tapKernel(lanes, vectors, ofTaps);
  return { lanes, vectors, weightedPixels, tapProducts, all: [ofRow, ...ofTaps, weightedPixels, tapProducts] };
}

const kernelSets = family(kernelsFor);

/** All kernels of depthwise convolution. */
export const depthwiseFunctions: readonly NamedFunction<Signature>[] = kernelSets.all.flatMap(({ all }) => all);

/** The kernels that sum in `lanes`, in panels of `vectors` vectors. @throws Error when there are none. */
export const depthwiseKernels: Family<DepthwiseKernels> = kernelSets.of;
