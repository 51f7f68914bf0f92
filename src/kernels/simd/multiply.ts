/**
 * One tile of a job: rows of the left operand against some panels of the packed right one.
 *
 * @module
 */
import type { FloatArray } from "../../tensor/dtype.js";
import { TILE_ROWS } from "./lanes.js";
import { type PackedLayout, panelPlace, panelsOf } from "./panels.js";
import { productKernel, SPILL_BYTES } from "./product-kernel.js";
import { writeTable } from "./table-kernel.js";
import { runKernel } from "./thread.js";

/** Scratch memory of a tile: room for sums, and three tables. What lies behind belongs to the caller. */
export class TileScratch {
  readonly spill: number;
  readonly segments: number;
  readonly rows: number;
  readonly results: number;
  /** The first address behind. */
  readonly end: number;
  #count = 0;
  #last = { a: 0, c: 0 };

  constructor(address: number, mostRows: number, segmentCount: number) {
    this.spill = address;
    this.segments = address + SPILL_BYTES;
    this.rows = this.segments + 4 * segmentCount;
    this.results = this.rows + 4 * roundUpToTile(mostRows);
    this.end = Math.ceil((this.results + 4 * roundUpToTile(mostRows)) / 64) * 64;
  }

  /** The bytes that a tile of at most `mostRows` rows takes. */
  static bytes(mostRows: number, segmentCount: number): number {
    return new TileScratch(0, mostRows, segmentCount).end + 64;
  }

  /** Sets the table of segments: `lines` times `count` offsets. */
  setSegments(lines: number, lineStride: number, count: number, stride: number): void {
    runKernel(writeTable, { to: this.segments, first: 0, lines, lineStride, count, stride });
  }

  /** Appends `lines` times `count` rows, whose addresses are `a` in the left operand and `c` in the result. */
  addRows(lines: number, count: number, a: Progression, c: Progression): void {
    const at = 4 * this.#count;
    runKernel(writeTable, { to: this.rows + at, lines, count, ...a });
    runKernel(writeTable, { to: this.results + at, lines, count, ...c });
    this.#count += lines * count;
    this.#last = { a: lastOf(lines, count, a), c: lastOf(lines, count, c) };
  }

  /** Fills the last tile up by repeating the last row; returns how many tiles there are. */
  fillUp(): number {
    const missing = roundUpToTile(this.#count) - this.#count;
    const same = { lineStride: 0, stride: 0 };
    const { a, c } = this.#last;
    if (missing > 0) this.addRows(1, missing, { first: a, ...same }, { first: c, ...same });
    return this.#count / TILE_ROWS;
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

function roundUpToTile(rows: number): number {
  return Math.ceil(rows / TILE_ROWS) * TILE_ROWS;
}

/** Which panels a tile multiplies with. */
export interface PanelRange {
  readonly group: number;
  readonly from: number;
  readonly to: number;
}

/** Multiplies the rows in the tables of `scratch` with the panels of `range`, and stores the results. */
export function multiplyTiles(
  scratch: TileScratch,
  tiles: number,
  segmentCount: number,
  length: number,
  layout: PackedLayout,
  packed: FloatArray,
  { group, from, to }: PanelRange,
): void {
  const panels = panelsOf(layout.lanes, layout.columns, layout.vectors);
  for (const panel of panels.slice(from, to)) {
    const place = panelPlace(layout, group, panel.from);
    runKernel(productKernel(layout.lanes, panel.vectors), {
      rows: scratch.rows,
      results: scratch.results,
      resultOffset: 4 * panel.from,
      tiles,
      segments: scratch.segments,
      segmentCount,
      length,
      panel: packed.byteOffset + place.panel,
      bias: packed.byteOffset + place.bias,
      columns: panel.columns,
      spill: scratch.spill,
    });
  }
}
