/**
 * The inner loops of depthwise convolution. Every channel has a filter of its own, so vectors run along the channels.
 *
 * **Weighted pixels**, for the forward pass and the gradient for the input:
 *
 *     out[pixel, c] = start[c] + sum over taps of source[pixel + offset of tap, c] * filter[tap, c]  + bias[c]
 *
 * for pixels that all use the same taps; a table gives the offset of each tap, and where its filter lies. Four pixels at
 * a time share the loads of the filter, while their sums stay in registers.
 *
 * **Channel products**, for the gradient for the filter: sums[c] += a[position, c] * b[position, c], over the grids of
 * positions of `tap-products.ts`.
 *
 * Operands are float32 in memory, and widened as they are loaded where sums are doubles. A kernel works on some vectors
 * of channels; one that works on no vector works on one channel, and reads nothing behind it.
 *
 * @module
 */
import {
  type Body,
  type Local,
  type NamedFunction,
  type Operand,
  type Signature,
  type Value,
  wasmFunction,
} from "../../assembly/code.js";
import { call, doWhile, whileLoop } from "../../assembly/control.js";
import { f32x4, f64x2, i32, v128 } from "../../assembly/instructions.js";
import { doubles, type Lanes, PANEL_VECTORS, singles } from "./lanes.js";
import { type BlockKernel, blockParameters, type GridParameter, grid } from "./outer-product-kernels.js";

/** Pixels that share the loads of the filter. */
const PIXELS = 4;

/** Vectors that a kernel may work on, the most first; 0 is for one channel. */
const WIDTHS: readonly number[] = [...PANEL_VECTORS, 0];

/** Channel products keep one sum a vector, and take up to eight at a time: each addition must wait for the one before. */
export const PRODUCT_VECTORS = 8;
const PRODUCT_WIDTHS: readonly number[] = [PRODUCT_VECTORS, ...WIDTHS];

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** Channels that a kernel of `vectors` works on. */
export function channelsOf(lanes: Lanes, vectors: number): number {
  return vectors === 0 ? 1 : vectors * lanes.perVector;
}

/** Float32 values as lanes: vector number `j`, or where there are no vectors one value. */
function loadWidened(lanes: Lanes, vectors: number, address: Operand<"i32">, j: number): Value<"v128"> {
  if (vectors === 0) {
    const one = v128.load32_zero(address);
    return lanes === doubles ? f64x2.promote_low_f32x4(one) : one;
  }
  return lanes === doubles ? f64x2.promote_low_f32x4(v128.load64_zero(address, 8 * j)) : v128.load(address, 16 * j);
}

/** A pointer, and how many bytes it goes on from one panel to the next, and from one channel to the next within it. */
interface Cursor {
  readonly pointer: Local<"i32">;
  readonly panel: Operand<"i32">;
  readonly channel: number;
}

/** Runs `tile` for whole panels of `left` channels, and then for what is left, with ever narrower kernels. */
function eachPanel(
  lanes: Lanes,
  vectors: number,
  left: Local<"i32">,
  cursors: readonly Cursor[],
  tile: (width: number) => Body,
): Body {
  return PRODUCT_WIDTHS.filter((width) => width <= vectors).map((width) => {
    const channels = channelsOf(lanes, width);
    return whileLoop(i32.ge_s(left, channels), [
      tile(width),
      cursors.map(({ pointer, panel, channel }) =>
        pointer.set(i32.add(pointer, width === vectors ? panel : channel * channels)),
      ),
      left.set(i32.sub(left, channels)),
    ]);
  });
}

/** Calls the kernel of `tiles` that works on `width` vectors. */
function callTile<P extends Signature>(
  tiles: ReadonlyMap<number, NamedFunction<P>>,
  width: number,
  values: { readonly [K in keyof P]: Operand<P[K]> },
): Body {
  const tile = tiles.get(width);
  return tile === undefined ? [] : call(tile, values);
}

type WeightedTileParameter =
  /** The table: for each of `taps` taps, what to add to the address of a pixel, and to `filter`. */
  | "table"
  | "taps"
  /** A row of pixels. */
  | "columns"
  | "source"
  | "sourceStep"
  /** Filter, start and bias in the type of the sums. */
  | "filter"
  | "start"
  | "bias"
  | "out"
  | "outStep"
  /** Scratch memory for the sums of four pixels. */
  | "spill";

type WeightedTileKernel = NamedFunction<Record<WeightedTileParameter, "i32">>;

const weightedTileParameters: Record<WeightedTileParameter, "i32"> = {
  ...{ table: "i32", taps: "i32", columns: "i32", source: "i32", sourceStep: "i32" },
  ...{ filter: "i32", start: "i32", bias: "i32", out: "i32", outStep: "i32", spill: "i32" },
};

