/**
 * The inner loops of the filter gradient: sums of outer products.
 *
 *     sums[c, f] += a[position, c] * b[position, f]        for all positions in ascending order
 *
 * where `a` are pixels of the image and `b` pixels of dy; or, where there are too few filters for a panel, the other way
 * round, so that what is said of channels here holds for filters, and of filters for channels.
 *
 *                          b[0..3]     b[4..7]
 *         a[0] x4          sum 00      sum 01          8 sums stay in registers while the positions run by: a panel of
 *         a[1] x4          sum 10      sum 11          filters in two vectors (or four, where V8 fuses them in pairs)
 *         a[2] x4          sum 20      sum 21          against a group of four channels
 *         a[3] x4          sum 30      sum 31
 *
 * Operands are read in place, or from panels in which they were packed (`filter-gradient-operands.ts`). The positions are a
 * grid [images, rows, columns], which each operand walks with steps of its own, so that borders, strides and dilation cost
 * nothing inside. Between two grids the partial sums rest in memory, unrounded, as [panel][group][4][filters of the panel].
 *
 * @module
 */
import { type Body, type Local, type NamedFunction, type Signature, wasmFunction } from "../../assembly/code.js";
import { call, doWhile, when, whileLoop } from "../../assembly/control.js";
import { f32, f64, i32, v128 } from "../../assembly/instructions.js";
import { type Family, family } from "./family.js";
import { doubles, type Lanes } from "./lanes.js";
import { type PackKernel, packKernel } from "./panel-kernels.js";
import { storeSideBySide } from "./stores.js";

/** Channels of a group. */
export const GROUP = 4;

/** The positions. Steps are in bytes: from one column to the next, and on top of it at the end of a row and an image. */
export type GridParameter = "images" | "rows" | "columns" | "aStep" | "aRow" | "aImage" | "bStep" | "bRow" | "bImage";

/** `channels` channels, `aGroup` bytes from one group to the next, and `panels` panels of filters, `bPanel` bytes apart. */
type BlockParameter = "a" | "aGroup" | "channels" | "b" | "bPanel" | "panels" | "sums" | GridParameter;

type TileParameter = "a" | "b" | "sums" | GridParameter;

/** `channels` rows of `filters` values, `toStep` bytes apart. */
type StoreParameter = "sums" | "padding" | "to" | "channels" | "filters" | "toStep";

/** {@link GridParameter}s and their types. */
export const grid: Record<GridParameter, "i32"> = {
  ...{ images: "i32", rows: "i32", columns: "i32" },
  ...{ aStep: "i32", aRow: "i32", aImage: "i32", bStep: "i32", bRow: "i32", bImage: "i32" },
};

/** {@link BlockKernel}'s parameters. */
export const blockParameters: Record<BlockParameter, "i32"> = {
  ...{ a: "i32", aGroup: "i32", channels: "i32", b: "i32", bPanel: "i32", panels: "i32", sums: "i32" },
  ...grid,
};

/** All products of a block. It takes its parameters in the order in which `BlockParameter` names them. */
export type BlockKernel = NamedFunction<Record<BlockParameter, "i32">>;
/** Rounds sums and stores them. */
export type StoreKernel = NamedFunction<Record<StoreParameter, "i32">>;

type TileKernel = NamedFunction<Record<TileParameter, "i32">>;

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** The loop over the positions for one tile: `channels` of a group, and a panel. */
function tileKernel(lanes: Lanes, vectors: number, channels: number): TileKernel {
  const parameters: Record<TileParameter, "i32"> = { a: "i32", b: "i32", sums: "i32", ...grid };
  return wasmFunction(`outerProductTile${channels}_${lanes.name}_${vectors}`, parameters, (p, local) => {
    const sums = upTo(channels).map(() => upTo(vectors).map(() => local("v128")));
    const a = local("v128");
    const b = upTo(vectors).map(() => local("v128"));
    const rows = local("i32");
    const columns = local("i32");
    const eachSum = (body: (sum: Local<"v128">, offset: number) => Body): Body =>
      sums.map((row, i) => row.map((sum, j) => body(sum, 16 * (i * vectors + j))));
    const position = [
      b.map((vector, j) => vector.set(v128.load(p.b, 16 * j))),
      sums.map((row, i) => [
        a.set(lanes.splat(p.a, lanes.bytes * i)),
        row.map((sum, j) => sum.set(lanes.addProduct(sum, a, b[j]))),
      ]),
    ];
    const advance = (a: Local<"i32">, b: Local<"i32">): Body => [p.a.set(i32.add(p.a, a)), p.b.set(i32.add(p.b, b))];
    const count = (left: Local<"i32">): Body => left.set(i32.sub(left, 1));
    const row = [columns.set(p.columns), doWhile([position, advance(p.aStep, p.bStep), count(columns)], columns)];
    const image = [rows.set(p.rows), doWhile([row, advance(p.aRow, p.bRow), count(rows)], rows)];
    return [
      eachSum((sum, offset) => sum.set(v128.load(p.sums, offset))),
      doWhile([image, advance(p.aImage, p.bImage), count(p.images)], p.images),
      storeSideBySide(p.sums, sums.flat()),
    ];
  });
}

