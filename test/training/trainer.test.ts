import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createExecution, serial } from "../../src/kernels/execution.js";
import { BatchNormalization } from "../../src/layers/batch-normalization.js";
import { Conv2D } from "../../src/layers/conv2d.js";
import { Dense } from "../../src/layers/dense.js";
import { Flatten } from "../../src/layers/flatten.js";
import { input } from "../../src/layers/input-layer.js";
import type { Layer } from "../../src/layers/layer.js";
import { ReLU } from "../../src/layers/relu.js";
import { KeptGradients } from "../../src/models/kept-gradients.js";
import { Model } from "../../src/models/model.js";
import { Adam } from "../../src/optimizers/adam.js";
import { SGD } from "../../src/optimizers/sgd.js";
import { l2 } from "../../src/regularizers/regularizer.js";
import { sharedHeap } from "../../src/tensor/heap.js";
import type { Batch, BatchSource } from "../../src/training/batches.js";
import { fit } from "../../src/training/fit.js";
import { trainStep } from "../../src/training/train-step.js";
import { createTrainer } from "../../src/training/trainer.js";
import { Outside, plusOne } from "../support/kept-passes.js";
import { LOSE_A_KERNEL, LOSING_MODULES, runProgram } from "../support/program.js";
import { brightRows, smallConvolutional, weightsOf } from "../support/training.js";

/** A model all of whose layers compute in jobs, for {@link brightRows}. */
function inJobs(): { readonly model: Model; readonly layers: readonly Layer[] } {
  const layers = [
    new Conv2D({ filters: 8, kernelSize: 3, padding: "same", kernelRegularizer: l2(1e-2) }),
    new BatchNormalization({ momentum: 0.9 }),
    new ReLU(),
    new Flatten(),
    new Dense({ units: 5, activation: "softmax" }),
  ];
  const x = input({ shape: [5, 4, 3], name: "image" });
  return { model: new Model({ inputs: x, outputs: layers.reduce((y, layer) => layer.apply(y), x), seed: 2 }), layers };
}

const batchOf = (size: number, epoch: number): Batch => brightRows(1, size).batch(epoch, 0);

