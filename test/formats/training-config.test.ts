/** Optimizer, its state and the loss in model files: what Keras wrote, and what goes through our own writers. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FormatError } from "../../src/formats/format-error.js";
import { openHdf5 } from "../../src/formats/hdf5/open.js";
import { readModel, readTraining } from "../../src/formats/read-model.js";
import { compileConfig, type Training, trainingFromConfig } from "../../src/formats/training-config.js";
import { writeModel } from "../../src/formats/write-model.js";
import { readZip } from "../../src/formats/zip.js";
import { writeZip } from "../../src/formats/zip-writer.js";
import { Dense } from "../../src/layers/dense.js";
import { input } from "../../src/layers/input-layer.js";
import { Model } from "../../src/models/model.js";
import { Adam } from "../../src/optimizers/adam.js";
import { AdamW } from "../../src/optimizers/adamw.js";
import { serializeOptimizer } from "../../src/optimizers/from-config.js";
import type { Optimizer } from "../../src/optimizers/optimizer.js";
import { SGD } from "../../src/optimizers/sgd.js";
import { isKerasConfig, type KerasConfig } from "../../src/serialization/config.js";
import { randomStream } from "../../src/arithmetic/random.js";
import { tensorOf, zeros } from "../../src/tensor/tensor.js";
import { kerasFixture } from "./fixture-files.js";

const loss = "categorical_crossentropy";

function load(file: string): {
  readonly model: Model;
  readonly bytes: Uint8Array;
  readonly training: Training | undefined;
} {
  const bytes = kerasFixture(`files/${file}`);
  const model = readModel(bytes, file);
  return { model, bytes, training: readTraining(model, bytes, file) };
}

/** Configuration and state. */
function contentOf(training: Training | undefined): unknown {
  assert.ok(training);
  const { optimizer, loss } = training;
  const state = optimizer.variables().map((variable) => {
    const { shape, data } = variable.read();
    return { name: variable.name, shape, data: data.slice() };
  });
  return { loss, config: serializeOptimizer(optimizer), state };
}

/** `optimizer` after three steps on gradients that differ from weight to weight. */
function trained<Made extends Optimizer>(optimizer: Made, model: Model): Made {
  for (let step = 0; step < 3; step++) {
    const gradients = model.trainableWeights.map((weight, i) => {
      const gradient = zeros(weight.shape, weight.value);
      randomStream(step, `gradient/${i}`).fillNormal(gradient.data);
      return gradient;
    });
    optimizer.applyGradients(model.trainableWeights, gradients);
  }
  return optimizer;
}

/** One Dense layer on two numbers. */
function denseModel(units: number): Model {
  const x = input({ shape: [2], name: "x" });
  return new Model({ inputs: x, outputs: new Dense({ units, name: "dense" }).apply(x) });
}

/** What config.json of an archive says. */
function configOf(bytes: Uint8Array): KerasConfig {
  const config: unknown = JSON.parse(new TextDecoder().decode(readZip(bytes).get("config.json")?.read()));
  assert.ok(isKerasConfig(config));
  return config;
}

