/**
 * What batch normalization does forward to the rows of a matrix [M, C], channel by channel.
 *
 *     y[m, c] = (x[m, c] - mean[c]) scale[c] + offset[c]
 *
 * In float64, y is rounded once, when it is stored. With float32 accumulation the numbers of a channel are rounded to float32
 * first, and every difference, product and sum after that: what a plain float32 kernel does (`rounding.ts`).
 *
 * Two steps that often follow can be taken while a value is still in a register, instead of writing it to memory and
 * reading it again. Each is taken of the value as memory would hold it, so the bits are those of three passes:
 *
 *     y = round(y + addend)          the other way through a residual block
 *     y = max(y, 0)                  +0 for -0 too, and NaN where y is NaN
 *
 * @module
 */
import type { Job } from "../parallel/job.js";
import { computeHere } from "../parallel/recording.js";
import { allocateInScope } from "../tensor/arena.js";
import type { FloatArray } from "../tensor/dtype.js";
import { contiguous, dtypeOf, empty, isContiguous, type Tensor } from "../tensor/tensor.js";
import { expectSameType, expectShape } from "./check.js";
import { LEAST_COLUMNS, passRunsSimd, rowsPerTile, runPass } from "./element-tiles.js";
import { type Execution, NO_VALUES } from "./execution.js";
import { type Accumulate, exactly, roundingOf, roundsToFloat32 } from "./rounding.js";
import { chooseNormalizeKernel, interleaved } from "./simd/normalize-kernels.js";
import { runKernel } from "./simd/thread.js";

/** How the values of every channel are moved and stretched, [C] each. */
export interface ChannelMap {
  /** What is subtracted. */
  readonly mean: Float64Array;
  /** By what the difference is multiplied. */
  readonly scale: Float64Array;
  /** What is added. */
  readonly offset: Float64Array;
}

/** What is done to what a layer reads, as layers before it would do it. */
export interface Prologue {
  /** By what channels are moved and stretched. */
  readonly map: ChannelMap;
  /** Whether max(., 0) is taken then. */
  readonly rectify: boolean;
}

/** What follows a layer's own output, element by element. */
export interface Epilogue {
  /** By what channels are moved and stretched first, behind a layer that does not do so itself. */
  readonly map?: ChannelMap | undefined;
  /** Added then; it has the shape of the output. */
  readonly addend?: Tensor | undefined;
  /** Whether max(., 0) is taken last. */
  readonly rectify?: boolean | undefined;
  /** Whether the result may take the place of the input, which nobody else will read. */
  readonly inPlace?: boolean | undefined;
}

/**
 * `x` [..., C] moved and stretched by `map`, and then what `epilogue` says.
 *
 * @throws Error when shapes or element types disagree.
 */
export function normalize(x: Tensor, map: ChannelMap, epilogue: Epilogue, execution: Execution): Tensor {
  const { addend, rectify, inPlace } = epilogue;
  if (execution.kernel === "naive") return normalizeNaive(x, map, epilogue, execution.accumulate);
  if (addend !== undefined) expectShape("normalize", "addend", addend, x.shape);
  expectSameType("normalize", x, addend);
  const channels = map.mean.length;
  const y = inPlace === true && isContiguous(x) ? x : empty(x.shape, x);
  const most = rowsPerTile(x.size / channels, channels, execution);
  const simd = passRunsSimd(execution, x, channels);
  const single = roundsToFloat32(execution.accumulate, dtypeOf(x));
  runPass(execution, simd, {
    job: normalizeJob,
    reads: [
      contiguous(x).data,
      simd ? interleavedMap(map, execution) : packedMap(map, single),
      addend === undefined ? NO_VALUES : contiguous(addend).data,
    ],
    writes: [y.data],
    numbers: [channels, most, Number(rectify === true)],
    tiles: Math.ceil(x.size / (most * channels)),
  });
  return y;
}

/** `map` as assembled kernels read it; the same copy every time where it is known to stay as it is. */
export function interleavedMap({ mean, scale, offset }: ChannelMap, { constants, accumulate }: Execution): FloatArray {
  const single = accumulate === "float32";
  const values = [mean, scale, offset];
  const length = values.length * scale.length;
  const pack = (to: FloatArray): void => {
    const from = interleaved(values, single);
    computeHere([from], [to], () => to.set(from));
  };
  return constants?.find(scale, [], length, pack, single ? "float32" : "float64") ?? interleaved(values, single);
}

/** mean, scale and offset of `map`, as {@link packed} puts them together. */
export function packedMap({ mean, scale, offset }: ChannelMap, single: boolean): FloatArray {
  return packed([mean, scale, offset], single);
}

/** `values`, [C] each, one after another, in single precision or as they are. */
export function packed(values: readonly Float64Array[], single: boolean): FloatArray {
  const channels = values[0].length;
  const together = allocateInScope(single ? "float32" : "float64", values.length * channels);
  computeHere(values, [together], () => {
    for (const [i, value] of values.entries()) together.set(value, i * channels);
  });
  return together;
}

/** The values that {@link packed} put together. */
export function unpacked(values: FloatArray, channels: number): FloatArray[] {
  return Array.from({ length: values.length / channels }, (_, i) => values.subarray(i * channels, (i + 1) * channels));
}

/** Some of the rows: three short loops, over a part of y that stays in the cache. */
export const normalizeJob: Job = {
  name: "normalize",
  prepare:
    ([x, map, addend, y], [channels, most, rectify, simd]) =>
    (tile) => {
      const from = tile * most * channels;
      const to = Math.min(from + most * channels, x.length);
      if (simd === 1) {
        runKernel(chooseNormalizeKernel(map, addend.length > 0, rectify === 1), {
          x: x.byteOffset + 4 * from,
          map: map.byteOffset,
          addend: addend.byteOffset + 4 * from,
          y: y.byteOffset + 4 * from,
          vectors: channels / LEAST_COLUMNS,
          rows: (to - from) / channels,
          skip: 0,
          skipWritten: 0,
        });
        return;
      }
      const [mean, scale, offset] = unpacked(map, channels);
      const round = map instanceof Float32Array ? Math.fround : exactly;
      for (let i = from; i < to; ) {
        for (let c = 0; c < channels; c++, i++) y[i] = round(round(x[i] - mean[c]) * scale[c]) + offset[c];
      }
      if (addend.length > 0) for (let i = from; i < to; i++) y[i] += addend[i];
      if (rectify === 1) for (let i = from; i < to; i++) if (y[i] <= 0) y[i] = 0;
    },
};

/** The loops that define the bits of {@link normalize}. */
export function normalizeNaive(
  x: Tensor,
  { mean, scale, offset }: ChannelMap,
  { addend, rectify }: Epilogue,
  accumulate: Accumulate,
): Tensor {
  const round = roundingOf(accumulate, dtypeOf(x));
  const y = empty(x.shape, x);
  const xs = contiguous(x).data;
  for (let i = 0; i < y.size; i++) {
    const c = i % mean.length;
    y.data[i] = round(round(xs[i] - round(mean[c])) * round(scale[c])) + round(offset[c]);
  }
  if (addend !== undefined) {
    const others = contiguous(addend).data;
    for (let i = 0; i < y.size; i++) y.data[i] += others[i];
  }
  if (rectify === true) {
    for (let i = 0; i < y.size; i++) if (y.data[i] <= 0) y.data[i] = 0;
  }
  return y;
}
