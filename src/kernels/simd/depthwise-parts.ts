/**
 * What depthwise convolutions are made of: the forward pass is one convolution, and the gradient for the input one for each phase
 * of the strides (`phases.ts`). All of them see the same image, each through some of the taps, and write every so many pixels of
 * another one.
 *
 * @module
 */
import { onceForWindow, type Window2D } from "../window.js";
import { phasesOf } from "./phases.js";

/** A convolution through `window`. Places are pixels of the image that is written. */
export interface Part {
  readonly window: Window2D;
  /** Its first output. */
  readonly output: number;
  /** The tap of the kernel that is the first of its window, and the steps to that of the next row and column. */
  readonly firstTap: number;
  readonly rowTap: number;
  readonly columnTap: number;
}

/** The one part of the forward pass. */
export const partsForward: (window: Window2D) => readonly Part[] = onceForWindow((window) => [
  { window, output: 0, firstTap: 0, rowTap: window.kernelWidth, columnTap: 1 },
]);

/** The parts of the gradient for the input: the phases that see any tap, if any does. */
export const partsBack: (window: Window2D) => readonly Part[] = onceForWindow((window) =>
  phasesOf(window).seen.map(({ row, column, window: seenThrough }) => ({
    window: seenThrough,
    output: row.first * window.inputWidth + column.first,
    firstTap: row.lastTap * window.kernelWidth + column.lastTap,
    rowTap: -row.tapStep * window.kernelWidth,
    columnTap: -column.tapStep,
  })),
);

/** An image as parts step through it, in pixels: from one row of outputs to the next, and from one output to the next. */
export interface Steps {
  readonly image: number;
  readonly row: number;
  readonly step: number;
}

/** How the image that is read, and the one that is written, are stepped through, forward or back. */
export function stepsOf(window: Window2D, isBack: boolean): { readonly read: Steps; readonly write: Steps } {
  const { inputHeight, inputWidth, outputHeight, outputWidth, strideHeight, strideWidth } = window;
  const inputs = { image: inputHeight * inputWidth, row: strideHeight * inputWidth, step: strideWidth };
  const outputs = { image: outputHeight * outputWidth, row: outputWidth, step: 1 };
  return isBack ? { read: outputs, write: inputs } : { read: inputs, write: outputs };
}

/** Parts that read the same lines. */
export interface SharedLines {
  /** What sees what all of their windows see. */
  readonly window: Window2D;
  /** The taps of all parts, one after another: those of the kernel, and those of `window` that are in their places. */
  readonly taps: readonly number[];
  readonly places: readonly number[];
  /**
   * For each part its first tap and their count; how many of them, one after another, see columns side by side, over and over
   * (`depthwise-runs.ts`); and its outputs. Those that have a row less than others come last.
   */
  readonly parts: readonly {
    readonly firstTap: number;
    readonly taps: number;
    readonly rowTaps: number;
    readonly output: number;
    readonly rows: number;
    readonly columns: number;
  }[];
}

/** The window that sees what all parts see: that of the only one, or else the smallest, which has every tap in between. */
function windowAround(windows: readonly Window2D[]): Window2D {
  if (windows.length === 1) return windows[0];
  const most = (value: (window: Window2D) => number): number => Math.max(...windows.map(value));
  const padTop = most((window) => window.padTop);
  const padLeft = most((window) => window.padLeft);
  const bottom = most((window) => (window.kernelHeight - 1) * window.dilationHeight - window.padTop);
  const right = most((window) => (window.kernelWidth - 1) * window.dilationWidth - window.padLeft);
  return {
    ...windows[0],
    ...{ padTop, padLeft, dilationHeight: 1, dilationWidth: 1 },
    ...{ kernelHeight: padTop + bottom + 1, kernelWidth: padLeft + right + 1 },
    ...{ outputHeight: most(({ outputHeight }) => outputHeight), outputWidth: most(({ outputWidth }) => outputWidth) },
  };
}

/** The lines that `parts` share. */
function shareLines(parts: readonly Part[]): SharedLines {
  const window = windowAround(parts.map((part) => part.window));
  const { dilationHeight, dilationWidth } = window;
  const taps: number[] = [];
  const places: number[] = [];
  const shared = parts.map(({ window: own, output, firstTap, rowTap, columnTap }) => {
    const first = taps.length;
    for (let kh = 0; kh < own.kernelHeight; kh++) {
      for (let kw = 0; kw < own.kernelWidth; kw++) {
        const line = (kh * own.dilationHeight + window.padTop - own.padTop) / dilationHeight;
        const column = (kw * own.dilationWidth + window.padLeft - own.padLeft) / dilationWidth;
        taps.push(firstTap + kh * rowTap + kw * columnTap);
        places.push(line * window.kernelWidth + column);
      }
    }
    return {
      firstTap: first,
      taps: taps.length - first,
      rowTaps: own.strideWidth === 1 && own.dilationWidth === 1 ? own.kernelWidth : 1,
      output,
      rows: own.outputHeight,
      columns: own.outputWidth,
    };
  });
  return { window, taps, places, parts: shared };
}

/** The lines of the forward pass. */
export const linesForward: (window: Window2D) => SharedLines = onceForWindow((window) =>
  shareLines(partsForward(window)),
);

/** The lines of the gradient for the input, of which some phase must see a tap. */
export const linesBack: (window: Window2D) => SharedLines = onceForWindow((window) => shareLines(partsBack(window)));