describe("readTraining", () => {
  it("gives optimizer, state and loss of what Keras 3 trained, from .keras and .h5 the same", () => {
    const { training } = load("keras3-trained.keras");
    assert.ok(training?.optimizer instanceof Adam);
    assert.equal(training.loss, loss);
    assert.equal(training.optimizer.iterations, 2);
    assert.equal(training.optimizer.learningRate, Math.fround(0.01));
    const [, , momentum, velocity] = training.optimizer.variables();
    assert.deepEqual([momentum.name, velocity.name], ["conv_kernel_momentum", "conv_kernel_velocity"]);
    assert.ok(momentum.read().data.some((value) => value < 0));
    assert.ok(velocity.read().data.every((value) => value >= 0) && velocity.read().data.some((value) => value > 0));
    assert.deepEqual(contentOf(load("keras3-trained.h5").training), contentOf(training));
  });

  it("gives those of what Keras 2 trained, which keeps no learning rate, from .keras and .h5 the same", () => {
    const { training } = load("keras2-trained.keras");
    assert.equal(training?.optimizer.iterations, 2);
    assert.equal(training.optimizer.learningRate, Math.fround(0.01));
    assert.ok(
      training.optimizer
        .variables()
        .at(-1)
        ?.read()
        .data.some((value) => value > 0),
    );
    assert.deepEqual(contentOf(load("keras2-trained.h5").training), contentOf(training));
  });

  it("gives nothing where a model was not compiled", () => {
    for (const file of ["keras3-functional.keras", "keras3-functional.h5"])
      assert.equal(load(file).training, undefined);
    const { model } = load("keras3-functional.keras");
    assert.equal(readTraining(model, writeModel(model, "a.npz"), "a.npz"), undefined);
  });

  it("refuses the state of other weights, and assigns none of it", () => {
    const { bytes } = load("keras3-trained.keras");
    const other = load("keras3-sequential.keras").model;
    assert.throws(() => readTraining(other, bytes, "t.keras"), {
      name: "FormatError",
      message:
        /^t\.keras: HDF5: the optimizer must have 10 variables for the trainable weights .* Received 16 variables\.$/,
    });
    const frozen = load("keras3-trained.keras").model;
    for (const layer of frozen.layers) layer.trainable = layer.name !== "conv";
    assert.throws(() => readTraining(frozen, bytes, "t.keras"), FormatError);
  });

  it("refuses variables of another shape", () => {
    const [three, four] = [denseModel(3), denseModel(4)];
    const bytes = writeModel(three, "a.h5", {
      training: { optimizer: trained(new SGD({ momentum: 0.5 }), three), loss },
    });
    assert.throws(() => readTraining(four, bytes, "a.h5"), {
      name: "FormatError",
      message:
        "a.h5: HDF5: variable `dense_kernel_momentum` of the optimizer must have shape [2, 4]. " +
        "Received shape [2, 3] in optimizer_weights/sgd/dense_kernel_momentum.",
    });
  });

  it("refuses a compiled archive without a state", () => {
    const entries = new Map([...readZip(kerasFixture("files/keras3-functional.keras"))].map(([k, e]) => [k, e.read()]));
    const { bytes: compiled, model } = load("keras3-trained.keras");
    entries.set("config.json", readZip(compiled).get("config.json")?.read() ?? new Uint8Array());
    assert.throws(() => readTraining(model, writeZip(entries), "t.keras"), {
      name: "FormatError",
      message:
        /^t\.keras: keras: a compiled model must have a group optimizer\/vars in its model\.weights\.h5\. Received none\.$/,
    });
  });
});

describe("writeModel with training", () => {
  const optimizers: readonly [string, () => Optimizer][] = [
    ["Adam", () => new Adam({ learningRate: 0.1, epsilon: 1e-5, weightDecay: 0.5 })],
    ["Adam with amsgrad", () => new Adam({ amsgrad: true, beta1: 0.5, beta2: 0.75 })],
    ["AdamW", () => new AdamW({ name: "decoupled" })],
    ["SGD", () => new SGD({ learningRate: 0.25 })],
    ["SGD with momentum", () => new SGD({ momentum: 0.875, nesterov: true, weightDecay: 0.001 })],
  ];
  for (const [title, make] of optimizers) {
    it(`keeps ${title}, its state and the loss, in .keras and .h5`, () => {
      const { model } = load("keras3-functional.keras");
      for (const training of [
        { optimizer: trained(make(), model), loss },
        { optimizer: make(), loss: "mean_squared_error" },
      ] as const) {
        for (const name of ["a.keras", "a.h5"]) {
          const bytes = writeModel(model, name, { training });
          assert.deepEqual(writeModel(model, name, { training }), bytes);
          const again = readModel(bytes, name);
          assert.deepEqual(contentOf(readTraining(again, bytes, name)), contentOf(training), name);
          assert.deepEqual(
            Array.from(again.weightsByPath().values(), ({ value }) => value.data.slice()),
            Array.from(model.weightsByPath().values(), ({ value }) => value.data.slice()),
          );
        }
      }
    });
  }

  it("counts steps beyond what a float32 can count", () => {
    const model = denseModel(3);
    const optimizer = trained(new Adam(), model);
    optimizer.variables()[0].assign(tensorOf([2 ** 24 + 1], [], "float64"));
    for (const name of ["a.keras", "a.h5"]) {
      const bytes = writeModel(model, name, { training: { optimizer, loss } });
      assert.equal(readTraining(model, bytes, name)?.optimizer.iterations, 2 ** 24 + 1);
    }
  });

  it("says of the training what Keras says", () => {
    const { bytes, model, training } = load("keras3-trained.keras");
    const written = writeModel(model, "a.keras", { training });
    assert.deepEqual(configOf(written)["compile_config"], configOf(bytes)["compile_config"]);
  });

  it("writes every number of an optimizer as a Python float, since Keras refuses an int", () => {
    const model = denseModel(3);
    for (const [optimizer, numbers] of [
      [new SGD({ learningRate: 1 }), ['"learning_rate":1.0,"weight_decay":null', '"momentum":0.0']],
      [new AdamW({ weightDecay: 0, beta1: 0 }), ['"weight_decay":0.0', '"beta_1":0.0']],
      [new SGD({ learningRate: 2 ** 70 }), ['"learning_rate":1.1805916207174113e+21,']],
      [new Adam({ learningRate: 0.5 }), ['"learning_rate":0.5,', '"use_ema":false']],
    ] as const) {
      const training = { optimizer, loss } as const;
      const archive = readZip(writeModel(model, "a.keras", { training }))
        .get("config.json")
        ?.read();
      const legacy = openHdf5(writeModel(model, "a.h5", { training }))
        .attributes.get("training_config")
        ?.read();
      for (const text of [new TextDecoder().decode(archive), String(legacy?.[0])]) {
        for (const number of numbers) assert.ok(text.includes(number), `${number} in ${text}`);
      }
    }
  });

  it("names no accuracy where the loss is one of numbers", () => {
    const optimizer = new SGD();
    assert.equal(compileConfig({ optimizer, loss: "mean_squared_error" })["metrics"], null);
    assert.deepEqual(compileConfig({ optimizer, loss: "sparse_categorical_crossentropy" })["metrics"], ["accuracy"]);
  });

  it("writes further entries into a .keras, and models are read past them", () => {
    const { model, training } = load("keras3-trained.keras");
    const entries = new Map([["run.json", new TextEncoder().encode("{}")]]);
    const bytes = writeModel(model, "a.keras", { training, entries });
    assert.deepEqual([...readZip(bytes).keys()], ["metadata.json", "config.json", "model.weights.h5", "run.json"]);
    assert.deepEqual(readZip(bytes).get("run.json")?.read(), entries.get("run.json"));
    assert.deepEqual(contentOf(readTraining(readModel(bytes, "a.keras"), bytes, "a.keras")), contentOf(training));
  });

  it("refuses what a file has no place for, and an optimizer of another model", () => {
    const { model, training } = load("keras3-trained.keras");
    assert.throws(() => writeModel(model, "a.npz", { training }), {
      name: "RangeError",
      message: "writeModel: `training` goes into a .keras or .h5 alone. Received a.npz.",
    });
    assert.throws(() => writeModel(model, "a.h5", { entries: new Map() }), {
      name: "RangeError",
      message: "writeModel: `entries` go into a .keras alone. Received a.h5.",
    });
    assert.throws(() => writeModel(denseModel(3), "a.keras", { training }), {
      name: "RangeError",
      message: /^Adam: `weights` must be those that the optimizer was built for\./,
    });
  });
});

