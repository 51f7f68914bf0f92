import assert from "node:assert/strict";
import { describe, it } from "node:test";
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
import { evaluate } from "../../src/training/evaluate.js";
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
    const run = evaluate(chain(1, 4), source, {
      signal: controller.signal,
      onProgress: (done) => {
        if (done === 2) controller.abort(new Error("enough"));
      },
    });
    await assert.rejects(run, { message: "enough" });
  });
});
