/**
 * The right operand of a product, packed in panels.
 *
 *     right [groups][depth][columns]  ->  panels of group 0, panels of group 1, ...
 *
 * Columns are cut into panels as wide as `vectors` vectors, and what is left at the end into narrower ones. A panel begins
 * where all columns before it end, so the place of a panel follows from its first column.
 *
 * Panels that several tiles multiply with are packed ahead, by a job of its own. Where one tile has all rows, it packs its
 * panels itself, each just before it is used: then a panel is read from memory once and never leaves the cache.
 *
 * @module
 */
import type { Job } from "../../parallel/job.js";
import { allocateInScope } from "../../tensor/arena.js";
import type { FloatArray } from "../../tensor/dtype.js";
import { sharedHeap } from "../../tensor/heap.js";
import type { Execution } from "../execution.js";
import { MOST_DOUBLES } from "./constants.js";
import { forEachWidth } from "./family.js";
import { doubles, type Lanes, PANEL_VECTORS, singles } from "./lanes.js";
import { packFunction } from "./pack-kernel.js";
import { runSimd } from "./run.js";

/** Some neighbouring columns. */
export interface Panel {
  readonly from: number;
  /** Those that exist; the last panel may be wider. */
  readonly columns: number;
  readonly vectors: number;
}

/**
 * `columns` as panels of `vectors` vectors of `lanes`. What is left at the end is one narrower panel that holds it: a panel
 * of twice as many vectors takes a quarter more time.
 */
export function panelsOf(lanes: Lanes, columns: number, vectors: number): Panel[] {
  const panels: Panel[] = [];
  let from = 0;
  for (const across of PANEL_VECTORS) {
    if (across > vectors) continue;
    const width = across * lanes.perVector;
    const fewest = Math.floor(across / 2) * lanes.perVector + 1; // of fewer, a narrower panel holds all
    for (; columns - from >= fewest; from += width) {
      panels.push({ from, columns: Math.min(width, columns - from), vectors: across });
    }
  }
  return panels;
}

/**
 * Where a right operand [groups][outer, inner, depth][columns] is read. Strides count elements; `outer`, `inner` and
 * `depth` together are the index of the sum.
 */
export interface RightOperand {
  readonly offset: number;
  readonly groups: number;
  readonly groupStride: number;
  readonly outer: number;
  readonly outerStride: number;
  readonly inner: number;
  readonly innerStride: number;
  readonly depth: number;
  readonly depthStride: number;
  readonly columns: number;
  readonly columnStride: number;
}

/** A right operand, and how it is cut into panels. */
export interface RightLayout extends RightOperand {
  readonly lanes: Lanes;
  /** Vectors of the widest panel. */
  readonly vectors: number;
  /** Of each group. */
  readonly panels: readonly Panel[];
  /** Columns of a group, with those that only fill up the last panel. */
  readonly paddedColumns: number;
  /** The length of the sums. */
  readonly terms: number;
}

/** The layout of `right` in panels of at most `vectors` vectors of `lanes`. */
export function rightLayout(lanes: Lanes, vectors: number, right: RightOperand): RightLayout {
  const panels = panelsOf(lanes, right.columns, vectors);
  const paddedColumns = panels.reduce((sum, panel) => sum + panel.vectors, 0) * lanes.perVector;
  return { ...right, lanes, vectors, panels, paddedColumns, terms: right.outer * right.inner * right.depth };
}

/** The layout as numbers for a job, to be read back with {@link rightFrom}. */
export function rightNumbers(layout: RightLayout): number[] {
  const { offset, groups, groupStride, outer, outerStride, inner, innerStride } = layout;
  const { depth, depthStride, columns, columnStride } = layout;
  return [
    layout.lanes.bytes,
    layout.vectors,
    offset,
    groups,
    groupStride,
    outer,
    outerStride,
    inner,
    innerStride,
    depth,
    depthStride,
    columns,
    columnStride,
  ];
}

/** Numbers that a layout takes. */
export const RIGHT_NUMBERS = 13;

