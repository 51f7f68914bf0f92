/**
 * A window along one axis: which outputs see the input through a tap, and which inputs outputs see.
 *
 * @module
 */
import { onceForWindow, type Window2D } from "../window.js";

/** A half-open range. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** Inputs along one axis: `first`, `first + step`, ... */
export interface Inputs {
  readonly first: number;
  readonly step: number;
  readonly count: number;
}

/** The outputs in `range` whose tap `k` lies inside of the input, along one axis. */
export function outputsInside(range: Range, k: number, axis: Axis): Range {
  const shift = k * axis.dilation - axis.pad; // input = output * stride + shift
  const from = Math.max(range.from, Math.ceil(-shift / axis.stride));
  const to = Math.min(range.to, Math.floor((axis.input - 1 - shift) / axis.stride) + 1);
  return { from: Math.min(from, range.to), to: Math.max(to, Math.min(from, range.to)) };
}

/** Outputs along one axis that see the input through the same taps. */
export interface OutputsSeeing {
  readonly outputs: Range;
  readonly taps: Range;
}

/** The outputs along one axis, from the first to the last, by the taps through which they see the input. */
export function outputsByTaps(axis: Axis, outputs: number): OutputsSeeing[] {
  const groups: OutputsSeeing[] = [];
  for (let from = 0, to = 0; from < outputs; from = to) {
    const taps = tapsSeen(axis, from);
    to = from + 1;
    if (taps.to - taps.from === axis.kernel)
      to = Math.min(outputs, endOfInside(axis)); // most outputs, and there may be many
    else while (to < outputs && isSame(tapsSeen(axis, to), taps)) to++;
    groups.push({ outputs: { from, to }, taps });
  }
  return groups;
}

/** The taps through which an output sees the input; none of them where it sees padding only. */
function tapsSeen({ input, kernel, stride, dilation, pad }: Axis, output: number): Range {
  const first = output * stride - pad; // what tap 0 sees
  const from = Math.min(kernel, Math.max(0, Math.ceil(-first / dilation)));
  return { from, to: Math.max(from, Math.min(kernel, Math.floor((input - 1 - first) / dilation) + 1)) };
}

/** The output behind the last one that sees the input through all taps. */
function endOfInside({ input, kernel, stride, dilation, pad }: Axis): number {
  return Math.floor((input - 1 - (kernel - 1) * dilation + pad) / stride) + 1;
}

function isSame(a: Range, b: Range): boolean {
  return a.from === b.from && a.to === b.to;
}

/** The geometry of a window along one axis. */
export interface Axis {
  readonly input: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly pad: number;
}

/** The rows of a window. */
export function verticalAxis(window: Window2D): Axis {
  const { inputHeight, kernelHeight, strideHeight, dilationHeight, padTop } = window;
  return { input: inputHeight, kernel: kernelHeight, stride: strideHeight, dilation: dilationHeight, pad: padTop };
}

/** The columns of a window. */
export function horizontalAxis(window: Window2D): Axis {
  const { inputWidth, kernelWidth, strideWidth, dilationWidth, padLeft } = window;
  return { input: inputWidth, kernel: kernelWidth, stride: strideWidth, dilation: dilationWidth, pad: padLeft };
}

/** Whether every output of a window sees the input through some tap. */
export const everyOutputSees: (window: Window2D) => boolean = onceForWindow(
  (window) => seeAll(verticalAxis(window), window.outputHeight) && seeAll(horizontalAxis(window), window.outputWidth),
);

function seeAll(axis: Axis, outputs: number): boolean {
  const taps = Array.from({ length: axis.kernel }, (_, k) => outputsInside({ from: 0, to: outputs }, k, axis));
  return Array.from({ length: outputs }, (_, o) => o).every((o) => taps.some(({ from, to }) => from <= o && o < to));
}

/** The inputs that the outputs in `range` see: every one from the first to the last, or with one tap only its own. */
export function inputsSeen(range: Range, axis: Axis): Inputs {
  const { input, kernel, stride, dilation, pad } = axis;
  if (kernel === 1) {
    const inside = outputsInside(range, 0, axis);
    return { first: inside.from * stride - pad, step: stride, count: inside.to - inside.from };
  }
  const first = Math.max(0, range.from * stride - pad);
  const last = Math.min(input - 1, (range.to - 1) * stride + (kernel - 1) * dilation - pad);
  return { first, step: 1, count: Math.max(0, last - first + 1) };
}

/** [0, total), cut into ranges of `size`. */
export function ranges(total: number, size: number): Range[] {
  const cut: Range[] = [];
  for (let from = 0; from < total; from += size) cut.push({ from, to: Math.min(total, from + size) });
  return cut;
}
