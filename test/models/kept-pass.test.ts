import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { graphs } from "../../src/arbitraries/graphs.js";
import { residualNetworks } from "../../src/arbitraries/residual-networks.js";
import { runPass } from "../../src/kernels/element-tiles.js";
import { createExecution, type Execution, serial } from "../../src/kernels/execution.js";
import { RELU, rectify, rectifyJob } from "../../src/kernels/rectify.js";
import { PackedConstants } from "../../src/kernels/simd/constants.js";
import { Activation } from "../../src/layers/activation.js";
import { Add } from "../../src/layers/add.js";
import { AveragePooling2D } from "../../src/layers/average-pooling2d.js";
import { BatchNormalization } from "../../src/layers/batch-normalization.js";
import { Conv2D } from "../../src/layers/conv2d.js";
import { Dense } from "../../src/layers/dense.js";
import { DepthwiseConv2D } from "../../src/layers/depthwise-conv2d.js";
import { Dropout } from "../../src/layers/dropout.js";
import { Flatten } from "../../src/layers/flatten.js";
import { GlobalAveragePooling2D } from "../../src/layers/global-average-pooling2d.js";
import { input } from "../../src/layers/input-layer.js";
import { type CallContext, inference, Layer, type LayerPass, type SymbolicTensor } from "../../src/layers/layer.js";
import { LeakyReLU } from "../../src/layers/leaky-relu.js";
import { MaxPooling2D } from "../../src/layers/max-pooling2d.js";
import { ReLU } from "../../src/layers/relu.js";
import { Reshape } from "../../src/layers/reshape.js";
import { ZeroPadding2D } from "../../src/layers/zero-padding2d.js";
import { KeptPass } from "../../src/models/kept-pass.js";
import { Model } from "../../src/models/model.js";
import { sharedHeap } from "../../src/tensor/heap.js";
import type { SymbolicShape } from "../../src/tensor/shape.js";
import { contiguous, detach, empty, type Tensor, tensor } from "../../src/tensor/tensor.js";
import { assertSameBits, generate } from "../support/tensors.js";

/** `execution` for weights that stay as they are, and what is kept of them. */
function constantsOf(model: Model): PackedConstants {
  const kernels = model.weights.filter(({ shape }) => shape.length > 1);
  return new PackedConstants(kernels.map(({ value }) => contiguous(value).data));
}

/** The outputs of an ordinary pass. */
function outputsOf(model: Model, inputs: readonly Tensor[], execution: Execution): readonly Tensor[] {
  return model.infer(inputs, { ...inference, execution }, () => undefined).map(detach);
}

/** Values of another run, in the shapes of `inputs`. */
function otherInputs(inputs: readonly Tensor[], turn: number): readonly Tensor[] {
  let i = turn;
  return inputs.map((x) => generate(x.shape, "float32", () => ((++i * 37 * (turn + 1)) % 101) / 64 - 0.5));
}

/** Writes NaN to all memory of the heap that is free, and more. */
function poisonFreeMemory(): void {
  const heap = sharedHeap();
  const blocks = [2 ** 20, 2 ** 16, 2 ** 12, 64].flatMap((bytes) =>
    Array.from({ length: 24 }, () => {
      const offset = heap.allocate(bytes);
      heap.view("float32", offset, bytes / 4).fill(Number.NaN);
      return offset;
    }),
  );
  for (const offset of blocks) heap.free(offset);
}

/** Asserts that a pass over `model` that was kept gives the bits of ordinary ones, for inputs of several runs. */
function assertKept(model: Model, inputs: readonly Tensor[], execution: Execution = serial): void {
  const constants = constantsOf(model);
  outputsOf(model, inputs, execution); // makes the weights
  const used = sharedHeap().used;
  const packing = { ...execution, constants };
  outputsOf(model, inputs, packing);
  const kept = new KeptPass(model, inputs, packing);
  try {
    const expected = outputsOf(model, inputs, execution);
    for (const [i, y] of kept.outputs.entries()) assertSameBits(y, expected[i], `output ${i} when it was made`);
    for (let turn = 0; turn < 3; turn++) {
      const others = otherInputs(inputs, turn);
      poisonFreeMemory();
      const outputs = kept.run(others);
      const wanted = outputsOf(model, others, execution);
      for (const [i, y] of outputs.entries()) assertSameBits(y, wanted[i], `output ${i} of run ${turn}`);
    }
  } finally {
    kept.close();
    constants.close();
  }
  assert.equal(sharedHeap().used, used);
}

