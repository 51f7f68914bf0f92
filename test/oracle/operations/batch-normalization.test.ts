import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Operands } from "../../../src/oracle/operation.js";
import {
  FLOAT16_STORAGE,
  withFlush,
  withWgslFunctions,
  BFLOAT16_INPUTS,
  FLOAT32,
} from "../../../src/oracle/arithmetic-model.js";
import { tensor, type Tensor, tensorOf } from "../../../src/tensor/tensor.js";
import { assertCaught, assertHonest, judged } from "../../support/oracle.js";
import { bfloat16, dataOf, float16, type Order, ORDERS, orders, raws } from "../../support/regimes.js";

const { fround: f } = Math;
const CHANNELS = 3;
const EPSILON = f(1e-3);
const MOMENTUM = f(0.99);

/** How a candidate computes the mean and the variance of one channel. */
type Statistics = (x: readonly number[], sum: Order) => { mean: number; variance: number };

const meanOf = (x: readonly number[], sum: Order): number => f(sum(x) / x.length);
const twoPass: Statistics = (x, sum) => {
  const mean = meanOf(x, sum);
  const squares = x.map((v) => f(f(v - mean) * f(v - mean)));
  return { mean, variance: f(sum(squares) / x.length) };
};
const welford: Statistics = (x) => {
  let [mean, squares] = [0, 0];
  x.forEach((v, i) => {
    const before = f(v - mean);
    mean = f(mean + f(before / (i + 1)));
    squares = f(squares + f(before * f(v - mean)));
  });
  return { mean, variance: f(squares / x.length) };
};
const scaledTerms: Statistics = (x, sum) => {
  const share = f(1 / x.length);
  const mean = sum(x.map((v) => f(v * share)));
  return { mean, variance: sum(x.map((v) => f(f(f(v - mean) * f(v - mean)) * share))) };
};
const onePass: Statistics = (x, sum) => {
  const mean = meanOf(x, sum);
  return { mean, variance: Math.max(0, f(f(sum(x.map((v) => f(v * v))) / x.length) - f(mean * mean))) };
};
const STABLE = [twoPass, welford, scaledTerms];

/** How a candidate normalizes. */
type Normalize = (x: number, mean: number, rstd: number, gamma: number, beta: number) => number;

const NORMALIZATIONS: readonly Normalize[] = [
  (x, mean, rstd, gamma, beta) => f(f(f(f(x - mean) * rstd) * gamma) + beta),
  (x, mean, rstd, gamma, beta) => f(f(f(x - mean) * f(rstd * gamma)) + beta),
  (x, mean, rstd, gamma, beta) => f(f(x * f(rstd * gamma)) + f(beta - f(mean * f(rstd * gamma)))),
  (x, mean, rstd, gamma, beta) => f(f(f(gamma * f(x - mean)) / f(1 / rstd)) + beta),
  // fused
  (x, mean, rstd, gamma, beta) => f(x * f(rstd * gamma) + f(beta - mean * f(rstd * gamma))),
];

const rstdOf = (variance: number, epsilon = EPSILON): number => f(1 / f(Math.sqrt(f(variance + epsilon))));
const column = (x: Tensor, c: number): number[] => Array.from({ length: x.shape[0] }, (_, r) => x.get(r, c));
const fromColumns = (columns: readonly (readonly number[])[]): Tensor =>
  tensorOf(
    columns[0].flatMap((_, r) => columns.map((values) => values[r])),
    [columns[0].length, columns.length],
  );

interface Mistakes {
  readonly epsilon?: number;
  readonly outside?: boolean;
  readonly bessel?: boolean;
  readonly inverted?: boolean;
  readonly input?: (x: number) => number;
}

