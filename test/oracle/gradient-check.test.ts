import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { batchNormalizations, convolutions, poolings, residualNetworks } from "../../src/arbitraries/main.js";
import { randomStream } from "../../src/arithmetic/random.js";
import {
  batchNormalizationBackward,
  batchNormalizationForward,
  batchStatistics,
} from "../../src/layers/batch-normalization.js";
import { conv2DBackward, conv2DForward } from "../../src/layers/conv2d.js";
import { Dense } from "../../src/layers/dense.js";
import { input } from "../../src/layers/input-layer.js";
import { maxPooling2DBackward, maxPooling2DForward } from "../../src/layers/max-pooling2d.js";
import { ReLU } from "../../src/layers/relu.js";
import { Model } from "../../src/models/model.js";
import {
  checkGradients,
  describeGradientReport,
  type GradientCheckOptions,
  type NamedTensors,
} from "../../src/oracle/gradient-check.js";
import { checkModelGradients } from "../../src/oracle/model-gradient-check.js";
import { cast, type Tensor, tensor, tensorOf } from "../../src/tensor/tensor.js";
import { mapped } from "../support/tensors.js";

const f64 = (...values: number[]): Tensor => tensorOf(values, [values.length], "float64");
const product = (a: Tensor, b: Tensor): Tensor =>
  tensorOf(
    a.data.map((v, i) => v * b.data[i]),
    a.shape,
    "float64",
  );

/** y = x^3. */
const cubic: GradientCheckOptions = {
  inputs: { x: f64(-1.5, 0.25, 0.75, 1.25) },
  forward: ({ x }) => mapped(x, (v) => v * v * v),
  backward: (dy, { x }) => ({
    x: product(
      dy,
      mapped(x, (v) => 3 * v * v),
    ),
  }),
};
/** y = |x|. */
const absolute = (...values: number[]): GradientCheckOptions => ({
  inputs: { x: f64(...values) },
  forward: ({ x }) => mapped(x, Math.abs),
  backward: (dy, { x }) => ({ x: product(dy, mapped(x, Math.sign)) }),
});