describe("trainingFromConfig", () => {
  const optimizer = serializeOptimizer(new SGD());
  const read = (given: unknown): string => trainingFromConfig(optimizer, { loss: given }).loss;
  const lossClass = (className: string, config: KerasConfig): KerasConfig => ({
    module: "keras.losses",
    class_name: className,
    config,
    registered_name: null,
  });

  it("knows a loss by its name, its short name, its class, and alone in a list", () => {
    assert.equal(read("sparse_categorical_crossentropy"), "sparse_categorical_crossentropy");
    assert.equal(read("mse"), "mean_squared_error");
    assert.equal(read("CategoricalCrossentropy"), loss);
    assert.equal(read([loss]), loss);
    assert.equal(read({ module: "builtins", class_name: "function", config: loss }), loss);
    const config = { name: "x", reduction: "sum_over_batch_size", from_logits: false, label_smoothing: 0, axis: -1 };
    assert.equal(read(lossClass("CategoricalCrossentropy", config)), loss);
    assert.equal(read(lossClass("MeanSquaredError", { reduction: "sum_over_batch_size" })), "mean_squared_error");
  });

  it("refuses other losses, and those with options", () => {
    for (const [given, received] of [
      ["hinge", '"hinge"'],
      [[loss, loss], `["${loss}","${loss}"]`],
      [null, "null"],
      [lossClass("CategoricalCrossentropy", { from_logits: true }), "{"],
      [lossClass("CategoricalCrossentropy", { label_smoothing: 0.1 }), "{"],
      [lossClass("MeanSquaredError", { reduction: "sum" }), "{"],
    ] as const) {
      assert.throws(
        () => read(given),
        (error: Error) =>
          error instanceof RangeError &&
          error.message.startsWith(
            "training: `loss` must be one of categorical_crossentropy, sparse_categorical_crossentropy, " +
              `mean_squared_error, of probabilities and without options. Received ${received}`,
          ),
      );
    }
  });

  it("refuses other optimizers, and weights of losses", () => {
    assert.throws(() => trainingFromConfig({ class_name: "Lion", config: {} }, { loss }), {
      name: "RangeError",
      message: /^optimizer: must be one of Adam, AdamW, SGD with its config\. Received .*Lion/,
    });
    assert.throws(() => trainingFromConfig(optimizer, { loss, loss_weights: [1, 2] }), {
      name: "TypeError",
      message: "training: `loss_weights` must be null (others are not implemented). Received [1,2].",
    });
  });
});
