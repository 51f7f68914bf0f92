import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { graphs } from "../../src/arbitraries/graphs.js";
import type { ModelCase } from "../../src/arbitraries/model-cases.js";
import { residualNetworks } from "../../src/arbitraries/residual-networks.js";
import { type Accumulate, serial } from "../../src/kernels/execution.js";
import { Activation } from "../../src/layers/activation.js";
import { Add } from "../../src/layers/add.js";
import { BatchNormalization } from "../../src/layers/batch-normalization.js";
import { Concatenate } from "../../src/layers/concatenate.js";
import { Conv2D, type Conv2DOptions } from "../../src/layers/conv2d.js";
import { input } from "../../src/layers/input-layer.js";
import type { SymbolicTensor } from "../../src/layers/layer.js";
import { ReLU, type ReLUOptions } from "../../src/layers/relu.js";
import { Rescaling } from "../../src/layers/rescaling.js";
import { Model } from "../../src/models/model.js";
import { objectiveOf } from "../../src/models/objective.js";
import { backwardPass, type ForwardOptions, type OutputGradient, type Wanted } from "../../src/models/passes.js";
import { resnetV1 } from "../../src/models/resnet-v1.js";
import { resnetV2 } from "../../src/models/resnet-v2.js";
import { joinedUnits } from "../../src/models/units.js";
import type { FloatArray } from "../../src/tensor/dtype.js";
import { detach, type Tensor, tensor } from "../../src/tensor/tensor.js";
import { assertSameBits } from "../support/tensors.js";

/** What a step reads of a pass and its way back, by name. */
function stepOf(
  { model, inputs, targets }: ModelCase,
  training: boolean,
  accumulate: Accumulate,
  options: ForwardOptions,
): Map<string, Tensor> {
  const context = { training, execution: { ...serial, accumulate }, seed: 3, step: 5 };
  const pass = model.forward(inputs, context, options);
  const results = new Map<string, Tensor>();
  const keep = (name: string, x: Tensor): void => void results.set(name, detach(x));
  for (const [i, y] of pass.outputs.entries()) keep(`output ${i}`, y);
  for (const [weight, value] of pass.updates) keep(`update ${weight.owner}/${weight.name}`, value);
  if (options.want === "outputs") return results;
  const output = pass.passes.get(model.outputs[0].node);
  assert.ok(output !== undefined);
  const gradient: OutputGradient =
    output.logits === undefined ? { dy: targets } : objectiveOf("categorical_crossentropy", targets, output).gradient;
  const { dInputs, dWeights } = backwardPass(model, pass, [gradient]);
  for (const [i, dx] of dInputs.entries()) keep(`dInput ${i}`, dx);
  for (const [path, dWeight] of dWeights) keep(`dWeight ${path}`, dWeight);
  return results;
}

/** Whoever reads memory after it was given back reads NaN. */
const poison = (data: FloatArray): void => void data.fill(Number.NaN);

function assertSameStep(at: ModelCase, training: boolean): void {
  for (const accumulate of ["float64", "float32"] as const) assertSameStepWith(at, training, accumulate);
}

function assertSameStepWith(at: ModelCase, training: boolean, accumulate: Accumulate): void {
  const whole = stepOf(at, training, accumulate, {});
  const sparing = stepOf(at, training, accumulate, { want: "gradients", release: poison });
  assert.deepEqual([...sparing.keys()], [...whole.keys()]);
  for (const [name, x] of sparing) {
    const expected = whole.get(name);
    assert.ok(expected !== undefined);
    assertSameBits(x, expected, name);
  }
  for (const [name, x] of stepOf(at, training, accumulate, { want: "weightGradients", release: poison })) {
    assertSameBits(x, whole.get(name) ?? x, name);
  }
  for (const [name, y] of stepOf(at, training, accumulate, { want: "outputs", release: poison })) {
    assertSameBits(y, whole.get(name) ?? y, name);
  }
}

