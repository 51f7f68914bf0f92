import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { LayerPass } from "../../src/layers/layer.js";
import { trace } from "../../src/models/trace.js";
import { describeDiagnosis } from "../../src/oracle/diagnosis.js";
import { describeTrace } from "../../src/oracle/report.js";
import { judgeTrace } from "../../src/oracle/trace-judgement.js";
import { tensor } from "../../src/tensor/tensor.js";
import { mapped } from "../support/tensors.js";
import { bfloat16, goal, images, meddled, network, variant } from "./support/models.js";

const model = network();

/** The key of the first tensor that is broken, and what is said of it. */
function diagnosed(wrong: typeof model, training = true): readonly [string | undefined, string] {
  const options = training ? goal : {};
  const { first } = judgeTrace(model, [images], trace(wrong, [images], options), options);
  return [first?.key, first?.diagnosis === undefined ? "" : describeDiagnosis(first.diagnosis).join("; ")];
}

const changedBackward =
  (change: (gradients: ReturnType<LayerPass["backward"]>) => ReturnType<LayerPass["backward"]>) =>
  (
    inputs: Parameters<Parameters<typeof meddled>[2]>[0],
    run: Parameters<Parameters<typeof meddled>[2]>[1],
  ): LayerPass => {
    const pass = run(inputs);
    return { ...pass, backward: (dy) => change(pass.backward(dy)) };
  };

describe("diagnosis of traces", () => {
  for (const [layer, change, key, cause] of [
    ["batch_normalization_2", { epsilon: 1e-5 }, "output/batch_normalization_2", "epsilon is 1e-5"],
    ["batch_normalization_4", { momentum: 0.01 }, "moving/batch_normalization_4/moving_mean", "momentum inverted"],
    ["dense", { use_bias: false }, "output/dense", "bias missing"],
    ["conv2d_5", { use_bias: false }, "output/conv2d_5", "bias missing"],
    ["conv2d_5", { activation: "relu" }, "output/conv2d_5", "a ReLU that is not there"],
    ["activation_3", { activation: "linear" }, "output/activation_3", "nothing is rectified"],
    ["dense", { activation: "linear" }, "output/dense", "activation softmax missing"],
  ] as const) {
    it(`names ${cause} in ${layer}`, () => {
      const [first, said] = diagnosed(variant(model, layer, change));
      assert.equal(first, key);
      assert.ok(said.startsWith(`explained by: ${cause} (`), said);
    });
  }

  for (const [layer, change, cause] of [
    ["conv2d_1", { use_bias: false }, "in `conv2d_1`: bias missing"],
    ["batch_normalization_1", { epsilon: 1e-5 }, "in `batch_normalization_1`: epsilon is 1e-5"],
    ["activation_1", { activation: "linear" }, "nothing is rectified"],
  ] as const) {
    it(`names all layers that were fused, and of their mistakes the one that was made: ${cause}`, () => {
      const entries = new Map(trace(variant(model, layer, change), [images]));
      for (const key of ["output/input_layer", "output/conv2d_1", "output/batch_normalization_1"]) entries.delete(key);
      const judgement = judgeTrace(model, [images], entries);
      const { first } = judgement;
      assert.equal(first?.key, "output/activation_1");
      assert.deepEqual(first?.layers, ["conv2d_1", "batch_normalization_1", "activation_1"]);
      assert.match(
        describeTrace(judgement, false).join("\n"),
        /the first that is not right: one of `conv2d_1`, `batch_normalization_1`, `activation_1`\n/,
      );
      const said = first?.diagnosis === undefined ? "" : describeDiagnosis(first.diagnosis).join("; ");
      assert.ok(said.startsWith(`explained by: ${cause} (`), said);
    });
  }

  it("blames no input of the model, and no layer whose output is there", () => {
    const entries = new Map(trace(variant(model, "conv2d", { use_bias: false }), [images]));
    entries.delete("output/input_layer");
    assert.deepEqual(judgeTrace(model, [images], entries).first?.layers, ["conv2d"]);
  });

  it("names statistics of the batch in inference", () => {
    const wrong = meddled(model, "batch_normalization_3", ([x], run) => run([x]));
    const layer = wrong.getLayer("batch_normalization_3");
    const call = layer.call.bind(layer);
    layer.call = (inputs, context) => call(inputs, { ...context, training: true });
    const [first, said] = diagnosed(wrong, false);
    assert.equal(first, "output/batch_normalization_3");
    assert.ok(said.startsWith("explained by: statistics of the batch ("), said);
  });

  it("names rounded inputs of a convolution", () => {
    const [first, said] = diagnosed(
      meddled(model, "conv2d_4", ([x], run) => {
        const layer = model.getLayer("conv2d_4");
        assert.equal(layer.className, "Conv2D");
        return run([mapped(x, bfloat16)]);
      }),
    );
    assert.equal(first, "output/conv2d_4");
    assert.ok(said.startsWith("explained by: `x` in bfloat16 ("), said);
  });

  for (const [name, scale, cause] of [
    ["multiplied", 2, "`dKernel` multiplied by the batch size"],
    ["divided", 0.5, "dKernel divided by the batch"],
  ] as const) {
    it(`names a gradient of a kernel ${name} by the batch size`, () => {
      const wrong = meddled(
        model,
        "conv2d_6",
        changedBackward(({ dInputs, dWeights }) => ({
          dInputs,
          dWeights: { ...dWeights, kernel: mapped(dWeights["kernel"], (v) => v * scale) },
        })),
      );
      const [first, said] = diagnosed(wrong);
      assert.equal(first, "gradWeight/conv2d_6/kernel");
      assert.ok(said.startsWith(`explained by: ${cause} (`), said);
    });
  }

  it("names the reader that made the mistake where gradients meet", () => {
    const wrong = meddled(
      model,
      "conv2d_8",
      changedBackward(({ dInputs: [dx], dWeights }) => ({ dInputs: [mapped(dx, (v) => -v)], dWeights })),
    );
    const [first, said] = diagnosed(wrong);
    assert.equal(first, "gradOutput/activation_4");
    assert.ok(said.startsWith("explained by: in `conv2d_8`: `dx` negated ("), said);
  });

  it("says where the difference is that nothing explains", () => {
    const wrong = meddled(model, "conv2d_4", (inputs, run) => {
      const pass = run(inputs);
      const data = Float32Array.from(pass.y.data);
      data[pass.y.index(1, 2, 3, 4)] += 1;
      data[pass.y.index(1, 5, 3, 4)] -= 2;
      return { ...pass, y: tensor(data, pass.y.shape) };
    });
    const [first, said] = diagnosed(wrong);
    assert.equal(first, "output/conv2d_4");
    assert.match(said, /^unexplained: `output\/conv2d_4`: 2 elements within \[1, 2:6, 3, 4\]/);
  });
});
