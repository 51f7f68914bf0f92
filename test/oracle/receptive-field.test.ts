import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { randomStream } from "../../src/arithmetic/random.js";
import { Activation } from "../../src/layers/activation.js";
import { Add } from "../../src/layers/add.js";
import { AveragePooling2D } from "../../src/layers/average-pooling2d.js";
import { BatchNormalization } from "../../src/layers/batch-normalization.js";
import { Concatenate } from "../../src/layers/concatenate.js";
import { Conv2D } from "../../src/layers/conv2d.js";
import { Dense } from "../../src/layers/dense.js";
import { DepthwiseConv2D } from "../../src/layers/depthwise-conv2d.js";
import { Flatten } from "../../src/layers/flatten.js";
import { GlobalAveragePooling2D } from "../../src/layers/global-average-pooling2d.js";
import { GlobalMaxPooling2D } from "../../src/layers/global-max-pooling2d.js";
import { input } from "../../src/layers/input-layer.js";
import { inference, type Layer } from "../../src/layers/layer.js";
import { LeakyReLU } from "../../src/layers/leaky-relu.js";
import { MaxPooling2D } from "../../src/layers/max-pooling2d.js";
import { Rescaling } from "../../src/layers/rescaling.js";
import { Reshape } from "../../src/layers/reshape.js";
import { Softmax } from "../../src/layers/softmax.js";
import { ZeroPadding2D } from "../../src/layers/zero-padding2d.js";
import { Model } from "../../src/models/model.js";
import { positionOf } from "../../src/oracle/judgement.js";
import { regionRead } from "../../src/oracle/receptive-field.js";
import { type Shape, sizeOf } from "../../src/tensor/shape.js";
import { contiguous, tensor } from "../../src/tensor/tensor.js";

/** What all are asked of: two images of 6 by 5 pixels and 4 channels. */
const SHAPE: Shape = [2, 6, 5, 4];
/** Larger than anything else that a layer sees: a maximum turns to it, and a softmax. */
const LARGE = 100;

const padding = [
  [1, 2],
  [0, 3],
] as const;
const softmax = { activation: "softmax" } as const;
const LAYERS: Readonly<Record<string, () => Layer>> = {
  tanh: () => new Activation({ activation: "tanh" }),
  "activation softmax": () => new Activation(softmax),
  "average pooling": () => new AveragePooling2D({ poolSize: [3, 2], strides: [2, 1], padding: "same" }),
  "batch normalization": () => new BatchNormalization({}),
  "frozen batch normalization": () => new BatchNormalization({ trainable: false }),
  "batch normalization of rows": () => new BatchNormalization({ axis: 1 }),
  convolution: () => new Conv2D({ filters: 3, kernelSize: [3, 2], strides: [1, 2], padding: "same" }),
  "convolution, dilated": () => new Conv2D({ filters: 3, kernelSize: [2, 3], dilationRate: [3, 2], padding: "same" }),
  "convolution, far dilated": () => new Conv2D({ filters: 3, kernelSize: 2, dilationRate: [11, 1], padding: "same" }),
  "convolution in groups": () => new Conv2D({ filters: 6, kernelSize: 2, groups: 2 }),
  "convolution in groups with softmax": () => new Conv2D({ filters: 6, kernelSize: 2, groups: 2, ...softmax }),
  dense: () => new Dense({ units: 3 }),
  depthwise: () => new DepthwiseConv2D({ kernelSize: 3, depthMultiplier: 2, padding: "same" }),
  "depthwise with softmax": () => new DepthwiseConv2D({ kernelSize: 3, ...softmax }),
  flatten: () => new Flatten(),
  "global average": () => new GlobalAveragePooling2D({ keepdims: true }),
  "global maximum": () => new GlobalMaxPooling2D(),
  "leaky ReLU": () => new LeakyReLU(),
  "max pooling": () => new MaxPooling2D({ poolSize: 3 }),
  rescaling: () => new Rescaling({ scale: 2 }),
  reshape: () => new Reshape({ targetShape: [4, 6, 5] }),
  softmax: () => new Softmax(),
  "softmax of rows": () => new Softmax({ axis: 1 }),
  "zero padding": () => new ZeroPadding2D({ padding }),
};

const numbers = (purpose: string, length: number): Float32Array =>
  randomStream(1, purpose).fillUniform(new Float32Array(length));

/** The layer as a model, every weight of which says something. */
function modelOf(layer: Layer): Model {
  const x = input({ shape: SHAPE.slice(1), name: "x" });
  const model = new Model({ inputs: x, outputs: layer.apply(x) });
  for (const weight of model.weights) {
    weight.assign(
      tensor(
        numbers(weight.name, weight.size).map((value) => 0.5 + value),
        weight.shape,
      ),
    );
  }
  return model;
}

/** Whether the region that was written holds `position`. */
function holds(region: string, position: readonly number[]): boolean {
  return region
    .slice(1, -1)
    .split(", ")
    .every((part, axis) => {
      if (part === ":") return true;
      const [first, end = Number(first) + 1, step = 1] = part.split(":").map(Number);
      return position[axis] >= first && position[axis] < end && (position[axis] - first) % step === 0;
    });
}

describe("the region that an element is made of", () => {
  for (const [name, make] of Object.entries(LAYERS)) {
    for (const training of [false, true]) {
      it(`is what changes it: ${name}${training ? ", in training" : ""}`, () => {
        const layer = make();
        const model = modelOf(layer);
        const data = numbers("x", sizeOf(SHAPE));
        const run = (values: Float32Array): ArrayLike<number> =>
          contiguous(model.forward([tensor(values, SHAPE)], { ...inference, training }).outputs[0]).data;
        const before = run(data);
        // by input, the outputs that it changes
        const changed = Array.from(data, (_, at) => {
          const after = run(data.map((value, i) => (i === at ? LARGE : value)));
          return Uint8Array.from(before, (value, i) => Number(!Object.is(value, after[i])));
        });
        const shape = layer.computeOutputShape([SHAPE]).map(Number);
        fc.assert(
          fc.property(fc.nat(before.length - 1), (output) => {
            const region = regionRead(layer, [SHAPE], positionOf(output, shape), training);
            for (const [at, outputs] of changed.entries()) {
              const isMadeOf = region !== undefined && holds(region, positionOf(at, SHAPE));
              assert.equal(outputs[output] === 1, isMadeOf, `${region} of ${positionOf(at, SHAPE).join(", ")}`);
            }
          }),
        );
      });
    }
  }

  it("is written as NumPy writes it", () => {
    const region = (layer: Layer, index: readonly number[]): string | undefined =>
      regionRead(layer, [SHAPE], index, false);
    assert.equal(region(LAYERS["convolution, dilated"](), [1, 0, 1, 2]), "[1, 2:3:3, 1:4:2, :]");
    assert.equal(region(LAYERS["convolution in groups"](), [1, 0, 1, 4]), "[1, 0:2, 1:3, 2:4]");
    assert.equal(region(LAYERS["zero padding"](), [0, 1, 1, 0]), "[0, 0, 1, 0]");
    assert.equal(region(LAYERS["zero padding"](), [0, 0, 1, 0]), undefined);
  });

  it("is the same of all summands, and left out where every input has its own", () => {
    assert.equal(regionRead(new Add(), [SHAPE, SHAPE], [1, 2, 3, 0], false), "[1, 2, 3, 0]");
    assert.equal(regionRead(new Concatenate(), [SHAPE, SHAPE], [1, 2, 3, 5], false), undefined);
    assert.equal(regionRead(new Add(), [], [1], false), undefined);
  });
});