/** A float32 kernel of the training forward pass. */
function forward(
  operands: Operands,
  statistics: Statistics,
  normalize: Normalize,
  sum: Order,
  { epsilon = EPSILON, outside = false, bessel = false, inverted = false, input = f }: Mistakes = {},
): Operands {
  const { x, gamma, beta, movingMean, movingVariance } = operands;
  const kept = inverted ? f(1 - MOMENTUM) : MOMENTUM;
  const move = (moving: number, batch: number): number => f(f(moving * kept) + f(batch * f(1 - kept)));
  const results = Array.from({ length: x.shape[1] }, (_, c) => {
    const xs = column(x, c).map(input);
    const { mean, variance: population } = statistics(xs, sum);
    const variance = bessel ? f(f(population * xs.length) / (xs.length - 1)) : population;
    const rstd = outside ? f(1 / f(f(Math.sqrt(variance)) + epsilon)) : rstdOf(variance, epsilon);
    return {
      y: xs.map((v) => normalize(v, mean, rstd, gamma.get(c), beta.get(c))),
      movingMean: move(movingMean.get(c), mean),
      movingVariance: move(movingVariance.get(c), variance),
    };
  });
  return {
    y: fromColumns(results.map(({ y }) => y)),
    movingMean: tensorOf(
      results.map((result) => result.movingMean),
      [x.shape[1]],
    ),
    movingVariance: tensorOf(
      results.map((result) => result.movingVariance),
      [x.shape[1]],
    ),
  };
}

/** How a candidate computes gradients of one channel, from its own statistics. */
type Gradients = (
  x: readonly number[],
  dy: readonly number[],
  values: { readonly mean: number; readonly rstd: number; readonly gamma: number; readonly sum: Order },
) => { readonly dx: readonly number[]; readonly dGamma: number; readonly dBeta: number };

/** The textbook: xHat, then three terms. Leaving one out is a mistake that is planted here. */
const textbook =
  (leftOut = 0): Gradients =>
  (x, dy, { mean, rstd, gamma, sum }) => {
    const xHat = x.map((v) => f(f(v - mean) * rstd));
    const dBeta = sum(dy);
    const dGamma = sum(dy.map((d, i) => f(d * xHat[i])));
    const [a, b] = [f(dBeta / x.length), f(dGamma / x.length)];
    const scale = f(gamma * rstd);
    const dx = dy.map((d, i) => {
      const first = leftOut === 1 ? 0 : d;
      const second = leftOut === 2 ? 0 : a;
      const third = leftOut === 3 ? 0 : f(xHat[i] * b);
      return f(scale * f(f(first - second) - third));
    });
    return { dx, dGamma, dBeta };
  };

/** As differentiation of x inv + (beta - mean inv) gives it: Q cancels. */
const differentiated: Gradients = (x, dy, { mean, rstd, gamma, sum }) => {
  const rows = x.length;
  const dBeta = sum(dy);
  const dInv = f(sum(dy.map((d, i) => f(d * x[i]))) - f(mean * dBeta));
  const inv = f(rstd * gamma);
  const dVariance = f(f(f(dInv * gamma) * -0.5) * f(f(rstd * rstd) * rstd));
  const dMean = f(-f(dBeta * inv));
  const dx = dy.map((d, i) => {
    const byVariance = f(f(f(x[i] - mean) * 2) * f(dVariance / rows));
    return f(f(f(d * inv) + byVariance) + f(dMean / rows));
  });
  return { dx, dGamma: f(dInv * rstd), dBeta };
};

/** As TensorFlow's fused gradient: centered first. */
const centered: Gradients = (x, dy, { mean, rstd, gamma, sum }) => {
  const share = f(1 / x.length);
  const dBeta = sum(dy);
  const meanDy = f(dBeta * share);
  const Q = sum(dy.map((d, i) => f(d * f(x[i] - mean))));
  const slope = f(f(f(rstd * rstd) * Q) * share);
  const dx = dy.map((d, i) => f(f(f(d - meanDy) - f(f(x[i] - mean) * slope)) * f(rstd * gamma)));
  return { dx, dGamma: f(Q * rstd), dBeta };
};

const GRADIENTS = [textbook(), differentiated, centered];

