import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { serial } from "../../src/kernels/execution.js";
import { Add } from "../../src/layers/add.js";
import { BatchNormalization } from "../../src/layers/batch-normalization.js";
import { Concatenate } from "../../src/layers/concatenate.js";
import { Dense } from "../../src/layers/dense.js";
import { input } from "../../src/layers/input-layer.js";
import { ReLU } from "../../src/layers/relu.js";
import { Rescaling } from "../../src/layers/rescaling.js";
import { Softmax } from "../../src/layers/softmax.js";
import { modelFromConfig } from "../../src/models/from-config.js";
import { Model } from "../../src/models/model.js";
import { backwardPass } from "../../src/models/passes.js";
import { Sequential } from "../../src/models/sequential.js";
import { trace } from "../../src/models/trace.js";
import type { KerasConfig } from "../../src/serialization/config.js";
import { tensorOf } from "../../src/tensor/tensor.js";

/** One output of a layer that is applied at two depths of the graph's end: Keras runs what a later layer reads first. */
function sharedNormalization(): Model {
  const [a, b] = [input({ shape: [1], name: "a" }), input({ shape: [1], name: "b" })];
  const norm = new BatchNormalization({ name: "norm", momentum: 0.5 });
  const outputs = [norm.apply(a), new ReLU({ name: "later" }).apply(norm.apply(b))];
  return new Model({ inputs: [a, b], outputs });
}

describe("A layer that is applied twice", () => {
  it("runs in Keras's order: of applications at one depth first the one that the last output reads", () => {
    const { graphNodes } = sharedNormalization();
    assert.deepEqual(
      graphNodes.filter(({ layer }) => layer.name === "norm").map(({ index }) => index),
      [1, 0],
    );
  });

  it("moves its statistics in that order", () => {
    const [a, b] = [tensorOf([2, 2], [2, 1]), tensorOf([8, 8], [2, 1])];
    const moving = trace(sharedNormalization(), [a, b], { training: true }).get("moving/norm/moving_mean");
    // from 0 to half of 8, then halfway to 2; the other order would end at 4.5
    assert.deepEqual([...(moving?.data ?? [])], [3]);
  });

  it("has its outputs named by application, whichever runs first", () => {
    const entries = trace(sharedNormalization(), [tensorOf([2], [1, 1]), tensorOf([8], [1, 1])]);
    const [first, second] = ["output/norm", "output/norm:1"].map((key) => entries.get(key)?.data[0] ?? Number.NaN);
    assert.ok(first < 2 && second > 7, `${first}, ${second}`);
  });
});

describe("trainable", () => {
  const around = (inner: Model): Model => {
    const x = input({ shape: [2], name: "x" });
    return new Model({ inputs: x, outputs: inner.apply(x) });
  };
  const frozenChain = (): Model => {
    const dense = new Dense({ units: 3, name: "dense" });
    const chain = new Sequential({ batchShape: [null, 2], name: "inner", layers: [dense] });
    chain.trainable = false;
    return chain;
  };

  it("is said by the layers: a frozen inner model whose layer is not frozen is trained, as in Keras 3", () => {
    const inner = frozenChain();
    inner.getLayer("dense").trainable = true;
    const entries = trace(around(inner), [tensorOf([1, 2], [1, 2])], { cotangents: [tensorOf([3, 4, 5], [1, 3])] });
    assert.deepEqual([...(entries.get("gradWeight/inner/dense/kernel")?.data ?? [])], [3, 4, 5, 6, 8, 10]);
  });

  it("freezes the layers of a model to which it is given, and everything in the outermost model", () => {
    assert.deepEqual(around(frozenChain()).trainableWeights, []);
    const inner = frozenChain();
    inner.getLayer("dense").trainable = true;
    const outer = around(inner);
    outer.trainable = false;
    inner.getLayer("dense").trainable = true;
    assert.deepEqual(outer.trainableWeights, []);
  });

  it("of a Sequential in a file counts for nothing, as in Keras", () => {
    const { config, ...rest } = serialized(frozenChain());
    assert.equal(config["trainable"], false);
    assert.equal(modelFromConfig({ ...rest, config }).trainable, true);
  });
});

function serialized(model: Model): { class_name: string; config: KerasConfig } {
  return JSON.parse(JSON.stringify({ class_name: model.className, config: model.getConfig() }));
}

describe("A .keras file of Keras 2", () => {
  const entry = (className: string, config: KerasConfig, nodes: unknown): KerasConfig => ({
    module: className === "Sequential" ? "keras" : "keras.layers",
    class_name: className,
    config,
    name: config["name"],
    inbound_nodes: nodes,
  });

  it("counts the application that made an inner Sequential, although it names modules like Keras 3", () => {
    const inputLayer = { class_name: "InputLayer", config: { batch_input_shape: [null, 3], name: "in" } };
    const model = modelFromConfig({
      class_name: "Functional",
      config: {
        name: "outer",
        layers: [
          entry("InputLayer", { batch_input_shape: [null, 3], name: "x" }, []),
          entry("Sequential", { name: "chain", layers: [inputLayer, { class_name: "ReLU", config: {} }] }, [
            [["x", 0, 0, {}]],
            [["chain", 1, 0, {}]],
          ]),
          entry("Add", { name: "sum" }, [
            [
              ["chain", 2, 0, {}],
              ["x", 0, 0, {}],
            ],
          ]),
        ],
        input_layers: [["x", 0, 0]],
        output_layers: [["sum", 0, 0]],
      },
    });
    const y = trace(model, [tensorOf([1, -2, 3], [1, 3])]).get("output/sum");
    assert.deepEqual([...(y?.data ?? [])], [2, -2, 6]);
  });
});

