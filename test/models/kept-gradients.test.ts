import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { graphs } from "../../src/arbitraries/graphs.js";
import { residualNetworks } from "../../src/arbitraries/residual-networks.js";
import { runPass } from "../../src/kernels/element-tiles.js";
import { createExecution, type Execution, serial } from "../../src/kernels/execution.js";
import { RELU, rectify, rectifyJob } from "../../src/kernels/rectify.js";
import { simdModule } from "../../src/kernels/simd/module.js";
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
import type { CallContext, Layer, SymbolicTensor } from "../../src/layers/layer.js";
import { LeakyReLU } from "../../src/layers/leaky-relu.js";
import { MaxPooling2D } from "../../src/layers/max-pooling2d.js";
import { ReLU } from "../../src/layers/relu.js";
import { Rescaling } from "../../src/layers/rescaling.js";
import { Reshape } from "../../src/layers/reshape.js";
import { Softmax } from "../../src/layers/softmax.js";
import { ZeroPadding2D } from "../../src/layers/zero-padding2d.js";
import { type GradientPasses, KeptGradients, ordinaryPasses } from "../../src/models/kept-gradients.js";
import { Model } from "../../src/models/model.js";
import type { JobRun } from "../../src/parallel/job.js";
import { WorkerPool } from "../../src/parallel/pool.js";
import { DepartedError } from "../../src/parallel/recording.js";
import { l1l2, l2 } from "../../src/regularizers/regularizer.js";
import { sharedHeap } from "../../src/tensor/heap.js";
import { detach, type Tensor, tensor } from "../../src/tensor/tensor.js";
import { Custom, inputsOf, otherInputs, Outside, plusOne, poisonFreeMemory } from "../support/kept-passes.js";
import { assertSameBits } from "../support/tensors.js";

const image = (shape: readonly number[]): SymbolicTensor => input({ shape, name: "image" });
const SAMPLES = 3;

/** `layers` one behind the other, with weights that are neither zeros nor ones. */
function chain(shape: readonly number[], ...layers: readonly Layer[]): Model {
  const x = image(shape);
  const model = new Model({ inputs: x, outputs: layers.reduce((y, layer) => layer.apply(y), x), seed: 5 });
  changeWeights(model, 0);
  return model;
}

/** Other weights for every turn; variances stay positive. */
function changeWeights(model: Model, turn: number): void {
  for (const weight of model.weights) {
    const value = weight.read();
    for (let i = 0; i < value.size; i++) {
      value.data[i] = value.data[i] * (1 + turn / 8) + (((i + turn) * 29) % 31) / 128 + 1 / 64;
    }
    weight.assign(value);
  }
}

/** All that a step takes from `passes` for `x`, copied. */
function resultsOf(passes: GradientPasses, model: Model, x: Tensor, turn: number): Map<string, Tensor> {
  const pass = passes.forward(x);
  const [y] = pass.outputs;
  const [dy] = otherInputs([y], turn + 1);
  const isSoftmax = pass.passes.get(model.outputs[0].node)?.logits !== undefined;
  const found = new Map([["y", detach(y)]]);
  for (const [variable, gradient] of passes.backward(pass, isSoftmax ? { dy, dLogits: dy } : { dy })) {
    found.set(`gradient of ${variable.owner}/${variable.name}`, detach(gradient));
  }
  for (const [variable, value] of pass.updates) found.set(`new ${variable.owner}/${variable.name}`, detach(value));
  return found;
}

/**
 * Asserts that kept passes give the bits of ordinary ones, for several batches and weights, and give all memory back. Returns
 * whether they ran again.
 */
function assertSame(model: Model, x: Tensor, execution: Execution = serial): boolean {
  const context = { training: true, execution, seed: 1, step: 0 };
  const ordinary = ordinaryPasses(model, context, () => undefined);
  resultsOf(ordinary, model, x, 0); // makes the weights
  const used = sharedHeap().used;
  const kept = new KeptGradients(model, x, context);
  try {
    for (let turn = 0; turn < 4; turn++) {
      if (turn > 0 && !kept.canRunAgain) return false;
      const [batch] = turn === 0 ? [x] : otherInputs([x], turn);
      if (turn > 0) {
        poisonFreeMemory();
        changeWeights(model, turn);
      }
      const found = resultsOf(kept, model, batch, turn);
      const expected = resultsOf(ordinary, model, batch, turn);
      assert.deepEqual([...found.keys()], [...expected.keys()]);
      for (const [name, value] of found) assertSameBits(value, expected.get(name) ?? value, `${name} in turn ${turn}`);
    }
    return true;
  } finally {
    kept.close();
    assert.equal(sharedHeap().used, used);
  }
}

