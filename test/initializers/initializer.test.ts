import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { randomStream } from "../../src/arithmetic/random.js";
import {
  type InitializerConfig,
  initialize,
  initializerFromConfig,
  initializerToConfig,
} from "../../src/initializers/initializer.js";
import * as initializers from "../../src/initializers/initializers.js";
import { computeFans, scaledVariance } from "../../src/initializers/variance-scaling.js";
import type { Shape } from "../../src/tensor/shape.js";
import type { DType, FloatArray } from "../../src/tensor/dtype.js";

const stream = randomStream(11, "initializer/layer/kernel");
const values = (initializer: InitializerConfig, shape: Shape = [3, 5, 7, 11]): FloatArray =>
  initialize(initializer, shape, "float64", stream);

describe("computeFans", () => {
  const cases: readonly [shape: Shape, fanIn: number, fanOut: number][] = [
    [[], 1, 1],
    [[5], 5, 5],
    [[5, 7], 5, 7],
    [[2, 5, 7], 10, 14],
    [[3, 2, 5, 7], 30, 42],
  ];
  for (const [shape, fanIn, fanOut] of cases) {
    it(`gives ${fanIn} inputs and ${fanOut} outputs for [${shape.join(", ")}]`, () => {
      assert.deepEqual(computeFans(shape), { fanIn, fanOut });
    });
  }
});

describe("scaledVariance", () => {
  it("divides the scale by the fan that the mode names, but never by less than 1", () => {
    const fans = { fanIn: 4, fanOut: 16 };
    assert.equal(scaledVariance(2, "fan_in", fans), 1 / 2);
    assert.equal(scaledVariance(2, "fan_out", fans), 1 / 8);
    assert.equal(scaledVariance(2, "fan_avg", fans), 1 / 5);
    assert.equal(scaledVariance(2, "fan_in", { fanIn: 0, fanOut: 3 }), 2);
  });
});

