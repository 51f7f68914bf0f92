/**
 * The kernels that every product of matrices ends in, and every convolution but those with few filters and depthwise ones.
 *
 *     c[i, j] = sum over segments s and k of a[i, s, k] * panel[s, k, j]  + bias[j]         s ascending, then k
 *
 * The rows of the left operand need not lie in any order: a table says how far each lies behind `a`, and a second table
 * where segments go on. In segment s, row i is the `length` values at `a + rows[i] + segments[s]`. A matrix has one segment.
 * The patch that a window sees has one for each row of the window, since the channels of neighbouring columns lie side by
 * side: so a convolution is this product on the image itself, and no patch is ever copied.
 *
 * Rows are of kinds: those of a kind are multiplied with the same segments, and in each with the same values. Windows that
 * hang over the border of the image differ in this from the others (`padding.ts`).
 *
 * One turn of the inner loop takes one k: a vector or more of the panel, against one value of each of four rows.
 *
 *                       panel[k, 0..3]   panel[k, 4..7]
 *         a[0, k] x4        sum 00           sum 01          8 sums stay in registers from the first segment to the last,
 *         a[1, k] x4        sum 10           sum 11          so that nothing is rounded, or moved, in between
 *         a[2, k] x4        sum 20           sum 21
 *         a[3, k] x4        sum 30           sum 31
 *
 * Tables are filled up to whole tiles by repeating their last row: then a tile at the edge computes and stores the same
 * row twice, and there are no edges for the rows. In panels of a single vector, tiles have eight rows.
 *
 * @module
 */
import {
  type Body,
  type Local,
  type NamedFunction,
  type Signature,
  type Value,
  type ValueType,
  wasmFunction,
} from "../../assembly/code.js";
import { call, doWhile, leaveWhen, when, whileLoop } from "../../assembly/control.js";
import { f32, f32x4, f64, f64x2, i32, v128 } from "../../assembly/instructions.js";
import { type Family, family } from "./family.js";
import { positivePart, singleElements } from "./floats.js";
import { type Lanes, PANEL_VECTORS, tileRows } from "./lanes.js";
import { storeSideBySide } from "./stores.js";
import { kernelFunction } from "./thread.js";

/** What a product kernel is told of rows of one kind. Addresses and counts, all at least 1, but for `first`. */
export type RowKindField =
  /** The table of how far rows lie behind `a`, filled up to whole tiles. */
  | "rows"
  /** The table of how far rows of the result lie behind `c`. */
  | "results"
  /** How many rows there are. */
  | "count"
  /** The table of how much further rows lie for each segment. */
  | "segments"
  | "segmentCount"
  /** Values of a row in a segment. */
  | "length"
  /** The row of the panel for the first value of the first segment. */
  | "first";

/** How the fields of a kind of rows follow each other in memory, each a number of four bytes. */
export const ROW_KIND: readonly RowKindField[] = [
  "rows",
  "results",
  "count",
  "segments",
  "segmentCount",
  "length",
  "first",
];

/** What a product kernel is told. Addresses and counts, all at least 1. */
export type ProductParameter =
  /** The kinds of rows, as {@link ROW_KIND} has them, and how many. */
  | "kinds"
  | "kindCount"
  /** The address that rows of a are counted from. */
  | "a"
  /** The address that rows of c are counted from, in the first column of the panel. */
  | "c"
  /** The packed panel, of rows as wide as it is, and how many rows there are from one segment to the next. */
  | "panel"
  | "segmentRows"
  /** As many float32 values as the panel is wide; +0 where there is no bias, which changes no sum. */
  | "bias"
  /** Columns of the panel that exist; the others are computed and dropped. */
  | "columns"
  /** Scratch memory for the sums of one tile. */
  | "spill"
  | FinishParameter;

/** How float32 sums in whole panels are finished before they are stored: see {@link finishSingles}. */
export type FinishParameter =
  /** The sum of the {@link FINISH_BITS} of what is done; 0 where sums are doubles or a panel is not whole. */
  | "finishes"
  /** The numbers of the panel's columns, as `normalize-kernels.ts` has them. */
  | "map"
  /** The address that rows of what is added are counted from, as far apart as rows of c. */
  | "addend";

/** What can be done to results, one after the other. */
export const FINISH_BITS = { normalize: 1, add: 2, rectify: 4 } as const;

/** Bytes of the numbers of a column: mean, scale and offset. */
export const MAP_BYTES = 12;

