import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { graphs } from "../../src/arbitraries/graphs.js";
import { residualNetworks } from "../../src/arbitraries/residual-networks.js";
import { runPass } from "../../src/kernels/element-tiles.js";
import { createExecution, type Execution, serial } from "../../src/kernels/execution.js";
import { RELU, rectify, rectifyJob } from "../../src/kernels/rectify.js";
import { Activation } from "../../src/layers/activation.js";
import { Add } from "../../src/layers/add.js";
import { AveragePooling2D } from "../../src/layers/average-pooling2d.js";
import { BatchNormalization } from "../../src/layers/batch-normalization.js";
import { Concatenate } from "../../src/layers/concatenate.js";
import { Conv2D } from "../../src/layers/conv2d.js";
import { Dense } from "../../src/layers/dense.js";
import { DepthwiseConv2D } from "../../src/layers/depthwise-conv2d.js";
import { Dropout } from "../../src/layers/dropout.js";
import { Flatten } from "../../src/layers/flatten.js";
import { GlobalAveragePooling2D } from "../../src/layers/global-average-pooling2d.js";
import { GlobalMaxPooling2D } from "../../src/layers/global-max-pooling2d.js";
import { input } from "../../src/layers/input-layer.js";
import { inference, type Layer, type SymbolicTensor } from "../../src/layers/layer.js";
import { LeakyReLU } from "../../src/layers/leaky-relu.js";
import { MaxPooling2D } from "../../src/layers/max-pooling2d.js";
import { ReLU } from "../../src/layers/relu.js";
import { Rescaling } from "../../src/layers/rescaling.js";
import { Reshape } from "../../src/layers/reshape.js";
import { Softmax } from "../../src/layers/softmax.js";
import { ZeroPadding2D } from "../../src/layers/zero-padding2d.js";
import { inferWithLogits } from "../../src/models/infer.js";
import { KeptPass } from "../../src/models/kept-pass.js";
import { Model } from "../../src/models/model.js";
import { sharedHeap } from "../../src/tensor/heap.js";
import { detach, type Tensor, tensor } from "../../src/tensor/tensor.js";
import { assertGivesBits, Custom, inputsOf, OwnSoftmax, plusOne } from "../support/kept-passes.js";

const image = (shape: readonly number[]): SymbolicTensor => input({ shape, name: "image" });

/** What several runs of a pass over one custom layer between two others give. */
function assertKeptWith(layer: Layer): void {
  const x = image([4, 4, 4]);
  const before = new Activation({ activation: "relu" }).apply(x);
  const y = new Conv2D({ filters: 4, kernelSize: 3, padding: "same" }).apply(layer.apply(before));
  assertKept(new Model({ inputs: x, outputs: y, seed: 1 }));
}

/** {@link assertGivesBits} of a {@link KeptPass}. */
function assertKept(model: Model, inputs: readonly Tensor[] = inputsOf(model, 2), execution: Execution = serial): void {
  assertGivesBits(model, inputs, execution, (packing) => new KeptPass(model, inputs, packing));
}

