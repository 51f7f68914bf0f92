import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Activation, type ActivationName } from "../../src/layers/activation.js";
import { input } from "../../src/layers/input-layer.js";
import { LeakyReLU } from "../../src/layers/leaky-relu.js";
import { layerFromConfig } from "../../src/layers/registry.js";
import { RELU, RELU6, ReLU, type ReLUConfig, reluBackward, reluForward } from "../../src/layers/relu.js";
import { softmaxForward } from "../../src/layers/softmax.js";
import { sigmoidBackward, sigmoidForward } from "../../src/layers/sigmoid.js";
import { tanhBackward, tanhForward } from "../../src/layers/tanh.js";
import { type Tensor, tensorOf } from "../../src/tensor/tensor.js";
import { assertGradient, fakeLoss } from "../support/gradients.js";
import { assertGradients, assertRoundTrip, callLayer } from "../support/layers.js";
import {
  anyTensors,
  assertReadsViews,
  assertSameBits,
  distinctShapes,
  distinctTensors,
  floatTensors,
  mapped,
  smoothTensors,
} from "../support/tensors.js";

const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;

/** x, and an r or dy of its shape. */
function pairs(tensors: (shape: number[]) => fc.Arbitrary<Tensor>): fc.Arbitrary<[Tensor, Tensor]> {
  return distinctShapes(3).chain((shape) => fc.tuple(tensors(shape), tensors(shape)));
}

describe("ReLU", () => {
  const forward = (config: ReLUConfig, values: number[]): number[] => [
    ...reluForward(tensorOf(values, [values.length]), config).y.data,
  ];
  const slopes = (config: ReLUConfig, values: number[]): number[] => {
    const x = tensorOf(values, [values.length]);
    return [
      ...reluBackward(
        mapped(x, () => 1),
        reluForward(x, config).cache,
      ).data,
    ];
  };

  it("passes what is positive and holds back the rest; -0 becomes 0, and NaN is not hidden", () => {
    assert.deepEqual(forward(RELU, [-2, -0, 0, 3, infinity, -infinity, nan]), [0, 0, 0, 3, infinity, 0, nan]);
    assert.deepEqual(forward(RELU6, [-1, 5, 6, 7]), [0, 5, 6, 6]);
  });

  it("follows Keras's formula with all three extensions", () => {
    const config = { maxValue: 3, negativeSlope: 0.5, threshold: 1 };
    assert.deepEqual(forward(config, [-1, 0, 1, 2, 3, 4, nan]), [-1, -0.5, 0, 2, 3, 3, nan]);
  });

  it("has at its kinks the slopes that TensorFlow gives", () => {
    assert.deepEqual(slopes(RELU, [-1, 0, 1]), [0, 0, 1]);
    assert.deepEqual(slopes(RELU6, [0, 1, 6, 7]), [0, 1, 0, 0]);
    assert.deepEqual(slopes({ ...RELU, maxValue: 3 }, [0, 1, 3, 4]), [0, 1, 1, 0]);
    assert.deepEqual(slopes({ ...RELU6, threshold: 0.5 }, [0.5, 1, 6, 7]), [0, 1, 1, 0]);
    assert.deepEqual(slopes({ ...RELU, negativeSlope: 0.25 }, [-1, 0, 1]), [0.25, 0.25, 1]);
    assert.deepEqual(slopes({ maxValue: 3, negativeSlope: 0.5, threshold: 1 }, [0, 1, 2, 3, 4]), [0.5, 0, 1, 1, 0]);
  });

  const configs: fc.Arbitrary<ReLUConfig> = fc.record({
    maxValue: fc.constantFrom(infinity, 6, 1),
    negativeSlope: fc.constantFrom(0, 0.25),
    threshold: fc.constantFrom(0, 0.5),
  });

  it("has gradients equal to central differences of L = sum r * y, away from its kinks", () => {
    fc.assert(
      fc.property(pairs(distinctTensors), configs, ([x, r], config) => {
        const gradient = reluBackward(r, reluForward(x, config).cache);
        assertGradient({ name: "dx", at: x, gradient, loss: (at) => fakeLoss(reluForward(at, config).y, r) });
      }),
    );
  });

  it("changes nothing the second time, and x is relu(x) - relu(-x)", () => {
    fc.assert(
      fc.property(
        distinctShapes(2).chain((shape) => anyTensors(shape)),
        (x) => {
          const { y } = reluForward(x);
          assertSameBits(reluForward(y).y, y);
          const negative = reluForward(mapped(x, (v) => -v)).y;
          const whole = y.data.map((v, i) => v - negative.data[i]);
          assert.deepEqual([...whole], [...mapped(x, (v) => v + 0).data]);
        },
      ),
    );
  });

  it("reads strided views like their contiguous copies, and changes none of its arguments", () => {
    fc.assert(
      fc.property(pairs(floatTensors), configs, ([x, dy], config) => {
        assertReadsViews([x, dy], (x, dy) => {
          const { y, cache } = reluForward(x, config);
          return [y, reluBackward(dy, cache)];
        });
      }),
      { numRuns: 30 },
    );
  });

  it("is a layer that joins the pair and keeps its configuration", () => {
    const x = tensorOf([-1, 0.75, 2, 3], [2, 2]);
    const config = { maxValue: 2, negativeSlope: 0.5, threshold: 0.5 };
    const pass = callLayer(new ReLU(config), [x]);
    const { y, cache } = reluForward(x, config);
    assertSameBits(pass.y, y);
    assertGradients(pass, y, [reluBackward(y, cache)]);
    const read = assertRoundTrip(new ReLU(config));
    assert.deepEqual([read["max_value"], read["negative_slope"], read["threshold"]], [2, 0.5, 0.5]);
    assert.equal(assertRoundTrip(new ReLU())["max_value"], null);
    const { max_value, negative_slope, threshold } = layerFromConfig("ReLU", {}).getConfig();
    assert.deepEqual([max_value, negative_slope, threshold], [null, 0, 0]);
  });

  it("is max(x, 0) in what it is not told", () => {
    const x = tensorOf([-4, -1, 0, 3, 9], [5]);
    assertSameBits(reluForward(x, { negativeSlope: 0.5 }).y, tensorOf([-2, -0.5, 0, 3, 9], [5]));
    assertSameBits(reluForward(x, { threshold: 2 }).y, tensorOf([0, 0, 0, 3, 9], [5]));
    const asKeras = { maxValue: null, negativeSlope: 0, threshold: 0 } as unknown as ReLUConfig;
    assertSameBits(reluForward(x, asKeras).y, tensorOf([0, 0, 0, 3, 9], [5]));
  });

  it("refuses negative arguments", () => {
    assert.throws(() => layerFromConfig("ReLU", { max_value: -1 }), {
      name: "RangeError",
      message: "ReLU: `maxValue` must be at least 0. Received -1.",
    });
    assert.throws(() => layerFromConfig("ReLU", { threshold: "high" }), {
      name: "TypeError",
      message: 'ReLU: `threshold` must be a finite number. Received "high".',
    });
  });

  it("refuses numbers written as text, and slopes that no file can hold", () => {
    for (const [options, message] of [
      [{ maxValue: "6" }, 'ReLU: `maxValue` must be a finite number. Received "6".'],
      [{ negativeSlope: "0.5" }, 'ReLU: `negativeSlope` must be a finite number. Received "0.5".'],
      [{ threshold: Number.POSITIVE_INFINITY }, "ReLU: `threshold` must be a finite number. Received Infinity."],
    ] as const) {
      assert.throws(() => new ReLU(options as unknown as ReLUConfig), { name: "TypeError", message });
    }
    assert.equal(new ReLU({ maxValue: Number.POSITIVE_INFINITY }).getConfig()["max_value"], null);
  });
});

