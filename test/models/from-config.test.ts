import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inference } from "../../src/layers/layer.js";
import { modelFromConfig } from "../../src/models/from-config.js";
import { serializeLayer } from "../../src/models/graph-config.js";
import { trace } from "../../src/models/trace.js";
import { tensorOf } from "../../src/tensor/tensor.js";
import { assertUserError } from "../formats/user-errors.js";

type Json = Record<string, unknown>;

const keras3 = (...references: [string, number, number][]): Json => ({
  args: references.map((history) => ({ class_name: "__keras_tensor__", config: { keras_history: history } })),
  kwargs: {},
});
const inputLayer = (name: string, shape: unknown = [null, 4]): Json => ({
  module: "keras.layers",
  class_name: "InputLayer",
  config: { batch_shape: shape, name },
  name,
  inbound_nodes: [],
});
const layer = (className: string, config: Json, ...nodes: unknown[]): Json => ({
  module: "keras.layers",
  class_name: className,
  config,
  name: config["name"],
  inbound_nodes: nodes,
});
const functional = (layers: unknown, output: unknown, input: unknown = ["x", 0, 0], name = "model"): Json => ({
  module: "keras",
  class_name: "Functional",
  config: { name, layers, input_layers: input, output_layers: output },
});
/** x -> one layer of `className`. */
const single = (className: string, config: Json, shape?: unknown): Json =>
  functional([inputLayer("x", shape), layer(className, { name: "y", ...config }, keras3(["x", 0, 0]))], ["y", 0, 0]);
const relu = (name: string, ...nodes: unknown[]): Json => layer("Activation", { name, activation: "relu" }, ...nodes);
const image = [null, 5, 6, 3];

/** Inner models, one in the other. */
function nested(depth: number): Json {
  const inner =
    depth === 1
      ? relu("y", keras3(["x", 0, 0]))
      : { ...nested(depth - 1), name: "y", inbound_nodes: [keras3(["x", 0, 0])] };
  return functional([inputLayer("x"), inner], ["y", depth === 1 ? 0 : 1, 0], ["x", 0, 0], "y");
}

