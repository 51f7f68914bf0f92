/**
 * One tile of a job: rows of the left operand against some panels of the packed right one.
 *
 * @module
 */
import { wholeLines } from "../../tensor/heap.js";
import { aheadFunction, aheadStep } from "./ahead-kernel.js";
import { forEachWidth } from "./family.js";
import { NARROW_TILE_ROWS, TILE_ROWS } from "./lanes.js";
import { type Panel, panelPacker, type RightLayout } from "./panels.js";
import { MAP_BYTES, productFunction, ROW_KIND, SPILL_BYTES, UNROLL } from "./product-kernel.js";
import { packedPlaces, panelWidener, type RightArrays } from "./right-arrays.js";
import { rowKindFunction, tableFunction } from "./table-kernel.js";

/** What rows are multiplied with: some segments, and `length` values in each. */
export interface RowKind {
  readonly firstSegment: number;
  readonly segmentCount: number;
  readonly length: number;
  /** The row of the panel for the first value of the first segment. */
  readonly first: number;
}

/**
 * Scratch memory of a tile: room for sums and for a panel, and tables of what to multiply. What lies behind belongs to the
 * caller. Tables tell how far rows lie from two addresses, so that they hold for all tiles that are alike.
 */
export class TileScratch {
  readonly spill: number;
  readonly panel: number;
  /** What product kernels are told of the rows, kind by kind. */
  readonly kinds: number;
  /** The first address behind. */
  readonly end: number;
  readonly #segments: number;
  readonly #rows: number;
  readonly #results: number;
  #writeTable: ReturnType<typeof tableFunction> | undefined;
  #writeKind: ReturnType<typeof rowKindFunction> | undefined;
  /** Entries in the tables of rows, and how many of them are of kinds that have ended. */
  #count = 0;
  #ended = 0;
  #kindCount = 0;
  #rounds = 0;
  #lastA = 0;
  #lastC = 0;

  /** At `address`, for at most `mostRows` rows of so many kinds and segments, and a panel of `panelBytes` where tiles pack. */
  constructor(address: number, mostRows: number, mostKinds: number, segmentCount: number, panelBytes: number) {
    const tableBytes = wholeLines(4 * (mostRows + mostKinds * (NARROW_TILE_ROWS - 1)));
    this.spill = address;
    this.panel = address + SPILL_BYTES;
    this.kinds = this.panel + panelBytes;
    this.#segments = this.kinds + 4 * ROW_KIND.length * mostKinds;
    this.#rows = wholeLines(this.#segments + 4 * segmentCount);
    this.#results = this.#rows + tableBytes;
    this.end = this.#results + tableBytes;
  }