describe("LeakyReLU", () => {
  it("lets a share of what is negative through, forward and backward", () => {
    const x = tensorOf([-4, -0, 0, 2], [2, 2]);
    const pass = callLayer(new LeakyReLU({ negativeSlope: 0.25 }), [x]);
    assertSameBits(pass.y, tensorOf([-1, -0, 0, 2], [2, 2]));
    assertGradients(pass, tensorOf([8, 8, 8, 8], [2, 2]), [tensorOf([2, 2, 2, 8], [2, 2])]);
  });

  it("has gradients equal to central differences of L = sum r * y", () => {
    fc.assert(
      fc.property(pairs(distinctTensors), ([x, r]) => {
        const layer = new LeakyReLU({ dtype: "float64" });
        const call = (at: Tensor) => callLayer(layer, [at]);
        assertGradient({
          name: "dx",
          at: x,
          gradient: call(x).backward(r).dInputs[0],
          loss: (at) => fakeLoss(call(at).y, r),
        });
      }),
      { numRuns: 20 },
    );
  });

  it("keeps its configuration, and reads the `alpha` of Keras 2", () => {
    assert.equal(assertRoundTrip(new LeakyReLU())["negative_slope"], 0.3);
    assert.equal(layerFromConfig("LeakyReLU", { alpha: 0.5 }).getConfig()["negative_slope"], 0.5);
    assert.equal(layerFromConfig("LeakyReLU", {}).getConfig()["negative_slope"], 0.3);
  });

  it("refuses a negative slope", () => {
    assert.throws(() => layerFromConfig("LeakyReLU", { negative_slope: -0.5 }), {
      name: "RangeError",
      message: "LeakyReLU: `negativeSlope` must be at least 0. Received -0.5.",
    });
  });

  it("refuses a slope that is text, or infinite", () => {
    for (const negativeSlope of ["0.5", Number.POSITIVE_INFINITY]) {
      assert.throws(() => new LeakyReLU({ negativeSlope: negativeSlope as number }), {
        name: "TypeError",
        message: /^LeakyReLU: `negativeSlope` must be a finite number\. Received ("0\.5"|Infinity)\.$/,
      });
    }
  });
});