/** The layout that {@link rightNumbers} wrote at the start of `numbers`. */
export function rightFrom(numbers: readonly number[]): RightLayout {
  return rightLayout(numbers[0] === 8 ? doubles : singles, numbers[1], {
    offset: numbers[2],
    groups: numbers[3],
    groupStride: numbers[4],
    outer: numbers[5],
    outerStride: numbers[6],
    inner: numbers[7],
    innerStride: numbers[8],
    depth: numbers[9],
    depthStride: numbers[10],
    columns: numbers[11],
    columnStride: numbers[12],
  });
}

/** The bytes that the panel of column `from` of `group` lies behind the start of the packed memory. */
export function panelPlace({ lanes, terms, paddedColumns }: RightLayout, group: number, from: number): number {
  return (group * paddedColumns + from) * terms * lanes.bytes;
}

/** Bytes of the widest panel. */
export function panelBytes({ terms, panels }: RightLayout): number {
  return terms * panels[0].vectors * 16;
}

/** Packs a panel of a group of a right operand at the address `to`. */
type PanelPacker = (group: number, panel: Panel, to: number) => void;

/** What packs panels of the right operand `data`. */
export function panelPacker(layout: RightLayout, data: FloatArray): PanelPacker {
  const { lanes, outer, outerStride, inner, innerStride, depth, columnStride } = layout;
  const packOf = forEachWidth((vectors) => packFunction(lanes, vectors));
  return (group, panel, to) => {
    const start = layout.offset + group * layout.groupStride + panel.from * columnStride;
    for (let i = 0, at = to; i < outer; i++) {
      for (let j = 0; j < inner; j++, at += depth * panel.vectors * 16) {
        packOf(panel.vectors)({
          from: data.byteOffset + 4 * (start + i * outerStride + j * innerStride),
          rowStride: 4 * layout.depthStride,
          columnStride: 4 * columnStride,
          depth,
          columns: panel.columns,
          to: at,
        });
      }
    }
  };
}

/** Where in the memory of a packed operand a panel is found. */
interface PackedPlace {
  readonly address: number;
  readonly bytes: number;
}

/** Where the panels of `layout` lie in `right`; those of float32 sums that hold them, where it is packed for these. */
export function packedPlaces(
  layout: RightLayout,
  packing: Packing,
  right: FloatArray,
): (group: number, panel: Panel) => PackedPlace {
  const held = packing === "singles" ? singlesLayout(layout) : layout;
  return (group, panel) => {
    const { from, vectors } = held === layout ? panel : holderOf(held, panel);
    return { address: right.byteOffset + panelPlace(held, group, from), bytes: layout.terms * vectors * 16 };
  };
}

/** The layout of the same operand for float32 sums. Its panels have twice the columns, so each holds some of `layout`. */
function singlesLayout(layout: RightLayout): RightLayout {
  return rightLayout(singles, layout.vectors, layout);
}

function holderOf({ panels, vectors }: RightLayout, panel: Panel): Panel {
  return panels[Math.floor(panel.from / (vectors * singles.perVector))];
}

/** What widens panels of `right`, which is packed for float32 sums. */
export function panelWidener(layout: RightLayout, right: FloatArray): PanelPacker {
  const { lanes, terms } = layout;
  const held = singlesLayout(layout);
  const packOf = forEachWidth((vectors) => packFunction(lanes, vectors));
  return (group, panel, to) => {
    const { from, vectors } = holderOf(held, panel);
    packOf(panel.vectors)({
      from: right.byteOffset + panelPlace(held, group, from) + 4 * (panel.from - from),
      rowStride: 16 * vectors,
      columnStride: 4,
      depth: terms,
      columns: panel.vectors * lanes.perVector,
      to,
    });
  };
}

/** Packs one panel. */
export const packJob: Job = {
  name: "packPanels",
  prepare([data, , packed], numbers) {
    const layout = rightFrom(numbers);
    const pack = panelPacker(layout, data);
    return (tile) => {
      const group = tile % layout.groups;
      const panel = layout.panels[Math.floor(tile / layout.groups)];
      pack(group, panel, packed.byteOffset + panelPlace(layout, group, panel.from));
    };
  },
};

