import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import { type Accumulate, serial } from "../../src/kernels/execution.js";
import { moments, momentsNaive } from "../../src/kernels/moments.js";
import { type ChannelMap, normalize, normalizeNaive } from "../../src/kernels/normalize.js";
import {
  type GradientMap,
  type BehindReLU,
  normalizationGradient,
  normalizationGradientNaive,
  normalizationSums,
  normalizationSumsNaive,
} from "../../src/kernels/normalize-gradients.js";
import { rectify } from "../../src/kernels/rectify.js";
import { sumTensors } from "../../src/kernels/sum-tensors.js";
import { type Tensor, tensor, tensorOf } from "../../src/tensor/tensor.js";
import { assertSameBits, dtypes, fastExecutions, fill, nameOf, seedValues } from "./support.js";

const { executions, closeAll } = fastExecutions();
after(closeAll);

/** Few rows of any number of channels, or enough rows for several tiles. */
const sizes = fc.oneof(
  fc.record({ rows: fc.integer({ min: 1, max: 9 }), channels: fc.integer({ min: 1, max: 70 }) }),
  fc.record({ rows: fc.integer({ min: 1, max: 9 }), channels: fc.integer({ min: 1, max: 17 }).map((n) => 4 * n) }),
  fc.record({ rows: fc.integer({ min: 1000, max: 1900 }), channels: fc.integer({ min: 3, max: 12 }) }),
);

const cases = fc
  .record({ size: sizes, dtype: dtypes, p: seedValues, q: seedValues, r: seedValues, flag: fc.boolean() })
  .map(({ size: { rows, channels }, dtype, p, q, r, flag }) => {
    const channelsOf = (values: readonly number[]): Float64Array => {
      return Float64Array.from(fill(values, [channels], "float64").data);
    };
    const map: GradientMap = {
      mean: channelsOf(r),
      scale: channelsOf([1.5, -0.3, 2.7]),
      offset: channelsOf(q),
      shift: channelsOf(p),
      slope: channelsOf([0.1, -0.7]),
    };
    const [x, dy] = [p, q].map((values) => fill(values, [rows, channels], dtype));
    /** What a ReLU behind the normalization gives, if there is one. */
    const behindWith = (accumulate: Accumulate): BehindReLU =>
      flag ? { rectified: true, positive: normalizeNaive(x, map, { rectify: true }, accumulate) } : {};
    return { x, dy, map, flag, behindWith };
  });

/** With the output of the ReLU, and without it. */
const waysToGive = ({ rectified, positive }: BehindReLU): readonly BehindReLU[] =>
  positive === undefined ? [{ rectified }] : [{ rectified, positive }, { rectified }];

const vector = (values: Float64Array): Tensor => tensor(values, [values.length]);

describe("normalize", () => {
  const map: ChannelMap = { mean: Float64Array.of(1), scale: Float64Array.of(2), offset: Float64Array.of(-3) };

  it("moves, stretches, adds and rectifies, in this order", () => {
    const x = tensorOf([1, 2, 3], [3, 1]);
    assert.deepEqual(Array.from(normalize(x, map, {}, serial).data), [-3, -1, 1]);
    const addend = tensorOf([5, -4, 3], [3, 1]);
    assert.deepEqual(Array.from(normalize(x, map, { addend }, serial).data), [2, -5, 4]);
    assert.deepEqual(Array.from(normalize(x, map, { addend, rectify: true }, serial).data), [2, 0, 4]);
  });

  it("rounds once with float64 accumulation, and at every step with float32", () => {
    const x = tensorOf([2 ** 24], [1, 1]);
    const steep: ChannelMap = { mean: Float64Array.of(-1), scale: Float64Array.of(3), offset: Float64Array.of(0) };
    assert.equal(normalize(x, steep, {}, serial).data[0], 50_331_652); // 3 (2^24 + 1) = 50,331,651; floats are 4 apart there
    assert.equal(normalize(x, steep, {}, { ...serial, accumulate: "float32" }).data[0], 3 * 2 ** 24);
  });

  it("has the bits of the naive loops, with and without what follows, on any number of threads", () => {
    fc.assert(
      fc.property(cases, ({ x, dy, map, flag }) => {
        for (const addend of [undefined, dy]) {
          for (const execution of executions) {
            const expected = normalizeNaive(x, map, { addend, rectify: flag }, execution.accumulate);
            assertSameBits(normalize(x, map, { addend, rectify: flag }, execution), expected, nameOf(execution));
          }
        }
      }),
      { numRuns: 40 },
    );
  });

  it("rectifies as the layer of its own does", () => {
    const relu = { maxValue: Number.POSITIVE_INFINITY, negativeSlope: 0, threshold: 0 };
    fc.assert(
      fc.property(cases, ({ x, map }) => {
        const apart = rectify(normalize(x, map, {}, serial), relu, serial);
        assertSameBits(normalize(x, map, { rectify: true }, serial), apart, "rectified");
      }),
      { numRuns: 40 },
    );
  });

  it("rejects an addend of another shape or type", () => {
    const x = tensorOf([1, 2], [2, 1]);
    assert.throws(() => normalize(x, map, { addend: tensorOf([1, 2], [1, 2]) }, serial), {
      message: "internal: normalize: `addend` must have shape [2, 1]. Received addend.shape=[1, 2].",
    });
    assert.throws(() => normalize(x, map, { addend: tensorOf([1, 2], [2, 1], "float64") }, serial), {
      name: "TypeError",
      message: "normalize: all tensors must have one element type. Received float32, float64.",
    });
  });
});