const finishParameters: Record<FinishParameter, "i32"> = { finishes: "i32", map: "i32", addend: "i32" };

export const productParameters: Record<ProductParameter, "i32"> = {
  ...{ kinds: "i32", kindCount: "i32", a: "i32", c: "i32" },
  ...{ panel: "i32", segmentRows: "i32", bias: "i32", columns: "i32", spill: "i32" },
  ...finishParameters,
};

/** What the kernel for the rows of one kind is told: the fields of the kind, `first` as an address, and the others. */
export type TileParameter = RowKindField | Exclude<ProductParameter, "kinds" | "kindCount" | "panel">;

export const tileParameters: Record<TileParameter, "i32"> = {
  ...{ rows: "i32", results: "i32", count: "i32", segments: "i32", segmentCount: "i32", length: "i32", first: "i32" },
  ...{ a: "i32", c: "i32", segmentRows: "i32", bias: "i32", columns: "i32", spill: "i32" },
  ...finishParameters,
};

/** A kernel for rows of one kind and a panel of some width. */
type TileKernel = NamedFunction<Record<TileParameter, "i32">>;

/** Values of k, or turns, in one round of the inner loop. */
export const UNROLL = 8;

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

type Parameters = { readonly [K in TileParameter]: Local<"i32"> };
type MakeLocal = <T extends ValueType>(type: T) => Local<T>;
/** The sums of a tile, [rows, vectors]. */
type Sums = readonly (readonly Local<"v128">[])[];

function makeTileKernel(lanes: Lanes, vectors: number): TileKernel {
  return wasmFunction(`product_${lanes.name}_${vectors}`, tileParameters, (p, local) =>
    multiplyTiles(lanes, vectors, p, [], local),
  );
}

/** Multiplies all tiles with the panel, and does `eachRound` after each whole round of the inner loop. */
export function multiplyTiles(lanes: Lanes, vectors: number, p: Parameters, eachRound: Body, local: MakeLocal): Body {
  const width = vectors * lanes.perVector;
  const sums = upTo(tileRows(vectors)).map(() => upTo(vectors).map(() => local("v128")));
  const segment = local("i32");
  const segmentsLeft = local("i32");
  const right = local("i32");
  const segmentBytes = local("i32");
  const throughSpill = [spillSums(sums, p.spill), finishSums(lanes, sums.length, width, p, local)];
  return [
    segmentBytes.set(i32.mul(p.segmentRows, width * lanes.bytes)),
    doWhile(
      [
        sums.flat().map((sum) => sum.set(v128.zero())),
        right.set(p.first),
        segment.set(p.segments),
        segmentsLeft.set(p.segmentCount),
        doWhile(
          [
            addSegment(lanes, sums, p, segment, right, eachRound, local),
            right.set(i32.add(right, segmentBytes)),
            segment.set(i32.add(segment, 4)),
            segmentsLeft.set(i32.sub(segmentsLeft, 1)),
          ],
          segmentsLeft,
        ),
        lanes.name === "float32"
          ? when(i32.eq(p.columns, width), storeSingles(sums, p, local), throughSpill)
          : throughSpill,
        p.rows.set(i32.add(p.rows, 4 * sums.length)),
        p.results.set(i32.add(p.results, 4 * sums.length)),
        p.count.set(i32.sub(p.count, sums.length)),
      ],
      i32.gt_s(p.count, 0),
    ),
  ];
}

/** Adds the terms of one segment to the sums. */
function addSegment(
  lanes: Lanes,
  sums: Sums,
  { a, rows, length }: Parameters,
  segment: Local<"i32">,
  right: Local<"i32">,
  eachRound: Body,
  local: MakeLocal,
): Body {
  const vectors = sums[0].length;
  const left = sums.map(() => local("i32")); // where each row is read
  const shift = local("i32");
  const panel = local("i32");
  const k = local("i32");
  const value = local("v128");
  const b = sums[0].map(() => local("v128"));
  /** The turn for the k that is `ahead` of the pointers. */
  const turn = (ahead: number): Body => [
    b.map((vector, j) => vector.set(v128.load(panel, 16 * (ahead * vectors + j)))),
    sums.map((row, i) => [
      value.set(lanes.splat(left[i], ahead * lanes.bytes)),
      row.map((sum, j) => sum.set(lanes.addProduct(sum, value, b[j]))),
    ]),
  ];
  return [
    shift.set(i32.add(a, i32.load(segment))),
    left.map((pointer, i) => pointer.set(i32.add(i32.load(rows, 4 * i), shift))),
    panel.set(right),
    k.set(length),
    // Eight turns, with a way out before each of the last seven. These tests do more than count: without them the compiler
    // sees one long block, moves all its loads to the front, and has no registers left.
    doWhile(
      [
        upTo(UNROLL).map((ahead) => [ahead === 0 ? [] : leaveWhen(i32.eq(k, ahead)), turn(ahead)]),
        eachRound,
        left.map((pointer) => pointer.set(i32.add(pointer, UNROLL * lanes.bytes))),
        panel.set(i32.add(panel, UNROLL * vectors * 16)),
        k.set(i32.sub(k, UNROLL)),
      ],
      k,
    ),
  ];
}

