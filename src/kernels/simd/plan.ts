/**
 * How the work of a product is cut into tiles for threads.
 *
 * A tile is some rows of the result and some panels of its columns. Large tiles copy and pack less; small ones share
 * better among threads. Tiles beside each other read the same rows, and tiles below each other the same panels: the
 * smaller operand is the one to read again, so where the left one is larger, the rows are cut, and else the columns.
 *
 * @module
 */
import { type Split, splitBy, splitTapering } from "../split.js";

/** What is known of the work: it comes in units of rows that are not cut. */
export interface ProductWork {
  readonly units: number;
  readonly rowsPerUnit: number;
  /** Bytes of the left operand that a unit reads, in the form in which the kernel reads them. */
  readonly bytesPerUnit: number;
  /** Of all groups. */
  readonly panels: number;
  readonly bytesPerPanel: number;
}

/** Units and panels of a tile. */
export interface TilePlan {
  readonly units: number;
  readonly panels: number;
}

/** Rows of a tile where there is nobody to share with: enough that starting it costs nothing. */
const MOST_ROWS = 1024;
/** Rows below which a tile is not cut further by rows. */
const FEWEST_ROWS = 32;
/** What a tile reads of the left operand stays in the second-level cache, beside a panel. */
const MOST_BYTES = 2 ** 18;
/** The same where the right operand is larger than that: each tile reads all of it, from further away. */
const MOST_BYTES_BESIDE_LARGE = 2 ** 19;
/** Tiles for each thread: the last one is waited for, and cores are not equally fast at all times. */
const TILES_PER_THREAD = 8;
/** The fewest tiles of which the last ones are made smaller: so little work is not worth more of them. */
const FEWEST_TO_TAPER = 4;

/** The plan for `work` on `threads` threads. */
export function planTiles(work: ProductWork, threads: number): TilePlan {
  const { units, rowsPerUnit, bytesPerUnit, panels } = work;
  const wanted = threads === 1 ? 1 : TILES_PER_THREAD * threads;
  const fewest = Math.ceil(FEWEST_ROWS / rowsPerUnit);
  const rightBytes = panels * work.bytesPerPanel;
  const mostBytes = rightBytes > MOST_BYTES ? MOST_BYTES_BESIDE_LARGE : MOST_BYTES;
  const fitting = Math.min(Math.floor(MOST_ROWS / rowsPerUnit), Math.floor(mostBytes / bytesPerUnit));
  const cutsColumns = rightBytes > units * bytesPerUnit && panels >= wanted;
  const shared = cutsColumns ? fitting : Math.min(fitting, Math.ceil(units / wanted));
  const most = Math.max(1, Math.min(units, Math.max(fewest, shared)));
  const even = Math.ceil(units / Math.ceil(units / most));
  const columnBlocks = Math.min(panels, Math.ceil(wanted / Math.ceil(units / even)));
  return { units: even, panels: Math.ceil(panels / columnBlocks) };
}

/** `units` as tiles of `size`; where threads share them and they are not few, the last ones of each are smaller. */
export function splitUnits(units: number, size: number, threads: number): Split {
  const even = splitBy(units, size);
  return threads > 1 && even.count >= FEWEST_TO_TAPER ? splitTapering(units, size, threads) : even;
}
