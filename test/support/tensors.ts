/**
 * Tensors for tests: arbitraries of shapes and values, strided views, and comparison to the last bit.
 *
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import ndarray from "ndarray";
import type { DType } from "../../src/tensor/dtype.js";
import { formatShape, type Shape, sizeOf } from "../../src/tensor/shape.js";
import { contiguous, dtypeOf, type Tensor, tensor, tensorOf } from "../../src/tensor/tensor.js";

/** Shapes of `rank` whose dimensions are pairwise distinct, so that no two of them can be mixed up unseen. */
export function distinctShapes(rank: number, max: number = rank + 2): fc.Arbitrary<number[]> {
  return fc.uniqueArray(fc.integer({ min: 1, max }), { minLength: rank, maxLength: rank });
}

/**
 * Float64 tensors of small multiples of 1/4. Sums of a few hundred products of two (or of three, with r) of them are
 * exact in float64, so what is equal in exact arithmetic must be equal to the bit.
 */
export function exactTensors(shape: Shape): fc.Arbitrary<Tensor> {
  const size = sizeOf(shape);
  return fc.array(fc.integer({ min: -12, max: 12 }), { minLength: size, maxLength: size }).map((values) =>
    tensorOf(
      values.map((value) => value / 4),
      shape,
      "float64",
    ),
  );
}

/**
 * Float64 tensors of ordinary numbers between -2 and 2: multiples of 2^-28. (fast-check draws doubles by their bits: of those
 * in this range five in six are smaller than 1e-30, so that products and sums of them are nothing.)
 */
export function smoothTensors(shape: Shape): fc.Arbitrary<Tensor> {
  const size = sizeOf(shape);
  const max = 2 ** 29;
  return fc.int32Array({ min: -max, max, minLength: size, maxLength: size }).map((values) =>
    tensor(
      Float64Array.from(values, (value) => value * 2 ** -28),
      shape,
    ),
  );
}

/** Float64 tensors whose values are distinct, at least 1/4 apart, and at least 1/8 from every multiple of 1/4. */
export function distinctTensors(shape: Shape): fc.Arbitrary<Tensor> {
  const size = sizeOf(shape);
  return fc
    .uniqueArray(fc.integer({ min: -2 * size - 8, max: 2 * size + 8 }), { minLength: size, maxLength: size })
    .map((values) =>
      tensorOf(
        values.map((value) => value / 4 + 1 / 8),
        shape,
        "float64",
      ),
    );
}

/** Float32 tensors of any numbers: signed zeros, subnormals and infinities too, and NaN if asked for. */
export function anyTensors(shape: Shape, options: { readonly noNaN?: boolean } = {}): fc.Arbitrary<Tensor> {
  const size = sizeOf(shape);
  const noNaN = options.noNaN ?? true;
  return fc.float32Array({ noNaN, minLength: size, maxLength: size }).map((data) => tensor(data, shape));
}

/**
 * Float32 tensors with full mantissas: multiples of 2^-18 up to 2^10. Products and sums of them are far from overflow and
 * underflow, also after a scaling by a small power of two.
 */
export function floatTensors(shape: Shape): fc.Arbitrary<Tensor> {
  const size = sizeOf(shape);
  const max = 2 ** 28;
  return fc.int32Array({ min: -max, max, minLength: size, maxLength: size }).map((values) =>
    tensor(
      Float32Array.from(values, (value) => value * 2 ** -18),
      shape,
    ),
  );
}

/** Every index of `shape`, in row-major order. */
export function* indices(shape: Shape): Generator<number[]> {
  for (let offset = 0; offset < sizeOf(shape); offset++) {
    yield shape.map((size, axis) => Math.floor(offset / sizeOf(shape.slice(axis + 1))) % size);
  }
}

/** A tensor of `shape` whose element at each index is what `at` says. */
export function generate(shape: Shape, dtype: DType, at: (...index: number[]) => number): Tensor {
  return tensorOf(
    [...indices(shape)].map((index) => at(...index)),
    shape,
    dtype,
  );
}

/** A view with the elements of `x` over memory in another order: axes reversed, every axis backwards, with gaps of NaN. */
export function stridedView(x: Tensor): Tensor {
  const roomy = [...x.shape].reverse().map((size) => size + 1);
  const data = new (x.data instanceof Float64Array ? Float64Array : Float32Array)(sizeOf(roomy)).fill(Number.NaN);
  const axes = x.shape.map((_, axis) => axis);
  const view: Tensor = ndarray<Float32Array | Float64Array>(data, roomy)
    .lo(...axes.map(() => 1))
    .transpose(...axes.toReversed())
    .step(...axes.map(() => -1));
  for (const index of indices(x.shape)) view.set(...index, x.get(...index));
  return view;
}