/** Adds the bias to float32 sums, finishes them, and stores whole rows of them. */
function storeSingles(sums: Sums, p: Parameters, local: MakeLocal): Body {
  const to = local("i32");
  const addends = sums[0].map(() => local("v128"));
  return [
    addends.map((addend, j) => addend.set(v128.load(p.bias, 16 * j))),
    sums.map((row) => row.map((sum, j) => sum.set(f32x4.add(sum, addends[j])))),
    finishSingles(sums, p, local),
    sums.map((row, i) => [to.set(i32.add(i32.load(p.results, 4 * i), p.c)), storeSideBySide(to, row)]),
  ];
}

/**
 * What follows a product, while its results are in registers: (y - mean) scale + offset, an addend, a ReLU. Each is done to what
 * memory would hold, so the bits are those of passes of their own.
 */
function finishSingles(sums: Sums, { results, finishes, map, addend }: Parameters, local: MakeLocal): Body {
  const from = local("i32");
  const together = Math.min(sums[0].length, singleElements.together);
  /** One of the three numbers of the columns of a vector. */
  const numbers = (which: number, j: number): Value<"v128"> =>
    v128.load(map, 16 * (3 * together * Math.floor(j / together) + which * together + (j % together)));
  const change = (each: (sum: Local<"v128">, j: number) => Value<"v128">): Body =>
    sums.map((row) => row.map((sum, j) => sum.set(each(sum, j))));
  const does = (finish: keyof typeof FINISH_BITS): Value<"i32"> => i32.and(finishes, FINISH_BITS[finish]);
  return [
    when(does("normalize"), [
      change((sum, j) => f32x4.sub(sum, numbers(0, j))),
      change((sum, j) => f32x4.mul(sum, numbers(1, j))),
      change((sum, j) => f32x4.add(sum, numbers(2, j))),
    ]),
    when(
      does("add"),
      sums.map((row, i) => [
        from.set(i32.add(i32.load(results, 4 * i), addend)),
        row.map((sum, j) => sum.set(f32x4.add(sum, v128.load(from, 16 * j)))),
      ]),
    ),
    when(
      does("rectify"),
      change((sum) => positivePart(sum, sum)),
    ),
  ];
}

/** Stores the sums, not rounded, as [rows, width] in scratch memory. */
function spillSums(sums: Sums, spill: Local<"i32">): Body {
  return storeSideBySide(spill, sums.flat());
}

/**
 * Takes the sums from scratch memory, adds the bias, rounds, and stores as many columns as there are: four at a time, then
 * one by one.
 */
function finishSums(
  lanes: Lanes,
  rows: number,
  width: number,
  { results, c, bias, columns, spill }: Parameters,
  local: MakeLocal,
): Body {
  const to = local("i32");
  const from = local("i32");
  const addend = local("i32");
  const left = local("i32");
  const wide = lanes.name === "float64";
  const one = wide
    ? f32.demote_f64(f64.add(f64.load(from), f64.promote_f32(f32.load(addend))))
    : f32.add(f32.load(from), f32.load(addend));
  const pair = (j: number): Body => {
    const sum = f64x2.add(v128.load(from, 16 * j), f64x2.promote_low_f32x4(v128.load64_zero(addend, 8 * j)));
    return v128.store64_lane(to, f32x4.demote_f64x2_zero(sum), 0, 8 * j);
  };
  const four = wide ? [pair(0), pair(1)] : v128.store(to, f32x4.add(v128.load(from), v128.load(addend)));
  const advance = (count: number): Body => [
    from.set(i32.add(from, count * lanes.bytes)),
    addend.set(i32.add(addend, 4 * count)),
    to.set(i32.add(to, 4 * count)),
    left.set(i32.sub(left, count)),
  ];
  const someColumns = [
    left.set(columns),
    width < 4 ? [] : whileLoop(i32.ge_s(left, 4), [four, advance(4)]),
    whileLoop(left, [f32.store(to, one), advance(1)]),
  ];
  return upTo(rows).map((i) => [
    to.set(i32.add(i32.load(results, 4 * i), c)),
    from.set(i32.add(spill, i * width * lanes.bytes)),
    addend.set(bias),
    wide ? when(i32.eq(columns, width), upTo(width / 2).map(pair), someColumns) : someColumns,
  ]);
}