describe("A pass of which only the gradients or the outputs are wanted", () => {
  it("has the bits of one of which everything is wanted, for any graph", () => {
    fc.assert(
      fc.property(graphs({ maxLayers: 8 }), fc.boolean(), (at, training) => assertSameStep(at, training)),
      { numRuns: 150 },
    );
  });

  it("has the bits of one of which everything is wanted, for residual networks", () => {
    fc.assert(
      fc.property(residualNetworks(), fc.boolean(), (at, training) => assertSameStep(at, training)),
      { numRuns: 60 },
    );
  });

  it("gives back what backward will not read, and in the end all but outputs, gradients and what the caller gave", () => {
    const x = input({ shape: [3] });
    const y = new BatchNormalization().apply(new ReLU().apply(new BatchNormalization().apply(x)));
    const model = new Model({ inputs: x, outputs: new Activation({ activation: "tanh" }).apply(y) });
    const released: FloatArray[] = [];
    const given = tensor(Float32Array.of(1, -2, 3, -4, 5, 6), [2, 3]);
    const context = { training: true, execution: serial, seed: 0, step: 0 };
    const options: ForwardOptions = { want: "gradients", release: (data) => void released.push(data) };
    const pass = model.forward([given], context, options);
    assert.equal(released.length, 1); // what the tanh was taken of: it keeps its output
    backwardPass(model, pass, [{ dy: tensor(new Float32Array(6).fill(1), [2, 3]) }]);
    assert.equal(released.length, 1 + 1 + 2); // the output of the ReLU, and the gradients for both normalizations' outputs
    assert.ok(!released.includes(given.data) && !released.includes(pass.outputs[0].data));
  });
});