describe("modelFromConfig", () => {
  const refused: [what: string, config: unknown, message: RegExp][] = [
    ["no dictionary", 3, /^model: the model's configuration must be \{ class_name, config \}\. Received 3\.$/],
    [
      "another class",
      { class_name: "Dense", config: {} },
      /^model: the class must be one of Functional, Model, Sequential\. Received "Dense"\.$/,
    ],
    [
      "no layers",
      { class_name: "Functional", config: { name: "m" } },
      /^model `m`: `layers` must be a list\. Received nothing\.$/,
    ],
    [
      "no layers in a Sequential",
      { class_name: "Sequential", config: { layers: [] } },
      /Received nothing\.|at least one layer/,
    ],
    [
      "an unknown layer",
      single("GroupNormalization", {}),
      /^model: every layer must be of a class that .* implements\. Received `GroupNormalization` \(layer `y`\)\.$/,
    ],
    [
      "a Lambda",
      single("Lambda", { function: { class_name: "__lambda__", config: { code: "4wEA" } } }),
      /Received `Lambda` \(layer `y`\)\.$/,
    ],
    [
      "a foreign class of a known name",
      {
        ...single("Dense", { units: 2 }),
        ...functional(
          [inputLayer("x"), { ...layer("Dense", { name: "y", units: 2 }, keras3(["x", 0, 0])), module: "my.layers" }],
          ["y", 0, 0],
        ),
      },
      /^layer `y`: model: layer classes must be Keras's own\. Received `Dense` of "my\.layers"\.$/,
    ],
    [
      "a registered class",
      functional(
        [inputLayer("x"), { ...layer("Dense", { name: "y", units: 2 }), registered_name: "mine>Dense" }],
        ["y", 0, 0],
      ),
      /Received `Dense` of "mine>Dense"\.$/,
    ],
    [
      "channels first",
      single("Conv2D", { filters: 2, kernel_size: 3, data_format: "channels_first" }, image),
      /^layer `y`: Conv2D: `data_format` must be "channels_last"\. Received "channels_first"\.$/,
    ],
    [
      "channels first in a pooling",
      single("MaxPooling2D", { data_format: "channels_first" }, image),
      /^layer `y`: MaxPooling2D: `data_format` must be/,
    ],
    [
      "float16",
      single("Dense", { units: 2, dtype: "float16" }),
      /^layer `y`: Dense: `dtype` must be float32 or float64\. Received "float16"\.$/,
    ],
    [
      "a mixed policy",
      single("Dense", { units: 2, dtype: { class_name: "DTypePolicy", config: { name: "mixed_bfloat16" } } }),
      /^layer `y`: Dense: `dtype` must be .*mixed_bfloat16/,
    ],
    [
      "a negative size",
      single("Dense", { units: -3 }),
      /^layer `y`: Dense: `units` must be a whole number of at least 1\. Received -3\.$/,
    ],
    [
      "an infinite number",
      single("Dropout", { rate: Number.POSITIVE_INFINITY }),
      /^layer `y`: Dropout: `rate` must be .* Received Infinity\.$/,
    ],
    ["a NaN", single("LeakyReLU", { negative_slope: Number.NaN }), /^layer `y`: .* Received NaN\.$/],
    [
      "an input of the wrong rank",
      single("Conv2D", { filters: 2, kernel_size: 3 }),
      /^layer `y`: Conv2D: the input must have 4 dimensions\. Received shape \[null, 4\]\.$/,
    ],
    [
      "a cycle",
      functional([inputLayer("x"), relu("a", keras3(["b", 0, 0])), relu("b", keras3(["a", 0, 0]))], ["b", 0, 0]),
      /^model `model`: the graph must have no cycle, and read only what is in it\. Received layers that wait for each other: a, b\.$/,
    ],
    [
      "a layer that reads itself",
      functional([inputLayer("x"), relu("a", keras3(["a", 0, 0]))], ["a", 0, 0]),
      /wait for each other: a\.$/,
    ],
    [
      "a layer that reads nobody's output",
      functional([inputLayer("x"), relu("a", keras3(["b", 0, 0]))], ["a", 0, 0]),
      /^model `model`: layers must read layers of the model\. Received "b"\.$/,
    ],
    [
      "an application that is not there",
      functional([inputLayer("x"), relu("a", keras3(["x", 0, 0]))], ["a", 7, 0]),
      /^model `model`: `output_layers` must name applications of layers that exist\. Received application 7 of `a`\.$/,
    ],
    [
      "a second output",
      functional([inputLayer("x"), relu("a", keras3(["x", 0, 1]))], ["a", 0, 0]),
      /^model: layers must have one output\. Received output 1 of "x"\.$/,
    ],
    [
      "a layer twice",
      functional([inputLayer("x"), relu("a", keras3(["x", 0, 0])), relu("a", keras3(["x", 0, 0]))], ["a", 0, 0]),
      /^model `model`: layer names must be unique\. Received `a` twice\.$/,
    ],
    [
      "no output",
      functional([inputLayer("x")], []),
      /^Model: must have at least one input and one output\. Received 1 and 0\.$/,
    ],
    ["models 17 deep", nested(17), /models must not be nested deeper than 16\. Received a deeper one\.$/],
    [
      "arguments that nest",
      functional([inputLayer("x"), relu("a", JSON.parse("[".repeat(20) + "]".repeat(20)))], ["a", 0, 0]),
      /^model: the arguments of a layer must not be nested deeper than 8\. Received deeper ones\.$/,
    ],
    [
      "an empty name",
      functional([inputLayer("x"), relu("")], ["", 0, 0]),
      /^model: names must have 1 to 256 characters, none of them a control character\. Received ""\.$/,
    ],
    [
      "a name of two lines",
      functional([inputLayer("x"), relu("a\nb")], ["x", 0, 0]),
      /names must have .* Received "a\\nb"\.$/,
    ],
    ["a long name", functional([inputLayer("x"), relu("a".repeat(257))], ["x", 0, 0]), /names must have 1 to 256/],
    [
      "a `training` that is neither",
      functional([inputLayer("x"), relu("a", { ...keras3(["x", 0, 0]), kwargs: { training: 1 } })], ["a", 0, 0]),
      /^model: `training` must be true, false or null\. Received 1\.$/,
    ],
    [
      "an input layer in the middle of a Sequential",
      { class_name: "Sequential", config: { layers: [inputLayer("x"), relu("a"), inputLayer("b")] } },
      /^Sequential: an InputLayer must be the first layer\. Received `b` after others\.$/,
    ],
    [
      "a Sequential without a shape",
      { class_name: "Sequential", config: { layers: [relu("a")] } },
      /^Sequential: `build_input_shape` must be a list of dimensions/,
    ],
    [
      "weights that share a path",
      functional(
        [
          inputLayer("x"),
          {
            ...functional(
              [inputLayer("x"), layer("Dense", { name: "b", units: 2 }, keras3(["x", 0, 0]))],
              ["b", 0, 0],
              ["x", 0, 0],
              "a",
            ),
            name: "a",
            inbound_nodes: [keras3(["x", 0, 0])],
          },
          layer("Dense", { name: "a/b", units: 2 }, keras3(["a", 0, 0])),
        ],
        ["a/b", 0, 0],
      ),
      /^Model: every weight must have a path of its own\. Received `a\/b\/kernel` twice\.$/,
    ],
  ];
  for (const [what, config, message] of refused) {
    it(`refuses ${what}`, () => {
      try {
        modelFromConfig(config).weightsByPath();
      } catch (error) {
        assertUserError(error);
        assert.match(error.message, message);
        return;
      }
      assert.fail("accepted");
    });
  }

  it("says how deep models may be nested where the caller says it", () => {
    const { inputs } = modelFromConfig(nested(2), { maxDepth: 2 });
    assert.equal(inputs.length, 1);
    assert.throws(() => modelFromConfig(nested(3), { maxDepth: 2 }), {
      name: "RangeError",
      message: /models must not be nested deeper than 2\. Received a deeper one\.$/,
    });
  });

  it("allocates nothing for a layer of a billion filters", () => {
    const before = process.memoryUsage();
    const model = modelFromConfig(single("Conv2D", { filters: 1e9, kernel_size: 100 }, [null, 200, 200, 3]));
    assert.equal(model.countParams(), 1e9 * 30001);
    const after = process.memoryUsage();
    assert.ok(after.rss + after.arrayBuffers - before.rss - before.arrayBuffers < 50e6);
  });

  it("takes names that JavaScript's objects are born with, also for training", () => {
    const names = ["__proto__", "constructor", "hasOwnProperty", "toString"];
    const inner = functional(
      [
        inputLayer("x"),
        ...names.map((name, i) => layer("Dense", { name, units: 4 }, keras3([names[i - 1] ?? "x", 0, 0]))),
      ],
      ["toString", 0, 0],
      ["x", 0, 0],
      "__proto__",
    );
    const outer = functional(
      [inputLayer("x"), { ...inner, name: "__proto__", inbound_nodes: [keras3(["x", 0, 0])] }],
      ["__proto__", 1, 0],
    );
    const model = modelFromConfig(JSON.parse(JSON.stringify(outer)));
    const paths = names.flatMap((name) => [`__proto__/${name}/kernel`, `__proto__/${name}/bias`]);
    assert.deepEqual([...model.weightsByPath().keys()], paths);
    const entries = trace(model, [tensorOf([1, 2, 3, 4], [1, 4])], {
      cotangents: [tensorOf([1, 1, 1, 1], [1, 4])],
      training: true,
    });
    for (const path of paths) assert.ok(entries.has(`gradWeight/${path}`), path);
  });

  it("keeps the mode that an author gave to an application, and runs in that of the pass, as Keras 3 does", () => {
    for (const node of [{ ...keras3(["x", 0, 0]), kwargs: { training: false } }, [["x", 0, 0, { training: false }]]]) {
      const dropout = layer("Dropout", { name: "y", rate: 0.5 }, node);
      const model = modelFromConfig(functional([inputLayer("x", [null, 64]), dropout], ["y", 0, 0]));
      const x = tensorOf(
        Array.from({ length: 64 }, () => 1),
        [1, 64],
      );
      const { outputs } = model.forward([x], { ...inference, training: true });
      assert.ok(outputs[0].data.includes(0) && outputs[0].data.includes(2));
      const written = modelFromConfig(JSON.parse(JSON.stringify(serializeLayer(model))));
      assert.equal(written.layers[1].nodes[0].training, false);
    }
  });

  const chain = 20000;
  const names = Array.from({ length: chain }, (_, i) => `a${i}`);
  const shapes: [string, () => unknown][] = [
    ["a chain", () => names.map((name, i) => relu(name, keras3([names[i - 1] ?? "x", 0, 0])))],
    [
      "a chain listed backwards",
      () => names.map((name, i) => relu(name, keras3([names[i - 1] ?? "x", 0, 0]))).reverse(),
    ],
    [
      "one layer applied again and again",
      () => [
        relu(names[chain - 1], ...names.map((_, i) => keras3(i === 0 ? ["x", 0, 0] : [names[chain - 1], i - 1, 0]))),
      ],
    ],
  ];
  for (const [what, make] of shapes) {
    it(`connects ${chain} applications in seconds: ${what}`, () => {
      const start = performance.now();
      const layers = make();
      const list = Array.isArray(layers) ? layers : [];
      const last = list.length === 1 ? chain - 1 : 0;
      const model = modelFromConfig(functional([...list, inputLayer("x")], [names[chain - 1], last, 0]));
      assert.equal(model.graphNodes.length, chain + 1);
      assert.ok(performance.now() - start < 20000);
    });
  }

  it("names unnamed layers of a long Sequential in seconds", () => {
    const layers = [inputLayer("x"), ...names.map(() => ({ class_name: "ReLU", config: {} }))];
    const start = performance.now();
    const model = modelFromConfig({ class_name: "Sequential", config: { layers } });
    assert.equal(model.layers[chain].name, `re_lu_${chain - 1}`);
    assert.ok(performance.now() - start < 20000);
  });
});