describe("initialize", () => {
  it("fills with one value for Zeros, Ones and Constant", () => {
    assert.deepEqual(values(initializers.zeros(), [2]), Float64Array.of(0, 0));
    assert.deepEqual(values(initializers.ones(), [2]), Float64Array.of(1, 1));
    assert.deepEqual(values(initializers.constant(2.5), [2]), Float64Array.of(2.5, 2.5));
    assert.deepEqual(values(initializers.constant(), [1]), Float64Array.of(0));
  });

  // For the shape [3, 5, 7, 11]: 105 inputs, 165 outputs, 135 on average. The constant is Keras's.
  const cut = 0.87962566103423978;
  const glorotLimit = Math.sqrt(3 / 135);
  const byHand: readonly [name: string, initializer: InitializerConfig, number: (i: number) => number][] = [
    ["RandomUniform", initializers.randomUniform(-3, 5), (i) => -3 + 8 * stream.uniform(i)],
    ["RandomUniform by default", initializers.randomUniform(), (i) => -0.05 + (0.05 - -0.05) * stream.uniform(i)],
    ["RandomNormal", initializers.randomNormal(2, 3), (i) => 2 + 3 * stream.normal(i)],
    ["RandomNormal by default", initializers.randomNormal(), (i) => 0.05 * stream.normal(i)],
    ["TruncatedNormal", initializers.truncatedNormal(2, 3), (i) => 2 + 3 * stream.truncatedNormal(i)],
    [
      "VarianceScaling by default",
      initializers.varianceScaling(),
      (i) => (Math.sqrt(1 / 105) / cut) * stream.truncatedNormal(i),
    ],
    [
      "VarianceScaling without truncation",
      initializers.varianceScaling({ scale: 3, mode: "fan_out", distribution: "untruncated_normal" }),
      (i) => Math.sqrt(3 / 165) * stream.normal(i),
    ],
    ["GlorotUniform", initializers.glorotUniform(), (i) => -glorotLimit + 2 * glorotLimit * stream.uniform(i)],
    ["GlorotNormal", initializers.glorotNormal(), (i) => (Math.sqrt(1 / 135) / cut) * stream.truncatedNormal(i)],
    ["HeUniform", initializers.heUniform(), (i) => Math.sqrt(6 / 105) * (-1 + 2 * stream.uniform(i))],
    ["HeNormal", initializers.heNormal(), (i) => (Math.sqrt(2 / 105) / cut) * stream.truncatedNormal(i)],
    ["LecunUniform", initializers.lecunUniform(), (i) => Math.sqrt(3 / 105) * (-1 + 2 * stream.uniform(i))],
    ["LecunNormal", initializers.lecunNormal(), (i) => (Math.sqrt(1 / 105) / cut) * stream.truncatedNormal(i)],
  ];
  for (const [name, initializer, number] of byHand) {
    it(`follows Keras's formula for ${name}`, () => {
      // the formulas are the same; limits and deviations may be grouped differently, at most 4 roundings near 8
      values(initializer).forEach((value, i) => {
        assert.ok(Math.abs(value - number(i)) <= 4 * 8 * 2 ** -53, `element ${i}: ${value}, by hand ${number(i)}`);
      });
    });
  }

  it("gives float32 weights that are the float64 ones, rounded", () => {
    const initializer = initializers.heNormal();
    assert.deepEqual(
      initialize(initializer, [5, 7], "float32", stream),
      Float32Array.from(values(initializer, [5, 7])),
    );
  });

  it("has the variance that is asked for, within six standard errors", () => {
    const shape = [3, 3, 64, 128];
    const n = 3 * 3 * 64 * 128;
    for (const initializer of [initializers.heNormal(), initializers.heUniform()]) {
      let squares = 0;
      for (const value of values(initializer, shape)) squares += value * value;
      const variance = squares / n;
      // the squares of both distributions vary by less than those of a normal one, 2 variance^2
      const expected = 2 / (3 * 3 * 64);
      assert.ok(
        Math.abs(variance - expected) <= 6 * Math.sqrt(2 / n) * expected,
        `${initializer.className}: ${variance}`,
      );
    }
  });

  it("counts fans over the axes that the initializer names", () => {
    const config = { scale: 1, mode: "fan_in", distribution: "uniform", input_axes: [0, -1], output_axes: [1] };
    const limit = Math.sqrt(3 / (5 * 11));
    const [first] = values({ className: "VarianceScaling", config }, [5, 7, 11]);
    assert.equal(first, -limit + 2 * limit * stream.uniform(0));
    // where it names the axes of one kind alone, Keras looks at none
    const half = { className: "VarianceScaling", config: { ...config, output_axes: null } };
    const all = { className: "VarianceScaling", config: { ...config, input_axes: null, output_axes: null } };
    assert.deepEqual(values(half), values(all));
  });

  const scaling = (config: Record<string, unknown>): InitializerConfig => ({ className: "VarianceScaling", config });
  const wrong: readonly [title: string, initializer: InitializerConfig, name: string, message: string][] = [
    [
      "an unknown class",
      initializerFromConfig({ class_name: "OrthogonalInitializer", config: {} }),
      "RangeError",
      "initialize: the initializer must be one of Zeros, Ones, Constant, RandomUniform, RandomNormal, TruncatedNormal, " +
        "VarianceScaling, GlorotUniform, GlorotNormal, HeUniform, HeNormal, LecunUniform, LecunNormal. " +
        'Received "OrthogonalInitializer".',
    ],
    [
      "a scale of 0",
      scaling({ scale: 0 }),
      "RangeError",
      "VarianceScaling: `scale` must be above 0. Received scale=0.",
    ],
    [
      "an unknown mode",
      scaling({ mode: "fan" }),
      "RangeError",
      'VarianceScaling: `mode` must be "fan_in", "fan_out" or "fan_avg". Received mode="fan".',
    ],
    [
      "an unknown distribution",
      scaling({ distribution: 3 }),
      "RangeError",
      'VarianceScaling: `distribution` must be "truncated_normal", "untruncated_normal" or "uniform". ' +
        "Received distribution=3.",
    ],
    [
      "axes that the shape does not have",
      scaling({ input_axes: [4], output_axes: [0] }),
      "RangeError",
      "VarianceScaling: `input_axes` must be a list of axes of the shape [3, 5, 7, 11]. Received input_axes=[4].",
    ],
    [
      "a value that is text",
      { className: "Constant", config: { value: "1" } },
      "TypeError",
      'Constant: `value` must be a finite number. Received value="1".',
    ],
    [
      "a deviation that is not a number",
      initializers.randomNormal(0, NaN),
      "TypeError",
      "RandomNormal: `stddev` must be a finite number. Received stddev=NaN.",
    ],
  ];
  for (const [title, initializer, name, message] of wrong) {
    it(`rejects ${title}`, () => {
      assert.throws(() => values(initializer), { name, message });
    });
  }
});

