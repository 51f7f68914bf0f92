import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createExecution, serial } from "../../src/kernels/execution.js";
import { Activation } from "../../src/layers/activation.js";
import { Dense } from "../../src/layers/dense.js";
import { input } from "../../src/layers/input-layer.js";
import type { SymbolicTensor } from "../../src/layers/layer.js";
import { Softmax } from "../../src/layers/softmax.js";
import { Model } from "../../src/models/model.js";
import { trace } from "../../src/models/trace.js";
import { l2 } from "../../src/regularizers/regularizer.js";
import { sharedHeap } from "../../src/tensor/heap.js";
import { tensorOf } from "../../src/tensor/tensor.js";
import { type Evaluation, evaluate } from "../../src/training/evaluate.js";
import { OwnSoftmax } from "../support/kept-passes.js";
import { inOrder, pattern } from "../support/training.js";

const CLASSES = 7;
const labels = [0, 6, 3, 1, 5];
const x = tensorOf(pattern(15, 17), [5, 3]);

/** A chain of `depth` Dense layers of `units`, with a softmax that is a layer of its own. */
function chain(depth: number, units: number): Model {
  const begin = input({ shape: [3], name: "x" });
  let y = begin;
  for (let i = 0; i < depth; i++) y = new Dense({ units, activation: "relu", kernelRegularizer: l2(1e-3) }).apply(y);
  const outputs = new Activation({ activation: "softmax" }).apply(new Dense({ units: CLASSES }).apply(y));
  return new Model({ inputs: begin, outputs });
}

/** A chain of activations without weights, among them a layer Softmax, and a softmax. */
function wideChain(units: number, depth: number): { inputs: SymbolicTensor; outputs: SymbolicTensor } {
  const inputs = input({ shape: [units] });
  let outputs = inputs;
  for (let i = 0; i < depth; i++) {
    const layer = i === 1 ? new Softmax() : new Activation({ activation: i + 1 < depth ? "tanh" : "softmax" });
    outputs = layer.apply(outputs);
  }
  return { inputs, outputs };
}

describe("evaluate", () => {
  it("gives the loss of the logits plus the regularizers, as a trace does, and five chances to a class", async () => {
    const model = chain(2, 8);
    const whole = inOrder(x, labels, CLASSES, 5);
    const { yTrue } = whole.batch(0, 0);
    const loss = trace(model, [x], { targets: [yTrue] }).get("loss");
    const found = await evaluate(model, whole);
    assert.equal(Math.fround(found.loss), loss?.data[0]);
    const probabilities = trace(model, [x]).get("output/activation");
    assert.ok(probabilities !== undefined);
    let inFive = 0;
    for (const [row, label] of labels.entries()) {
      let above = 0;
      for (let k = 0; k < CLASSES; k++) if (probabilities.get(row, k) > probabilities.get(row, label)) above++;
      if (above < 5) inFive++;
    }
    assert.equal(found.topFive, inFive / labels.length);
  });

  it("does not depend on the batch size but for the rounding of sums, and tells how far it is", async () => {
    const model = chain(1, 8);
    const progress: (readonly [number, number])[] = [];
    const onProgress = (done: number, total: number): void => void progress.push([done, total]);
    const byTwo = await evaluate(model, inOrder(x, labels, CLASSES, 2), { onProgress });
    const byFive = await evaluate(model, inOrder(x, labels, CLASSES, 5));
    assert.equal(byTwo.accuracy, byFive.accuracy);
    // a dozen roundings of float64
    assert.ok(Math.abs(byTwo.loss - byFive.loss) <= 12 * 2 ** -53 * byFive.loss, `${byTwo.loss}, ${byFive.loss}`);
    assert.deepEqual(progress, [
      [2, 5],
      [4, 5],
      [5, 5],
    ]);
  });

  it("gives the same where batches follow each other, whose passes are kept, whatever the last layer is", async () => {
    const [samples, batchSize, inputs] = [52, 12, 16]; // the last batch is a smaller one
    const images = tensorOf(pattern(samples * inputs, 17), [samples, inputs]);
    const classes = Array.from({ length: samples }, (_, i) => (i * 5) % CLASSES);
    const heads = [
      [new Dense({ units: CLASSES, activation: "softmax" })],
      [new Dense({ units: CLASSES }), new Softmax()],
      [new Dense({ units: CLASSES }), new OwnSoftmax()],
      [new Dense({ units: CLASSES, activation: "sigmoid" })],
    ];
    const used = sharedHeap().used;
    for (const threads of [1, 2]) {
      const execution = createExecution({ threads });
      for (const head of heads) {
        const x = input({ shape: [inputs] });
        const body = new Dense({ units: 8, activation: "relu", kernelRegularizer: l2(1e-3) });
        const hidden = body.apply(x);
        const y = head.reduce((each, layer) => layer.apply(each), hidden);
        const model = new Model({ inputs: x, outputs: [y, hidden], seed: 1 }); // the first output counts
        const alone: Evaluation[] = [];
        for (let begin = 0; begin < samples; begin += batchSize) {
          const end = Math.min(begin + batchSize, samples);
          const some = tensorOf(images.data.subarray(begin * inputs, end * inputs), [end - begin, inputs]);
          const source = inOrder(some, classes.slice(begin, end), CLASSES, batchSize);
          alone.push(await evaluate(model, source, { execution: serial }));
        }
        const sizes = alone.map((_, i) => Math.min(batchSize, samples - i * batchSize));
        const mean = (of: (found: Evaluation) => number): number =>
          alone.reduce((sum, found, i) => sum + of(found) * sizes[i], 0) / samples;
        const found = await evaluate(model, inOrder(images, classes, CLASSES, batchSize), { execution });
        assert.equal(
          found.loss,
          mean(({ loss }) => loss),
        );
        assert.equal(
          found.accuracy,
          mean(({ accuracy }) => accuracy),
        );
        assert.equal(
          found.topFive,
          mean(({ topFive }) => topFive ?? Number.NaN),
        );
      }
      execution.close();
    }
    assert.equal(sharedHeap().used, used);
  });

  it("needs memory for the tensors that are still read, not for all of them, and gives it back", async () => {
    const [samples, units, depth] = [32, 4096, 12];
    const model = new Model(wideChain(units, depth));
    const source = inOrder(
      tensorOf(new Float32Array(samples * units), [samples, units]),
      new Array(samples).fill(0),
      units,
      samples,
    );
    const { used } = sharedHeap();
    const allocate = sharedHeap().allocate.bind(sharedHeap());
    let most = 0;
    sharedHeap().allocate = (bytes) => {
      const offset = allocate(bytes);
      most = Math.max(most, sharedHeap().used);
      return offset;
    };
    await evaluate(model, source);
    sharedHeap().allocate = allocate;
    const tensors = (most - used) / (samples * units * 4);
    assert.ok(tensors < depth / 2, `${tensors} tensors at a time`);
    assert.equal(sharedHeap().used, used);
  });

  it("ends when its signal is aborted, with the signal's reason", async () => {
    const controller = new AbortController();
    const source = inOrder(x, labels, CLASSES, 1);
    const { used } = sharedHeap();
    const run = evaluate(chain(1, 4), source, {
      signal: controller.signal,
      onProgress: (done) => {
        if (done === 2) controller.abort(new Error("enough"));
      },
    });
    await assert.rejects(run, { message: "enough" });
    assert.equal(sharedHeap().used, used);
  });
});
