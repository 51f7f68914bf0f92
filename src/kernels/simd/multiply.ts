/**
 * One tile of a job: rows of the left operand against some panels of the packed right one.
 *
 * @module
 */
import { NARROW_TILE_ROWS, tileRows } from "./lanes.js";
import { packPanel, panelPlace, type RightArrays, type RightLayout } from "./panels.js";
import { productKernel, SPILL_BYTES } from "./product-kernel.js";
import { writeTable } from "./table-kernel.js";
import { runKernel } from "./thread.js";

/** Scratch memory of a tile: room for sums and for a panel, and three tables. What lies behind belongs to the caller. */
export class TileScratch {
  readonly spill: number;
  readonly panel: number;
  readonly segments: number;
  readonly rows: number;
  readonly results: number;
  /** The first address behind. */
  readonly end: number;
  #count = 0;
  #last = { a: 0, c: 0 };

  /** At `address`, for at most `mostRows` rows of so many segments, and a panel of `panelBytes` where tiles pack. */
  constructor(address: number, mostRows: number, segmentCount: number, panelBytes: number) {
    const tableBytes = 4 * roundUp(mostRows, NARROW_TILE_ROWS);
    this.spill = address;
    this.panel = address + SPILL_BYTES;
    this.segments = this.panel + panelBytes;
    this.rows = this.segments + 4 * segmentCount;
    this.results = this.rows + tableBytes;
    this.end = roundUp(this.results + tableBytes, 64);
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

  /** Fills the last tile up to `rows` rows by repeating the last one; returns how many tiles there are. */
  fillUp(rows: number): number {
    const missing = roundUp(this.#count, rows) - this.#count;
    const same = { lineStride: 0, stride: 0 };
    const { a, c } = this.#last;
    if (missing > 0) this.addRows(1, missing, { first: a, ...same }, { first: c, ...same });
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

/** Which panels a tile multiplies with. */
export interface PanelRange {
  readonly group: number;
  readonly from: number;
  readonly to: number;
}

/** Multiplies the rows in the tables of `scratch` with the panels of `range`, and stores the results. */
export function multiplyTile(
  scratch: TileScratch,
  segmentCount: number,
  length: number,
  layout: RightLayout,
  { packed, right, bias }: RightArrays,
  { group, from, to }: PanelRange,
): void {
  for (const panel of layout.panels.slice(from, to)) {
    let panelAt = scratch.panel;
    if (packed) panelAt = right.byteOffset + panelPlace(layout, group, panel.from);
    else packPanel(layout, right, group, panel, panelAt);
    runKernel(productKernel(layout.lanes, panel.vectors), {
      rows: scratch.rows,
      results: scratch.results,
      resultOffset: 4 * panel.from,
      tiles: scratch.fillUp(tileRows(panel.vectors)),
      segments: scratch.segments,
      segmentCount,
      length,
      panel: panelAt,
      bias: bias.byteOffset + 4 * (group * layout.paddedColumns + panel.from),
      columns: panel.columns,
      spill: scratch.spill,
    });
  }
}