  get #table(): ReturnType<typeof tableFunction> {
    this.#writeTable ??= tableFunction();
    return this.#writeTable;
  }

  /** Sets the table of segments: `lines` times `count` offsets. */
  setSegments(lines: number, lineStride: number, count: number, stride: number): void {
    this.#table({ to: this.#segments, first: 0, lines, lineStride, count, stride });
  }

  /** Kinds of rows in the tables. */
  get kindCount(): number {
    return this.#kindCount;
  }

  /** Rounds of the inner loop for all rows in the tables and a panel that is not the narrowest. */
  get rounds(): number {
    return this.#rounds;
  }

  /** Empties the tables of rows. */
  clearRows(): void {
    this.#count = 0;
    this.#ended = 0;
    this.#kindCount = 0;
    this.#rounds = 0;
  }

  /** Appends `lines` times `count` rows of a kind, at `a` in the left operand and `c` in the result. */
  addRows(lines: number, count: number, a: Progression, c: Progression): void {
    const at = 4 * this.#count;
    const { first, lineStride, stride } = a;
    this.#table({ to: this.#rows + at, first, lines, lineStride, count, stride });
    this.#table({ to: this.#results + at, first: c.first, lines, lineStride: c.lineStride, count, stride: c.stride });
    this.#count += lines * count;
    this.#lastA = lastOf(lines, count, a);
    this.#lastC = lastOf(lines, count, c);
  }

  /** Says of what kind the rows since the last such call are, if there are any, and fills them up to whole tiles. */
  endKind(kind: RowKind): void {
    const count = this.#count - this.#ended;
    if (count === 0) return;
    this.#writeKind ??= rowKindFunction();
    this.#writeKind(this.kinds + 4 * ROW_KIND.length * this.#kindCount, {
      rows: this.#rows + 4 * this.#ended,
      results: this.#results + 4 * this.#ended,
      count,
      segments: this.#segments + 4 * kind.firstSegment,
      segmentCount: kind.segmentCount,
      length: kind.length,
      first: kind.first,
    });
    this.#kindCount++;
    this.#rounds += Math.ceil(count / TILE_ROWS) * kind.segmentCount * Math.ceil(kind.length / UNROLL);
    const missing = roundUp(count, NARROW_TILE_ROWS) - count;
    if (missing > 0) {
      const again = { first: this.#lastA, lineStride: 0, stride: 0 }; // the last row
      this.addRows(1, missing, again, { first: this.#lastC, lineStride: 0, stride: 0 });
    }
    this.#ended = this.#count;
  }
}

/** Places, in bytes: where the first row is, and how far the next lines and the next rows are. */
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

/** What is done to results in registers, where all panels are whole and sums float32. */
export interface ResultFinish {
  /** The sum of the `FINISH_BITS`. */
  readonly finishes: number;
  /** The address of the numbers of the first column of the first group. */
  readonly map: number;
  /** How far what is added lies behind the result. */
  readonly addend: number;
}

const UNFINISHED: ResultFinish = { finishes: 0, map: 0, addend: 0 };

/** Multiplies the rows of a tile, which lie at `a` and go to `c`, with the panels `from` to `to` of a group. */
type TileMultiplier = (group: number, from: number, to: number, a: number, c: number) => void;

/**
 * What multiplies the rows in the tables of `scratch`, some of `allRows` of the result, with panels, and finishes what comes of
 * it. A segment of the right operand has `segmentRows` rows.
 */
export function tileMultiplier(
  scratch: TileScratch,
  segmentRows: number,
  layout: RightLayout,
  { packing, right, bias }: RightArrays,
  allRows: number,
  { finishes, map, addend }: ResultFinish = UNFINISHED,
): TileMultiplier {
  const { lanes, panels, columns, paddedColumns, terms } = layout;
  const productOf = forEachWidth((vectors) => productFunction(lanes, vectors));
  const aheadOf = forEachWidth((vectors) => aheadFunction(lanes, vectors));
  const packed = packing === "panels";
  const placeOf = packedPlaces(layout, packing, right);
  const pack = packing === "singles" ? panelWidener(layout, placeOf) : panelPacker(layout, right);
  const comesFromMemory = packing !== "none" && right.byteLength > LARGE_BYTES && allRows <= FEW_ROWS;
  return (group, from, to, a, c) => {
    for (let i = from, count = 1; i < to && i < panels.length; i += count) {
      const panel = panels[i];
      const readsAhead = comesFromMemory && panel.vectors > 1;
      count = packed && !readsAhead ? alike(panels, i, to) : 1;
      if (!packed) pack(group, panel, scratch.panel);
      const next = readsAhead ? placeOf(group, panels[Math.min(i + 1, panels.length - 1)]) : undefined;
      const product = {
        kinds: scratch.kinds,
        kindCount: scratch.kindCount,
        a,
        c: c + 4 * panel.from,
        panel: packed ? placeOf(group, panel).address : scratch.panel,
        segmentRows,
        bias: bias.byteOffset + 4 * (group * paddedColumns + panel.from),
        columns: panel.columns,
        spill: scratch.spill,
        finishes,
        map: map + MAP_BYTES * (group * columns + panel.from),
        addend: c + 4 * panel.from + addend,
        panels: count,
        panelBytes: terms * panel.vectors * 16,
        ahead: next?.address ?? 0,
        aheadStep: next === undefined ? 0 : aheadStep(next.bytes, scratch.rounds),
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
