import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { graphs, type ModelCase, residualNetworks } from "../../src/arbitraries/main.js";
import { type CallContext, inference } from "../../src/layers/layer.js";
import { modelFromConfig } from "../../src/models/from-config.js";
import { serializeLayer } from "../../src/models/graph-config.js";
import { trace } from "../../src/models/trace.js";
import { formatShape } from "../../src/tensor/shape.js";
import { families, smallest } from "./shrinking.js";

const training: CallContext = { ...inference, training: true };

/** Runs a model forward and back: it throws where anything does not fit. */
function run({ model, inputs, targets }: ModelCase): void {
  const { outputs } = model.forward(inputs, training);
  assert.equal(formatShape(outputs[0].shape), formatShape(targets.shape));
  trace(model, inputs, { training: true, loss: "mean_squared_error", targets: [targets] });
  for (const weight of model.weights) {
    if (weight.name === "moving_variance") assert.ok(weight.value.data.every((v) => v > 0));
  }
}

function behaves(name: string, arbitrary: fc.Arbitrary<ModelCase>, numRuns: number): void {
  describe(name, () => {
    it("run forward and back, and so does all that they shrink to", () => {
      fc.assert(
        fc.property(families(arbitrary, 6), ({ value, simpler }) => {
          run(value);
          simpler.forEach(run);
        }),
        { numRuns },
      );
    });

    it("are the same for the same seed", () => {
      const draw = (): string => fc.stringify(fc.sample(arbitrary, { seed: 5, numRuns: 3 }));
      assert.equal(draw(), draw());
    });

    it("can be written to a Keras configuration and read again", () => {
      fc.assert(
        fc.property(arbitrary, ({ model }) => {
          const config = JSON.parse(JSON.stringify(serializeLayer(model)));
          const again = modelFromConfig(config);
          assert.deepEqual([...again.weightsByPath().keys()], [...model.weightsByPath().keys()]);
        }),
        { numRuns: 20 },
      );
    });
  });
}

behaves("graphs()", graphs(), 40);
behaves("residualNetworks()", residualNetworks(), 8);

describe("graphs()", () => {
  it("have every layer class, branches, and no more layers than asked for", () => {
    const classes = new Set<string>();
    let branches = 0;
    for (const { model } of fc.sample(graphs({ maxLayers: 5 }), { numRuns: 400, seed: 1 })) {
      assert.ok(model.graphNodes.length <= 6);
      const read = model.graphNodes.flatMap(({ inputs }) => inputs.map((x) => x.node));
      if (new Set(read).size < read.length) branches++;
      for (const { className } of model.layers) classes.add(className);
    }
    assert.ok(branches > 10, `${branches} branches`);
    assert.deepEqual([...classes].toSorted(), [
      "Activation",
      "Add",
      "AveragePooling2D",
      "BatchNormalization",
      "Concatenate",
      "Conv2D",
      "Dense",
      "DepthwiseConv2D",
      "Dropout",
      "Flatten",
      "GlobalAveragePooling2D",
      "GlobalMaxPooling2D",
      "InputLayer",
      "LeakyReLU",
      "MaxPooling2D",
      "ReLU",
      "Rescaling",
      "Reshape",
      "Softmax",
      "ZeroPadding2D",
    ]);
  });
});

describe("residualNetworks()", () => {
  it("are of the version that is asked for, with images from 4 to 9 and one-hot labels", () => {
    for (const version of [1, 2] as const) {
      for (const { model, inputs, targets } of fc.sample(residualNetworks({ version }), { numRuns: 10, seed: 1 })) {
        const order = model.graphNodes.map(({ layer }) => layer.className);
        // v2 normalizes and rectifies once more before the mean; v1 rectifies a sum
        assert.equal(order[order.indexOf("AveragePooling2D") - 2], version === 2 ? "BatchNormalization" : "Add");
        const [batch, height, width] = inputs[0].shape;
        assert.ok(height >= 4 && height <= 9 && width >= 4 && width <= 9);
        assert.equal(
          Array.from(targets.data).reduce((a, v) => a + v, 0),
          batch,
        );
      }
    }
  });
});

describe("a planted mistake in a model shrinks to the smallest case:", () => {
  for (const seed of [1, 2, 3]) {
    it(`a sum of branches, seed ${seed}`, () => {
      const found = smallest(graphs(), ({ model }) => !model.layers.some(({ className }) => className === "Add"), seed);
      assert.match(
        found,
        /^\{"model":Model\(input = InputLayer\(\) \[null, 1, 1, 1\]; layer\d = Add\(input, input\) \[null, 1, 1, 1\]\),"inputs":\[tensorOf\(\[0\]/,
      );
    });

    it(`a negative bias of a convolution, seed ${seed}`, () => {
      const found = smallest(
        graphs(),
        ({ model }) =>
          !model.layers.some(({ className, weights }) =>
            weights.some(
              ({ name, value }) => className === "Conv2D" && name === "bias" && value.data.some((v) => v < -0.5),
            ),
          ),
        seed,
      );
      assert.match(
        found,
        /^\{"model":Model\(input = InputLayer\(\) \[null, 1, 1, 1\]; layer\d = Conv2D\(input\) \[null, 1, 1, \d\] \{ kernel: tensorOf\(\[[0,]+\], \[\d, \d, 1, \d\], "float32"\), bias: tensorOf\(\[(0,)*-1(,0)*\], \[\d\], "float32"\) \}\),/,
      );
    });

    it(`a second stack, seed ${seed}`, () => {
      const projects = ({ model }: ModelCase): boolean =>
        model.layers.some((layer) => String(layer.getConfig()["strides"]) === "2,2" && layer.className === "Conv2D");
      const found = smallest(residualNetworks(), (example) => !projects(example), seed);
      assert.match(found, /^\{"model":Model\(input_layer = InputLayer\(\) \[null, 1, 1, 1\]; conv2d = /);
      assert.equal(found.match(/= Add\(/g)?.length, 2, "one block in each of two stacks");
    });
  }
});