const image = (shape: readonly number[]): SymbolicTensor => input({ shape, name: "image" });

/** Inputs for `model`, of two samples. */
function inputsOf(model: Model): readonly Tensor[] {
  return otherInputs(
    model.inputs.map(({ shape }) => generate([2, ...shape.slice(1).map(Number)], "float32", () => 0)),
    9,
  );
}

/** A layer that gives what `compute` makes of its input, of the same shape, and says whether that is in jobs. */
class Custom extends Layer {
  readonly className = "Custom";
  readonly #isInJobs: boolean;
  readonly #compute: (x: Tensor, execution: Execution) => Tensor;

  constructor(compute: (x: Tensor, execution: Execution) => Tensor, computesInJobs = false) {
    super({});
    this.#compute = compute;
    this.#isInJobs = computesInJobs;
  }

  override get computesInJobs(): boolean {
    return this.#isInJobs;
  }

  computeOutputShape([shape]: readonly SymbolicShape[]): SymbolicShape {
    return shape;
  }

  call([x]: readonly Tensor[], { execution }: CallContext): LayerPass {
    return { y: this.#compute(x, execution), backward: () => ({ dInputs: [], dWeights: {} }) };
  }

  protected arguments(): Record<string, never> {
    return {};
  }
}

/** x + 1 outside any job, in memory of the step. */
function plusOne(x: Tensor): Tensor {
  const y = empty(x.shape, x);
  for (const [i, value] of x.data.entries()) y.data[i] = value + 1;
  return y;
}

/** What several runs of a pass over one custom layer between two others give. */
function assertKeptWith(layer: Layer): void {
  const x = image([4, 4, 4]);
  const before = new Activation({ activation: "relu" }).apply(x);
  const y = new Conv2D({ filters: 4, kernelSize: 3, padding: "same" }).apply(layer.apply(before));
  const model = new Model({ inputs: x, outputs: y, seed: 1 });
  assertKept(model, inputsOf(model));
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
    const other = new Conv2D({ filters: 16, kernelSize: 1 }).apply(image);
    const sum = new Activation({ activation: "relu" }).apply(new Add().apply([branch, other]));
    const model = new Model({
      inputs: image,
      outputs: new Dense({ units: 3, activation: "softmax" }).apply(sum),
      seed: 3,
    });
    for (const threads of [1, 2, 3]) {
      for (const accumulate of ["float64", "float32"] as const) {
        const execution = createExecution({ threads, accumulate });
        try {
          assertKept(model, inputsOf(model), execution);
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
    assertKept(model, inputsOf(model));
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
    const softmax = new Dense({ units: 3, activation: "softmax" });
    const [doubled, relu, alike] = [new Add(), new ReLU(), new Activation({ activation: "relu6" })];
    const others = [doubled, relu, alike];
    const begin = alike.apply(relu.apply(doubled.apply([x, x])));
    const layers = [conv, ...plain.slice(0, 7), sigmoid, normalization, ...plain.slice(7), softmax];
    const model = new Model({ inputs: x, outputs: layers.reduce((y, layer) => layer.apply(y), begin), seed: 1 });
    const calls = [...others, ...plain, softmax].map((layer) => test.mock.method(layer, "call").mock);
    const finished = [conv, normalization, sigmoid].map((layer) => test.mock.method(layer, "callFinished").mock);
    assertKept(model, inputsOf(model));
    const passes = 7; // five ordinary ones by themselves, one to pack, one to keep
    const runs = 3;
    const counts = [...calls, ...finished].map((mock) => mock.callCount());
    assert.deepEqual(
      counts,
      [...others, ...plain].map(() => passes).concat([passes + runs, passes, passes, passes + runs]),
    );
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
    assertKept(model, inputsOf(model));
  });

  it("gives outputs that are inputs, and one output twice", () => {
    const x = image([3, 4, 4]);
    const y = new Activation({ activation: "linear" }).apply(x);
    const z = new Activation({ activation: "relu" }).apply(y);
    const model = new Model({ inputs: x, outputs: [y, z, z], seed: 1 });
    assertKept(model, inputsOf(model));
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
    assert.throws(() => new KeptPass(model, inputsOf(model), serial), { message: "the layer went wrong" });
    assert.equal(sharedHeap().used, used);
  });
});