describe("A training step of joined normalizations", () => {
  const some = (shape: readonly number[], factor: number): Tensor => {
    const size = shape.reduce((product, dimension) => product * dimension, 1);
    return tensor(
      Float32Array.from({ length: size }, (_, i) => ((i * factor) % 13) / 8 - 0.75),
      shape,
    );
  };
  const shape = [2, 4, 3];

  for (const axis of [-1, 1]) {
    it(`has the bits of single layers where gradients are added on the way, along axis ${axis}`, () => {
      const normalized = (x: SymbolicTensor) => new BatchNormalization({ axis }).apply(x);
      const tanh = (x: SymbolicTensor) => new Activation({ activation: "tanh" }).apply(x);
      const x = input({ shape: shape.slice(1) });
      // twice the normalization that opens a block reads what the identity reads too, and once it ends one
      const first = new Add().apply([x, tanh(normalized(x))]);
      const second = new Add().apply([first, tanh(new ReLU().apply(normalized(first)))]);
      const outputs = new ReLU().apply(new Add().apply([normalized(tanh(second)), second]));
      const model = new Model({ inputs: x, outputs });
      assertSameStep({ model, inputs: [some(shape, 5)], targets: some(shape, 7) }, true);
    });
  }

  for (const [what, rectify, trainable] of [
    ["", false, true],
    [" and its ReLU", true, true],
    [" that is not trained, and its ReLU", true, false],
  ] as const) {
    it(`has the bits of single layers where a normalization${what} is left to the convolution that reads it`, () => {
      const left = (x: SymbolicTensor): SymbolicTensor => {
        const y = new BatchNormalization({ trainable }).apply(x);
        return rectify ? new ReLU().apply(y) : y;
      };
      const x = input({ shape: [5, 6, 4] });
      const first = new Add().apply([x, new Conv2D({ filters: 4, kernelSize: 1 }).apply(left(x))]);
      const h = new Conv2D({ filters: 12, kernelSize: 1, strides: 2, activation: "relu" }).apply(left(first));
      const identity = new Conv2D({ filters: 12, kernelSize: 1, strides: 2 }).apply(first);
      const outputs = new Add().apply([identity, new Conv2D({ filters: 12, kernelSize: 1 }).apply(left(h))]);
      const model = new Model({ inputs: x, outputs });
      const at = { model, inputs: [some([2, 5, 6, 4], 5)], targets: some([2, 3, 3, 12], 7) };
      for (const training of [true, false]) assertSameStep(at, training);
    });
  }

  it("has the bits of single layers where a convolution is applied to what two normalizations are left to it", () => {
    const x = input({ shape: [5, 6, 8] });
    const shared = new Conv2D({ filters: 8, kernelSize: 1 });
    const first = shared.apply(new BatchNormalization().apply(x));
    const outputs = shared.apply(new ReLU().apply(new BatchNormalization().apply(first)));
    const model = new Model({ inputs: x, outputs });
    assertSameStep({ model, inputs: [some([2, 5, 6, 8], 5)], targets: some([2, 5, 6, 8], 7) }, true);
  });

  it("has the bits of single layers where three read what is normalized: their gradients are rounded once", () => {
    const x = input({ shape: shape.slice(1) });
    const h = new Activation({ activation: "tanh" }).apply(x);
    const scaled = (scale: number) => new Rescaling({ scale }).apply(h);
    const outputs = new Add().apply([scaled(1.1), new BatchNormalization().apply(h), scaled(0.3)]);
    const model = new Model({ inputs: x, outputs });
    assertSameStep({ model, inputs: [some(shape, 5)], targets: some(shape, 7) }, true);
  });

  it("has the bits of single layers where a normalization of another element type reads what others read", () => {
    const x = input({ shape: shape.slice(1) });
    const h = new Activation({ activation: "tanh" }).apply(x);
    const outputs = new Add().apply([new BatchNormalization({ dtype: "float64" }).apply(h), h]);
    const model = new Model({ inputs: x, outputs });
    assertSameStep({ model, inputs: [some(shape, 5)], targets: some(shape, 7) }, true);
  });

  it("passes on the zeros of single layers: -0 by itself, +0 where several meet", () => {
    const [a, b] = [input({ shape: [3] }), input({ shape: [3] })];
    const sum = new Add().apply([new BatchNormalization().apply(a), b]);
    const y = new ReLU().apply(sum);
    const inputs = [some([4, 3], 5), some([4, 3], 7)];
    const zeros = (size: readonly number[]): Tensor => tensor(new Float32Array(size[0] * size[1]).fill(-0), size);
    assertSameStep({ model: new Model({ inputs: [a, b], outputs: y }), inputs, targets: zeros([4, 3]) }, true);
    const both = new Concatenate().apply([new Rescaling({ scale: 1 }).apply(y), new Rescaling({ scale: 1 }).apply(y)]);
    assertSameStep({ model: new Model({ inputs: [a, b], outputs: both }), inputs, targets: zeros([4, 6]) }, true);
    const [c, d] = [input({ shape: [2, 1, 3] }), input({ shape: [2, 1, 3] })];
    const outputs = new ReLU().apply(new Add().apply([new Conv2D({ filters: 3, kernelSize: 1 }).apply(c), d]));
    const images = [some([2, 2, 1, 3], 5), some([2, 2, 1, 3], 7)];
    const targets = tensor(new Float32Array(12).fill(-0), [2, 2, 1, 3]);
    assertSameStep({ model: new Model({ inputs: [c, d], outputs }), inputs: images, targets }, true);
  });
});

describe("Inference", () => {
  it("gives back what is within an inner model too, as soon as it has been read", () => {
    const inside = input({ shape: [3] });
    const tanh = (x: SymbolicTensor) => new Activation({ activation: "tanh" }).apply(x);
    const inner = new Model({ inputs: inside, outputs: tanh(tanh(tanh(inside))) });
    const x = input({ shape: [3] });
    const model = new Model({ inputs: x, outputs: tanh(inner.apply(x)) });
    const released: FloatArray[] = [];
    const given = tensor(Float32Array.of(1, -2, 3), [1, 3]);
    const context = { training: false, execution: serial, seed: 0, step: 0 };
    const [y] = model.infer([given], context, (data) => {
      released.push(data);
      poison(data);
    });
    assert.equal(released.length, 3);
    assertSameBits(y, model.forward([given], context).outputs[0]);
  });
});

