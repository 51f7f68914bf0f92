import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Accumulate, serial } from "../../src/kernels/execution.js";
import { normalize } from "../../src/kernels/normalize.js";
import {
  BatchNormalization,
  batchNormalizationBackward,
  batchNormalizationForward,
  batchStatistics,
  type Statistics,
} from "../../src/layers/batch-normalization.js";
import { input } from "../../src/layers/input-layer.js";
import { layerFromConfig } from "../../src/layers/registry.js";
import { l2 } from "../../src/regularizers/regularizer.js";
import { type Tensor, tensorOf } from "../../src/tensor/tensor.js";
import { assertGradient, fakeLoss } from "../support/gradients.js";
import { assertGradients, assertRoundTrip, callLayer } from "../support/layers.js";
import {
  assertReadsViews,
  assertSameBits,
  exactTensors,
  floatTensors,
  generate,
  mapped,
  permuted,
  smoothTensors,
} from "../support/tensors.js";

interface Case {
  readonly x: Tensor;
  readonly gamma: Tensor;
  readonly beta: Tensor;
  readonly dy: Tensor;
}

function casesOf(
  shapes: fc.Arbitrary<number[]>,
  tensors: (shape: number[]) => fc.Arbitrary<Tensor>,
): fc.Arbitrary<Case> {
  return shapes.chain((shape) =>
    fc.record({
      x: tensors(shape),
      gamma: tensors(shape.slice(-1)),
      beta: tensors(shape.slice(-1)),
      dy: tensors(shape),
    }),
  );
}

/** Images with at least two pixels, and all dimensions distinct. */
const images = fc
  .uniqueArray(fc.integer({ min: 1, max: 4 }), { minLength: 4, maxLength: 4 })
  .filter(([n, h, w]) => n * h * w > 1);

const EPSILON = 0.1;

/** Training mode: the statistics of the batch. */
function train(
  x: Tensor,
  weights: { gamma?: Tensor; beta?: Tensor },
  epsilon = EPSILON,
  accumulate: Accumulate = "float64",
) {
  const execution = { ...serial, accumulate };
  return batchNormalizationForward(x, weights, batchStatistics(x, execution), { epsilon, ofBatch: true }, execution);
}

/**
 * The equations at the top of the layer's file, channel by channel; `round` is applied to the numbers of a channel with which
 * elements are computed, and to every difference, product and sum of elements.
 */
function reference({ x, gamma, beta }: Case, round: (v: number) => number): Tensor {
  const columns = gamma.data.length;
  const rows = x.size / columns;
  const y = mapped(x, () => 0);
  for (let c = 0; c < columns; c++) {
    let sum = 0;
    for (let m = 0; m < rows; m++) sum = round(sum + x.data[m * columns + c]);
    const mean = sum / rows;
    let squares = 0;
    const deviationOf = (m: number): number => round(x.data[m * columns + c] - round(mean));
    for (let m = 0; m < rows; m++) squares = round(squares + round(deviationOf(m) * deviationOf(m)));
    const scale = round(gamma.data[c] * (1 / Math.sqrt(squares / rows + EPSILON)));
    for (let m = 0; m < rows; m++) y.data[m * columns + c] = round(deviationOf(m) * scale) + beta.data[c];
  }
  return y;
}