/** A float32 kernel of the backward pass, with statistics of the batch or given ones. */
function backward(
  { x, dy, gamma, movingMean, movingVariance }: Operands,
  statistics: Statistics | undefined,
  gradients: Gradients,
  sum: Order,
): Operands {
  const results = Array.from({ length: x.shape[1] }, (_, c) => {
    const [xs, dys] = [column(x, c), column(dy, c)];
    const { mean, variance } = statistics?.(xs, sum) ?? {
      mean: movingMean.get(c),
      variance: movingVariance.get(c),
    };
    return gradients(xs, dys, { mean, rstd: rstdOf(variance), gamma: gamma.get(c), sum });
  });
  return {
    dx: fromColumns(results.map(({ dx }) => dx)),
    dGamma: tensorOf(
      results.map(({ dGamma }) => dGamma),
      [x.shape[1]],
    ),
    dBeta: tensorOf(
      results.map(({ dBeta }) => dBeta),
      [x.shape[1]],
    ),
  };
}

const ofInference: Gradients = (x, dy, { mean, rstd, gamma, sum }) => ({
  dx: dy.map((d) => f(d * f(gamma * rstd))),
  dGamma: sum(dy.map((d, i) => f(d * f(f(x[i] - mean) * rstd)))),
  dBeta: sum(dy),
});

/** Half of them evenly between the ends, half by their bits, as fast-check draws floats: those are nearly all tiny. */
const weights = (min: number, max: number): fc.Arbitrary<Tensor> =>
  fc
    .array(
      fc.oneof(
        fc.integer({ min: 0, max: 2 ** 24 }).map((n) => min + (max - min) * n * 2 ** -24),
        fc.float({ min: f(min), max: f(max), noNaN: true }),
      ),
      { minLength: CHANNELS, maxLength: CHANNELS },
    )
    .map((values) => tensorOf(values, [CHANNELS]));

const cases = fc.integer({ min: 1, max: 40 }).chain((rows) =>
  fc.record({
    x: raws(rows * CHANNELS).map((raw) => tensor(dataOf(raw, CHANNELS), [rows, CHANNELS])),
    dy: raws(rows * CHANNELS).map((raw) => tensor(dataOf(raw, CHANNELS), [rows, CHANNELS])),
    gamma: weights(-3, 3),
    beta: weights(-3, 3),
    movingMean: weights(-30, 30),
    movingVariance: weights(0, 30),
  }),
);
const RUNS = { numRuns: 400, includeErrorInReport: true };

/** Tame data, on which mistakes must show: 24 rows of a wave, channels of different size. */
function tame(): Operands {
  const values = (size: number, k: number): Float32Array =>
    Float32Array.from({ length: size }, (_, i) => Math.sin(i * k + k) + 0.2 * Math.cos(i * i));
  return {
    x: tensor(values(72, 1.3), [24, CHANNELS]),
    dy: tensor(values(72, 2.1), [24, CHANNELS]),
    gamma: tensorOf([1, 0.5, -2], [CHANNELS]),
    beta: tensorOf([0.5, 0, 1], [CHANNELS]),
    movingMean: tensorOf([0.1, -0.2, 0.3], [CHANNELS]),
    movingVariance: tensorOf([0.5, 1, 2], [CHANNELS]),
  };
}
const pick = (operands: Operands, ...names: readonly string[]): Operands =>
  Object.fromEntries(names.map((name) => [name, operands[name]]));
const TRAINED = ["x", "gamma", "beta", "movingMean", "movingVariance"];

