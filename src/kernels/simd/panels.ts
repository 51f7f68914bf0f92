/**
 * The right operand of a product, packed in panels with its bias.
 *
 *     memory:  bias of group 0, ... | panels of group 0, panels of group 1, ...
 *
 * Columns are cut into panels as wide as `vectors` vectors, and what is left at the end into narrower ones. A panel begins
 * where all columns before it end, so the place of a panel follows from its first column.
 *
 * @module
 */
import type { Job } from "../../parallel/job.js";
import type { FloatArray } from "../../tensor/dtype.js";
import { sharedHeap } from "../../tensor/heap.js";
import type { Execution } from "../execution.js";
import { doubles, type Lanes, PANEL_VECTORS, singles } from "./lanes.js";
import { packKernel } from "./pack-kernel.js";
import { runSimd } from "./run.js";
import { runKernel } from "./thread.js";
import { panelVectors } from "./wide.js";

/** Some neighbouring columns. */
export interface Panel {
  readonly from: number;
  /** Those that exist; the last panel may be wider. */
  readonly columns: number;
  readonly vectors: number;
}

/** `columns` as panels of at most `vectors` vectors of `lanes`. */
export function panelsOf(lanes: Lanes, columns: number, vectors: number): Panel[] {
  const panels: Panel[] = [];
  let from = 0;
  for (const across of PANEL_VECTORS) {
    if (across > vectors) continue;
    const width = across * lanes.perVector;
    for (; columns - from >= width || (across === 1 && from < columns); from += width) {
      panels.push({ from, columns: Math.min(width, columns - from), vectors: across });
    }
  }
  return panels;
}

/**
 * Where a right operand [groups][outer, inner, depth][columns] is read from. Strides count elements of `data`; `outer`,
 * `inner` and `depth` together are the index of the sum.
 */
export interface RightOperand {
  readonly data: FloatArray;
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

/** How a packed operand lies in memory; made of numbers, for jobs. */
export interface PackedLayout {
  readonly lanes: Lanes;
  /** Vectors of the widest panel. */
  readonly vectors: number;
  readonly groups: number;
  /** The length of the sums. */
  readonly depth: number;
  readonly columns: number;
  /** Columns with those that only fill up the last panel. */
  readonly paddedColumns: number;
}

/** The layout of a packed operand. */
export function packedLayout(
  lanes: Lanes,
  vectors: number,
  groups: number,
  depth: number,
  columns: number,
): PackedLayout {
  const paddedColumns = Math.ceil(columns / lanes.perVector) * lanes.perVector;
  return { lanes, vectors, groups, depth, columns, paddedColumns };
}

/** The layout as numbers for a job, to be read back with {@link layoutFrom}. */
export function layoutNumbers({ lanes, vectors, groups, depth, columns }: PackedLayout): number[] {
  return [lanes.bytes, vectors, groups, depth, columns];
}

/** The layout that {@link layoutNumbers} wrote at the start of `numbers`. */
export function layoutFrom([bytes, vectors, groups, depth, columns]: readonly number[]): PackedLayout {
  return packedLayout(bytes === 8 ? doubles : singles, vectors, groups, depth, columns);
}

/** Numbers that a layout takes. */
export const LAYOUT_NUMBERS = 5;

/** Bytes of all biases, rounded up so that panels begin on a cache line. */
function biasBytes({ groups, paddedColumns }: PackedLayout): number {
  return Math.ceil((groups * paddedColumns * 4) / 64) * 64;
}

/** The bytes that panel and bias of column `from` of `group` lie behind the start of the packed memory. */
export function panelPlace(layout: PackedLayout, group: number, from: number): { panel: number; bias: number } {
  const { lanes, depth, paddedColumns } = layout;
  const column = group * paddedColumns + from;
  return { panel: biasBytes(layout) + column * depth * lanes.bytes, bias: column * 4 };
}

/** Below this many values the calling thread packs alone: sharing would take longer. */
const SMALL = 16_384;

/**
 * Packs `right` and `bias` ([groups * columns], or empty for none) for `lanes`, and calls `use` with the layout and the
 * memory, which lasts until `use` returns.
 */
export function withPacked(
  execution: Execution,
  lanes: Lanes,
  right: RightOperand,
  bias: FloatArray,
  use: (layout: PackedLayout, packed: FloatArray) => void,
): void {
  const { groups, columns } = right;
  const layout = packedLayout(lanes, panelVectors(), groups, right.outer * right.inner * right.depth, columns);
  const heap = sharedHeap();
  const bytes = panelPlace(layout, groups, 0).panel;
  const offset = heap.allocate(bytes);
  try {
    const packed = heap.view("float32", offset, bytes / 4);
    for (let group = 0; group < groups; group++) {
      const at = group * layout.paddedColumns;
      packed.fill(0, at, at + layout.paddedColumns);
      if (bias.length > 0) packed.set(bias.subarray(group * columns, (group + 1) * columns), at);
    }
    runSimd(layout.depth * columns < SMALL ? { ...execution, pool: undefined } : execution, {
      job: packJob,
      reads: [right.data],
      writes: [packed],
      numbers: [
        ...layoutNumbers(layout),
        ...[right.offset, right.groupStride, right.outer, right.outerStride, right.inner, right.innerStride],
        ...[right.depth, right.depthStride, right.columnStride],
      ],
      tiles: groups * panelsOf(lanes, columns, layout.vectors).length,
      scratch: 0,
    });
    use(layout, packed);
  } finally {
    heap.free(offset);
  }
}

/** Packs one panel. */
export const packJob: Job = {
  name: "packPanels",
  run([data, , packed], numbers, tile) {
    const layout = layoutFrom(numbers);
    const { lanes, groups } = layout;
    const [offset, groupStride, outer, outerStride, inner, innerStride, depth, depthStride, columnStride] =
      numbers.slice(LAYOUT_NUMBERS);
    const panels = panelsOf(lanes, layout.columns, layout.vectors);
    const group = tile % groups;
    const panel = panels[Math.floor(tile / groups)];
    const kernel = packKernel(lanes, panel.vectors);
    const start = offset + group * groupStride + panel.from * columnStride;
    let to = packed.byteOffset + panelPlace(layout, group, panel.from).panel;
    for (let i = 0; i < outer; i++) {
      for (let j = 0; j < inner; j++) {
        runKernel(kernel, {
          from: data.byteOffset + 4 * (start + i * outerStride + j * innerStride),
          rowStride: 4 * depthStride,
          columnStride: 4 * columnStride,
          depth,
          columns: panel.columns,
          to,
        });
        to += depth * panel.vectors * 16;
      }
    }
  },
};
