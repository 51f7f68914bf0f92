/**
 * Taps of a sliding window: which input meets which output through which tap of the kernel, along one axis.
 *
 *     i = o stride + k dilation - padBefore,   0 <= i < inputs
 *
 * Every product of a convolution belongs to one such triple for height and one for width. Listed by output they give the
 * terms of y, by input those of dx, by tap those of dKernel. What lies outside the image meets nothing.
 *
 * @module
 */
import type { Window2D } from "../../kernels/window.js";

/** One meeting of an input `i`, an output `o` and a tap `k`. */
export interface Tap {
  readonly i: number;
  readonly o: number;
  readonly k: number;
}

/** What one output, input or tap of the kernel sees: every row with every column. */
export interface Seen {
  readonly rows: readonly Tap[];
  readonly columns: readonly Tap[];
}

/** The meetings of `window`, to be looked up by row and column of the output (`o`), the input (`i`) or the tap (`k`). */
export function seenBy(window: Window2D, by: keyof Tap): (row: number, column: number) => Seen {
  const rows = new Map<number, Tap[]>();
  const columns = new Map<number, Tap[]>();
  for (let o = 0; o < window.outputHeight; o++) {
    for (let k = 0; k < window.kernelHeight; k++) {
      const i = o * window.strideHeight + k * window.dilationHeight - window.padTop;
      if (i >= 0 && i < window.inputHeight) list(rows, { i, o, k }, by);
    }
  }
  for (let o = 0; o < window.outputWidth; o++) {
    for (let k = 0; k < window.kernelWidth; k++) {
      const i = o * window.strideWidth + k * window.dilationWidth - window.padLeft;
      if (i >= 0 && i < window.inputWidth) list(columns, { i, o, k }, by);
    }
  }
  return (row, column) => ({ rows: rows.get(row) ?? [], columns: columns.get(column) ?? [] });
}

function list(groups: Map<number, Tap[]>, tap: Tap, by: keyof Tap): void {
  const group = groups.get(tap[by]);
  if (group === undefined) groups.set(tap[by], [tap]);
  else group.push(tap);
}

/** How many meetings there are. */
export function countOf({ rows, columns }: Seen): number {
  return rows.length * columns.length;
}

/** Calls `visit` for all of them, row by row. */
export function forEachMeeting({ rows, columns }: Seen, visit: (row: Tap, column: Tap) => void): void {
  for (const row of rows) {
    for (const column of columns) visit(row, column);
  }
}
