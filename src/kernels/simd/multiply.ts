/**
 * One tile of a job: rows of the left operand against some panels of the packed right one.
 *
 * @module
 */
import { wholeLines } from "../../tensor/heap.js";
import { aheadFunction, aheadStep } from "./ahead-kernel.js";
import { forEachWidth } from "./family.js";
import { NARROW_TILE_ROWS, tileRows } from "./lanes.js";
import { type Panel, panelPacker, type RightLayout } from "./panels.js";
import { productFunction, SPILL_BYTES } from "./product-kernel.js";
import { packedPlaces, panelWidener, type RightArrays } from "./right-arrays.js";
import { tableFunction } from "./table-kernel.js";

/** Scratch memory of a tile: room for sums and for a panel, and three tables. What lies behind belongs to the caller. */
export class TileScratch {
  readonly spill: number;
  readonly panel: number;
  readonly segments: number;
  readonly rows: number;
  readonly results: number;
  /** The first address behind. */
  readonly end: number;
  #writeTable: ReturnType<typeof tableFunction> | undefined;
  #count = 0;
  #lastA = 0;
  #lastC = 0;

  /** At `address`, for at most `mostRows` rows of so many segments, and a panel of `panelBytes` where tiles pack. */
  constructor(address: number, mostRows: number, segmentCount: number, panelBytes: number) {
    const tableBytes = 4 * roundUp(mostRows, NARROW_TILE_ROWS);
    this.spill = address;
    this.panel = address + SPILL_BYTES;
    this.segments = this.panel + panelBytes;
    this.rows = this.segments + 4 * segmentCount;
    this.results = this.rows + tableBytes;
    this.end = wholeLines(this.results + tableBytes);
  }

  get #table(): ReturnType<typeof tableFunction> {
    this.#writeTable ??= tableFunction();
    return this.#writeTable;
  }

  /** Sets the table of segments: `lines` times `count` offsets. */
  setSegments(lines: number, lineStride: number, count: number, stride: number): void {
    this.#table({ to: this.segments, first: 0, lines, lineStride, count, stride });
  }

  /** Empties the tables of rows. */
  clearRows(): void {
    this.#count = 0;
  }

  /** Appends `lines` times `count` rows, whose addresses are `a` in the left operand and `c` in the result. */
  addRows(lines: number, count: number, a: Progression, c: Progression): void {
    const at = 4 * this.#count;
    const { first, lineStride, stride } = a;
    this.#table({ to: this.rows + at, first, lines, lineStride, count, stride });
    this.#table({ to: this.results + at, first: c.first, lines, lineStride: c.lineStride, count, stride: c.stride });
    this.#count += lines * count;
    this.#lastA = lastOf(lines, count, a);
    this.#lastC = lastOf(lines, count, c);
  }

  /** Fills the last tile up to `rows` rows by repeating the last one; returns how many tiles there are. */
  fillUp(rows: number): number {
    const missing = roundUp(this.#count, rows) - this.#count;
    if (missing > 0) {
      const a = { first: this.#lastA, lineStride: 0, stride: 0 };
      this.addRows(1, missing, a, { first: this.#lastC, lineStride: 0, stride: 0 });
    }
    return this.#count / rows;
  }
}

/** Addresses: where the first is, and how far the next lines and the next rows are. */
interface Progression {
  readonly first: number;
  readonly lineStride: number;
  readonly stride: number;
}

function lastOf(lines: number, count: number, { first, lineStride, stride }: Progression): number {
  return first + (lines - 1) * lineStride + (count - 1) * stride;
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}

/**
 * A larger right operand comes from memory each time, not from the second-level cache. Few rows of the result use a panel
 * for so short a time that waiting for the next one takes longer than reading it ahead does.
 */
const LARGE_BYTES = 2 ** 18;
const FEW_ROWS = 256;

/** Multiplies the rows of a tile with the panels `from` to `to` of a group, and stores the results. */
type TileMultiplier = (group: number, from: number, to: number) => void;

/** What multiplies the rows in the tables of `scratch`, some of `allRows` of the result, with panels. */
export function tileMultiplier(
  scratch: TileScratch,
  segmentCount: number,
  length: number,
  layout: RightLayout,
  { packing, right, bias }: RightArrays,
  allRows: number,
): TileMultiplier {
  const { lanes, panels, paddedColumns, terms } = layout;
  const productOf = forEachWidth((vectors) => productFunction(lanes, vectors));
  const aheadOf = forEachWidth((vectors) => aheadFunction(lanes, vectors));
  const packed = packing === "panels";
  const placeOf = packedPlaces(layout, packing, right);
  const pack = packing === "singles" ? panelWidener(layout, placeOf) : panelPacker(layout, right);
  const comesFromMemory = packing !== "none" && right.byteLength > LARGE_BYTES && allRows <= FEW_ROWS;
  return (group, from, to) => {
    for (let i = from, count = 1; i < to && i < panels.length; i += count) {
      const panel = panels[i];
      const tiles = scratch.fillUp(tileRows(panel.vectors));
      const readsAhead = comesFromMemory && panel.vectors > 1;
      count = packed && !readsAhead ? alike(panels, i, to) : 1;
      if (!packed) pack(group, panel, scratch.panel);
      const next = readsAhead ? placeOf(group, panels[Math.min(i + 1, panels.length - 1)]) : undefined;
      const product = {
        rows: scratch.rows,
        results: scratch.results,
        resultOffset: 4 * panel.from,
        tiles,
        segments: scratch.segments,
        segmentCount,
        length,
        panel: packed ? placeOf(group, panel).address : scratch.panel,
        bias: bias.byteOffset + 4 * (group * paddedColumns + panel.from),
        columns: panel.columns,
        spill: scratch.spill,
        panels: count,
        panelBytes: terms * panel.vectors * 16,
        ahead: next?.address ?? 0,
        aheadStep: next === undefined ? 0 : aheadStep(next.bytes, tiles, segmentCount, length),
      };
      if (next === undefined) productOf(panel.vectors)(product);
      else aheadOf(panel.vectors)(product);
    }
  };
}

/** How many panels from `from` on, and before `to`, are as wide and have as many columns. */
function alike(panels: readonly Panel[], from: number, to: number): number {
  const { vectors, columns } = panels[from];
  let end = from + 1;
  while (end < to && end < panels.length && panels[end].vectors === vectors && panels[end].columns === columns) end++;
  return end - from;
}
