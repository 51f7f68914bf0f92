/**
 * What the kernel tests share: tensors from a handful of shrinkable values, and comparison bit for bit.
 *
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { createExecution, type KernelPath, type OwnedExecution } from "../../src/kernels/execution.js";
import type { ChannelMap } from "../../src/kernels/normalize.js";
import type { Accumulate } from "../../src/kernels/rounding.js";
import { panelVectors } from "../../src/kernels/simd/wide.js";
import type { DType, FloatArray } from "../../src/tensor/dtype.js";
import { formatShape, type Shape, sizeOf } from "../../src/tensor/shape.js";
import { type Tensor, tensorOf } from "../../src/tensor/tensor.js";

export const dtypes: fc.Arbitrary<DType> = fc.constantFrom("float32", "float32", "float64");

/**
 * Numbers between -8 and 8, with more digits than float32 has. (fast-check draws doubles by their bits: of those in this range
 * four in five are 0 in float32, and sums of the others have nothing to round.)
 */
const numbers = fc.integer({ min: -(2 ** 30), max: 2 ** 30 }).map((n) => n * 2 ** -27);

/** Values that a kernel may get wrong: signed zeros, subnormals, infinities, NaN, and numbers that round. */
export const seedValues: fc.Arbitrary<number[]> = fc.oneof(
  fc.array(numbers, { minLength: 1, maxLength: 11 }),
  fc.array(
    fc.oneof(
      { weight: 5, arbitrary: numbers },
      { weight: 1, arbitrary: fc.double({ min: -8, max: 8, noNaN: true }) },
      { weight: 1, arbitrary: fc.constantFrom(0, -0, 1e-40, -1.4e-45, 3e38, Number.POSITIVE_INFINITY, Number.NaN) },
    ),
    { minLength: 1, maxLength: 23 },
  ),
);

/** A tensor of `shape` whose elements are the seeds in turn, each time scaled a little differently. */
export function fill(seeds: readonly number[], shape: Shape, dtype: DType): Tensor {
  const values = Array.from({ length: sizeOf(shape) }, (_, i) => seeds[i % seeds.length] * (1 + (i % 251) / 256));
  return tensorOf(values, shape, dtype);
}

/** As a map, the numbers of channels that `seeds` give. */
export function mapOf(channels: number, seeds: readonly number[]): ChannelMap {
  const [mean, scale, offset] = [seeds, [1.5, -0.3, 2.7], seeds.toReversed()].map((values) =>
    Float64Array.from(fill(values, [channels], "float64").data),
  );
  return { mean, scale, offset };
}

/** Executions of both fast paths for 1, 2 and 3 threads and both accumulations. `closeAll` ends their threads. */
export function fastExecutions(): { executions: OwnedExecution[]; closeAll: () => void } {
  const accumulations: readonly Accumulate[] = ["float64", "float32"];
  const paths: readonly KernelPath[] = ["scalar", "simd"];
  const executions = accumulations.flatMap((accumulate) =>
    paths.flatMap((kernel) => [1, 2, 3].map((threads) => createExecution({ threads, accumulate, kernel }))),
  );
  return { executions, closeAll: () => executions.forEach((execution) => execution.close()) };
}

function bitsOf(data: FloatArray): Uint32Array | BigUint64Array {
  const own = data.slice();
  return own instanceof Float64Array ? new BigUint64Array(own.buffer) : new Uint32Array(own.buffer);
}

/** Asserts equal shapes, types and bits; one NaN is as good as another. */
export function assertSameBits(actual: Tensor, expected: Tensor, what: string): void {
  assert.deepEqual(actual.shape, expected.shape, what);
  assert.equal(actual.data.constructor, expected.data.constructor, what);
  const a = bitsOf(actual.data);
  const b = bitsOf(expected.data);
  for (let i = 0; i < a.length; i++) {
    if (a[i] === b[i] || (Number.isNaN(actual.data[i]) && Number.isNaN(expected.data[i]))) continue;
    assert.fail(
      `${what}: element ${i} of ${formatShape(expected.shape)} must be ${expected.data[i]} (${b[i].toString(16)}), ` +
        `is ${actual.data[i]} (${a[i].toString(16)})`,
    );
  }
}

/** An execution as a failing test names it. */
export function nameOf({ accumulate, kernel, pool }: OwnedExecution): string {
  return `${kernel}, ${accumulate}, ${pool?.threads ?? 1} threads`;
}

const WIDE = "--experimental-wasm-revectorize";

/** Runs `use` as if Node had been started with the flag for wide vectors. */
export function withWideVectors(use: () => void): void {
  process.execArgv.push(WIDE);
  try {
    assert.equal(panelVectors(), 4);
    use();
  } finally {
    process.execArgv.splice(process.execArgv.lastIndexOf(WIDE), 1);
  }
}

/** Runs `use` for both widths of panels: as Node was started, and as if it had the flag for wide vectors. */
export function forBothWidths(use: (width: string) => void): void {
  use(`${panelVectors()} vectors`);
  withWideVectors(() => use("4 vectors"));
}

/** What `compute` gives for both ways to sum. */
export function bothSums<T>(compute: (accumulate: Accumulate) => T): Readonly<Record<Accumulate, T>> {
  return { float64: compute("float64"), float32: compute("float32") };
}
