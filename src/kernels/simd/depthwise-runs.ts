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
 * Kernels that read images where they lie take runs with stride 1 for float32 sums; with stride 2 these gain nothing by it. For
 * float64 sums a value is widened each time that it is loaded, which takes longer than to multiply it. So they read images in
 * place only with stride 2 and few taps, where a value is used a few times, and then in runs.
 *
 * @module
 */
import type { Body, Local } from "../../assembly/code.js";
import { doWhile, when } from "../../assembly/control.js";
import { i32 } from "../../assembly/instructions.js";
import { type Lanes, PANEL_VECTORS, singles } from "./lanes.js";

/** The most taps of a run: as many as there are registers for, beside the sums of four pixels. */
export const RUN = 3;

/**
 * Vectors across a panel of an image in place, the widest first. V8 fuses no vectors that were widened, and without that the
 * sums of four do not stay in registers.
 */
export function inPlaceVectors(lanes: Lanes): readonly number[] {
  return lanes === singles ? PANEL_VECTORS : PANEL_VECTORS.filter((vectors) => vectors <= 2);
}

/** The stride with which kernels for images in place take runs. */
export function runStride(lanes: Lanes): 1 | 2 {
  return lanes === singles ? 1 : 2;
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
