/**
 * Runs along one axis: outputs, or inputs, that use the same taps of a window, evenly spaced.
 *
 * Forward, output o reads input o * stride + k * dilation - pad through tap k. Nearly all outputs see the image through
 * all taps; those at the borders, through some. They make a few runs of neighbours, and where the output goes one on,
 * the input goes on by the stride.
 *
 * Backward, input i is seen by output (i + pad - k * dilation) / stride, if that is a whole number. Inputs that are a
 * stride apart use the same taps, so there are runs for each phase of the stride, and where the input goes on by the
 * stride, the output goes one on. The taps descend, since the outputs are to ascend.
 *
 * @module
 */
import type { Axis, Range } from "./axes.js";

/** A tap, and the coordinate that the first element of a run reads through it. */
export interface TapSource {
  readonly tap: number;
  readonly source: number;
}

/** Elements that use the same taps: `first`, `first + step`, ...; the coordinates that they read go on by `sourceStep`. */
export interface Run {
  readonly first: number;
  readonly step: number;
  readonly count: number;
  readonly sourceStep: number;
  /** In the order of the sum. */
  readonly taps: readonly TapSource[];
}

/** The runs of the outputs in `range`, which read inputs. */
export function outputRuns(axis: Axis, range: Range): Run[] {
  const taps = Array.from({ length: axis.kernel }, (_, k) => k);
  const sources = (o: number): TapSource[] =>
    taps
      .map((tap) => ({ tap, source: o * axis.stride + tap * axis.dilation - axis.pad }))
      .filter(({ source }) => source >= 0 && source < axis.input);
  return runsAlong(range.from, range.to, 1, axis.stride, sources);
}

/** The runs of the inputs in `range`, which are seen by the `outputs` outputs. */
export function inputRuns(axis: Axis, outputs: number, range: Range): Run[] {
  const taps = Array.from({ length: axis.kernel }, (_, k) => axis.kernel - 1 - k);
  const sources = (i: number): TapSource[] =>
    taps
      .map((tap) => ({ tap, source: (i + axis.pad - tap * axis.dilation) / axis.stride }))
      .filter(({ source }) => Number.isInteger(source) && source >= 0 && source < outputs);
  const phases = Array.from({ length: Math.min(axis.stride, range.to - range.from) }, (_, phase) => phase);
  return phases.flatMap((phase) => runsAlong(range.from + phase, range.to, axis.stride, 1, sources));
}

/** The elements `from`, `from + step`, ... below `to`, cut where the taps change. */
function runsAlong(
  from: number,
  to: number,
  step: number,
  sourceStep: number,
  sources: (element: number) => TapSource[],
): Run[] {
  const runs: (Run & { count: number })[] = [];
  for (let element = from; element < to; element += step) {
    const taps = sources(element);
    const last = runs.at(-1);
    if (last !== undefined && sameTaps(last.taps, taps)) last.count++;
    else runs.push({ first: element, step, count: 1, sourceStep, taps });
  }
  return runs;
}

function sameTaps(a: readonly TapSource[], b: readonly TapSource[]): boolean {
  return a.length === b.length && a.every(({ tap }, i) => tap === b[i].tap);
}