describe("BatchNormalization", () => {
  it("gives every channel mean beta and standard deviation |gamma| where epsilon is 0", () => {
    const x = tensorOf([1, 10, 3, 30], [2, 1, 1, 2], "float64");
    const { y } = train(x, { gamma: tensorOf([2, 1], [2], "float64"), beta: tensorOf([0, 5], [2], "float64") }, 0);
    assertSameBits(y, tensorOf([-2, 4, 2, 6], [2, 1, 1, 2], "float64"));
  });

  it("takes the population variance, divided by the number of rows", () => {
    assert.deepEqual(batchStatistics(tensorOf([1, 2, 3, 6], [4, 1])), {
      mean: Float64Array.of(3),
      variance: Float64Array.of(3.5),
    });
  });

  it("equals its equations, to the bit, in both accumulations", () => {
    fc.assert(
      fc.property(casesOf(images, floatTensors), (at) => {
        assertSameBits(
          train(at.x, at).y,
          reference(at, (v) => v),
        );
        assertSameBits(train(at.x, at, EPSILON, "float32").y, reference(at, Math.fround));
      }),
    );
  });

  it("does not cancel: a mean of 10^6 leaves a deviation of 1 intact", () => {
    const { y } = train(tensorOf([1e6 - 1, 1e6 + 1], [2, 1]), {}, 0);
    assertSameBits(y, tensorOf([-1, 1], [2, 1]));
  });

  it("has gradients equal to central differences of L = sum r * y, in training and in inference", () => {
    fc.assert(
      fc.property(casesOf(images, smoothTensors), fc.boolean(), (at, ofBatch) => {
        const channels = at.gamma.size;
        const fixed = {
          mean: Float64Array.from({ length: channels }, (_, c) => c / 4),
          variance: Float64Array.from({ length: channels }, (_, c) => 1 + c / 8),
        };
        const forward = ({ x, gamma, beta }: Case) =>
          batchNormalizationForward(x, { gamma, beta }, ofBatch ? batchStatistics(x) : fixed, {
            epsilon: EPSILON,
            ofBatch,
          });
        const { dx, dGamma, dBeta } = batchNormalizationBackward(at.dy, forward(at).cache);
        const loss = (changed: Partial<Case>) => fakeLoss(forward({ ...at, ...changed }).y, at.dy);
        assertGradient({ name: "dx", at: at.x, gradient: dx, loss: (x) => loss({ x }) });
        assertGradient({ name: "dGamma", at: at.gamma, gradient: dGamma, loss: (gamma) => loss({ gamma }) });
        assertGradient({ name: "dBeta", at: at.beta, gradient: dBeta, loss: (beta) => loss({ beta }) });
      }),
      { numRuns: 50 },
    );
  });

  it("has a dx whose sum over every channel is zero: the output does not see a constant that is added to x", () => {
    fc.assert(
      fc.property(casesOf(images, smoothTensors), (at) => {
        const { cache } = train(at.x, at);
        const { dx } = batchNormalizationBackward(at.dy, cache);
        const channels = at.gamma.size;
        const rows = dx.size / channels;
        for (let c = 0; c < channels; c++) {
          let sum = 0;
          let scale = 0;
          for (let i = c; i < dx.size; i += channels) {
            sum += dx.data[i];
            // the three terms of dx: |dy|, |xHat| <= sqrt(rows), and means of at most rows of them
            scale += Math.abs(at.gamma.data[c] * cache.rstd[c]) * 2 * (2 + rows);
          }
          // about 4 rows + 8 roundings of u = 2^-53, or of half the smallest number, lie between the inputs and this sum
          const allowed = (4 * rows + 8) * (2 ** -53 * scale + Number.MIN_VALUE);
          assert.ok(Math.abs(sum) <= allowed, `channel ${c}: sum ${sum}, scale ${scale}`);
        }
      }),
    );
  });

  // with 8 rows of multiples of 1/4 all sums, means and deviations are exact
  const eightRows = fc.constantFrom<number[]>([1, 2, 4, 3], [4, 1, 2, 5], [2, 4, 1, 7]);

  it("does not see a constant that is added to x, nor the order of the rows, to the bit", () => {
    fc.assert(
      fc.property(casesOf(eightRows, exactTensors), fc.integer({ min: -40, max: 40 }), ({ x, gamma, beta }, shift) => {
        const { y } = train(x, { gamma, beta });
        assertSameBits(
          train(
            mapped(x, (v) => v + shift),
            { gamma, beta },
          ).y,
          y,
        );
        const order = Array.from({ length: x.shape[0] }, (_, n) => (n + 1) % x.shape[0]);
        assertSameBits(train(permuted(x, 0, order), { gamma, beta }).y, permuted(y, 0, order));
      }),
    );
  });

  it("does not see a scale of x by a power of two, if epsilon is scaled by its square", () => {
    fc.assert(
      fc.property(casesOf(images, floatTensors), fc.integer({ min: -8, max: 8 }), ({ x, gamma, beta }, exponent) => {
        const scaled = mapped(x, (v) => v * 2 ** exponent);
        assertSameBits(train(scaled, { gamma, beta }, EPSILON * 4 ** exponent).y, train(x, { gamma, beta }).y);
      }),
    );
  });

  it("treats every channel by itself", () => {
    fc.assert(
      fc.property(casesOf(images, floatTensors), (at) => {
        const order = Array.from({ length: at.gamma.size }, (_, c) => (c + 1) % at.gamma.size);
        const moved = { gamma: permuted(at.gamma, 0, order), beta: permuted(at.beta, 0, order) };
        const [plain, rotated] = [train(at.x, at), train(permuted(at.x, 3, order), moved)];
        assertSameBits(rotated.y, permuted(plain.y, 3, order));
        const [d, dRotated] = [
          batchNormalizationBackward(at.dy, plain.cache),
          batchNormalizationBackward(permuted(at.dy, 3, order), rotated.cache),
        ];
        assertSameBits(dRotated.dx, permuted(d.dx, 3, order));
        assertSameBits(dRotated.dGamma, permuted(d.dGamma, 0, order));
        assertSameBits(dRotated.dBeta, permuted(d.dBeta, 0, order));
      }),
    );
  });

  it("reads strided views like their contiguous copies, and changes none of its arguments", () => {
    fc.assert(
      fc.property(casesOf(images, floatTensors), ({ x, gamma, beta, dy }) => {
        assertReadsViews([x, gamma, beta, dy], (x, gamma, beta, dy) => {
          const { y, cache } = train(x, { gamma, beta });
          const { dx, dGamma, dBeta } = batchNormalizationBackward(dy, cache);
          return [y, dx, dGamma, dBeta];
        });
      }),
      { numRuns: 30 },
    );
  });

  it("refuses weights and statistics that are not one number for every channel", () => {
    const x = tensorOf([1, 2, 3, 4], [2, 1, 1, 2]);
    assert.throws(() => train(x, { gamma: tensorOf([1, 2, 3], [3]) }), {
      name: "RangeError",
      message: "BatchNormalization: `gamma` must have shape [2] for an input of shape [2, 1, 1, 2]. Received 3 values.",
    });
    const statistics = { mean: Float64Array.of(1, 2), variance: Float64Array.of(1) };
    assert.throws(() => batchNormalizationForward(x, {}, statistics, { epsilon: 1, ofBatch: false }), {
      name: "RangeError",
      message:
        "BatchNormalization: `variance` must have shape [2] for an input of shape [2, 1, 1, 2]. Received 1 values.",
    });
  });
});

