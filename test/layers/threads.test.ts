import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createExecution } from "../../src/kernels/execution.js";
import { Activation } from "../../src/layers/activation.js";
import { Add } from "../../src/layers/add.js";
import { AveragePooling2D } from "../../src/layers/average-pooling2d.js";
import { Concatenate } from "../../src/layers/concatenate.js";
import { Dropout } from "../../src/layers/dropout.js";
import { GlobalAveragePooling2D } from "../../src/layers/global-average-pooling2d.js";
import { GlobalMaxPooling2D } from "../../src/layers/global-max-pooling2d.js";
import type { Layer } from "../../src/layers/layer.js";
import { LeakyReLU } from "../../src/layers/leaky-relu.js";
import { MaxPooling2D } from "../../src/layers/max-pooling2d.js";
import { ReLU } from "../../src/layers/relu.js";
import { Rescaling } from "../../src/layers/rescaling.js";
import { Softmax } from "../../src/layers/softmax.js";
import { ZeroPadding2D } from "../../src/layers/zero-padding2d.js";
import { callLayer } from "../support/layers.js";
import { generate } from "../support/tensors.js";

const layers: readonly (readonly [what: string, layer: Layer])[] = [
  ["sigmoid", new Activation({ activation: "sigmoid" })],
  ["tanh", new Activation({ activation: "tanh" })],
  ["softmax", new Activation({ activation: "softmax" })],
  ["ReLU", new ReLU()],
  ["LeakyReLU", new LeakyReLU()],
  ["Softmax over the last axis", new Softmax()],
  ["Softmax over another axis", new Softmax({ axis: 2 })],
  ["Add", new Add()],
  ["Concatenate", new Concatenate()],
  ["Rescaling", new Rescaling({ scale: 2, offset: 1 })],
  ["Dropout", new Dropout({ rate: 0.5 })],
  ["MaxPooling2D", new MaxPooling2D()],
  ["AveragePooling2D", new AveragePooling2D()],
  ["GlobalMaxPooling2D", new GlobalMaxPooling2D()],
  ["GlobalAveragePooling2D", new GlobalAveragePooling2D()],
  ["ZeroPadding2D", new ZeroPadding2D()],
];

describe("the threads of an execution", () => {
  for (const [what, layer] of layers) {
    it(`share the work of ${what}, both ways`, (test) => {
      const execution = createExecution({ threads: 2 });
      assert.ok(execution.pool !== undefined);
      const run = test.mock.method(execution.pool, "run").mock;
      const x = generate([3, 6, 5, 4], "float32", (n, h, w, c) => ((n * 7 + h * 5 + w * 3 + c) % 11) / 4 - 1);
      const isOfTwo = layer instanceof Add || layer instanceof Concatenate;
      const pass = callLayer(layer, isOfTwo ? [x, x] : [x], {}, { execution, training: true });
      const forward = run.callCount();
      assert.ok(forward > 0, "forward");
      pass.backward(pass.y);
      const isHandedOn = layer instanceof Add; // each input has dy itself
      assert.equal(run.callCount() > forward, !isHandedOn, "backward");
      execution.close();
    });
  }
});
