/**
 * Phases: what the gradient of a convolution for its input falls into.
 *
 * Along one axis, input h is seen through tap k from output o = (h + pad - k * dilation) / stride, where that is a whole
 * number. Inputs whose h + pad leave the same remainder when divided by the stride are a *phase*, and are seen through the
 * same taps: every s-th, where s = stride / gcd(stride, dilation). From one of these taps to the one before, o grows by
 * d = dilation / gcd(stride, dilation); and from one input of the phase to the next, by 1. So a phase is what a window
 * with stride 1 and dilation d sees of dy, with the taps in descending order; each phase is convolved by itself, and no
 * product is wasted on zeros between outputs.
 *
 * That window reaches over the border of dy, where there are no outputs. The sum of the definition has no terms there,
 * and this one has the terms 0 * w, but for those that are left out (`padding.ts`). They change no bit: sums begin at
 * +0 and therefore are never -0, so adding +0 or -0 leaves them as they are. Where w is infinite or NaN this does not
 * hold, and the scalar path must be taken.
 *
 * @module
 */
import { onceForWindow, type Window2D } from "../window.js";
import { type Axis, horizontalAxis, verticalAxis } from "./axes.js";

/** The inputs along one axis that are seen through the same taps: every `step`-th, from `first` on. */
export interface Phase {
  readonly first: number;
  readonly step: number;
  readonly count: number;
  /** The largest tap, how many there are, and how far apart. */
  readonly lastTap: number;
  readonly taps: number;
  readonly tapStep: number;
  /** The output that the first input sees through the largest tap, and how far apart outputs of taps are. */
  readonly firstOutput: number;
  readonly outputStep: number;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** The phases of the inputs along one axis; a phase that is seen through no tap has `taps` 0. */
function phasesAlong({ input, kernel, stride, dilation, pad }: Axis): Phase[] {
  const common = greatestCommonDivisor(stride, dilation);
  const tapStep = stride / common;
  return Array.from({ length: Math.min(stride, input) }, (_, first) => {
    const seen = Array.from({ length: kernel }, (_unused, k) => k).filter(
      (k) => (first + pad - k * dilation) % stride === 0,
    );
    const lastTap = seen.at(-1) ?? 0;
    const count = Math.ceil((input - first) / stride);
    const firstOutput = (first + pad - lastTap * dilation) / stride;
    const outputs = { firstOutput, outputStep: dilation / common };
    return { first, step: stride, count, lastTap, taps: seen.length, tapStep, ...outputs };
  });
}

/** Inputs that are seen through the same taps along both axes, and the window that they are to dy. */
export interface WindowPhase {
  readonly row: Phase;
  readonly column: Phase;
  readonly window: Window2D;
}

/** The phases of a window. */
interface Phases {
  /** Those that are seen at all, and whether there are others. */
  readonly seen: readonly WindowPhase[];
  readonly hasUnseen: boolean;
}

/** The phases of a window, worked out once. */
export const phasesOf: (window: Window2D) => Phases = onceForWindow((window) => {
  const [rows, columns] = [verticalAxis(window), horizontalAxis(window)].map(phasesAlong);
  const pairs = rows.flatMap((row) => columns.map((column) => ({ row, column })));
  const seen = pairs.filter(({ row, column }) => row.taps > 0 && column.taps > 0);
  return {
    seen: seen.map(({ row, column }) => ({ row, column, window: phaseWindow(window, row, column) })),
    hasUnseen: seen.length < pairs.length,
  };
});

/** The window that the inputs of a phase are to dy. */
function phaseWindow(window: Window2D, row: Phase, column: Phase): Window2D {
  return {
    inputHeight: window.outputHeight,
    inputWidth: window.outputWidth,
    kernelHeight: row.taps,
    kernelWidth: column.taps,
    strideHeight: 1,
    strideWidth: 1,
    dilationHeight: row.outputStep,
    dilationWidth: column.outputStep,
    padTop: -row.firstOutput,
    padLeft: -column.firstOutput,
    padBottom: 0,
    padRight: 0,
    outputHeight: row.count,
    outputWidth: column.count,
  };
}
