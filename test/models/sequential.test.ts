import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Conv2D } from "../../src/layers/conv2d.js";
import { Dense } from "../../src/layers/dense.js";
import { Flatten } from "../../src/layers/flatten.js";
import { ReLU } from "../../src/layers/relu.js";
import { modelFromConfig } from "../../src/models/from-config.js";
import { serializeLayer } from "../../src/models/graph-config.js";
import { Sequential, type SequentialOptions } from "../../src/models/sequential.js";

const small = (): Sequential =>
  new Sequential({
    batchShape: [null, 5, 6, 3],
    inputName: "image",
    layers: [
      new Conv2D({ filters: 2, kernelSize: [3, 4] }),
      new ReLU(),
      new Flatten(),
      new Dense({ units: 7 }),
      new ReLU(),
    ],
  });

describe("Sequential", () => {
  it("applies each layer to the one before it", () => {
    const { layers, outputs } = small();
    const shapes = layers.map((layer) => layer.nodes[0].output.shape);
    assert.deepEqual(shapes, [
      [null, 5, 6, 3],
      [null, 3, 3, 2],
      [null, 3, 3, 2],
      [null, 18],
      [null, 7],
      [null, 7],
    ]);
    assert.equal(outputs[0].node.layer, layers[5]);
  });

  it("names unnamed layers as Keras does: by class, numbered", () => {
    const names = small().layers.map((layer) => layer.name);
    assert.deepEqual(names, ["image", "conv2d", "re_lu", "flatten", "dense", "re_lu_1"]);
  });

  it("is written with its input layer and shape, and read back the same", () => {
    const config = JSON.parse(JSON.stringify(serializeLayer(small())));
    assert.equal(config.class_name, "Sequential");
    assert.deepEqual(config.config.build_input_shape, [null, 5, 6, 3]);
    assert.equal(config.config.layers[0].class_name, "InputLayer");
    assert.deepEqual(JSON.parse(JSON.stringify(serializeLayer(modelFromConfig(config)))), config);
  });

  const shapeless = { class_name: "Dense", config: { name: "dense", units: 2 } };
  const places: [where: string, config: unknown][] = [
    ["an InputLayer", { layers: [{ class_name: "InputLayer", config: { batch_shape: [null, 4] } }, shapeless] }],
    [
      "the first layer, as in Keras 2",
      { layers: [{ class_name: "Dense", config: { name: "dense", units: 2, batch_input_shape: [null, 4] } }] },
    ],
    ["the model", { layers: [shapeless], build_input_shape: [null, 4] }],
    [
      "a list of layers instead of a dictionary, as in Keras 1",
      [{ class_name: "Dense", config: { name: "dense", units: 2, batch_input_shape: [null, 4] } }],
    ],
    [
      "a first inner model",
      {
        layers: [
          {
            class_name: "Sequential",
            config: {
              name: "inner",
              layers: [{ class_name: "InputLayer", config: { batch_shape: [null, 4] } }, shapeless],
            },
          },
        ],
      },
    ],
  ];
  for (const [where, config] of places) {
    it(`takes the shape of its input from ${where}`, () => {
      const model = modelFromConfig({ class_name: "Sequential", config });
      assert.deepEqual(model.inputs[0].shape, [null, 4]);
      assert.deepEqual(model.outputs[0].shape, [null, 2]);
    });
  }

  it("refuses what is no shape, and what is no layer", () => {
    const make =
      (options: object): (() => unknown) =>
      () =>
        new Sequential(options as SequentialOptions);
    const layers = [new Dense({ units: 2 })];
    assert.throws(make({ layers }), {
      name: "TypeError",
      message:
        "Sequential: `batchShape` must be an array of dimensions, the batch first: [null, 32, 32, 3]. Received nothing.",
    });
    for (const [wrong, received] of [
      [[...layers, 3], "an element that is none"],
      [undefined, "no array"],
    ] as const) {
      assert.throws(make({ batchShape: [null, 3], layers: wrong }), {
        name: "TypeError",
        message: `Sequential: \`layers\` must be an array of layers. Received ${received}.`,
      });
    }
  });

  it("refuses to be empty", () => {
    assert.throws(() => new Sequential({ batchShape: [null, 4], layers: [] }), {
      name: "RangeError",
      message: "Sequential: must have at least one layer. Received none.",
    });
  });
});