/** Bytes of scratch memory that a product kernel wants as `spill`. */
export const SPILL_BYTES: number = Math.max(...PANEL_VECTORS.map((vectors) => tileRows(vectors) * vectors * 16));

const tiles = family(makeTileKernel);

/** What is told of panels side by side that are alike: how many, and bytes from one to the next. */
type PanelsParameter = ProductParameter | "panels" | "panelBytes";

/** A kernel for several panels of some width. */
type PanelsKernel = NamedFunction<Record<PanelsParameter, "i32">>;

function makePanelsKernel(lanes: Lanes, vectors: number): PanelsKernel {
  const width = vectors * lanes.perVector;
  const parameters: Record<PanelsParameter, "i32"> = { ...productParameters, panels: "i32", panelBytes: "i32" };
  return wasmFunction(`products_${lanes.name}_${vectors}`, parameters, (p, local) =>
    doWhile(
      [
        eachKind(vectors, p, (kind) => call(tiles.of(lanes, vectors), { ...p, ...kind }), local),
        p.panel.set(i32.add(p.panel, p.panelBytes)),
        p.c.set(i32.add(p.c, 4 * width)),
        p.bias.set(i32.add(p.bias, 4 * width)),
        p.map.set(i32.add(p.map, MAP_BYTES * width)),
        p.addend.set(i32.add(p.addend, 4 * width)),
        p.panels.set(i32.sub(p.panels, 1)),
      ],
      p.panels,
    ),
  );
}

/** Does `body` for each kind of rows, whose fields it is given; `first` as an address in the panel. */
export function eachKind(
  vectors: number,
  { kinds, kindCount, panel }: { readonly [K in "kinds" | "kindCount" | "panel"]: Local<"i32"> },
  body: (kind: Record<RowKindField, Local<"i32">>) => Body,
  local: MakeLocal,
): Body {
  const kind = Object.fromEntries(ROW_KIND.map((field) => [field, local("i32")])) as Record<RowKindField, Local<"i32">>;
  const record = local("i32");
  const left = local("i32");
  return [
    record.set(kinds),
    left.set(kindCount),
    doWhile(
      [
        ROW_KIND.map((field, i) => kind[field].set(i32.load(record, 4 * i))),
        kind.first.set(i32.add(panel, i32.mul(kind.first, vectors * 16))),
        body(kind),
        record.set(i32.add(record, 4 * ROW_KIND.length)),
        left.set(i32.sub(left, 1)),
      ],
      left,
    ),
  ];
}

const panels = family(makePanelsKernel);

/** The kernels for all panels. */
export const productKernels: readonly NamedFunction<Signature>[] = [...tiles.all, ...panels.all];

/** The kernel for panels of `vectors` vectors of `lanes`. */
export const productsKernel: Family<PanelsKernel> = panels.of;

/** The kernel of {@link productsKernel} on this thread, for those who call it for every tile. */
export function productFunction(
  lanes: Lanes,
  vectors: number,
): (values: Readonly<Record<PanelsParameter, number>>) => void {
  return callWith(productsKernel(lanes, vectors), "panels", "panelBytes");
}

/** What calls a kernel on this thread that takes what a product takes, and two numbers more. */
export function callWith<K extends string>(
  kernel: NamedFunction<Record<ProductParameter | K, "i32">>,
  first: K,
  second: K,
): (values: Readonly<Record<ProductParameter | K, number>>) => void {
  const run = kernelFunction(kernel);
  return (v) => {
    const { kinds, kindCount, a, c, panel, segmentRows, bias, columns, spill, finishes, map, addend } = v;
    run(kinds, kindCount, a, c, panel, segmentRows, bias, columns, spill, finishes, map, addend, v[first], v[second]);
  };
}