describe("A model of layers with different element types", () => {
  it("has each layer compute in its own, as in Keras, and gradients in that of what they are for", () => {
    const x = input({ shape: [1], name: "x", dtype: "float64" });
    const outputs = new Dense({ units: 1, name: "y", useBias: false, kernelInitializer: "ones" }).apply(x);
    const model = new Model({ inputs: x, outputs });
    const entries = trace(model, [tensorOf([1 / 3], [1, 1], "float64")], {
      cotangents: [tensorOf([1], [1, 1], "float32")],
    });
    assert.deepEqual(
      ["output/x", "output/y", "gradOutput/x"].map((key) => entries.get(key)?.data),
      [Float64Array.of(1 / 3), Float32Array.of(1 / 3), Float64Array.of(1)],
    );
  });
});

describe("A model that ends in an inner model", () => {
  it("has its cross-entropy taken of the logits where that one ends in a softmax, as in Keras", () => {
    const x = input({ shape: [2], name: "x" });
    const plain = new Model({ inputs: x, outputs: new Softmax({ name: "softmax" }).apply(x) });
    const outer = input({ shape: [2], name: "x" });
    const nested = new Model({ inputs: outer, outputs: plain.apply(outer) });
    // of the probabilities 1 and 0 nothing would be left but the clip at 1e-7
    const [values, targets] = [[tensorOf([60, 0], [1, 2])], [tensorOf([0, 1], [1, 2])]];
    const entries = trace(nested, values, { targets });
    assert.equal(entries.get("loss")?.data[0], 60);
    for (const key of ["loss", "gradOutput/x"]) {
      assert.deepEqual(entries.get(key)?.data, trace(plain, values, { targets }).get(key)?.data, key);
    }
  });
});

describe("A model", () => {
  it("adds gradients that meet in the order of their readers", () => {
    const x = input({ shape: [1], dtype: "float64" });
    const y = new Dense({ units: 1, useBias: false, dtype: "float64" }).apply(x);
    // 1 + u + u is 1 in this order, and more if the small ones come first
    const factors = [1, 2 ** -53, 2 ** -53];
    const readers = factors.map((scale) => new Rescaling({ scale, dtype: "float64" }).apply(y));
    const model = new Model({ inputs: x, outputs: new Add({ dtype: "float64" }).apply(readers) });
    const run = { training: true, execution: serial, seed: 0, step: 0 };
    const one = tensorOf([1], [1, 1], "float64");
    const { dWeights } = backwardPass(model, model.forward([one], run), [{ dy: one }]);
    assert.deepEqual([...(dWeights.get("dense/kernel")?.data ?? [])], [1]);
    assert.equal(factors[1] + factors[2] + factors[0], 1 + 2 ** -52);
  });

  it("adds gradients of readers before those of outputs, and these in their order", () => {
    const x = input({ shape: [1], name: "x", dtype: "float64" });
    const reader = new Rescaling({ scale: 1, dtype: "float64" }).apply(x);
    const model = new Model({ inputs: x, outputs: [x, x, x, reader] });
    // 1 - 1 leaves all of what follows, and nothing of what came between: (1 + u) is 1
    const dys = [-1, 2 ** -54, 2 ** -60, 1].map((dy) => tensorOf([dy], [1, 1], "float64"));
    const entries = trace(model, [tensorOf([1], [1, 1], "float64")], { cotangents: dys });
    const sum = (...terms: readonly number[]): number => terms.reduce((total, term) => total + term, 0);
    assert.equal(entries.get("gradOutput/x")?.data[0], sum(1, -1, 2 ** -54, 2 ** -60));
    assert.notEqual(sum(-1, 2 ** -54, 2 ** -60, 1), sum(1, -1, 2 ** -54, 2 ** -60));
    assert.notEqual(sum(1, 2 ** -60, 2 ** -54, -1), sum(1, -1, 2 ** -54, 2 ** -60));
  });

  it("adds gradients of one reader in the order of its inputs", () => {
    const x = input({ shape: [1], name: "x", dtype: "float64" });
    const model = new Model({ inputs: x, outputs: new Concatenate({ dtype: "float64" }).apply([x, x, x]) });
    const dy = tensorOf([1, 2 ** -53, 2 ** -53], [1, 3], "float64");
    const entries = trace(model, [tensorOf([1], [1, 1], "float64")], { cotangents: [dy] });
    assert.deepEqual([...(entries.get("gradOutput/x")?.data ?? [])], [1]); // the small ones first would be more
  });

  it("begins sums of gradients at +0: those that are all -0 add up to +0", () => {
    const x = input({ shape: [1], name: "x" });
    const model = new Model({ inputs: x, outputs: [x, x] });
    const dy = tensorOf([-0], [1, 1]);
    const entries = trace(model, [tensorOf([1], [1, 1])], { cotangents: [dy, dy] });
    assert.deepEqual([...(entries.get("gradOutput/x")?.data ?? [])], [0]);
  });

  it("that is given an input twice reads the first of the two", () => {
    const x = input({ shape: [1] });
    const model = new Model({ inputs: [x, x], outputs: new ReLU().apply(x) });
    const run = { training: false, execution: serial, seed: 0, step: 0 };
    const { outputs } = model.forward([tensorOf([3], [1, 1]), tensorOf([5], [1, 1])], run);
    assert.deepEqual([...outputs[0].data], [3]);
  });
});