const asBits = new BigInt64Array(1);
const asFloat64 = new Float64Array(asBits.buffer);
const asFloat32 = new Float32Array(asBits.buffer);
const asInt32 = new Int32Array(asBits.buffer);

/** How many numbers of `dtype` lie between `a` and `b`; NaN is infinitely far from all others. */
function ulpDistance(a: number, b: number, dtype: DType): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) === Number.isNaN(b) ? 0 : Number.POSITIVE_INFINITY;
  const ordinal = (value: number): bigint => {
    if (dtype === "float32") {
      asFloat32[0] = value;
      return BigInt(asInt32[0] < 0 ? -(asInt32[0] & 0x7fffffff) : asInt32[0]);
    }
    asFloat64[0] = value;
    return asBits[0] < 0n ? -(asBits[0] & 0x7fffffffffffffffn) : asBits[0];
  };
  return Math.abs(Number(ordinal(a) - ordinal(b)));
}

/**
 * Asserts that two tensors have one shape, one element type and the same numbers: -0 is not 0, every NaN is NaN. The
 * message has the worst element, both values and their distance.
 */
export function assertSameBits(actual: Tensor, expected: Tensor, name = "tensor"): void {
  assert.equal(formatShape(actual.shape), formatShape(expected.shape), `shape of ${name}`);
  assert.equal(dtypeOf(actual), dtypeOf(expected), `element type of ${name}`);
  let worst = -1;
  let message = "";
  for (const index of indices(expected.shape)) {
    const [a, b] = [actual.get(...index), expected.get(...index)];
    const distance = ulpDistance(a, b, dtypeOf(expected));
    if (!Object.is(a, b) && distance > worst) {
      worst = distance;
      message = `${name}${formatShape(index)}: got ${print(a)}, expected ${print(b)}: ${distance} ulp apart, 0 allowed`;
    }
  }
  assert.ok(worst === -1, message);
}

/** Like {@link assertSameBits}, but -0 is 0: for sums whose order the law changes. */
export function assertSameNumbers(actual: Tensor, expected: Tensor, name = "tensor"): void {
  const plain = (x: Tensor): Tensor => mapped(x, (value) => value + 0);
  assertSameBits(plain(actual), plain(expected), name);
}

function print(value: number): string {
  return Object.is(value, -0) ? "-0" : String(value);
}

/**
 * Asserts that `run` gives the same bits for strided views of `inputs` as for contiguous copies, and leaves both alone.
 */
export function assertReadsViews(inputs: readonly Tensor[], run: (...inputs: Tensor[]) => readonly Tensor[]): void {
  const snapshots = inputs.map((x) => tensor(contiguous(x).data.slice(), x.shape));
  const views = inputs.map(stridedView);
  const expected = run(...inputs);
  const actual = run(...views);
  assert.equal(actual.length, expected.length);
  actual.forEach((tensor, i) => {
    assertSameBits(tensor, expected[i], `result ${i}`);
  });
  snapshots.forEach((snapshot, i) => {
    assertSameBits(inputs[i], snapshot, `input ${i} after the call`);
    assertSameBits(views[i], snapshot, `view ${i} after the call`);
  });
}

/** sum over all elements of a * b, in row-major order. */
export function inner(a: Tensor, b: Tensor): number {
  assert.equal(formatShape(a.shape), formatShape(b.shape), "an inner product needs equal shapes");
  let sum = 0;
  for (const index of indices(a.shape)) sum += a.get(...index) * b.get(...index);
  return sum;
}

/** The tensor of `f` of every element. */
export function mapped(x: Tensor, f: (value: number) => number): Tensor {
  return generate(x.shape, dtypeOf(x), (...index) => f(x.get(...index)));
}

/** The sum of two tensors of one shape. */
export function plus(a: Tensor, b: Tensor): Tensor {
  return generate(a.shape, dtypeOf(a), (...index) => a.get(...index) + b.get(...index));
}

/** `x` with the entries along `axis` in the order that `order` says. */
export function permuted(x: Tensor, axis: number, order: readonly number[]): Tensor {
  return generate(x.shape, dtypeOf(x), (...index) => x.get(...index.with(axis, order[index[axis]])));
}