describe("the layer BatchNormalization", () => {
  const x = generate([4, 2, 3, 5], "float64", (n, h, w, c) => ((7 * n + 5 * h + 3 * w + c) % 11) / 4);
  const channels = (f: (c: number) => number): Tensor => generate([5], "float64", f);
  const weights = {
    gamma: channels((c) => 1 + c / 2),
    beta: channels((c) => c - 2),
    moving_mean: channels((c) => c / 4),
    moving_variance: channels((c) => 1 + c),
  };
  const dy = generate(x.shape, "float64", (n, h, w, c) => ((3 * n + 5 * h + 2 * w + c) % 7) - 3);
  const make = (options: object = {}): BatchNormalization => new BatchNormalization({ dtype: "float64", ...options });

  it("normalizes by the batch in training, and offers moving statistics that keep `momentum` of the old ones", () => {
    const layer = make({ momentum: 0.75, epsilon: 0.5 });
    const pass = callLayer(layer, [x], weights, { training: true });
    const statistics = batchStatistics(x);
    const { y, cache } = batchNormalizationForward(x, weights, statistics, { epsilon: 0.5, ofBatch: true });
    assertSameBits(pass.y, y);
    const { dx, dGamma, dBeta } = batchNormalizationBackward(dy, cache);
    assertGradients(pass, dy, [dx], { gamma: dGamma, beta: dBeta });
    const updates = new Map([...(pass.updates ?? [])].map(([weight, value]) => [weight.name, value]));
    assertSameBits(
      updates.get("moving_mean") ?? x,
      channels((c) => (c / 4) * 0.75 + statistics.mean[c] * 0.25),
    );
    assertSameBits(
      updates.get("moving_variance") ?? x,
      channels((c) => (1 + c) * 0.75 + statistics.variance[c] * 0.25),
    );
    assertSameBits(layer.weights[2].value, weights.moving_mean);
  });

  it("normalizes by the moving statistics in inference, and also in training where it is not trainable", () => {
    const statistics = {
      mean: Float64Array.from(weights.moving_mean.data),
      variance: Float64Array.from(weights.moving_variance.data),
    };
    const { y, cache } = batchNormalizationForward(x, weights, statistics, { epsilon: 1e-3, ofBatch: false });
    const { dx, dGamma, dBeta } = batchNormalizationBackward(dy, cache);
    for (const [layer, training] of [
      [make(), false],
      [make({ trainable: false }), true],
    ] as const) {
      const pass = callLayer(layer, [x], weights, { training });
      assertSameBits(pass.y, y);
      assert.equal(pass.updates?.size, 0);
      assertGradients(pass, dy, [dx], { gamma: dGamma, beta: dBeta });
    }
  });

  it("leaves normalization and a ReLU to its reader, if that costs nothing, and finds its way back without their output", () => {
    const release = (): void => {}; // there is no way back
    for (const [accumulate, kernel, training, leaves, without] of [
      ["float32", "simd", true, true, {}],
      ["float32", "simd", false, true, {}],
      ["float64", "simd", true, false, {}],
      ["float64", "simd", false, false, {}],
      ["float64", "simd", false, true, { release }],
      ["float32", "scalar", true, false, {}],
      ["float32", "scalar", false, false, { release }],
    ] as const) {
      const execution = { ...serial, accumulate, kernel };
      const images = generate([4, 2, 3, 8], "float32", (n, h, w, c) => ((7 * n + 5 * h + 3 * w + c) % 11) / 4);
      const gradient = generate(images.shape, "float32", (n, h, w, c) => ((3 * n + 5 * h + 2 * w + c) % 7) - 3);
      const other = mapped(gradient, (v) => v * v + 0.3);
      for (const rectify of [true, false]) {
        const what = `${accumulate}, ${kernel}, training ${training}, rectify ${rectify}`;
        const layer = new BatchNormalization();
        layer.apply(input({ shape: [2, 3, 8] }));
        const context = { training, execution, seed: 0, step: 0, ...without };
        const apart = layer.callFinished([images], context, { rectify });
        const ahead = layer.callAhead([images], context, rectify);
        assert.equal(ahead.prologue !== undefined, leaves, what);
        if (ahead.prologue !== undefined) {
          const { map } = ahead.prologue;
          assert.equal(ahead.y.data, images.data, what); // nothing was written
          assert.deepEqual(ahead.keeps, [images]);
          assertSameBits(normalize(ahead.y, map, { rectify: ahead.prologue.rectify }, execution), apart.y);
        } else assertSameBits(ahead.y, apart.y);
        assert.deepEqual(
          [...(ahead.updates ?? [])].map(([, value]) => [...value.data]),
          [...(apart.updates ?? [])].map(([, value]) => [...value.data]),
          what,
        );
        for (const addend of [undefined, other]) {
          const [mine, expected] = [ahead, apart].map((pass) => pass.backward(gradient, { addend }));
          assert.equal(mine.isSum, expected.isSum, what);
          assertSameBits(mine.dInputs[0], expected.dInputs[0]);
          for (const name of ["gamma", "beta"]) assertSameBits(mine.dWeights[name], expected.dWeights[name]);
        }
      }
    }
  });

  it("normalizes along any axis as along the last", () => {
    const turn = (t: Tensor): Tensor => generate([4, 5, 2, 3], "float64", (n, c, h, w) => t.get(n, h, w, c));
    const last = callLayer(make(), [x], weights, { training: true });
    const second = callLayer(make({ axis: 1 }), [turn(x)], weights, { training: true });
    assertSameBits(second.y, turn(last.y));
    const { dInputs, dWeights } = last.backward(dy);
    assertGradients(second, turn(dy), [turn(dInputs[0])], dWeights);
  });

  it("has no gamma without `scale` and no beta without `center`", () => {
    const { gamma, beta, ...moving } = weights;
    const pass = callLayer(make({ scale: false, center: false }), [x], moving, { training: true });
    const { y, cache } = train(x, {}, 1e-3);
    assertSameBits(pass.y, y);
    assertGradients(pass, dy, [batchNormalizationBackward(dy, cache).dx], {});
    assert.deepEqual(Object.keys(callLayer(make({ scale: false }), [x], { beta, ...moving }).backward(dy).dWeights), [
      "beta",
    ]);
    assert.deepEqual(Object.keys(callLayer(make({ center: false }), [x], { gamma, ...moving }).backward(dy).dWeights), [
      "gamma",
    ]);
  });

  it("has its weights in Keras's order, of which two are trained", () => {
    const layer = make({ gammaRegularizer: l2(0.5) });
    layer.apply(input({ shape: [null, null, 5] }));
    assert.deepEqual(
      layer.weights.map(({ name, shape, trainable, regularizer }) => [name, shape, trainable, regularizer?.l2]),
      [
        ["gamma", [5], true, 0.5],
        ["beta", [5], true, undefined],
        ["moving_mean", [5], false, undefined],
        ["moving_variance", [5], false, undefined],
      ],
    );
    assert.deepEqual(
      layer.weights.map((weight) => weight.value.data[0]),
      [1, 0, 0, 1],
    );
  });

  it("keeps its configuration, and reads the axis of Keras 2, a list of one", () => {
    const config = assertRoundTrip(
      make({ axis: 1, momentum: 0.9, epsilon: 1e-5, center: false, betaInitializer: "ones" }),
    );
    assert.deepEqual([config["axis"], config["momentum"], config["epsilon"], config["center"]], [1, 0.9, 1e-5, false]);
    assert.equal(layerFromConfig("BatchNormalization", { axis: [3] }).getConfig()["axis"], 3);
  });

  it("refuses statistics that are tensors", () => {
    const x = tensorOf([1, 2, 3, 4], [2, 2]);
    const variance = Float64Array.of(1, 1);
    const wrong = { mean: tensorOf([1, 2], [2]), variance } as unknown as Statistics;
    assert.throws(() => batchNormalizationForward(x, {}, wrong, { epsilon: 1, ofBatch: false }), {
      name: "TypeError",
      message: "BatchNormalization: `mean` must be a Float64Array. Received another value.",
    });
  });

  it("refuses to be told neither epsilon nor whose statistics they are: NaN, and the gradient of inference, would come", () => {
    const x = tensorOf([1, 2, 3, 4], [2, 2]);
    const forward = (options: object): unknown =>
      batchNormalizationForward(x, {}, batchStatistics(x), options as { epsilon: number; ofBatch: boolean });
    for (const epsilon of [undefined, -1, Number.POSITIVE_INFINITY]) {
      assert.throws(() => forward({ epsilon, ofBatch: true }), {
        name: "RangeError",
        message: `BatchNormalization: \`epsilon\` must be a finite number of at least 0. Received epsilon=${epsilon}.`,
      });
    }
    assert.throws(() => forward({ epsilon: 0.001 }), {
      name: "TypeError",
      message: "BatchNormalization: `ofBatch` must be true or false. Received nothing.",
    });
  });

  it("refuses arguments and inputs that it cannot take", () => {
    const wrong =
      (config: object): (() => unknown) =>
      () =>
        layerFromConfig("BatchNormalization", { ...config });
    assert.throws(wrong({ epsilon: 0 }), {
      name: "RangeError",
      message: "BatchNormalization: `epsilon` must be above 0. Received epsilon=0.",
    });
    assert.throws(wrong({ momentum: 1.5 }), {
      name: "RangeError",
      message: "BatchNormalization: `momentum` must be between 0 and 1. Received momentum=1.5.",
    });
    assert.throws(wrong({ renorm: true }), {
      name: "TypeError",
      message: "BatchNormalization: `renorm` must be false. Received true.",
    });
    assert.throws(wrong({ gamma_constraint: "unit_norm" }), {
      name: "TypeError",
      message:
        'BatchNormalization: `gamma_constraint` must be null (others are not implemented). Received "unit_norm".',
    });
    assert.throws(() => make({ axis: 4 }).apply(input({ shape: [2, 3, 5] })), {
      name: "RangeError",
      message:
        "BatchNormalization: `axis` must be a whole number between -4 and 3 for an input of shape [null, 2, 3, 5]. Received axis=4.",
    });
  });
});