describe("tanh", () => {
  it("has a gradient that is rounded once near saturation, as 1 minus a rounded square is not", () => {
    const [y, dy] = [1 - (2 ** -20 + 2 ** -52), 1].map((value) => tensorOf([value], [1], "float64"));
    // 2 d - d^2 for the distance d of y from 1, as far as a double holds it
    const expected = 2 ** -19 + 2 ** -51 - 2 ** -40 - 2 ** -71;
    assertSameBits(tanhBackward(dy, { y }), tensorOf([expected], [1], "float64"));
    assert.notEqual(1 - y.data[0] * y.data[0], expected);
  });
});

for (const { name, forward, backward, at, odd } of [
  {
    name: "sigmoid",
    forward: sigmoidForward,
    backward: sigmoidBackward,
    at: [
      [1, 0.7310585786300049],
      [-infinity, 0],
      [0, 0.5],
      [infinity, 1],
      [nan, nan],
    ],
    odd: false,
  },
  {
    name: "tanh",
    forward: tanhForward,
    backward: tanhBackward,
    at: [
      [-infinity, -1],
      [0, 0],
      [0.5, 0.4621171572600098],
      [infinity, 1],
      [nan, nan],
    ],
    odd: true,
  },
]) {
  describe(name, () => {
    it("has the values that everyone knows, rounded to float32", () => {
      const [xs, ys] = [at.map(([x]) => x), at.map(([, y]) => y)];
      assertSameBits(forward(tensorOf(xs, [xs.length])).y, tensorOf(ys, [ys.length]));
    });

    it("has gradients equal to central differences of L = sum r * y", () => {
      fc.assert(
        fc.property(pairs(smoothTensors), ([x, r]) => {
          const gradient = backward(r, forward(x).cache);
          assertGradient({ name: "dx", at: x, gradient, loss: (point) => fakeLoss(forward(point).y, r) });
        }),
        { numRuns: 30 },
      );
    });

    it("never falls where x rises", () => {
      fc.assert(
        fc.property(fc.float({ noNaN: true }), fc.float({ noNaN: true }), (a, b) => {
          const { y } = forward(tensorOf([Math.min(a, b), Math.max(a, b)], [2]));
          assert.ok(y.data[0] <= y.data[1]);
        }),
      );
    });

    if (odd) {
      it("is odd, to the bit", () => {
        fc.assert(
          fc.property(
            distinctShapes(2).chain((shape) => anyTensors(shape)),
            (x) => {
              assertSameBits(
                forward(mapped(x, (v) => -v)).y,
                mapped(forward(x).y, (v) => -v),
              );
            },
          ),
        );
      });
    }

    it("reads strided views like their contiguous copies, and changes none of its arguments", () => {
      fc.assert(
        fc.property(pairs(floatTensors), ([x, dy]) => {
          assertReadsViews([x, dy], (x, dy) => {
            const { y, cache } = forward(x);
            return [y, backward(dy, cache)];
          });
        }),
        { numRuns: 30 },
      );
    });
  });
}

describe("Activation", () => {
  const x = tensorOf([-3, -0.5, 0.25, 1, 5, 8], [2, 3]);
  const expected: Record<ActivationName, number[]> = {
    linear: [-3, -0.5, 0.25, 1, 5, 8],
    relu: [0, 0, 0.25, 1, 5, 8],
    relu6: [0, 0, 0.25, 1, 5, 6],
    leaky_relu: [-3 * 0.2, -0.5 * 0.2, 0.25, 1, 5, 8],
    sigmoid: [...sigmoidForward(x).y.data],
    tanh: [...tanhForward(x).y.data],
    softmax: [...softmaxForward(x).y.data],
  };

  for (const activation of Object.keys(expected) as ActivationName[]) {
    it(`applies ${activation}, and its gradient`, () => {
      const pass = callLayer(new Activation({ activation }), [x]);
      assertSameBits(pass.y, tensorOf(expected[activation], [2, 3]));
      const [at, r] = [x, pass.y].map((t) => tensorOf(t.data, t.shape, "float64"));
      const layer = new Activation({ activation, dtype: "float64" });
      const gradient = callLayer(layer, [at]).backward(r).dInputs[0];
      assertGradient({ name: "dx", at, gradient, loss: (point) => fakeLoss(callLayer(layer, [point]).y, r) });
      assert.equal(pass.logits !== undefined, activation === "softmax");
      assert.equal(assertRoundTrip(layer)["activation"], activation);
    });
  }

  it("reads what Keras writes for a function", () => {
    const layer = layerFromConfig("Activation", { activation: { class_name: "function", config: "tanh" } });
    assert.equal(layer.getConfig()["activation"], "tanh");
    assert.equal(layerFromConfig("Activation", { activation: null }).getConfig()["activation"], "linear");
  });

  it("refuses a function that it does not know, and several inputs", () => {
    assert.throws(() => layerFromConfig("Activation", { activation: "gelu" }), {
      name: "TypeError",
      message:
        'Activation: `activation` must be one of "linear", "relu", "relu6", "leaky_relu", "sigmoid", "tanh", "softmax". ' +
        'Received "gelu".',
    });
    const image = input({ shape: [2] });
    assert.throws(() => new Activation({ activation: "relu" }).apply([image, image]), {
      name: "RangeError",
      message: "Activation: must be applied to one input. Received 2 inputs.",
    });
  });
});