describe("A pass of which the gradients of trained weights are wanted", () => {
  it("leaves out what is before them: neither the input nor what sees no trained weight has a gradient", () => {
    const x = input({ shape: [4, 5, 2] });
    const [first, second] = [
      new Conv2D({ filters: 3, kernelSize: 2, name: "first", trainable: false }),
      new Conv2D({ filters: 1, kernelSize: 3, name: "second" }),
    ];
    const model = new Model({ inputs: x, outputs: second.apply(first.apply(x)) });
    const given = tensor(
      Float32Array.from({ length: 80 }, (_, i) => i % 7),
      [2, 4, 5, 2],
    );
    const step = (want: Wanted) => {
      const pass = model.forward([given], { training: true, execution: serial, seed: 0, step: 0 }, { want });
      const [y] = pass.outputs;
      return backwardPass(model, pass, [{ dy: y }]);
    };
    const [all, some] = [step("gradients"), step("weightGradients")];
    assert.deepEqual(some.dInputs, []);
    assert.deepEqual([...some.dWeights.keys()], ["second/kernel", "second/bias"]);
    for (const [path, dWeight] of some.dWeights) assertSameBits(dWeight, all.dWeights.get(path) ?? dWeight, path);
  });
});

describe("joinedUnits", () => {
  const namesOf = (model: Model, inference = false): string[] =>
    joinedUnits(model.graphNodes, model.outputs, inference).map(({ head, finishes, isLeftToReader = false }) =>
      [head.layer.name, ...finishes, ...(isLeftToReader ? ["left to the reader"] : [])].join(" + "),
    );

  it("make one of a normalization, the addition of the other way, and the ReLU behind it", () => {
    const names = namesOf(resnetV1(8));
    assert.deepEqual(names.slice(0, 6), [
      "input_layer",
      "conv2d",
      "batch_normalization + rectify",
      "conv2d_1",
      "batch_normalization_1 + rectify",
      "conv2d_2",
    ]);
    assert.equal(names[6], "batch_normalization_2 + add + rectify");
    assert.equal(names.filter((name) => name.endsWith("+ rectify")).length, 7);
  });

  it("make one of a convolution and all of these in inference, where normalizations do not depend on the batch", () => {
    const names = namesOf(resnetV1(8), true);
    assert.deepEqual(names.slice(0, 4), [
      "input_layer",
      "conv2d + normalize + rectify",
      "conv2d_1 + normalize + rectify",
      "conv2d_2 + normalize + add + rectify",
    ]);
    assert.equal(names.filter((name) => name.includes("normalization")).length, 0);
  });

  it("make one of a convolution and the addition behind it, in training too, and of a convolution and its ReLU", () => {
    const names = namesOf(resnetV2(11));
    assert.deepEqual(
      names.filter((name) => name.includes("+ add")),
      ["conv2d_3 + add", "conv2d_7 + add", "conv2d_11 + add"],
    );
    const x = input({ shape: [5, 6, 2] });
    const plain = new ReLU().apply(new Conv2D({ filters: 4, kernelSize: 1, name: "conv" }).apply(x));
    assert.deepEqual(namesOf(new Model({ inputs: x, outputs: plain })).slice(1), ["conv + rectify"]);
  });

  it("leave a normalization and its ReLU to a convolution of one pixel behind them, in inference and in training", () => {
    assert.deepEqual(namesOf(resnetV2(11), true).slice(6, 11), [
      "batch_normalization_3 + rectify + left to the reader",
      "conv2d_5 + normalize + rectify",
      "conv2d_6 + normalize + rectify",
      "conv2d_8",
      "conv2d_7 + add",
    ]);
    assert.deepEqual(namesOf(resnetV2(11)).slice(9, 15), [
      "batch_normalization_3 + rectify + left to the reader",
      "conv2d_5",
      "batch_normalization_4 + rectify", // a kernel of 3 x 3 pixels reads it
      "conv2d_6",
      "batch_normalization_5 + rectify + left to the reader",
      "conv2d_8",
    ]);
    assert.equal(namesOf(resnetV2(11)).at(-4), "batch_normalization_9 + rectify");
    const x = input({ shape: [5, 6, 2] });
    const norm = new BatchNormalization({ name: "norm" }).apply(x);
    const conv = new Conv2D({ filters: 4, kernelSize: 1, activation: "tanh", name: "conv" }).apply(norm);
    const model = new Model({ inputs: x, outputs: conv });
    for (const inference of [true, false]) {
      assert.deepEqual(namesOf(model, inference).slice(1), ["norm + left to the reader", "conv"]);
    }
  });

  it("leave a normalization alone before convolutions of more pixels, of groups, of another type, or two of them", () => {
    const x = input({ shape: [5, 6, 4] });
    const norm = () => new BatchNormalization().apply(x);
    const conv = (options: Omit<Conv2DOptions, "filters">) => new Conv2D({ filters: 4, ...options });
    const read = norm();
    const outputs = [
      conv({ kernelSize: 3 }).apply(norm()),
      conv({ kernelSize: 1, groups: 2 }).apply(norm()),
      conv({ kernelSize: 1, dtype: "float64" }).apply(norm()),
      conv({ kernelSize: 1 }).apply(read),
      conv({ kernelSize: 1 }).apply(read),
      new Add().apply([x, norm()]),
      conv({ kernelSize: 1 }).apply(new Add().apply([x, norm()])), // what is added would be lost
    ];
    for (const inference of [true, false]) {
      const names = namesOf(new Model({ inputs: x, outputs }), inference);
      assert.ok(names.every((name) => !name.includes("left to the reader")));
    }
  });

  it("leave a normalization alone behind a convolution with an activation, or of another axis than the channels", () => {
    const x = input({ shape: [5, 6, 2] });
    const active = new Conv2D({ filters: 4, kernelSize: 1, activation: "relu" }).apply(x);
    const plain = new Conv2D({ filters: 4, kernelSize: 1 }).apply(x);
    const outputs = [new BatchNormalization().apply(active), new BatchNormalization({ axis: 1 }).apply(plain)];
    assert.ok(namesOf(new Model({ inputs: x, outputs }), true).every((name) => !name.includes("+")));
  });

  it("leave alone what others read, what is an output, what is shared, and any other ReLU", () => {
    const x = input({ shape: [3] });
    const norm = (from = x) => new BatchNormalization().apply(from);
    const relu = (from = x, options: ReLUOptions = {}) => new ReLU(options).apply(from);
    const [read, shown] = [norm(), norm()];
    const shared = new BatchNormalization();
    const outputs = [
      relu(read),
      read,
      relu(shown),
      shown,
      relu(norm(), { maxValue: 6 }),
      relu(norm(), { negativeSlope: 0.25 }),
      relu(norm(), { threshold: 0.5 }),
      new Activation({ activation: "relu6" }).apply(norm()),
      relu(shared.apply(x)),
      relu(shared.apply(x)),
    ];
    const model = new Model({ inputs: x, outputs: [...outputs, new Add().apply([x, shown])] });
    assert.ok(namesOf(model).every((name) => !name.includes("+")));
  });

  it("add the output of the normalization that runs first to that of the one that runs last", () => {
    const x = input({ shape: [3] });
    const [first, second] = [
      new BatchNormalization({ name: "first" }).apply(x),
      new BatchNormalization({ name: "second" }).apply(x),
    ];
    for (const inputs of [
      [first, second],
      [second, first],
    ]) {
      const model = new Model({ inputs: x, outputs: new Add().apply(inputs) });
      const last = model.graphNodes.at(-2)?.layer.name;
      assert.deepEqual(namesOf(model).at(-1), `${last} + add`);
    }
  });
});