describe("The element type of first values", () => {
  it("is float32 or float64", () => {
    assert.throws(() => initialize(initializers.ones(), [2], "float16" as DType, stream), {
      name: "TypeError",
      message: "initialize: `dtype` must be float32 or float64. Received float16.",
    });
  });
});

describe("initializerFromConfig and initializerToConfig", () => {
  const keras3 = (class_name: string, config: Record<string, unknown>): Record<string, unknown> => ({
    module: "keras.initializers",
    class_name,
    config,
    registered_name: null,
  });

  it("reads Keras 3's objects and writes them back", () => {
    for (const config of [
      keras3("HeNormal", { seed: null }),
      keras3("VarianceScaling", { seed: 3, scale: 2, mode: "fan_out", distribution: "uniform" }),
      keras3("Constant", { value: 0.5 }),
    ]) {
      assert.deepEqual(initializerToConfig(initializerFromConfig(config)), config);
    }
  });

  it("reads Keras 2's objects and writes Keras 3's, without the element type", () => {
    const old = {
      class_name: "VarianceScaling",
      config: { scale: 2, mode: "fan_in", distribution: "normal", seed: null, dtype: "float32" },
    };
    assert.deepEqual(
      initializerToConfig(initializerFromConfig(old)),
      keras3("VarianceScaling", { scale: 2, mode: "fan_in", distribution: "normal", seed: null }),
    );
  });

  for (const [name, className] of [
    ["he_normal", "HeNormal"],
    ["HeNormal", "HeNormal"],
    ["zeros", "Zeros"],
    ["one", "Ones"],
    ["uniform", "RandomUniform"],
    ["normal", "RandomNormal"],
    ["glorot_uniform", "GlorotUniform"],
  ]) {
    it(`reads the name ${name} as ${className}`, () => {
      assert.equal(initializerFromConfig(name).className, className);
      assert.equal(initializerFromConfig({ class_name: name, config: {} }).className, className);
    });
  }

  it("reads null as GlorotUniform, Keras's own default", () => {
    assert.deepEqual(initializerFromConfig(null), initializers.glorotUniform());
  });

  it("passes what is read already", () => {
    const unknown = initializerFromConfig("Orthogonal");
    assert.deepEqual(initializerFromConfig(unknown), unknown);
    fc.assert(
      fc.property(fc.constantFrom(...Object.values(initializers)), (make) => {
        assert.deepEqual(initializerFromConfig(make()), make());
      }),
    );
  });

  const foreign = {
    module: "my_package.layers",
    class_name: "HeNormal",
    config: { gain: 3 },
    registered_name: "my_package>HeNormal",
  };
  for (const config of ["my_initializer", { class_name: "Orthogonal", config: { gain: 1, seed: null } }, foreign]) {
    it(`keeps the unknown initializer ${JSON.stringify(config)} as it is`, () => {
      const initializer = initializerFromConfig(config);
      assert.deepEqual(initializerToConfig(initializer), config);
      assert.throws(() => values(initializer), { name: "RangeError", message: /initializer must be one of Zeros/ });
    });
  }

  for (const config of [5, [], {}, { class_name: 3 }, { class_name: "Zeros", config: 7 }]) {
    it(`rejects ${JSON.stringify(config)}`, () => {
      assert.throws(() => initializerFromConfig(config), {
        name: "TypeError",
        message:
          "initializer: a configuration must be a name, null, or an object with `class_name` and `config`. " +
          `Received ${JSON.stringify(config)}.`,
      });
    });
  }
});
