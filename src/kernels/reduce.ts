/**
 * Sums over the rows of a matrix [rows, channels]: over batch, height and width at once when an NHWC tensor is read
 * as such a matrix. Every channel is one flat sum, row ascending.
 *
 * @module
 */
import type { FloatArray } from "../tensor/dtype.js";
import { contiguous, dtypeOf, empty, type Tensor } from "../tensor/tensor.js";
import type { Execution } from "./execution.js";
import { type Accumulate, roundingOf, roundsToFloat32 } from "./rounding.js";

function dtypeOfArray(x: FloatArray): "float32" | "float64" {
  return x instanceof Float64Array ? "float64" : "float32";
}

function expectMatrix(kernel: string, x: FloatArray, rows: number, channels: number): void {
  if (x.length !== rows * channels) {
    throw new Error(
      `internal: ${kernel}: a matrix [${rows}, ${channels}] must hold ${rows * channels} values. Received ${x.length}.`,
    );
  }
}

/**
 * sums[c] = sum over r of x[r, c], not yet rounded to the type of `x`.
 *
 * @throws Error when `x` does not hold rows * channels values.
 */
export function columnSums(x: FloatArray, rows: number, channels: number, accumulate: Accumulate): Float64Array {
  expectMatrix("columnSums", x, rows, channels);
  const sums = new Float64Array(channels);
  if (roundsToFloat32(accumulate, dtypeOfArray(x))) {
    for (let r = 0, i = 0; r < rows; r++) {
      for (let c = 0; c < channels; c++, i++) sums[c] = Math.fround(sums[c] + x[i]);
    }
  } else {
    for (let r = 0, i = 0; r < rows; r++) {
      for (let c = 0; c < channels; c++, i++) sums[c] += x[i];
    }
  }
  return sums;
}

/** The loops that define the bits of {@link columnSums}. */
export function columnSumsNaive(x: FloatArray, rows: number, channels: number, accumulate: Accumulate): Float64Array {
  const round = roundingOf(accumulate, dtypeOfArray(x));
  const sums = new Float64Array(channels);
  for (let c = 0; c < channels; c++) {
    let sum = 0;
    for (let r = 0; r < rows; r++) sum = round(sum + x[r * channels + c]);
    sums[c] = sum;
  }
  return sums;
}

/**
 * dots[c] = sum over r of a[r, c] * b[r, c], not yet rounded to the type of `a`.
 *
 * @throws Error when `a` or `b` does not hold rows * channels values.
 */
export function columnDots(
  a: FloatArray,
  b: FloatArray,
  rows: number,
  channels: number,
  accumulate: Accumulate,
): Float64Array {
  expectMatrix("columnDots", a, rows, channels);
  expectMatrix("columnDots", b, rows, channels);
  const dots = new Float64Array(channels);
  if (roundsToFloat32(accumulate, dtypeOfArray(a))) {
    for (let r = 0, i = 0; r < rows; r++) {
      for (let c = 0; c < channels; c++, i++) dots[c] = Math.fround(dots[c] + Math.fround(a[i] * b[i]));
    }
  } else {
    for (let r = 0, i = 0; r < rows; r++) {
      for (let c = 0; c < channels; c++, i++) dots[c] += a[i] * b[i];
    }
  }
  return dots;
}

/** The loops that define the bits of {@link columnDots}. */
export function columnDotsNaive(
  a: FloatArray,
  b: FloatArray,
  rows: number,
  channels: number,
  accumulate: Accumulate,
): Float64Array {
  const round = roundingOf(accumulate, dtypeOfArray(a));
  const dots = new Float64Array(channels);
  for (let c = 0; c < channels; c++) {
    let sum = 0;
    for (let r = 0; r < rows; r++) sum = round(sum + round(a[r * channels + c] * b[r * channels + c]));
    dots[c] = sum;
  }
  return dots;
}

/** dBias[c] = sum of `dy` [..., channels] over all axes but the last. */
export function biasGradient(dy: Tensor, execution: Execution): Tensor {
  const channels = dy.shape[dy.dimension - 1];
  const rows = channels === 0 ? 0 : dy.size / channels;
  const dBias = empty([channels], dtypeOf(dy));
  dBias.data.set(columnSums(contiguous(dy).data, rows, channels, execution.accumulate));
  return dBias;
}