/** All tiles of a block. The last group may have less than four channels. */
function blockKernel(lanes: Lanes, vectors: number, tiles: readonly TileKernel[]): BlockKernel {
  return wasmFunction(`outerProducts_${lanes.name}_${vectors}`, blockParameters, (p, local) => {
    const a = local("i32");
    const left = local("i32");
    const tile = (channels: number): Body => [
      call(tiles[channels - 1], { ...p, a }),
      a.set(i32.add(a, p.aGroup)),
      p.sums.set(i32.add(p.sums, GROUP * vectors * 16)),
      left.set(i32.sub(left, channels)),
    ];
    return doWhile(
      [
        a.set(p.a),
        left.set(p.channels),
        whileLoop(i32.ge_s(left, GROUP), tile(GROUP)),
        [1, 2, 3].map((channels) => when(i32.eq(left, channels), tile(channels))),
        p.b.set(i32.add(p.b, p.bPanel)),
        p.panels.set(i32.sub(p.panels, 1)),
      ],
      p.panels,
    );
  });
}

/**
 * Rounds the sums of a block to float32 and stores them as `channels` rows of `filters` values, `toStep` bytes apart.
 * Each is first added to what `padding` has for its filter, in the layout of sums, in the first row of each panel.
 */
function storeKernel(lanes: Lanes, vectors: number): StoreKernel {
  const width = vectors * lanes.perVector;
  const wide = lanes === doubles;
  const parameters: Record<StoreParameter, "i32"> = {
    ...{ sums: "i32", padding: "i32", to: "i32", channels: "i32", filters: "i32", toStep: "i32" },
  };
  return wasmFunction(`storeSums_${lanes.name}_${vectors}`, parameters, (p, local) => {
    const to = local("i32");
    const channel = local("i32");
    const sum = local("i32");
    const padding = local("i32");
    const end = local("i32");
    const wholeRow = upTo(vectors).map((j) => {
      const total = lanes.add(v128.load(p.sums, 16 * j), v128.load(p.padding, 16 * j));
      return lanes.store(to, j, total);
    });
    const partOfRow = [
      sum.set(p.sums),
      padding.set(p.padding),
      end.set(i32.add(to, i32.shl(p.filters, 2))),
      doWhile(
        [
          wide
            ? f32.store(to, f32.demote_f64(f64.add(f64.load(sum), f64.load(padding))))
            : f32.store(to, f32.add(f32.load(sum), f32.load(padding))),
          [sum, padding].map((pointer) => pointer.set(i32.add(pointer, lanes.bytes))),
          to.set(i32.add(to, 4)),
        ],
        i32.ne(to, end),
      ),
      to.set(i32.sub(to, i32.shl(p.filters, 2))),
    ];
    const unusedRows = i32.and(i32.sub(0, p.channels), GROUP - 1);
    return doWhile(
      [
        to.set(p.to),
        channel.set(p.channels),
        doWhile(
          [
            when(i32.ge_s(p.filters, width), wholeRow, partOfRow),
            to.set(i32.add(to, p.toStep)),
            p.sums.set(i32.add(p.sums, 16 * vectors)),
            channel.set(i32.sub(channel, 1)),
          ],
          channel,
        ),
        p.sums.set(i32.add(p.sums, i32.mul(unusedRows, 16 * vectors))),
        p.padding.set(i32.add(p.padding, GROUP * 16 * vectors)),
        p.to.set(i32.add(p.to, 4 * width)),
        p.filters.set(i32.sub(p.filters, width)),
      ],
      i32.gt_s(p.filters, 0),
    );
  });
}

/** The kernels of the filter gradient for one way to sum and one width of panels. */
export interface OuterProductKernels {
  readonly lanes: Lanes;
  /** Vectors of a panel. */
  readonly vectors: number;
  /** Filters of a panel. */
  readonly width: number;
  readonly outerProducts: BlockKernel;
  readonly packGroups: PackKernel;
  readonly packPanels: PackKernel;
  readonly store: StoreKernel;
  /** What the module must contain. */
  readonly all: readonly NamedFunction<Signature>[];
}

function kernelsFor(lanes: Lanes, vectors: number): OuterProductKernels {
  const tiles = upTo(GROUP).map((i) => tileKernel(lanes, vectors, i + 1));
  const outerProducts = blockKernel(lanes, vectors, tiles);
  const packGroups = packKernel(lanes, GROUP, `packGroups_${lanes.name}_${vectors}`);
  const packPanels = packKernel(lanes, vectors * lanes.perVector, `packPanels_${lanes.name}_${vectors}`);
  const store = storeKernel(lanes, vectors);
  return {
    ...{ lanes, vectors, width: vectors * lanes.perVector, outerProducts, packGroups, packPanels, store },
    all: [...tiles, outerProducts, packGroups, packPanels, store],
  };
}

const kernelSets = family(kernelsFor);

/** All kernels of the filter gradient. */
export const outerProductFunctions: readonly NamedFunction<Signature>[] = kernelSets.all.flatMap(({ all }) => all);

/** The kernels that sum in `lanes`, in panels of `vectors` vectors. @throws Error when there are none. */
export const outerProductKernels: Family<OuterProductKernels> = kernelSets.of;