describe("KeptPass", () => {
  it("gives the bits of an ordinary pass for any graph and any inputs, with both ways to sum", () => {
    for (const accumulate of ["float64", "float32"] as const) {
      const anyModel = fc.oneof(graphs({ maxLayers: 10, maxDim: 8 }), residualNetworks({ regime: "normal" }));
      fc.assert(
        fc.property(anyModel, ({ model, inputs }) => assertKept(model, inputs, { ...serial, accumulate })),
        { numRuns: 60 },
      );
    }
  });

  it("gives them with any number of threads", () => {
    const image = input({ shape: [12, 10, 8], name: "image" });
    const branch = new BatchNormalization().apply(
      new Conv2D({ filters: 16, kernelSize: 3, padding: "same" }).apply(image),
    );
    const other = new Conv2D({ filters: 16, kernelSize: 1 }).apply(new Rescaling({ scale: 1 / 255 }).apply(image));
    const sum = new Activation({ activation: "relu" }).apply(new Add().apply([branch, other]));
    const joined = new Concatenate().apply([sum, new Activation({ activation: "sigmoid" }).apply(other), sum]);
    const greatest = new GlobalMaxPooling2D({ keepdims: true }).apply(new Softmax({ axis: 2 }).apply(joined));
    const both = new Activation({ activation: "tanh" }).apply(new Add().apply([joined, greatest]));
    const model = new Model({
      inputs: image,
      outputs: new Dense({ units: 3, activation: "softmax" }).apply(both),
      seed: 3,
    });
    for (const threads of [1, 2, 3]) {
      for (const accumulate of ["float64", "float32"] as const) {
        const execution = createExecution({ threads, accumulate });
        try {
          assertKept(model, undefined, execution);
        } finally {
          execution.close();
        }
      }
    }
  });

  it("keeps numbers made of weights where no output of a layer is ever written", () => {
    // small tensors, such as biases, are cut from pages; a page is begun where the first convolution's output was
    const x = image([40, 32, 3]);
    const large = new Conv2D({ filters: 16, kernelSize: 3 }).apply(x);
    let y = new Flatten().apply(new MaxPooling2D({ poolSize: 16 }).apply(large));
    for (let i = 0; i < 24; i++) y = new Dense({ units: 999, biasInitializer: "he_normal" }).apply(y);
    const model = new Model({ inputs: x, outputs: y, seed: 4 });
    assertKept(model);
  });

  it("works out nothing again that only jobs compute, and calls again layers that compute otherwise", (test) => {
    const x = image([6, 5, 4]);
    const conv = new Conv2D({ filters: 8, kernelSize: 3, padding: "same", activation: "relu" });
    const sigmoid = new Conv2D({ filters: 4, kernelSize: 1, activation: "sigmoid" });
    const normalization = new BatchNormalization();
    const plain = [
      new DepthwiseConv2D({ kernelSize: 3, biasInitializer: "he_normal" }),
      new MaxPooling2D({ poolSize: 2, strides: 1 }),
      new AveragePooling2D({ poolSize: 2, strides: 1 }),
      new ZeroPadding2D({ padding: 1 }),
      new LeakyReLU(),
      new Dropout({ rate: 0.5 }),
      new Reshape({ targetShape: [3, 4, 8] }),
      new GlobalAveragePooling2D(),
      new Dense({ units: 5 }),
      new Flatten(),
    ];
    const smooth = [
      new Rescaling({ scale: [0.5, 2, -1, 0.25], offset: 1 }),
      new Activation({ activation: "tanh" }),
      new Softmax({ axis: 1 }),
      new GlobalMaxPooling2D({ keepdims: true }),
    ];
    const custom = new Custom(plusOne);
    const [doubled, relu, alike, joined] = [
      new Add(),
      new ReLU(),
      new Activation({ activation: "relu6" }),
      new Concatenate(),
    ];
    const others = [doubled, relu, alike, joined, ...smooth];
    const begin = joined.apply([alike.apply(relu.apply(doubled.apply([x, x]))), x]);
    const layers = [conv, ...plain.slice(0, 7), sigmoid, normalization, ...smooth, ...plain.slice(7), custom];
    const model = new Model({ inputs: x, outputs: layers.reduce((y, layer) => layer.apply(y), begin), seed: 1 });
    const calls = [...others, ...plain, custom].map((layer) => test.mock.method(layer, "call").mock);
    const finished = [conv, normalization, sigmoid].map((layer) => test.mock.method(layer, "callFinished").mock);
    assertKept(model);
    const passes = 7; // five ordinary ones by themselves, one to pack, one to keep
    const runs = 3;
    const counts = [...calls, ...finished].map((mock) => mock.callCount());
    assert.deepEqual(counts, [...others, ...plain].map(() => passes).concat([passes + runs, passes, passes, passes]));
  });

  it("calls again a layer that computes outside of jobs, also where a job comes last, or its output is a view", () => {
    assertKeptWith(new Custom(plusOne));
    assertKeptWith(new Custom((x, execution) => rectify(plusOne(x), RELU, execution)));
    assertKeptWith(new Custom((x) => plusOne(x).transpose(0, 2, 1, 3)));
    assertKeptWith(new Custom((x) => detach(plusOne(x))));
    assertKeptWith(new Custom((x) => x));
  });

  it("calls again a layer of whose jobs one writes outside the heap", () => {
    const outside = (x: Tensor, execution: Execution): Tensor => {
      const half = tensor(new Float32Array(x.size), x.shape);
      const numbers = [x.size, 0.5, 0, 0];
      runPass(execution, true, { job: rectifyJob, reads: [x.data], writes: [half.data], numbers, tiles: 1 });
      return rectify(half, RELU, execution);
    };
    assertKeptWith(new Custom(outside, true));
  });

  it("adds more tensors than a job takes, and tensors of several shapes", () => {
    const [a, b] = [image([3, 4, 8]), input({ shape: [1, 4, 8], name: "row" })];
    const many = new Add().apply([a, a, a, a, a, a, a]);
    const model = new Model({ inputs: [a, b], outputs: new Add().apply([many, b]), seed: 1 });
    assertKept(model);
  });

  it("gives outputs that are inputs, and one output twice", () => {
    const x = image([3, 4, 4]);
    const y = new Activation({ activation: "linear" }).apply(x);
    const z = new Activation({ activation: "relu" }).apply(y);
    const model = new Model({ inputs: x, outputs: [y, z, z], seed: 1 });
    assertKept(model);
  });

  it("gives what the first output is the softmax of, too, however that is computed", () => {
    const heads: (() => Layer)[] = [
      () => new Dense({ units: 5, activation: "softmax" }),
      () => new Softmax(),
      () => new Activation({ activation: "softmax" }),
      () => new OwnSoftmax(),
    ];
    for (const [i, head] of heads.entries()) {
      const x = image([3, 4, 4]);
      const before = new Dense({ units: 8, activation: "relu" }).apply(new Flatten().apply(x));
      const y = head().apply(before);
      const after = new Dense({ units: 16, activation: "relu" }).apply(before); // could take what the softmax was taken of
      for (const outputs of [y, [y, after]]) {
        const model = new Model({ inputs: x, outputs, seed: 1 });
        const inputs = inputsOf(model, 6);
        const given = inferWithLogits(model, inputs, inference, () => undefined);
        assert.equal(given.length, model.outputs.length + 1, `head ${i}`);
        const keep = (packing: Execution): KeptPass => new KeptPass(model, inputs, packing, inferWithLogits);
        assertGivesBits(model, inputs, serial, keep, inferWithLogits);
      }
    }
  });

  it("is only for models all of whose layers compute in float32, on assembled kernels", () => {
    const of = (...dtypes: readonly ("float32" | "float64")[]): Model => {
      const x = input({ shape: [3], dtype: dtypes[0], name: "x" });
      const y = dtypes.reduce((each, dtype) => new Dense({ units: 2, dtype }).apply(each), x);
      return new Model({ inputs: x, outputs: y });
    };
    assert.equal(KeptPass.suits(of("float32", "float32"), serial), true);
    assert.equal(KeptPass.suits(of("float32", "float64"), serial), false);
    assert.equal(KeptPass.suits(of("float64"), serial), false);
    for (const kernel of ["scalar", "naive"] as const) {
      assert.equal(KeptPass.suits(of("float32"), { ...serial, kernel }), false);
    }
  });

  it("takes no memory where it could not be made", () => {
    const x = image([3, 4, 4]);
    const failing = new Custom(() => {
      throw new Error("the layer went wrong");
    });
    const model = new Model({ inputs: x, outputs: failing.apply(new Activation({ activation: "relu" }).apply(x)) });
    const used = sharedHeap().used;
    assert.throws(() => new KeptPass(model, inputsOf(model, 2), serial), { message: "the layer went wrong" });
    assert.equal(sharedHeap().used, used);
  });
});
