import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { ResNet50, ResNet101, ResNet152, type ResNetOptions } from "../../../src/models/applications/resnet.js";
import { ResNet50V2, ResNet101V2, ResNet152V2 } from "../../../src/models/applications/resnet-v2.js";
import type { Model } from "../../../src/models/model.js";

const builders: Readonly<Record<string, (options?: ResNetOptions) => Model>> = {
  resnet50: ResNet50,
  resnet101: ResNet101,
  resnet152: ResNet152,
  resnet50v2: ResNet50V2,
  resnet101v2: ResNet101V2,
  resnet152v2: ResNet152V2,
};
const parameters: Readonly<Record<string, number>> = {
  resnet50: 25_636_712,
  resnet101: 44_707_176,
  resnet152: 60_419_944,
  resnet50v2: 25_613_800,
  resnet101v2: 44_675_560,
  resnet152v2: 60_380_648,
};

/** Of every model its counts, and of every layer: name, class, output shape, parameters, what it reads. */
const shapes: unknown = JSON.parse(
  readFileSync(new URL("../../../../fixtures/models/shapes.json", import.meta.url), "utf8"),
);

function describeModel(model: Model): unknown {
  const nodes = new Set(model.graphNodes);
  const size = (weights: Model["weights"]): number => weights.reduce((sum, weight) => sum + weight.size, 0);
  const total = model.countParams();
  const trainable = size(model.trainableWeights);
  return {
    total,
    trainable,
    nonTrainable: total - trainable,
    layers: model.layers.map((layer) => [
      layer.name,
      layer.className,
      layer.nodes[0].output.shape,
      size(layer.weights),
      layer.nodes.filter((node) => nodes.has(node)).flatMap((node) => node.inputs.map((x) => x.node.layer.name)),
    ]),
  };
}

describe("the ResNets of keras.applications", () => {
  for (const [name, build] of Object.entries(builders)) {
    it(`${name} has ${parameters[name]} parameters, and every layer as in Keras`, () => {
      const model = build();
      assert.equal(model.name, name);
      assert.equal(model.countParams(), parameters[name]);
      assert.ok(typeof shapes === "object" && shapes !== null);
      assert.deepEqual(describeModel(model), Reflect.get(shapes, name));
    });

    it(`${name} without its classifier has every layer as in Keras`, () => {
      const model = build({ includeTop: false, inputShape: [224, 224, 3] });
      assert.ok(typeof shapes === "object" && shapes !== null);
      assert.deepEqual(describeModel(model), Reflect.get(shapes, `${name}-without-top`));
    });
  }

  it("take their weights only when they are read", () => {
    const allocated = (): number => process.memoryUsage().arrayBuffers + process.memoryUsage().external;
    const before = allocated();
    const model = ResNet152();
    // 240 MB of weights
    assert.ok(allocated() - before < 10e6, `building allocated ${allocated() - before} bytes`);
    assert.equal(model.weights.length, 932);
  });

  it("take any size of at least 32 without the classifier, and open sizes", () => {
    const shapesOf = (options: ResNetOptions): unknown[] => {
      const { inputs, outputs } = ResNet50V2({ includeTop: false, ...options });
      return [inputs[0].shape, outputs[0].shape];
    };
    assert.deepEqual(shapesOf({}), [
      [null, null, null, 3],
      [null, null, null, 2048],
    ]);
    assert.deepEqual(shapesOf({ inputShape: [32, 65, 1] }), [
      [null, 32, 65, 1],
      [null, 1, 3, 2048],
    ]);
    assert.deepEqual(shapesOf({ pooling: "avg" }), [
      [null, null, null, 3],
      [null, 2048],
    ]);
    const pooled = ResNet50({ includeTop: false, pooling: "max" });
    assert.equal(pooled.layers.at(-1)?.name, "max_pool");
    assert.equal(pooled.layers.at(-1)?.className, "GlobalMaxPooling2D");
  });

  it("take other classes, activations, names, seeds and element types", () => {
    const model = ResNet50({ classes: 10, classifierActivation: null, name: "mine", seed: 7, dtype: "float64" });
    assert.equal(model.name, "mine");
    assert.deepEqual(model.outputs[0].shape, [null, 10]);
    const { config } = { config: model.getLayer("predictions").getConfig() };
    assert.equal(config["activation"], "linear");
    assert.ok(model.weights.every((weight) => weight.seed === 7 && weight.dtype === "float64"));
  });

  const wrong: readonly [ResNetOptions, string, string][] = [
    [
      { inputShape: 224 as unknown as number[] },
      "TypeError",
      "ResNet50: `inputShape` must be an array [height, width, channels]. Received 224.",
    ],
    [
      { inputShape: [224, 224] },
      "RangeError",
      "ResNet50: `inputShape` must be three numbers, height, width and channels. Received inputShape=[224, 224].",
    ],
    [
      { inputShape: [224, 31, 3] },
      "RangeError",
      "ResNet50: the input size must be at least 32x32. Received inputShape=[224, 31, 3].",
    ],
    [
      { inputShape: [null, 64, 3] },
      "RangeError",
      "ResNet50: with `includeTop`, `inputShape` must have no open dimension. Received inputShape=[null, 64, 3].",
    ],
    [
      { includeTop: false, pooling: JSON.parse('"mean"') },
      "TypeError",
      'ResNet50: `pooling` must be "avg", "max" or null. Received pooling="mean".',
    ],
  ];
  for (const [options, name, message] of wrong) {
    it(`refuse ${JSON.stringify(options)}`, () => assert.throws(() => ResNet50(options), { name, message }));
  }
});
