/**
 * In what form the tiles of a product are given their right operand.
 *
 * Panels that several tiles multiply with are packed ahead, by a job of its own. Where one tile has all rows, it packs its
 * panels itself, each just before it is used: then a panel is read from memory once and never leaves the cache. What does
 * not change between predictions is packed once (`constants.ts`): where it is large, for float32 sums even if sums are
 * doubles, and then a tile widens the panels that it uses.
 *
 * @module
 */
import { withArraysInHeap } from "../../parallel/borrow.js";
import { computeHere } from "../../parallel/recording.js";
import { allocateInScope } from "../../tensor/arena.js";
import type { FloatArray } from "../../tensor/dtype.js";
import { sharedHeap } from "../../tensor/heap.js";
import type { Execution } from "../execution.js";
import { MOST_DOUBLES } from "./constants.js";
import { forEachWidth } from "./family.js";
import { singles } from "./lanes.js";
import { packFunction } from "./pack-kernel.js";
import {
  type Panel,
  type PanelPacker,
  packJob,
  panelBytes,
  panelPacker,
  panelPlace,
  type RightLayout,
  rightLayout,
  rightNumbers,
} from "./panels.js";
import { runSimd } from "./run.js";

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

/** Where in the memory of a packed operand a panel is found. */
interface PackedPlace {
  /** The first column there, at `address`, and the bytes of a row and of all of them. */
  readonly from: number;
  readonly address: number;
  readonly rowBytes: number;
  readonly bytes: number;
}

/** Finds a panel of a group. */
type PanelFinder = (group: number, panel: Panel) => PackedPlace;

/** Where the panels of `layout` lie in `right`; those of float32 sums that hold them, where it is packed for these. */
export function packedPlaces(layout: RightLayout, packing: Packing, right: FloatArray): PanelFinder {
  const held = packing === "singles" ? singlesLayout(layout) : layout;
  return (group, panel) => {
    const { from, vectors } = held === layout ? panel : holderOf(held, panel);
    const rowBytes = 16 * vectors;
    return {
      from,
      address: right.byteOffset + panelPlace(held, group, from),
      rowBytes,
      bytes: layout.terms * rowBytes,
    };
  };
}

/** The layout of the same operand for float32 sums. Its panels have twice the columns, so each holds some of `layout`. */
function singlesLayout(layout: RightLayout): RightLayout {
  return rightLayout(singles, layout.vectors, layout);
}

function holderOf({ panels, vectors }: RightLayout, panel: Panel): Panel {
  return panels[Math.floor(panel.from / (vectors * singles.perVector))];
}

/** What widens panels of a right operand that is packed for float32 sums. */
export function panelWidener({ lanes, terms }: RightLayout, placeOf: PanelFinder): PanelPacker {
  const packOf = forEachWidth((vectors) => packFunction(lanes, vectors));
  return (group, panel, to) => {
    const { from, address, rowBytes } = placeOf(group, panel);
    packOf(panel.vectors)({
      from: address + 4 * (panel.from - from),
      rowStride: rowBytes,
      columnStride: 4,
      depth: terms,
      columns: panel.vectors * lanes.perVector,
      to,
    });
  };
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
    packInJob(execution, kept, data, packed),
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

/** Below this many values the calling thread packs alone, without a job: sharing would take longer. */
export const PACKED_ALONE = 65_536;

/** Packs all panels of `data`. */
function packAll(execution: Execution, layout: RightLayout, data: FloatArray, packed: FloatArray): void {
  const { groups, columns, terms } = layout;
  if (groups * columns * terms >= PACKED_ALONE) packInJob(execution, layout, data, packed);
  else computeHere([data], [packed], () => packHere(layout, data, packed));
}

function packInJob(execution: Execution, layout: RightLayout, data: FloatArray, packed: FloatArray): void {
  runSimd(execution, {
    job: packJob,
    reads: [data],
    writes: [packed],
    numbers: rightNumbers(layout),
    tiles: layout.groups * layout.panels.length,
    scratch: 0,
  });
}

/** Packs all panels of `data` on this thread. */
function packHere(layout: RightLayout, data: FloatArray, packed: FloatArray): void {
  withArraysInHeap([data], [], ([values]) => {
    const pack = panelPacker(layout, values);
    for (let group = 0; group < layout.groups; group++) {
      for (const panel of layout.panels) pack(group, panel, packed.byteOffset + panelPlace(layout, group, panel.from));
    }
  });
}

/**
 * The biases filled up to whole panels. Where there are none they are +0, which changes no sum, since no sum that began at
 * +0 is -0.
 */
function paddedBias({ groups, columns, paddedColumns }: RightLayout, bias: FloatArray): FloatArray {
  const padded = allocateInScope("float32", groups * paddedColumns);
  computeHere([bias], [padded], () => {
    if (bias.length < padded.length) padded.fill(0);
    for (let group = 0; group < groups && bias.length > 0; group++) {
      const shift = group * (paddedColumns - columns);
      for (let from = group * columns, to = from + columns; from < to; from++) padded[from + shift] = bias[from];
    }
  });
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
