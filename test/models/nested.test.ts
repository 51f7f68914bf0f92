import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { serial } from "../../src/kernels/execution.js";
import { Add } from "../../src/layers/add.js";
import { Conv2D } from "../../src/layers/conv2d.js";
import { Dense } from "../../src/layers/dense.js";
import { Dropout } from "../../src/layers/dropout.js";
import { Flatten } from "../../src/layers/flatten.js";
import { input } from "../../src/layers/input-layer.js";
import type { SymbolicTensor } from "../../src/layers/layer.js";
import { MaxPooling2D } from "../../src/layers/max-pooling2d.js";
import { ZeroPadding2D } from "../../src/layers/zero-padding2d.js";
import { Model, type ModelOptions } from "../../src/models/model.js";
import { predict } from "../../src/models/predict.js";
import { resnetLayer } from "../../src/models/resnet-v1.js";
import { Sequential } from "../../src/models/sequential.js";
import { type Tensor, zeros } from "../../src/tensor/tensor.js";
import { generate } from "../support/tensors.js";

const values = (x: Tensor): string => x.data.join();
const ones = generate([3, 40], "float32", () => 1);

/** What `model` makes of ones in training: 0 where dropout dropped. */
function masks(model: Model): string[] {
  return model.forward([ones], { training: true, execution: serial, seed: 3, step: 5 }).outputs.map(values);
}

/** A model that gives what every one of `layers` makes of its input. */
function sideBySide(...layers: { apply(x: SymbolicTensor): SymbolicTensor }[]): Model {
  const x = input({ shape: [40] });
  return new Model({ inputs: x, outputs: layers.map((layer) => layer.apply(x)), seed: 7 });
}

describe("Models within a model", () => {
  const chain = (): Sequential => new Sequential({ batchShape: [null, 40], layers: [new Dense({ units: 3 })] });

  it("draw weights of their own, although their layers have the same names", () => {
    const [x, y, z] = [input({ shape: [40] }), input({ shape: [40] }), input({ shape: [40] })];
    const pair = new Model({ inputs: x, outputs: new Add().apply([chain().apply(x), chain().apply(x)]) });
    const outer = new Model({ inputs: y, outputs: new Add().apply([pair.apply(y), chain().apply(y)]) });
    const outermost = new Model({ inputs: z, outputs: outer.apply(z), seed: 7 });
    const kernels = outermost.weights.filter(({ name }) => name === "kernel");
    assert.deepEqual(
      kernels.map(({ owner }) => owner),
      [
        "functional/functional/sequential/dense",
        "functional/functional/sequential_1/dense",
        "functional/sequential/dense",
      ],
    );
    assert.equal(new Set(kernels.map(({ value }) => values(value))).size, 3);
  });

  it("leave the draws of the layers beside them as they are", () => {
    const dense = (): Dense => new Dense({ units: 3, name: "dense" });
    const kernelOf = (model: Model): string => values(model.getLayer("dense").weights[0].value);
    assert.equal(kernelOf(sideBySide(chain(), dense())), kernelOf(sideBySide(dense())));
  });

  it("keep the weights that have been drawn before they came into it", () => {
    const inner = new Sequential({ batchShape: [null, 40], layers: [new Dense({ units: 3 })], seed: 1 });
    const before = values(inner.weights[0].value);
    assert.equal(values(sideBySide(inner).weights[0].value), before);
  });

  it("drop other elements than each other, and at every application", () => {
    const inner = (): Sequential =>
      new Sequential({ batchShape: [null, 40], layers: [new Dropout({ rate: 0.5, name: "dropout" })] });
    const twice = inner();
    const shared = new Dropout({ rate: 0.5, name: "shared" });
    const model = sideBySide(inner(), twice, twice, shared, shared, new Dropout({ rate: 0.5, name: "dropout" }));
    assert.equal(new Set(masks(model)).size, 6);
    assert.deepEqual(masks(model), masks(model));
    const [, , , first, , plain] = masks(model);
    assert.deepEqual(masks(sideBySide(new Dropout({ rate: 0.5, name: "dropout" }))), [plain]);
    assert.deepEqual(masks(sideBySide(shared)), [first], "applications in other models do not count");
  });

  it("know the shape of what they make of images whose height and width they leave open", () => {
    const x = input({ shape: [null, null, 3] });
    const pooled = new MaxPooling2D().apply(new Conv2D({ filters: 4, kernelSize: 3, strides: 2 }).apply(x));
    const base = new Model({ inputs: x, outputs: pooled });
    assert.deepEqual(base.outputs[0].shape, [null, null, null, 4]);
    const layers = [base, new Flatten(), new Dense({ units: 2 })];
    const model = new Sequential({ batchShape: [null, 13, 21, 3], layers });
    assert.deepEqual(base.nodes[0].output.shape, [null, 3, 5, 4]);
    assert.deepEqual(model.outputs[0].shape, [null, 2]);
    assert.deepEqual(predict(model, [zeros([6, 13, 21, 3], "float32")])[0].shape, [6, 2]);
    const again = base.apply(input({ shape: [null, 9, 3], batchSize: 2 }));
    assert.deepEqual(again.shape, [2, null, 2, 4]);
  });

  it("know their shape at once however often each is applied within the next", () => {
    let inner = (x: SymbolicTensor): SymbolicTensor => new ZeroPadding2D({ padding: 0 }).apply(x);
    for (let depth = 0; depth < 40; depth++) {
      const x = input({ shape: [null, null, 1] });
      const model = new Model({ inputs: x, outputs: inner(inner(x)) });
      inner = (x) => model.apply(x);
    }
    assert.deepEqual(inner(input({ shape: [2, 3, 1] })).shape, [null, 2, 3, 1]);
  });

  it("keep what they know of a shape where it comes in open", () => {
    const x = input({ shape: [8, 8, 3] });
    const base = new Model({ inputs: x, outputs: new Dense({ units: 2 }).apply(new Flatten().apply(x)) });
    assert.deepEqual(base.apply(input({ shape: [null, null, 3] })).shape, [null, 2]);
  });
});

describe("Model", () => {
  it("refuses inputs and outputs that are no symbolic tensors, and none at all", () => {
    const make =
      (options?: object): (() => unknown) =>
      () =>
        new Model(options as ModelOptions);
    const x = input({ shape: [3] });
    for (const [options, rule, received] of [
      [{}, "inputs", "nothing"],
      [{ outputs: x }, "inputs", "nothing"],
      [{ inputs: x }, "outputs", "nothing"],
      [{ inputs: [x], outputs: [zeros([2, 3], "float32")] }, "outputs", "a tensor with numbers"],
    ] as const) {
      assert.throws(make(options), {
        name: "TypeError",
        message: `Model: \`${rule}\` must be one symbolic tensor or an array of them, as \`input()\` gives. Received ${received}.`,
      });
    }
  });

  it("has layers made by resnetLayer with the defaults of the Keras example", () => {
    const x = input({ shape: [8, 6, 3] });
    const { layers } = new Model({ inputs: x, outputs: resnetLayer(x) });
    assert.deepEqual(
      layers.map(({ name }) => name),
      ["input_layer", "conv2d", "batch_normalization", "activation"],
    );
  });
});