describe("Trainer", () => {
  it("does what trainStep does, to the bit, batch after batch, also of other sizes", () => {
    for (const threads of [1, 2]) {
      for (const accumulate of ["float64", "float32"] as const) {
        const execution = createExecution({ threads, accumulate });
        const [ours, theirs] = [inJobs().model, inJobs().model];
        const [optimizer, other] = [new Adam({ learningRate: 0.01 }), new Adam({ learningRate: 0.01 })];
        const trainer = createTrainer(ours, { optimizer, execution });
        for (const [step, size] of [4, 4, 4, 2, 4, 4, 7].entries()) {
          const batch = batchOf(size, step);
          assert.deepEqual(trainer.step(batch), trainStep(theirs, batch, { optimizer: other, execution, step }));
        }
        assert.deepEqual(weightsOf(ours), weightsOf(theirs));
        assert.deepEqual(
          optimizer.variables().map((variable) => variable.read().data),
          other.variables().map((variable) => variable.read().data),
        );
        trainer.close();
        execution.close();
      }
    }
  });

  it("does so with the other losses", () => {
    for (const loss of ["sparse_categorical_crossentropy", "mean_squared_error"] as const) {
      const [ours, theirs] = [inJobs().model, inJobs().model];
      const trainer = createTrainer(ours, { optimizer: new SGD(), loss });
      const options = { optimizer: new SGD(), loss };
      for (let step = 0; step < 3; step++) {
        const batch = batchOf(4, step);
        assert.deepEqual(trainer.step(batch), trainStep(theirs, batch, { ...options, step }));
      }
      assert.deepEqual(weightsOf(ours), weightsOf(theirs));
      trainer.close();
    }
  });

  it("works out what there is to do once for batches of one shape, and again when layers are trained or not", (test) => {
    const { model, layers } = inJobs();
    const forward = test.mock.method(model, "forward").mock;
    const trainer = createTrainer(model, { optimizer: new SGD() });
    const countOf = (...sizes: readonly number[]): number => {
      const before = forward.callCount();
      for (const [step, size] of sizes.entries()) trainer.step(batchOf(size, step));
      return forward.callCount() - before;
    };
    assert.equal(countOf(4, 4, 4), 1);
    assert.equal(countOf(2, 2), 1);
    assert.equal(countOf(4), 1);
    const [, normalization] = layers;
    normalization.trainable = false;
    assert.throws(() => trainer.step(batchOf(4, 3)), /must be those that the optimizer was built for/);
    assert.equal(forward.callCount(), 4);
    normalization.trainable = true;
    assert.equal(countOf(4, 4), 1);
    trainer.close();
  });

  it("draws in every step the numbers of that step, though it works out once what there is to do", (test) => {
    const [ours, theirs] = [smallConvolutional(3), smallConvolutional(3)];
    const forward = test.mock.method(ours, "forward").mock;
    const attempts = test.mock.method(KeptGradients.prototype, "forward").mock;
    const trainer = createTrainer(ours, { optimizer: new Adam(), seed: 9 });
    const optimizer = new Adam();
    for (let step = 0; step < 3; step++) {
      const batch = batchOf(4, step);
      assert.deepEqual(trainer.step(batch), trainStep(theirs, batch, { optimizer, seed: 9, step }));
    }
    const batch = batchOf(4, 5);
    assert.deepEqual(trainer.step(batch, 70), trainStep(theirs, batch, { optimizer, seed: 9, step: 70 }));
    assert.deepEqual(trainer.step(batch), trainStep(theirs, batch, { optimizer, seed: 9, step: 71 }));
    assert.deepEqual(weightsOf(ours), weightsOf(theirs));
    assert.deepEqual([forward.callCount(), attempts.callCount()], [1, 5]);
    trainer.close();
  });

  it("does not apply a step that is not finite, says why, and goes on when it is again", () => {
    const [ours, theirs] = [inJobs(), inJobs()];
    const trainer = createTrainer(ours.model, { optimizer: new SGD() });
    const optimizer = new SGD();
    const both = (batch: Batch, step: number): void => {
      assert.deepEqual(trainer.step(batch, step), trainStep(theirs.model, batch, { optimizer, step }));
    };
    both(batchOf(4, 0), 0);
    both(batchOf(4, 1), 1);
    const kernel = ours.layers[0].weights[0];
    const good = kernel.read();
    const bad = kernel.read();
    bad.data[3] = Number.POSITIVE_INFINITY;
    kernel.assign(bad);
    const before = weightsOf(ours.model);
    assert.throws(() => trainer.step(batchOf(4, 2), 2), { name: "NonFiniteError", step: 3 });
    assert.deepEqual(weightsOf(ours.model), before);
    kernel.assign(good);
    both(batchOf(4, 2), 2);
    const broken = batchOf(4, 3);
    broken.x.data[7] = Number.NaN;
    assert.throws(() => trainer.step(broken, 3), { name: "NonFiniteError" });
    both(batchOf(4, 3), 3);
    both(batchOf(4, 4), 4);
    assert.deepEqual(weightsOf(ours.model), weightsOf(theirs.model));
    trainer.close();
  });

  it("keeps memory between steps, gives it back when it is closed, and may go on then", () => {
    const { model } = inJobs();
    const optimizer = new Adam();
    trainStep(model, batchOf(4, 0), { optimizer }); // makes weights and state
    const used = sharedHeap().used;
    const trainer = createTrainer(model, { optimizer });
    assert.equal(sharedHeap().used, used);
    for (let i = 0; i < 2; i++) {
      trainer.step(batchOf(4, 1));
      const kept = sharedHeap().used;
      assert.ok(kept > used);
      trainer.step(batchOf(4, 2));
      assert.equal(sharedHeap().used, kept);
      trainer.close();
      assert.equal(sharedHeap().used, used);
    }
  });

  it("keeps no memory of a step that failed before it could be kept, or that cannot be", () => {
    const used = sharedHeap().used;
    const trainer = createTrainer(inJobs().model, { optimizer: new SGD() });
    const broken = batchOf(4, 3);
    broken.x.data[7] = Number.NaN;
    assert.throws(() => trainer.step(broken), { name: "NonFiniteError" });
    const wide = batchOf(4, 3);
    assert.throws(() => trainer.step({ ...wide, x: brightRows(1, 60).batch(0, 0).yTrue }), RangeError);
    const x = input({ shape: [5, 4, 3], name: "image" });
    const outside = new Outside(plusOne, true).apply(new Conv2D({ filters: 2, kernelSize: 3 }).apply(x));
    const outputs = new Dense({ units: 5, activation: "softmax" }).apply(new Flatten().apply(outside));
    createTrainer(new Model({ inputs: x, outputs }), { optimizer: new SGD() }).step(batchOf(4, 0));
    assert.equal(sharedHeap().used, used);
  });

  it("compares the kernels again while it runs the same jobs again, and takes the scalar path where they are given up", () => {
    const modules = { ...LOSING_MODULES, "index.js": ["createTrainer", "resnetV1", "SGD", "tensor", "trainStep"] };
    const program = `
      const x = tensor(Float32Array.from({ length: 2 * 3072 }, (_, i) => (i % 251) / 251), [2, 32, 32, 3]);
      const yTrue = tensor(Float32Array.from({ length: 20 }, (_, i) => Number(i === 3 || i === 14)), [2, 10]);
      const batch = { x, yTrue, labels: Int32Array.of(3, 4) };
      const [model, other] = [resnetV1(8, { seed: 2 }), resnetV1(8, { seed: 2 })];
      let passes = 0;
      const forward = model.forward.bind(model);
      model.forward = (...args) => (passes++, forward(...args));
      const trainer = createTrainer(model, { optimizer: new SGD() });
      const optimizer = new SGD();
      let same = true;
      const step = (times) => {
        for (let i = 0; i < times; i++) same &&= trainer.step(batch).loss === trainStep(other, batch, { optimizer }).loss;
        console.log(passes, same, simdModule() !== undefined);
      };
      step(3);
      ${LOSE_A_KERNEL} // sums in float64 do without it
      // the other model's ordinary steps would compare them
      for (let i = 0; i < 40; i++) trainer.step(batch);
      console.log(simdModule() !== undefined, passes > 1 && passes < 40);
      for (let i = 0; i < 40; i++) trainStep(other, batch, { optimizer });
      step(1);`;
    const { stdout, stderr } = runProgram(modules, program);
    const [kept, givenUp, scalar] = stdout.split("\n");
    assert.equal(kept, "1 true true", stderr);
    assert.equal(givenUp, "false true", stderr);
    assert.match(scalar, /^\d+ true false$/, stderr);
  });

  it("refuses what is no batch", () => {
    const trainer = createTrainer(inJobs().model, { optimizer: new SGD() });
    const { x, yTrue, labels } = batchOf(4, 0);
    const given = [[x, yTrue], { x: x.data, yTrue, labels }];
    const messages = [
      "Trainer: `batch` must have x, yTrue and labels. Received an array.",
      "Trainer: `[batch.x, batch.yTrue]` must be an array of tensors. Received an array that holds an object of class Float32Array.",
    ];
    for (const [i, message] of messages.entries()) {
      assert.throws(() => trainer.step(given[i] as unknown as Batch), { name: "TypeError", message });
    }
  });

  it("works out each step on the other paths, and gives the same bits", () => {
    const [ours, theirs] = [inJobs().model, inJobs().model];
    const trainer = createTrainer(ours, { optimizer: new SGD(), execution: { ...serial, kernel: "scalar" } });
    const optimizer = new SGD();
    for (let step = 0; step < 3; step++) {
      const batch = batchOf(4, step);
      assert.deepEqual(trainer.step(batch), trainStep(theirs, batch, { optimizer, step }));
    }
    assert.deepEqual(weightsOf(ours), weightsOf(theirs));
  });
});

describe("fit", () => {
  it("keeps no memory of its steps while it validates, nor after the run", async () => {
    const { model } = inJobs();
    const source = brightRows(3, 4);
    const optimizer = new Adam();
    optimizer.build(model.trainableWeights);
    trainStep(model, source.batch(0, 0), { optimizer });
    const used = sharedHeap().used;
    const seen: number[] = [];
    const watched = (of: BatchSource): BatchSource => ({
      ...of,
      batch(epoch, index) {
        seen.push(sharedHeap().used - used);
        return of.batch(epoch, index);
      },
      close: () => undefined,
    });
    await fit(model, watched(source), { epochs: 1, optimizer });
    assert.equal(sharedHeap().used, used);
    seen.length = 0;
    await fit(model, watched(source), { epochs: 2, optimizer, validation: watched(brightRows(1, 4)) });
    assert.deepEqual(
      seen.map((bytes) => bytes > 50_000),
      [false, true, true, false, false, true, true, false],
    );
    assert.equal(sharedHeap().used, used);
  });
});
