import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Compared, compare, judge, type Reference, ratioOf } from "../../src/verification/compare.js";

const f64 = (...values: number[]): Float64Array => Float64Array.from(values);
/** A tensor of ours. */
const mine = (...values: number[]): Compared => ({ shape: [values.length], data: f64(...values) });
const U = 2 ** -24;

/** A reference whose Keras is off by `kerasError` in the first element. */
const reference = (truth: Float64Array, kerasError: number, scale: Partial<Reference> = {}): Reference => ({
  path: "layers/a.npz",
  key: "some/tensor",
  shape: [truth.length],
  truth,
  keras: truth.with(0, truth[0] + kerasError),
  ...scale,
});

describe("compare", () => {
  it("allows twice Keras's largest error and four roundings of the largest element", () => {
    const { allowed, kerasError, error, element } = compare(mine(1, -8.5), reference(f64(1, -8), 0.25));
    assert.equal(kerasError, 0.25);
    assert.equal(allowed, 2 * 0.25 + 4 * U * 8);
    assert.equal(error, 0.5);
    assert.deepEqual(element, { index: 1, ours: -8.5, truth: -8 });
  });

  it("takes both from the whole tensor where the truth is a sample", () => {
    const { allowed } = compare(mine(1), reference(f64(1), 0, { maxTruth: 32, maxKerasError: 0.5 }));
    assert.equal(allowed, 2 * 0.5 + 4 * U * 32);
  });

  it("has root mean squares of both errors over the elements", () => {
    const { rms, kerasRms } = compare(mine(3, 4, 0, 0), reference(f64(0, 0, 0, 0), 6));
    assert.equal(rms, 2.5);
    assert.equal(kerasRms, 3);
  });

  it("takes NaN to be right only where the truth is NaN, and an infinity only where it is the same one", () => {
    const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;
    const of = (ours: number, truth: number): number => compare(mine(ours), reference(f64(truth), 0)).error;
    assert.equal(of(nan, nan), 0);
    assert.equal(of(infinity, infinity), 0);
    for (const [ours, truth] of [
      [nan, 1],
      [1, nan],
      [infinity, 1],
      [1, infinity],
      [infinity, -infinity],
      [nan, infinity],
    ]) {
      assert.equal(of(ours, truth), infinity, `${ours} for ${truth}`);
    }
  });

  it("fails where the shape is not Keras's, though the elements are", () => {
    const square = { ...reference(f64(1, 2, 3, 4), 0), shape: [2, 2] };
    for (const shape of [[4], [4, 1], [2, 2, 1]]) {
      assert.throws(() => compare({ shape, data: f64(1, 2, 3, 4) }, square), {
        name: "RangeError",
        message: `layers/a.npz: some/tensor must have Keras's shape [2, 2]. Received [${shape.join(", ")}].`,
      });
    }
  });
});

describe("judge", () => {
  const good = compare(mine(1.25), reference(f64(1), 0.25));
  const better = compare(mine(1), reference(f64(1), 0.25));
  const bad = compare(mine(3), reference(f64(1), 0.25));

  it("holds where every tensor is within its bound, and names the nearest to it", () => {
    const { holds, worst, worstRatio, tensors } = judge([better, good]);
    assert.ok(holds);
    assert.equal(worst, good);
    assert.equal(worstRatio, ratioOf(good));
    assert.equal(tensors, 2);
  });

  it("does not hold where one is not", () => {
    const { holds, worst } = judge([good, bad, better]);
    assert.ok(!holds);
    assert.equal(worst, bad);
  });

  it("does not hold where NaN or an infinity came out, in whatever place", () => {
    const broken = compare(mine(Number.NaN), reference(f64(1), 0.25));
    for (const all of [
      [good, broken],
      [broken, good],
    ]) {
      assert.ok(!judge(all).holds);
    }
  });

  it("is not taken in by a bound that is no finite number, in whatever place", () => {
    const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;
    const unbounded = [nan, infinity].flatMap((odd) => [
      compare(mine(3), reference(f64(1), odd)),
      compare(mine(3), reference(f64(1), 0, { maxTruth: 1, maxKerasError: odd })),
    ]);
    for (const broken of unbounded) {
      assert.ok(!judge([good, broken]).holds && !judge([broken, good]).holds);
      assert.equal(judge([good, broken]).ofKeras, 1, "which says nothing of Keras's error");
    }
    assert.ok(judge([compare(mine(1), reference(f64(1), infinity))]).holds, "what is equal needs no bound");
  });

  it("gives our error as a share of Keras's, each relative to the bound of its tensor", () => {
    assert.equal(judge([good]).ofKeras, 1);
    assert.equal(judge([better]).ofKeras, 0);
    const large = compare(mine(1000), reference(f64(1000), 250));
    const share = judge([good, large]).ofKeras;
    assert.ok(share > 0.7 && share < 0.71, `${share}: root of a half, up to the last rounding that each bound allows`);
  });

  it("counts a bound of 0 as kept only by equality", () => {
    const zero = reference(f64(0), 0);
    assert.ok(judge([compare(mine(0), zero)]).holds);
    assert.ok(!judge([compare(mine(1e-300), zero)]).holds);
  });
});