function assertRunsAgain(model: Model, execution: Execution = serial): void {
  assert.equal(KeptGradients.suits(model, execution), true);
  const [x] = inputsOf(model, SAMPLES);
  assert.equal(assertSame(model, x, execution), true);
}

describe("KeptGradients", () => {
  it("runs residual networks again, and gives the bits of ordinary passes, with both ways to sum", () => {
    for (const accumulate of ["float64", "float32"] as const) {
      fc.assert(
        fc.property(residualNetworks({ regime: "normal" }), ({ model, inputs: [x] }) => {
          assert.equal(assertSame(model, x, { ...serial, accumulate }), true);
        }),
        { numRuns: 40 },
      );
    }
  });

  it("gives them for any graph, whether that can run again or not", () => {
    for (const accumulate of ["float64", "float32"] as const) {
      const anyModel = graphs({ maxLayers: 10, maxDim: 8, regime: "normal" });
      fc.assert(
        fc.property(anyModel, ({ model, inputs: [x] }) => void assertSame(model, x, { ...serial, accumulate })),
        { numRuns: 60 },
      );
    }
  });

  it("gives them with any number of threads", () => {
    const x = image([12, 10, 8]);
    const branch = new BatchNormalization().apply(
      new Conv2D({ filters: 16, kernelSize: 3, padding: "same", kernelRegularizer: l2(1e-3) }).apply(x),
    );
    const other = new Conv2D({ filters: 16, kernelSize: 1, useBias: false }).apply(x);
    const sum = new Activation({ activation: "relu" }).apply(new Add().apply([branch, other]));
    const smooth = new Activation({ activation: "tanh" }).apply(new Rescaling({ scale: 0.5, offset: -1 }).apply(other));
    const joined = new Concatenate().apply([sum, smooth, new Activation({ activation: "sigmoid" }).apply(branch)]);
    const shares = new Softmax({ axis: 2 }).apply(joined);
    const halved = new Conv2D({ filters: 12, kernelSize: 3, strides: 2, padding: "same" }).apply(shares);
    const rectified = new ReLU().apply(new BatchNormalization().apply(halved));
    const pooled = [new GlobalAveragePooling2D().apply(rectified), new GlobalMaxPooling2D().apply(rectified)];
    const outputs = new Dense({ units: 3, activation: "softmax", kernelRegularizer: l1l2(0.5, 0.25) });
    const model = new Model({ inputs: x, outputs: outputs.apply(new Concatenate().apply(pooled)), seed: 3 });
    for (const threads of [1, 2, 3]) {
      for (const accumulate of ["float64", "float32"] as const) {
        const execution = createExecution({ threads, accumulate });
        try {
          assertRunsAgain(model, execution);
        } finally {
          execution.close();
        }
      }
    }
  });

  it("works nothing out again that layers compute in jobs", (test) => {
    const relu = new Conv2D({ filters: 8, kernelSize: 3, padding: "same", activation: "relu" });
    const normalizations = [new BatchNormalization(), new BatchNormalization({ scale: false, center: false })];
    const strided = new Conv2D({ filters: 8, kernelSize: 3, strides: 2, groups: 2 });
    const layers = [
      relu,
      normalizations[0],
      new ReLU({ maxValue: 6 }),
      new DepthwiseConv2D({ kernelSize: 3, padding: "same" }),
      strided,
      new MaxPooling2D({ poolSize: 2, strides: 1 }),
      normalizations[1],
      new AveragePooling2D({ poolSize: 2, strides: 1, padding: "same" }),
      new ZeroPadding2D({ padding: 1 }),
      new LeakyReLU(),
      new Dropout({ rate: 0 }),
      new Reshape({ targetShape: [4, 5, 8] }),
      new Rescaling({ scale: 3 }),
      new Conv2D({ filters: 4, kernelSize: 1, activation: "sigmoid" }),
      new Softmax({ axis: 1 }),
      new Concatenate(),
      new GlobalMaxPooling2D({ keepdims: true }),
      new Flatten(),
      new Dense({ units: 70, activation: "tanh" }),
      new Dense({ units: 5, activation: "softmax" }),
    ];
    const model = chain([10, 8, 4], ...layers);
    const forward = test.mock.method(model, "forward").mock;
    assertRunsAgain(model);
    const ordinary = 1 + 4; // to make the weights, and to compare with
    assert.equal(forward.callCount(), ordinary + 1);
  });

  it("runs again with layers that are not trained", () => {
    const frozen = [
      new BatchNormalization({ trainable: false }),
      new Conv2D({ filters: 8, kernelSize: 1, trainable: false }),
    ];
    const [first, last] = [1, 2].map(() => new Conv2D({ filters: 8, kernelSize: 3 }));
    assertRunsAgain(chain([9, 7, 4], first, ...frozen, new ReLU(), last, new GlobalAveragePooling2D()));
    const untrained = new Conv2D({ filters: 8, kernelSize: 3, trainable: false });
    assertRunsAgain(chain([9, 7, 4], untrained, new BatchNormalization(), new ReLU(), new Flatten()));
  });

  it("runs again with a layer that is applied twice, and moves its statistics twice", () => {
    const [norm, conv] = [new BatchNormalization(), new Conv2D({ filters: 4, kernelSize: 3, padding: "same" })];
    assertRunsAgain(chain([6, 5, 4], conv, norm, new ReLU(), conv, norm, new Flatten()));
  });

  it("draws in every step the numbers of that step", () => {
    const [drops, seeded] = [new Dropout({ rate: 0.5 }), new Dropout({ rate: 0.25, seed: 8 })];
    const conv = new Conv2D({ filters: 4, kernelSize: 3, padding: "same" });
    const model = chain([4, 5, 3], conv, drops, new ReLU(), seeded, new Flatten());
    const [x] = inputsOf(model, SAMPLES);
    const contextOf = (step: number): CallContext => ({ training: true, execution: serial, seed: 1, step });
    const kept = new KeptGradients(model, x, contextOf(3));
    const seen = new Set<string>();
    for (const step of [3, 4, 9, 4, 2 ** 32 - 1]) {
      kept.step = step;
      const found = resultsOf(kept, model, x, 0);
      const ordinary = ordinaryPasses(model, contextOf(step), () => undefined);
      for (const [name, value] of resultsOf(ordinary, model, x, 0)) {
        assertSameBits(found.get(name) ?? x, value, `${name} of step ${step}`);
      }
      assert.equal(kept.canRunAgain, true);
      seen.add(String(found.get("y")?.data));
    }
    assert.equal(seen.size, 4);
    kept.close();
  });

  it("cannot run again where a layer computes outside of jobs", () => {
    const isKept = (...layers: readonly Layer[]): boolean => {
      const model = chain(
        [4, 4, 4],
        new Activation({ activation: "relu" }),
        ...layers,
        new Conv2D({ filters: 4, kernelSize: 3 }),
      );
      const [x] = inputsOf(model, SAMPLES);
      return assertSame(model, x);
    };
    assert.equal(isKept(new Custom(plusOne, true)), false);
    assert.equal(isKept(new Custom((x, execution) => rectify(plusOne(x), RELU, execution), true)), false);
    assert.equal(isKept(new Activation({ activation: "relu" })), true);
  });

  it("cannot run again where the output or a gradient is computed outside of jobs", () => {
    const last = chain([4, 4, 4], new Conv2D({ filters: 4, kernelSize: 3 }), new Outside(plusOne, true));
    assert.equal(assertSame(last, inputsOf(last, SAMPLES)[0]), false);
    const inJobs = new Outside((x, execution) => rectify(x, RELU, execution), true);
    const back = chain([4, 4, 4], new Conv2D({ filters: 4, kernelSize: 3 }), new Flatten(), inJobs);
    assert.equal(assertSame(back, inputsOf(back, SAMPLES)[0]), false);
  });

  it("is for models whose layers all compute in jobs, on assembled kernels", () => {
    const of = (...layers: readonly Layer[]): Model => chain([4, 4, 4], ...layers);
    const conv = new Conv2D({ filters: 4, kernelSize: 3 });
    assert.equal(KeptGradients.suits(of(conv, new ReLU()), serial), true);
    assert.equal(KeptGradients.suits(of(conv, new Activation({ activation: "tanh" })), serial), true);
    assert.equal(KeptGradients.suits(of(conv, new Custom((x) => x)), serial), false);
    for (const kernel of ["scalar", "naive"] as const) {
      assert.equal(KeptGradients.suits(of(conv), { ...serial, kernel }), false);
    }
  });

  it("departs, forward, where a kernel is no longer finite, whose padding it left out", () => {
    for (const filters of [4, 20, 2048]) {
      // outside the heap; in it, and packed before all else; packed by all threads
      const conv = new Conv2D({ filters, kernelSize: 3, padding: "same" });
      const model = chain([6, 6, 12], conv, new ReLU());
      const [x] = inputsOf(model, SAMPLES);
      const context = { training: true, execution: { ...serial, accumulate: "float32" } as const, seed: 1, step: 0 };
      const kept = new KeptGradients(model, x, context);
      resultsOf(kept, model, x, 0);
      kept.forward(x);
      const weights = conv.weights[0].read();
      weights.data[0] = Number.POSITIVE_INFINITY;
      conv.weights[0].assign(weights);
      assert.throws(() => kept.forward(x), DepartedError, `${filters} filters`);
      kept.close();
    }
  });

  it("packs all kernels before all else, together, but for those that threads share", () => {
    class Watched extends WorkerPool {
      readonly seen: (readonly [string, number])[][] = [];

      override run(...runs: readonly JobRun[]): void {
        this.seen.push(runs.map(({ job, reads }) => [job.name, reads.at(0)?.length ?? 0]));
        super.run(...runs);
      }
    }
    const layers = [64, 32, 300].map((filters) => new Conv2D({ filters, kernelSize: 3, padding: "same" }));
    const model = chain([6, 6, 16], ...layers, new ReLU());
    const pool = new Watched(2, new URL("../../src/kernels/jobs.js", import.meta.url), { payload: simdModule() });
    const execution = { accumulate: "float32", kernel: "simd", pool } as const;
    assertRunsAgain(model, execution);
    const [x] = inputsOf(model, SAMPLES);
    const kept = new KeptGradients(model, x, { training: true, execution, seed: 1, step: 0 });
    resultsOf(kept, model, x, 0);
    pool.seen.length = 0;
    resultsOf(kept, model, x, 0);
    kept.close();
    pool.close();
    const [first, ...others] = pool.seen;
    const ofWeights = (names: readonly (readonly [string, number])[]): number[] =>
      names.filter(([name]) => name === "packPanels" || name === "finite").map(([, length]) => length);
    // the first layer's gradient for its input is not wanted, so its kernel is packed for the forward pass alone
    assert.equal(first.filter(([name]) => name === "packPanels").length, 3);
    assert.equal(ofWeights(first).length, first.length);
    assert.ok(ofWeights(first).every((length) => length < 65_536));
    assert.ok(ofWeights(others.flat()).length > 0);
    assert.ok(ofWeights(others.flat()).every((length) => length >= 65_536));
  });

  it("runs a job that writes memory of its own after what it reads has been written", () => {
    const inOwnMemory = (x: Tensor, execution: Execution): Tensor => {
      const half = tensor(new Float32Array(x.size), x.shape);
      const numbers = [x.size, 0.5, 0, 0];
      runPass(execution, false, { job: rectifyJob, reads: [x.data], writes: [half.data], numbers, tiles: 1 });
      return half;
    };
    const before = new Activation({ activation: "relu" });
    assertRunsAgain(chain([4, 4, 4], before, new Custom(inOwnMemory, true), new Conv2D({ filters: 4, kernelSize: 3 })));
  });

  it("departs, backward, where a gradient is not finite, whose products with padding it left out", () => {
    const model = chain([6, 6, 4], new Conv2D({ filters: 4, kernelSize: 3, padding: "same" }));
    const [x] = inputsOf(model, SAMPLES);
    const kept = new KeptGradients(model, x, { training: true, execution: serial, seed: 1, step: 0 });
    resultsOf(kept, model, x, 0);
    const pass = kept.forward(x);
    const [dy] = otherInputs(pass.outputs, 3);
    dy.data[5] = Number.NaN;
    assert.throws(() => kept.backward(pass, { dy }), DepartedError);
    kept.close();
  });

  it("does not ask for the gradient of probabilities where backward begins at logits", () => {
    const model = chain([5], new Dense({ units: 3, activation: "softmax" }));
    const [x] = inputsOf(model, SAMPLES);
    const kept = new KeptGradients(model, x, { training: true, execution: serial, seed: 1, step: 0 });
    for (let turn = 0; turn < 2; turn++) {
      const pass = kept.forward(x);
      const [dLogits] = otherInputs(pass.outputs, turn);
      const gradient = {
        dLogits,
        get dy(): Tensor {
          throw new Error("nobody reads it");
        },
      };
      assert.equal(kept.backward(pass, gradient).size, 2);
    }
    kept.close();
  });

  it("says for what batches it is, and how many jobs it runs once both passes have run", () => {
    const model = chain([6, 6, 4], new Conv2D({ filters: 4, kernelSize: 3 }));
    const [x] = inputsOf(model, SAMPLES);
    const kept = new KeptGradients(model, x, { training: true, execution: serial, seed: 1, step: 0 });
    assert.equal(kept.canRunAgain, false);
    const pass = kept.forward(x);
    assert.deepEqual([kept.canRunAgain, kept.jobCount], [false, 0]);
    kept.backward(pass, { dy: otherInputs(pass.outputs, 1)[0] });
    assert.deepEqual([kept.canRunAgain, kept.jobCount], [true, 2]);
    assert.deepEqual([kept.takes(x), kept.takes(inputsOf(model, SAMPLES + 1)[0])], [true, false]);
    kept.close();
  });
});