function weightedTileKernel(lanes: Lanes, vectors: number): WeightedTileKernel {
  return wasmFunction(`weightedTile_${lanes.name}_${vectors}`, weightedTileParameters, (p, local) => {
    const across = Math.max(1, vectors);
    const allSums = upTo(PIXELS).map(() => upTo(across).map(() => local("v128")));
    const filter = upTo(across).map(() => local("v128"));
    const tap = local("i32");
    const end = local("i32");
    const from = local("i32");
    const left = local("i32");
    const weight = local("i32");
    const storeOne = (sum: Value<"v128">, j: number): Body => {
      if (lanes === doubles) {
        const rounded = f32x4.demote_f64x2_zero(sum);
        return vectors === 0 ? v128.store32_lane(p.out, rounded, 0) : v128.store64_lane(p.out, rounded, 0, 8 * j);
      }
      return vectors === 0 ? v128.store32_lane(p.out, sum, 0) : v128.store(p.out, sum, 16 * j);
    };
    const pixels = (count: number): Body => {
      const sums = allSums.slice(0, count);
      return [
        sums.map((pixel) => pixel.map((sum, j) => sum.set(v128.load(p.start, 16 * j)))),
        tap.set(p.table),
        whileLoop(i32.ne(tap, end), [
          from.set(i32.add(p.source, i32.load(tap))),
          weight.set(i32.add(p.filter, i32.load(tap, 4))),
          filter.map((vector, j) => vector.set(v128.load(weight, 16 * j))),
          sums.map((pixel, i) => [
            i === 0 ? [] : from.set(i32.add(from, p.sourceStep)),
            pixel.map((sum, j) => sum.set(lanes.add(sum, lanes.mul(loadWidened(lanes, vectors, from, j), filter[j])))),
          ]),
          tap.set(i32.add(tap, 8)),
        ]),
        // doubles are stored before they are rounded, so that all vectors of a pixel are stored alike, and can be fused
        sums.map((pixel, i) => [
          pixel.map((sum, j) => {
            const total = lanes.add(sum, v128.load(p.bias, 16 * j));
            return lanes === doubles ? v128.store(p.spill, total, 16 * (i * across + j)) : storeOne(total, j);
          }),
          lanes === doubles ? [] : p.out.set(i32.add(p.out, p.outStep)),
        ]),
        lanes === doubles
          ? sums.map((pixel, i) => [
              pixel.map((_, j) => storeOne(v128.load(p.spill, 16 * (i * across + j)), j)),
              p.out.set(i32.add(p.out, p.outStep)),
            ])
          : [],
        p.source.set(i32.add(p.source, i32.mul(p.sourceStep, count))),
        left.set(i32.sub(left, count)),
      ];
    };
    return [
      end.set(i32.add(p.table, i32.shl(p.taps, 3))),
      left.set(p.columns),
      whileLoop(i32.ge_s(left, PIXELS), pixels(PIXELS)),
      whileLoop(left, pixels(1)),
    ];
  });
}

type WeightedParameter =
  | WeightedTileParameter
  | "channels"
  /** Bytes from the filters of one panel to those of the next. */
  | "filterPanel"
  /** Rows, and bytes from one to the next. */
  | "rows"
  | "sourceRow"
  | "outRow";

/** A kernel that weighs the pixels of some rows. It takes its parameters in the order in which they are named here. */
export type WeightedKernel = NamedFunction<Record<WeightedParameter, "i32">>;

function weightedKernel(lanes: Lanes, vectors: number, tiles: ReadonlyMap<number, WeightedTileKernel>): WeightedKernel {
  const parameters: Record<WeightedParameter, "i32"> = {
    ...weightedTileParameters,
    ...{ channels: "i32", filterPanel: "i32", rows: "i32", sourceRow: "i32", outRow: "i32" },
  };
  return wasmFunction(`weightedPixels_${lanes.name}_${vectors}`, parameters, (p, local) => {
    const [source, out, filter, start, bias, left] = upTo(6).map(() => local("i32"));
    const floats = { panel: 4 * channelsOf(lanes, vectors), channel: 4 };
    const widened = { panel: 16 * vectors, channel: lanes.bytes };
    const cursors = [
      ...[source, out].map((pointer) => ({ pointer, ...floats })),
      ...[start, bias].map((pointer) => ({ pointer, ...widened })),
      { pointer: filter, panel: p.filterPanel, channel: lanes.bytes },
    ];
    // all panels of a row come before the next row, so that the rows that are read stay in the cache
    return doWhile(
      [
        ...[source.set(p.source), out.set(p.out), filter.set(p.filter)],
        ...[start.set(p.start), bias.set(p.bias), left.set(p.channels)],
        eachPanel(lanes, vectors, left, cursors, (width) =>
          callTile(tiles, width, { ...p, source, out, filter, start, bias }),
        ),
        p.source.set(i32.add(p.source, p.sourceRow)),
        p.out.set(i32.add(p.out, p.outRow)),
        p.rows.set(i32.sub(p.rows, 1)),
      ],
      p.rows,
    );
  });
}