/** Below this many values the calling thread packs alone: sharing would take longer. */
const SMALL = 65_536;

/** In what form a right operand is: not packed, packed for the sums, or packed for float32 sums while sums are doubles. */
export type Packing = "none" | "panels" | "singles";

const PACKINGS: readonly Packing[] = ["none", "panels", "singles"];

/** A packing as a number for a job, to be read back with {@link packingFrom}. */
export function packingNumber(packing: Packing): number {
  return PACKINGS.indexOf(packing);
}

/** The packing that {@link packingNumber} wrote. */
export function packingFrom(number: number): Packing {
  return PACKINGS[number];
}

/** Bytes of the panel that a tile packs itself, or 0 where it finds them packed. */
export function scratchPanelBytes(layout: RightLayout, packing: Packing): number {
  return packing === "panels" ? 0 : panelBytes(layout);
}

/** A right operand and its biases, as the jobs of products take them. */
export interface RightArrays {
  readonly packing: Packing;
  readonly right: FloatArray;
  /** As many for each group as its panels are wide. */
  readonly bias: FloatArray;
}

/**
 * Calls `use` with the right operand `data`, packed if `ahead`, and with `bias` ([groups * columns], or empty for none),
 * in memory that lasts until `use` returns at least.
 */
export function withRight(
  execution: Execution,
  layout: RightLayout,
  ahead: boolean,
  data: FloatArray,
  bias: FloatArray,
  use: (arrays: RightArrays) => void,
): void {
  const padded = paddedBias(layout, bias);
  const { lanes, groups, columns, terms } = layout;
  const isNarrow = lanes !== singles && groups * columns * terms > MOST_DOUBLES;
  const kept = isNarrow ? singlesLayout(layout) : layout;
  const constant = execution.constants?.find(data, rightNumbers(kept), packedLength(kept), (packed) =>
    packAll(execution, kept, data, packed),
  );
  if (constant !== undefined) use({ packing: isNarrow ? "singles" : "panels", right: constant, bias: padded });
  else if (!ahead) use({ packing: "none", right: data, bias: padded });
  else {
    withBlock(packedLength(layout), (right) => {
      packAll(execution, layout, data, right);
      use({ packing: "panels", right, bias: padded });
    });
  }
}

/** Float32 values in the room that all panels take. */
function packedLength(layout: RightLayout): number {
  return panelPlace(layout, layout.groups, 0) / 4;
}

/** Packs all panels of `data`. */
function packAll(execution: Execution, layout: RightLayout, data: FloatArray, packed: FloatArray): void {
  const { groups, columns, terms } = layout;
  runSimd(groups * columns * terms < SMALL ? { ...execution, pool: undefined } : execution, {
    job: packJob,
    reads: [data],
    writes: [packed],
    numbers: rightNumbers(layout),
    tiles: groups * layout.panels.length,
    scratch: 0,
  });
}

/**
 * The biases filled up to whole panels. Where there are none they are +0, which changes no sum, since no sum that began at
 * +0 is -0.
 */
function paddedBias({ groups, columns, paddedColumns }: RightLayout, bias: FloatArray): FloatArray {
  const padded = allocateInScope("float32", groups * paddedColumns);
  if (bias.length < padded.length) padded.fill(0);
  for (let group = 0; group < groups && bias.length > 0; group++) {
    const shift = group * (paddedColumns - columns);
    for (let from = group * columns, to = from + columns; from < to; from++) padded[from + shift] = bias[from];
  }
  return padded;
}

/** Calls `use` with `length` float32 values of the heap, which are given back when it returns. */
function withBlock(length: number, use: (block: FloatArray) => void): void {
  const heap = sharedHeap();
  const offset = heap.allocate(4 * length);
  try {
    use(heap.view("float32", offset, length));
  } finally {
    heap.free(offset);
  }
}
