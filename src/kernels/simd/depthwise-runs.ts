/**
 * Runs: taps of a row of the kernel, side by side, in depthwise convolution.
 *
 * Windows side by side overlap, so that they see the same column of the image, each through another tap:
 *
 *     stride 1          column     0   1   2   3   4          stride 2          column     0   1   2   3   4   5   6
 *             window 0   tap       0   1   2                          window 0   tap       0   1   2
 *             window 1   tap           0   1   2                      window 1   tap               0   1   2
 *             window 2   tap               0   1   2                  window 2   tap                       0   1   2
 *
 * A kernel that takes the taps of a run at once goes from column to column, loads each of them once, and multiplies it with all the
 * taps through which it is seen: for four windows and three taps 6 or 9 loads, where tap by tap there were 12. Each sum still
 * takes its products in the order of taps, for a window meets its taps from the first to the last.
 *
 * Kernels that read packed lines take runs with stride 1; those that read images where they lie, for float64 sums also with stride 2.
 * All runs of a row are as long there, so that no more is to be told of them than where they begin.
 *
 * @module
 */
import type { Body, Local } from "../../assembly/code.js";
import { doWhile, when } from "../../assembly/control.js";
import { i32 } from "../../assembly/instructions.js";
import { family } from "./family.js";
import { type Lanes, PANEL_VECTORS, singles } from "./lanes.js";

/** The most taps of a run: as many as there are registers for, beside the sums of four pixels. */
export const RUN = 3;

/** The most vectors across a panel of an image in place whose values are widened. */
export const MOST_WIDENED_VECTORS = 2;

/**
 * Vectors across a panel of an image in place, the widest first. V8 fuses no vectors that were widened, and without that the
 * sums of four do not stay in registers.
 */
export function inPlaceVectors(lanes: Lanes): readonly number[] {
  return lanes === singles ? PANEL_VECTORS : PANEL_VECTORS.filter((vectors) => vectors <= MOST_WIDENED_VECTORS);
}

/**
 * The strides with which kernels for images in place take runs. Stride 2 is worth a kernel of its own where values are widened each
 * time that they are loaded.
 */
export function runStrides(lanes: Lanes, vectors: number): readonly number[] {
  return lanes === singles || vectors === 1 ? [1] : [1, 2];
}

/** A kernel for images in place, for each way to sum, each width of a panel, and each stride with which it takes runs. */
export interface InPlaceFamily<K> {
  readonly all: readonly K[];
  /** The one for windows that are `step` pixels apart; that takes runs where {@link runStrides} has it. */
  readonly of: (lanes: Lanes, vectors: number, step: number) => K;
}

/** What `make` makes for each of them. */
export function inPlaceFamily<K>(make: (lanes: Lanes, vectors: number, stride: number) => K): InPlaceFamily<K> {
  const { all, of } = family(
    (lanes, vectors) => runStrides(lanes, vectors).map((stride) => make(lanes, vectors, stride)),
    inPlaceVectors,
  );
  return {
    all: all.flat(),
    of: (lanes, vectors, step) => of(lanes, vectors)[Math.max(0, runStrides(lanes, vectors).indexOf(step))],
  };
}

/** A window, and the tap through which it sees a column. */
interface Use {
  readonly window: number;
  readonly tap: number;
}

/** What sees each of the columns that `windows` windows, `stride` columns apart, see through `taps` taps. */
export function usesOfColumns(windows: number, taps: number, stride: number): Use[][] {
  return Array.from({ length: (windows - 1) * stride + taps }, (_, column) =>
    Array.from({ length: windows }, (_unused, window) => ({ window, tap: column - window * stride })).filter(
      ({ tap }) => 0 <= tap && tap < taps,
    ),
  );
}

/** How many taps a run of an image in place has where rows have `rowTaps`. */
export function runTapsOf(rowTaps: number): number {
  return [RUN, 2].find((taps) => rowTaps % taps === 0) ?? 1;
}

/** Bytes of a table of runs for each: the pixel that its first tap reads, and where the weights or sums of its taps are. */
export const RUN_BYTES = 8;

/**
 * Goes through the entries of a table of runs, from `entry` to `end`, each of `runTaps` taps, with `run`, which computes so many and goes
 * on to the next. `unrolled`, runs of three taps have a way out of their own after each of the first two, as a 3x3 kernel has three
 * of them: the end of so short a loop takes a processor by surprise.
 */
export function eachRun(
  { entry, end, runTaps }: Record<"entry" | "end" | "runTaps", Local<"i32">>,
  unrolled: boolean,
  run: (taps: number) => Body,
): Body {
  const more = i32.ne(entry, end);
  const all = (taps: number): Body => doWhile(run(taps), more);
  const threes = unrolled ? [run(RUN), when(more, [run(RUN), when(more, all(RUN))])] : all(RUN);
  return when(i32.eq(runTaps, RUN), threes, when(i32.eq(runTaps, 2), all(2), all(1)));
}

/** A table of taps while kernels go through it. */
interface TapLoop {
  /** The next tap, and the end of the table. */
  readonly tap: Local<"i32">;
  readonly end: Local<"i32">;
  /** How many taps, one after another, see columns side by side, over and over; 1 where none do. */
  readonly rowTaps: Local<"i32">;
  /** How many of these are left. */
  readonly left: Local<"i32">;
}

/** Takes all taps with `run`, which computes so many and goes on to the next: in runs, where there are any, or one by one. */
export function takeTaps({ tap, end, rowTaps, left }: TapLoop, inRuns: boolean, run: (taps: number) => Body): Body {
  const oneByOne = doWhile(run(1), i32.ne(tap, end));
  if (!inRuns) return oneByOne;
  const some = (taps: number): Body => [run(taps), left.set(i32.sub(left, taps))];
  const nextRun = [
    when(i32.ge_s(left, RUN), some(RUN), when(i32.eq(left, 2), some(2), some(1))),
    when(i32.eqz(left), left.set(rowTaps)),
  ];
  return when(i32.eq(rowTaps, 1), oneByOne, [left.set(rowTaps), doWhile(nextRun, i32.ne(tap, end))]);
}

/**
 * Goes through the columns that `windows` windows, `stride` columns apart, see through `taps` taps of an image in place: `from` points
 * to each in turn, while `use` computes. It is `pixel` bytes from one column to the next, and `step` from one window to the next:
 * through a single tap windows may have any stride.
 */
export function eachColumn(
  from: Local<"i32">,
  windows: number,
  taps: number,
  stride: number,
  step: Local<"i32">,
  pixel: Local<"i32">,
  use: (uses: readonly Use[]) => Body,
): Body {
  const advance = (bytes: Local<"i32">): Body => from.set(i32.add(from, bytes));
  if (taps === 1) {
    return Array.from({ length: windows }, (_, window) => [
      window === 0 ? [] : advance(step),
      use([{ window, tap: 0 }]),
    ]);
  }
  return usesOfColumns(windows, taps, stride).map((uses, column) => [column === 0 ? [] : advance(pixel), use(uses)]);
}