describe("checkGradients", () => {
  it("accepts the derivative of a smooth function, and says how much it compared", async () => {
    const report = await checkGradients(cubic);
    assert.ok(report.holds && report.worst.ratio < 1);
    assert.deepEqual([report.compared, report.rejected], [6, 0]);
    assert.match(
      describeGradientReport(report),
      /^holds: x.*: backward \S+, differences \S+, allowed \S+: \S+ times that \(6 directions, 0 more at kinks\)$/,
    );
  });

  it("refuses a gradient that is off by a millionth in one element, and names the element", async () => {
    const report = await checkGradients({
      ...cubic,
      backward: async (dy, inputs) => {
        const { x } = await cubic.backward(dy, inputs);
        x.data[2] *= 1 + 1e-6;
        return { x };
      },
    });
    assert.ok(!report.holds);
    assert.match(describeGradientReport(report), /^does not hold: x(\[2\]| along a random direction): backward/);
  });

  it("refuses NaN", async () => {
    const report = await checkGradients({ ...cubic, backward: (dy) => ({ x: mapped(dy, () => Number.NaN) }) });
    assert.ok(!report.holds && report.worst.ratio === Number.POSITIVE_INFINITY);
  });

  it("takes large and small inputs in their own units", async () => {
    for (const unit of [2 ** 30, 2 ** -30]) {
      const report = await checkGradients({
        ...cubic,
        inputs: { x: mapped(f64(-1.5, 0.25, 0.75, 1.25), (v) => v * unit) },
      });
      assert.ok(report.holds, describeGradientReport(report));
    }
  });

  it("takes the same directions for the same seed, others for another", async () => {
    const worst = async (seed: number): Promise<unknown> => (await checkGradients({ ...cubic, seed })).worst;
    assert.deepEqual(await worst(1), await worst(1));
    assert.notDeepEqual(await worst(1), await worst(2));
  });

  it("rejects directions across a kink, by slopes or by the sides that it is told", async () => {
    const near = absolute(2 ** -20, 1, -1, 2, 3, -4);
    const wrongAtKink: GradientCheckOptions["backward"] = async (dy, inputs) => {
      const { x } = await near.backward(dy, inputs);
      x.data[0] = 17;
      return { x };
    };
    const options = { ...near, directions: 0, backward: wrongAtKink };
    const bySlopes = await checkGradients(options);
    const bySides = await checkGradients({ ...options, kinks: ({ x }) => Array.from(x.data, Math.sign) });
    for (const report of [bySlopes, bySides]) {
      assert.ok(report.holds, describeGradientReport(report));
      assert.equal(report.rejected, 1);
    }
  });

  it("takes a smaller step where a kink is near but not at the point", async () => {
    const near = { ...absolute(2 ** -10, 1, -1, 2), directions: 0 };
    const report = await checkGradients({ ...near, kinks: ({ x }) => Array.from(x.data, Math.sign) });
    assert.deepEqual([report.holds, report.compared, report.rejected], [true, 4, 0]);
  });

  it("refuses to prove too little: most directions at kinks", async () => {
    await assert.rejects(checkGradients({ ...absolute(0, 0, 0, 1), directions: 0 }), {
      name: "RangeError",
      message: "checkGradients: at least half of the directions must stay clear of kinks. Received 3 of 4 at kinks.",
    });
  });

  it("refuses to prove nothing: a gradient of 1e-30 next to outputs of 1, or an output of zeros", async () => {
    const faint = {
      inputs: { x: f64(1, 2), bias: f64(3, 4) },
      forward: ({ x, bias }: NamedTensors) =>
        tensorOf(
          x.data.map((v, i) => v * v + 1e-30 * bias.data[i]),
          [2],
          "float64",
        ),
      backward: (dy: Tensor, { x }: NamedTensors) => ({
        x: product(
          dy,
          mapped(x, (v) => 2 * v),
        ),
        bias: mapped(dy, () => 0),
      }),
    };
    await assert.rejects(checkGradients(faint), {
      name: "RangeError",
      message:
        "checkGradients: every input must move the loss by more than its rounding, or the check is vacuous; name those " +
        "that do not in `mayVanish`. Received bias with gradients all but zero.",
    });
    assert.ok((await checkGradients({ ...faint, mayVanish: ["bias"] })).holds);
    assert.ok((await checkGradients({ ...faint, names: ["x"] })).holds);
    await assert.rejects(checkGradients({ ...faint, forward: () => f64(0, 0) }), {
      name: "RangeError",
      message: "checkGradients: the output must be finite and not all zero. Received sum |r * y|=0.",
    });
  });

  it("refuses gradients that are missing, of another shape, or float32 without bounds", async () => {
    await assert.rejects(checkGradients({ ...cubic, backward: () => ({}) }), {
      name: "RangeError",
      message: "checkGradients: backward must give a gradient of shape [4] for `x`. Received none.",
    });
    await assert.rejects(checkGradients({ ...cubic, backward: () => ({ x: f64(1) }) }), {
      name: "RangeError",
      message: "checkGradients: backward must give a gradient of shape [4] for `x`. Received shape [1].",
    });
    await assert.rejects(checkGradients({ ...cubic, backward: (dy) => ({ x: cast(dy, "float32") }) }), {
      name: "TypeError",
      message:
        "checkGradients: a float32 gradient must come with `bounds` that say how far it may be off. Received none for `x`.",
    });
  });

  it("holds a float32 backward pass to its bounds, and a bfloat16 one not", async () => {
    const [example] = fc.sample(convolutions({ regime: "normal", padding: "same" }), { numRuns: 1, seed: 4 });
    const { config } = example;
    const inputs = { x: cast(example.x, "float64"), kernel: cast(example.kernel, "float64") };
    /** gamma_k times the products' absolute values bounds any order of float32 sums; k is at most all of dy. */
    const bounds = (dy: Tensor): Record<string, Float64Array> => {
      const magnitude = (x: Tensor): Tensor => mapped(x, Math.abs);
      const { cache } = conv2DForward(magnitude(inputs.x), { kernel: magnitude(inputs.kernel) }, config);
      const { dx, dKernel } = conv2DBackward(magnitude(dy), cache);
      const u = dy.size * 2 ** -24;
      const scaled = (x: Tensor): Float64Array => Float64Array.from(x.data, (v) => (u / (1 - u)) * v);
      return { x: scaled(dx), kernel: scaled(dKernel) };
    };
    const check = (round: (x: Tensor) => Tensor): ReturnType<typeof checkGradients> =>
      checkGradients({
        inputs,
        bounds,
        elements: 30,
        forward: ({ x, kernel }) => conv2DForward(x, { kernel }, config).y,
        backward: (dy, { x, kernel }) => {
          const { cache } = conv2DForward(round(x), { kernel: round(kernel) }, config);
          const { dx, dKernel } = conv2DBackward(round(dy), cache);
          return { x: dx, kernel: dKernel };
        },
      });
    const honest = await check((x) => cast(x, "float32"));
    assert.ok(honest.holds, describeGradientReport(honest));
    const bfloat16 = await check((x) => {
      const bits = new Uint32Array(Float32Array.from(x.data).buffer).map((word) => word & 0xffff0000);
      return tensor(new Float32Array(bits.buffer), x.shape);
    });
    assert.ok(!bfloat16.holds, describeGradientReport(bfloat16));
  });

  it("accepts our layers, and catches a term that is missing from dx", async () => {
    await fc.assert(
      fc.asyncProperty(batchNormalizations({ dtype: "float64", maxDim: 4 }), async ({ x, config }) => {
        fc.pre(x.size / x.shape[3] > 4); // of two elements xHat is 1 and -1 whatever they are
        const run = (ofBatch: boolean) =>
          checkGradients({
            inputs: { x },
            elements: 4,
            forward: ({ x }) => batchNormalizationForward(x, {}, batchStatistics(x), { ...config, ofBatch: true }).y,
            backward: (dy, { x }) => {
              const { cache } = batchNormalizationForward(x, {}, batchStatistics(x), { ...config, ofBatch });
              return { x: batchNormalizationBackward(dy, cache).dx };
            },
          });
        const right = await run(true);
        assert.ok(right.holds, describeGradientReport(right));
        assert.ok(!(await run(false)).holds);
      }),
      { numRuns: 10 },
    );
  });

  it("accepts max pooling, whose argmaxes are told", async () => {
    await fc.assert(
      fc.asyncProperty(poolings({ dtype: "float64", regime: "distinct", maxDim: 4 }), async ({ x, config }) => {
        const report = await checkGradients({
          inputs: { x },
          elements: 4,
          mayVanish: ["x"], // strides beyond the window may leave out every element that is looked at
          forward: ({ x }) => maxPooling2DForward(x, config).y,
          backward: (dy, { x }) => ({ x: maxPooling2DBackward(dy, maxPooling2DForward(x, config).cache) }),
          kinks: ({ x }) => maxPooling2DForward(x, config).cache.argmax,
        });
        assert.ok(report.holds, describeGradientReport(report));
      }),
      { numRuns: 10 },
    );
  });
});