type ProductParameter = "a" | "b" | "sums" | GridParameter;
type ProductKernel = NamedFunction<Record<ProductParameter, "i32">>;

/** The channel products of some vectors of channels. */
function channelKernel(lanes: Lanes, vectors: number): ProductKernel {
  const parameters: Record<ProductParameter, "i32"> = { a: "i32", b: "i32", sums: "i32", ...grid };
  return wasmFunction(`channelTile_${lanes.name}_${vectors}`, parameters, (p, local) => {
    const sums = upTo(Math.max(1, vectors)).map(() => local("v128"));
    const rows = local("i32");
    const columns = local("i32");
    const load = (address: Local<"i32">, j: number): Value<"v128"> => loadWidened(lanes, vectors, address, j);
    const position = sums.map((sum, j) => sum.set(lanes.add(sum, lanes.mul(load(p.a, j), load(p.b, j)))));
    const advance = (a: Local<"i32">, b: Local<"i32">): Body => [p.a.set(i32.add(p.a, a)), p.b.set(i32.add(p.b, b))];
    const count = (left: Local<"i32">): Body => left.set(i32.sub(left, 1));
    const row = [columns.set(p.columns), doWhile([position, advance(p.aStep, p.bStep), count(columns)], columns)];
    const image = [rows.set(p.rows), doWhile([row, advance(p.aRow, p.bRow), count(rows)], rows)];
    return [
      sums.map((sum, j) => sum.set(v128.load(p.sums, 16 * j))),
      doWhile([image, advance(p.aImage, p.bImage), count(p.images)], p.images),
      sums.map((sum, j) => v128.store(p.sums, sum, 16 * j)),
    ];
  });
}

/** The channel products of a block; `aGroup` and `bPanel` are the bytes from one panel to the next. */
function channelBlockKernel(lanes: Lanes, tiles: ReadonlyMap<number, ProductKernel>): BlockKernel {
  return wasmFunction(`channelProducts_${lanes.name}`, blockParameters, (p) => {
    const cursors = [
      { pointer: p.a, panel: p.aGroup, channel: 4 },
      { pointer: p.b, panel: p.bPanel, channel: 4 },
      { pointer: p.sums, panel: PRODUCT_VECTORS * 16, channel: lanes.bytes },
    ];
    return eachPanel(lanes, PRODUCT_VECTORS, p.channels, cursors, (width) => callTile(tiles, width, p));
  });
}

const kernelSets = [singles, doubles].map((lanes) => {
  const byWidth = <Kernel>(widths: readonly number[], make: (vectors: number) => Kernel): Map<number, Kernel> =>
    new Map(widths.map((vectors) => [vectors, make(vectors)]));
  const weightedTiles = byWidth(WIDTHS, (vectors) => weightedTileKernel(lanes, vectors));
  const weighted = byWidth(PANEL_VECTORS, (vectors) => weightedKernel(lanes, vectors, weightedTiles));
  const channelTiles = byWidth(PRODUCT_WIDTHS, (vectors) => channelKernel(lanes, vectors));
  return { lanes, weightedTiles, weighted, channelTiles, channelProducts: channelBlockKernel(lanes, channelTiles) };
});

/** All kernels of depthwise convolution. */
export const depthwiseFunctions: readonly NamedFunction<Signature>[] = kernelSets.flatMap((set) => [
  ...set.weightedTiles.values(),
  ...set.weighted.values(),
  ...set.channelTiles.values(),
  set.channelProducts,
]);

/** The kernel that weighs pixels with sums in `lanes`, in panels of `vectors` vectors. */
export function weightedPixels(lanes: Lanes, vectors: number): WeightedKernel {
  return found(kernelSets.find((set) => set.lanes === lanes)?.weighted.get(vectors), vectors);
}

/** The kernel for channel products with sums in `lanes`. */
export function channelProducts(lanes: Lanes): BlockKernel {
  return found(kernelSets.find((set) => set.lanes === lanes)?.channelProducts, PRODUCT_VECTORS);
}

function found<Kernel>(kernel: Kernel | undefined, vectors: number): Kernel {
  if (kernel === undefined) throw new Error(`internal: simd: no depthwise kernel works on ${vectors} vectors.`);
  return kernel;
}