describe("expectations of batch normalization", () => {
  it("are infinite where x is, whatever the formula, and nowhere else", () => {
    const infinite = Number.POSITIVE_INFINITY;
    const of = (...values: number[]): Tensor => tensorOf(values, [values.length]);
    const [gamma, beta, movingMean, movingVariance] = [of(2, -3), of(1, 4), of(0.5, -0.25), of(1.5, 2)];
    const x = tensorOf([infinite, 1, -infinite, infinite], [2, 2]);
    const operands = { x, gamma, beta, movingMean, movingVariance };
    for (const normalize of NORMALIZATIONS) {
      const y = x.data.map((v: number, i: number) => {
        const c = i % 2;
        const rstd = f(1 / f(Math.sqrt(f(movingVariance.get(c) + EPSILON))));
        return normalize(v, movingMean.get(c), rstd, gamma.get(c), beta.get(c));
      });
      assertHonest("batch-normalization", operands, {}, { y: tensor(Float32Array.from(y), x.shape) });
      for (const [at, wrong] of [
        [0, 5],
        [2, infinite],
        [3, Number.NaN],
      ] as const) {
        const changed = Float32Array.from(y).with(at, wrong);
        assertCaught("y", "batch-normalization", operands, {}, { y: tensor(changed, x.shape) });
      }
    }
  });

  it("hold for honest float32 in training, by any formula, in any order, on hard data", () => {
    fc.assert(
      fc.property(
        cases,
        fc.constantFrom(...STABLE),
        fc.constantFrom(...NORMALIZATIONS),
        orders,
        (operands, statistics, normalize, sum) => {
          const candidate = forward(operands, statistics, normalize, sum);
          assertHonest("batch-normalization-training", pick(operands, ...TRAINED), {}, candidate);
        },
      ),
      RUNS,
    );
  });

  it("hold for variances in one pass where the option allows them", () => {
    fc.assert(
      fc.property(cases, fc.constantFrom(...NORMALIZATIONS), orders, (operands, normalize, sum) => {
        const candidate = forward(operands, onePass, normalize, sum);
        const args = { variance: "one-pass" };
        assertHonest("batch-normalization-training", pick(operands, ...TRAINED), args, candidate);
      }),
      RUNS,
    );
  });

  it("hold for honest float32 in inference", () => {
    fc.assert(
      fc.property(cases, fc.constantFrom(...NORMALIZATIONS), orders, (operands, normalize, sum) => {
        const { movingMean, movingVariance } = operands;
        let c = 0;
        const given: Statistics = () => ({ mean: movingMean.get(c), variance: movingVariance.get(c++) });
        const { y } = forward(operands, given, normalize, sum);
        assertHonest("batch-normalization", pick(operands, ...TRAINED), {}, { y });
      }),
      RUNS,
    );
  });

  it("hold for honest gradients in training", () => {
    fc.assert(
      fc.property(
        cases,
        fc.constantFrom(...STABLE),
        fc.constantFrom(...GRADIENTS),
        orders,
        (operands, statistics, gradients, sum) => {
          const candidate = backward(operands, statistics, gradients, sum);
          assertHonest("batch-normalization-training-backward", pick(operands, "x", "dy", "gamma"), {}, candidate);
        },
      ),
      RUNS,
    );
  });

  it("hold for honest gradients in inference", () => {
    fc.assert(
      fc.property(cases, orders, (operands, sum) => {
        const given = pick(operands, "x", "dy", "gamma", "movingMean", "movingVariance");
        const candidate = backward(given, undefined, ofInference, sum);
        assertHonest("batch-normalization-backward", given, {}, candidate);
      }),
      RUNS,
    );
  });

  it("allow rounded inputs and results, flushed subnormals and a shader's functions to those who say so", () => {
    fc.assert(
      fc.property(cases, fc.constantFrom(...STABLE), orders, (operands, statistics, sum) => {
        const given = pick(operands, ...TRAINED);
        const flushed = (x: number): number => (Math.abs(x) < 2 ** -126 ? 0 : x);
        const inputs = (round: (x: number) => number): Operands =>
          Object.fromEntries(
            Object.entries(given).map(([name, x]) => [name, tensorOf(Array.from(x.data, round), x.shape)]),
          );
        const name = "batch-normalization-training";
        const rounded = forward(inputs(bfloat16), statistics, NORMALIZATIONS[0], sum);
        assertHonest(name, given, {}, rounded, BFLOAT16_INPUTS);
        const flushing = forward(inputs(flushed), statistics, NORMALIZATIONS[1], sum);
        assertHonest(name, given, {}, flushing, withFlush(FLOAT32));
        assertHonest(name, given, {}, forward(given, statistics, NORMALIZATIONS[2], sum), withWgslFunctions(FLOAT32));
        const halves = forward(inputs(float16), statistics, NORMALIZATIONS[0], sum);
        const stored = Object.entries(halves).map(([key, y]) => [key, tensorOf(Array.from(y.data, float16), y.shape)]);
        assertHonest(name, given, {}, Object.fromEntries(stored), FLOAT16_STORAGE);
      }),
    );
  });

  const mistakes: Readonly<Record<string, readonly [string, Mistakes]>> = {
    "epsilon 1e-5": ["y", { epsilon: f(1e-5) }],
    "epsilon outside the root": ["y", { outside: true }],
    "the sample variance": ["y", { bessel: true }],
    "the sample variance in the moving one": ["movingVariance", { bessel: true }],
    "inverted momentum": ["movingMean", { inverted: true }],
    "bfloat16 inputs": ["y", { input: bfloat16 }],
  };
  for (const [title, [key, mistake]] of Object.entries(mistakes)) {
    it(`are broken by ${title}`, () => {
      const operands = tame();
      for (const statistics of STABLE) {
        const candidate = forward(operands, statistics, NORMALIZATIONS[1], ORDERS["pairwise"], mistake);
        assertCaught(key, "batch-normalization-training", pick(operands, ...TRAINED), {}, candidate);
      }
    });
  }

  for (const term of [1, 2, 3]) {
    it(`are broken by dx without its term ${term}`, () => {
      const operands = tame();
      const candidate = backward(operands, twoPass, textbook(term), ORDERS["ascending"]);
      const given = pick(operands, "x", "dy", "gamma");
      assertCaught("dx", "batch-normalization-training-backward", given, {}, candidate);
    });
  }

  it("are broken by a variance in one pass where only stable ones are allowed", () => {
    const operands = tame();
    const x = tensorOf(
      Array.from(operands["x"].data, (v) => 100 + v / 100),
      operands["x"].shape,
    );
    const shifted = { ...operands, x };
    const candidate = forward(shifted, onePass, NORMALIZATIONS[0], ORDERS["ascending"]);
    const given = pick(shifted, ...TRAINED);
    assertCaught("movingVariance", "batch-normalization-training", given, {}, candidate);
    assertHonest("batch-normalization-training", given, { variance: "one-pass" }, candidate);
  });

  it("are broken by bfloat16 inputs of so many rows that only the whole tensor shows it", () => {
    const rows = 2 ** 16;
    const x = tensor(
      Float32Array.from({ length: rows }, (_, i) => 1 + 0.3 * Math.sin(i * 1.7)),
      [rows, 1],
    );
    const { y } = forward(
      {
        x,
        gamma: tensorOf([1], [1]),
        beta: tensorOf([0], [1]),
        movingMean: tensorOf([0], [1]),
        movingVariance: tensorOf([1], [1]),
      },
      twoPass,
      NORMALIZATIONS[1],
      ORDERS["four lanes"],
      { input: bfloat16 },
    );
    const { y: judgement } = judged("batch-normalization-training", { x }, {}, { y });
    assert.deepEqual(judgement.broken, ["variance"]);
  });

  it("are along the axis that is asked for", () => {
    const operands = tame();
    const turned = (x: Tensor): Tensor => x.transpose(1, 0);
    const candidate = forward(operands, twoPass, NORMALIZATIONS[0], ORDERS["ascending"]);
    const given = pick(operands, ...TRAINED);
    assertHonest(
      "batch-normalization-training",
      { ...given, x: turned(operands["x"]) },
      { axis: 0 },
      { ...candidate, y: turned(candidate["y"]) },
    );
  });
});