describe("checkModelGradients", () => {
  const image = input({ shape: [3], name: "input" });
  const hidden = new ReLU({ name: "relu" }).apply(new Dense({ units: 5, name: "hidden" }).apply(image));
  const model = new Model({
    inputs: image,
    outputs: new Dense({ units: 2, activation: "softmax", name: "output" }).apply(hidden),
  });
  const x = tensor(randomStream(1, "x").fillNormal(new Float32Array(12)), [4, 3]);
  const labels = tensorOf([1, 0, 0, 1, 0, 1, 1, 0], [4, 2]);

  it("accepts a small model, all its weights and its input", async () => {
    const report = await checkModelGradients(model, [x], labels);
    assert.ok(report.holds, describeGradientReport(report));
    assert.ok(report.compared > 40);
  });

  it("accepts residual networks, version 1 and 2, in training", async () => {
    for (const version of [1, 2] as const) {
      // with few filters every ReLU of a layer may be off: then the check is vacuous, and says so
      const drawn = fc.sample(residualNetworks({ version, maxBlocks: 1, maxStacks: 1 }), { numRuns: 40, seed: 3 });
      const roomy = drawn.find(
        ({ inputs, model }) => inputs[0].shape[0] > 1 && model.weights.every((w) => w.name !== "gamma" || w.size > 3),
      );
      assert.ok(roomy !== undefined);
      const report = await checkModelGradients(roomy.model, roomy.inputs, roomy.targets, {
        elements: 1,
        directions: 1,
      });
      assert.ok(report.holds, describeGradientReport(report));
    }
  });

  it("leaves the model as it was", async () => {
    const before = model.weights.map((weight) => weight.read().data);
    await checkModelGradients(model, [x], labels, { elements: 1 });
    assert.deepEqual(
      model.weights.map((weight) => weight.read().data),
      before,
    );
  });

  it("refuses to prove nothing of a model whose ReLUs are all off", async () => {
    const image = input({ shape: [3] });
    const dead = new Dense({ units: 5, name: "dead" });
    const output = new Dense({ units: 2, activation: "softmax", name: "output" });
    const off = new Model({ inputs: image, outputs: output.apply(new ReLU({}).apply(dead.apply(image))) });
    dead.weights[1].assign(tensorOf([-100, -100, -100, -100, -100], [5]));
    await assert.rejects(checkModelGradients(off, [x], labels), {
      name: "RangeError",
      message:
        /Received inputs\/0, dead\/kernel, dead\/bias, output\/kernel, output\/bias with gradients all but zero\.$/,
    });
  });

  it("refuses a model with two outputs", async () => {
    const two = new Model({ inputs: image, outputs: [hidden, hidden] });
    await assert.rejects(checkModelGradients(two, [x], labels), {
      name: "RangeError",
      message: "checkModelGradients: `model` must have one output. Received 2.",
    });
  });
});
