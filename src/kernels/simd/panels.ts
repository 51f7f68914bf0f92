/**
 * The right operand of a product, packed in panels.
 *
 *     right [groups][depth][columns]  ->  panels of group 0, panels of group 1, ...
 *
 * Columns are cut into panels as wide as `vectors` vectors, and what is left at the end into narrower ones. A panel begins
 * where all columns before it end, so the place of a panel follows from its first column.
 *
 * @module
 */
import type { Job } from "../../parallel/job.js";
import type { FloatArray } from "../../tensor/dtype.js";
import { onceForNumbers } from "../once-for-numbers.js";
import { forEachWidth } from "./family.js";
import { doubles, type Lanes, PANEL_VECTORS, singles } from "./lanes.js";
import { packFunction } from "./pack-kernel.js";

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
export const rightFrom: (numbers: readonly number[]) => RightLayout = onceForNumbers(RIGHT_NUMBERS, (numbers) =>
  rightLayout(numbers[0] === 8 ? doubles : singles, numbers[1], {
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
  }),
);

/** The bytes that the panel of column `from` of `group` lies behind the start of the packed memory. */
export function panelPlace({ lanes, terms, paddedColumns }: RightLayout, group: number, from: number): number {
  return (group * paddedColumns + from) * terms * lanes.bytes;
}

/** Bytes of the widest panel. */
export function panelBytes({ terms, panels }: RightLayout): number {
  return terms * panels[0].vectors * 16;
}

/** Packs a panel of a group of a right operand at the address `to`. */
export type PanelPacker = (group: number, panel: Panel, to: number) => void;

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