describe("moments", () => {
  it("are the mean of every column, and the sum of the squares of the deviations from it", () => {
    const { mean, squares } = moments(tensorOf([1, 4, 2, 4, 6, 1], [3, 2]), serial);
    assert.deepEqual([...mean], [3, 3]);
    assert.deepEqual([...squares], [4 + 1 + 9, 1 + 1 + 4]);
  });

  it("subtract the mean as it is with float64 accumulation, and round all with float32", () => {
    const x = tensorOf([2 ** 24, 2 ** 24, 2 ** 24, 2 ** 24 + 2], [4, 1]); // floats are 2 apart there
    assert.deepEqual([...moments(x, serial).squares], [3 * 0.5 ** 2 + 1.5 ** 2]);
    assert.deepEqual([...moments(x, { ...serial, accumulate: "float32" }).squares], [2 ** 2]);
  });

  it("have the bits of the naive loops for both accumulations and any number of threads", () => {
    fc.assert(
      fc.property(cases, ({ x }) => {
        for (const execution of executions) {
          const expected = momentsNaive(x, execution.accumulate);
          for (const kernel of [execution.kernel, "naive"] as const) {
            const { mean, squares } = moments(x, { ...execution, kernel });
            assertSameBits(vector(mean), vector(expected.mean), `mean, ${kernel}, ${nameOf(execution)}`);
            assertSameBits(vector(squares), vector(expected.squares), `squares, ${kernel}, ${nameOf(execution)}`);
          }
        }
      }),
      { numRuns: 40 },
    );
  });
});

describe("the gradients of normalize", () => {
  it("sum dy and dy (x - mean) with the bits of the naive loops", () => {
    fc.assert(
      fc.property(cases, ({ x, dy, map, behindWith }) => {
        for (const execution of executions) {
          const behind = behindWith(execution.accumulate);
          const expected = normalizationSumsNaive(dy, x, map.mean, behind.positive, execution.accumulate);
          for (const given of waysToGive(behind)) {
            const { dySum, dyDot } = normalizationSums(dy, x, map, given, execution);
            assertSameBits(vector(dySum), vector(expected.dySum), `dySum, ${nameOf(execution)}`);
            assertSameBits(vector(dyDot), vector(expected.dyDot), `dyDot, ${nameOf(execution)}`);
          }
        }
      }),
      { numRuns: 40 },
    );
  });

  it("have a dx with the bits of the naive loops", () => {
    fc.assert(
      fc.property(cases, ({ x, dy, map, behindWith }) => {
        for (const addend of [undefined, x]) {
          for (const execution of executions) {
            const behind = behindWith(execution.accumulate);
            const { positive } = behind;
            const expected = normalizationGradientNaive(dy, x, map, { positive, addend }, execution.accumulate);
            for (const given of waysToGive(behind)) {
              const dx = normalizationGradient(dy, x, map, { ...given, addend }, execution);
              assertSameBits(dx, expected, nameOf(execution));
            }
          }
        }
      }),
      { numRuns: 40 },
    );
  });

  it("add dx, rounded, to another term of it as the sum of two tensors does", () => {
    fc.assert(
      fc.property(cases, ({ x, dy, map, behindWith }) => {
        const behind = behindWith(serial.accumulate);
        const apart = normalizationGradient(dy, x, map, behind, serial);
        const sum = sumTensors([apart, dy], { start: 0 }, serial);
        assertSameBits(normalizationGradient(dy, x, map, { ...behind, addend: dy }, serial), sum, "sum");
      }),
      { numRuns: 40 },
    );
  });

  const channel = (mean: number, scale: number, offset: number): GradientMap => ({
    ...{ mean: Float64Array.of(mean), scale: Float64Array.of(scale), offset: Float64Array.of(offset) },
    ...{ shift: Float64Array.of(0), slope: Float64Array.of(0) },
  });

  it("see, behind a ReLU, no dy where its output is not positive", () => {
    const map = channel(1, 2, -4);
    const x = tensorOf([-1, 3, 4], [3, 1]);
    const dy = tensorOf([5, 7, 11], [3, 1]);
    const positive = tensorOf([0, 0, 2], [3, 1]);
    const behind = { rectified: true, positive };
    assert.deepEqual(normalizationSums(dy, x, map, behind, serial), {
      dySum: Float64Array.of(11),
      dyDot: Float64Array.of(33),
    });
    assert.deepEqual(Array.from(normalizationGradient(dy, x, map, behind, serial).data), [0, 0, 22]);
  });

  it("reject a dy, an output of the ReLU or another term of another shape", () => {
    const [x, other] = [tensorOf([1, 2], [2, 1]), tensorOf([1], [1, 1])];
    const map = channel(0, 0, 0);
    assert.throws(() => normalizationSums(other, x, map, {}, serial), {
      message: "internal: normalizationSums: `dy` must have shape [2, 1]. Received dy.shape=[1, 1].",
    });
    assert.throws(() => normalizationGradient(x, x, map, { rectified: true, positive: other }, serial), {
      message: "internal: normalizationGradient: `positive` must have shape [2, 1]. Received positive.shape=[1, 1].",
    });
    assert.throws(() => normalizationGradient(x, x, map, { addend: other }, serial), {
      message: "internal: normalizationGradient: `addend` must have shape [2, 1]. Received addend.shape=[1, 1].",
    });
  });
});
