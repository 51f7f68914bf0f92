import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createExecution } from "../../src/kernels/execution.js";
import { Activation } from "../../src/layers/activation.js";
import { BatchNormalization } from "../../src/layers/batch-normalization.js";
import { Dense } from "../../src/layers/dense.js";
import { input } from "../../src/layers/input-layer.js";
import { Model } from "../../src/models/model.js";
import { Adam } from "../../src/optimizers/adam.js";
import { SGD } from "../../src/optimizers/sgd.js";
import { l2 } from "../../src/regularizers/regularizer.js";
import { sharedHeap } from "../../src/tensor/heap.js";
import { tensorOf } from "../../src/tensor/tensor.js";
import type { Callback, EpochRecord, StepRecord } from "../../src/training/callback.js";
import { LearningRateScheduler } from "../../src/training/callbacks/learning-rate-scheduler.js";
import { evaluate } from "../../src/training/evaluate.js";
import { fit } from "../../src/training/fit.js";
import type { TrainingState } from "../../src/training/state.js";
import { brightRows, inOrder, pattern, smallConvolutional, weightsOf } from "../support/training.js";

/** Dense, batch normalization, softmax: the model that Keras trained for {@link KERAS}. */
function denseModel(): Model {
  const x = input({ shape: [3], name: "x" });
  const hidden = new Dense({ units: 4, activation: "relu", kernelRegularizer: l2(0.01), name: "hidden" });
  const norm = new BatchNormalization({ momentum: 0.5, name: "norm" });
  const head = new Dense({ units: 3, activation: "softmax", name: "head" });
  const model = new Model({ inputs: x, outputs: head.apply(norm.apply(hidden.apply(x))) });
  hidden.weights[0].assign(tensorOf(pattern(12, 37), [3, 4]));
  head.weights[0].assign(tensorOf(pattern(12, 29), [4, 3]));
  return model;
}

const training = inOrder(tensorOf(pattern(21, 17), [7, 3]), [0, 1, 2, 1, 0, 2, 1], 3, 3);
const validation = inOrder(tensorOf(pattern(15, 23), [5, 3]), [2, 0, 1, 1, 0], 3, 2);

/** What `model.fit` of Keras 3.15.1 gave: three epochs of batches of 3, 3 and 1, Adam at 0.05 / (epoch + 1). */
const KERAS = {
  loss: [1.298551321029663, 0.9960249066352844, 0.8614311218261719],
  accuracy: [2 / 7, 4 / 7, 4 / 7],
  valLoss: [1.1702654361724854, 1.250472068786621, 1.536515474319458],
  valAccuracy: [0, 0, 0.2],
  learningRate: [0.05000000074505806, 0.02500000037252903, 0.01666666753590107],
  /** The running mean of the loss after each step. */
  runningLoss: [
    1.6854192018508911, 1.3248882293701172, 1.298551321029663, 1.2356537580490112, 0.9934258460998535,
    0.9960249066352844, 1.074627161026001, 0.8493061065673828, 0.8614311218261719,
  ],
};

/**
 * Nine steps of float32 on either side. Each rounds a few dozen numbers of about 1 by 2^-24, and batch normalization over
 * one sample (variance 0) magnifies by 1 / sqrt(epsilon) = 32.
 */
const FLOAT32_RUN = 9 * 32 * 32 * 2 ** -24;

function assertNear(actual: number | undefined, expected: number, allowed: number, what: string): void {
  assert.ok(actual !== undefined && Math.abs(actual - expected) <= allowed, `${what}: ${actual}, expected ${expected}`);
}

/** Collects the names of the calls. */
function recorder(calls: string[]): Callback {
  return {
    onTrainBegin: () => void calls.push("train begin"),
    onEpochBegin: (epoch) => void calls.push(`epoch ${epoch} begin`),
    onStepBegin: (step) => void calls.push(`step ${step} begin`),
    onStepEnd: ({ step, epoch }) => void calls.push(`step ${step} of epoch ${epoch} end`),
    onEpochEnd: ({ epoch }) => void calls.push(`epoch ${epoch} end`),
    onTrainEnd: () => void calls.push("train end"),
  };
}

describe("fit", () => {
  it("follows model.fit of Keras: losses, accuracies, validation, learning rates, and a smaller last batch", async () => {
    const model = denseModel();
    const steps: StepRecord[] = [];
    const { state, outcome } = await fit(model, training, {
      epochs: 3,
      optimizer: new Adam({ learningRate: 0.05 }),
      validation,
      callbacks: [
        new LearningRateScheduler({ schedule: (epoch) => 0.05 / (epoch + 1) }),
        { onStepEnd: (record) => void steps.push(record) },
      ],
    });
    assert.equal(outcome, "completed");
    for (const [i, record] of state.history.entries()) {
      assert.equal(record.epoch, i + 1);
      assertNear(record.loss, KERAS.loss[i], FLOAT32_RUN, `loss of epoch ${i}`);
      assertNear(record.accuracy, KERAS.accuracy[i], 1e-15, `accuracy of epoch ${i}`);
      assertNear(record.valLoss, KERAS.valLoss[i], FLOAT32_RUN, `validation loss of epoch ${i}`);
      assert.equal(record.valAccuracy, KERAS.valAccuracy[i]);
      assert.equal(record.learningRate, KERAS.learningRate[i]);
      const sizes = [3, 3, 1];
      let sum = 0;
      for (let s = 0, samples = 0; s < 3; s++) {
        sum += steps[3 * i + s].loss * sizes[s];
        samples += sizes[s];
        assertNear(sum / samples, KERAS.runningLoss[3 * i + s], FLOAT32_RUN, `loss after step ${3 * i + s}`);
      }
    }
    assert.deepEqual(
      steps.map(({ step, epoch }) => [step, epoch]),
      [1, 2, 3, 4, 5, 6, 7, 8, 9].map((step) => [step, Math.ceil(step / 3)]),
    );
    const evaluation = await evaluate(model, validation);
    assert.equal(evaluation.loss, state.history[2].valLoss);
    assert.equal(evaluation.accuracy, 0.2);
    assert.equal(evaluation.topFive, undefined);
  });

  it("takes the step that can be checked by hand", async () => {
    const x = input({ shape: [1], name: "x" });
    const head = new Dense({
      units: 2,
      activation: "softmax",
      kernelInitializer: "zeros",
      useBias: false,
      name: "head",
    });
    const model = new Model({ inputs: x, outputs: head.apply(x) });
    const losses: number[] = [];
    const source = inOrder(tensorOf([2], [1, 1]), [1], 2, 1);
    await fit(model, source, {
      epochs: 1,
      optimizer: new SGD({ learningRate: 0.25 }),
      callbacks: [{ onStepEnd: ({ loss }) => void losses.push(loss) }],
    });
    // p = [1/2, 1/2], dLogits = p - t = [1/2, -1/2], dKernel = 2 dLogits = [1, -1]
    assert.deepEqual([...head.weights[0].value.data], [-0.25, 0.25]);
    assert.deepEqual(losses, [Math.LN2]);
  });

  it("calls callbacks in Keras's order", async () => {
    const calls: string[] = [];
    await fit(denseModel(), inOrder(tensorOf(pattern(6, 17), [2, 3]), [0, 1], 3, 1), {
      epochs: 2,
      optimizer: new SGD(),
      callbacks: [recorder(calls)],
    });
    assert.deepEqual(calls, [
      "train begin",
      "epoch 0 begin",
      "step 0 begin",
      "step 1 of epoch 1 end",
      "step 1 begin",
      "step 2 of epoch 1 end",
      "epoch 1 end",
      "epoch 1 begin",
      "step 2 begin",
      "step 3 of epoch 2 end",
      "step 3 begin",
      "step 4 of epoch 2 end",
      "epoch 2 end",
      "train end",
    ]);
  });

  it("stops after the step in which a callback asks for it, with that epoch's validation and records", async () => {
    const calls: string[] = [];
    const records: EpochRecord[] = [];
    const { outcome, state } = await fit(denseModel(), training, {
      epochs: 4,
      optimizer: new SGD(),
      validation,
      callbacks: [
        recorder(calls),
        {
          onStepEnd: ({ step }, run) => {
            if (step === 5) run.stop();
          },
          onEpochEnd: (record) => void records.push(record),
        },
      ],
    });
    assert.equal(outcome, "stopped");
    assert.deepEqual(calls.slice(-4), ["step 4 begin", "step 5 of epoch 2 end", "epoch 2 end", "train end"]);
    assert.ok(records[1].valLoss !== undefined);
    assert.equal(state.epoch, 2);
    // resumed, a stopped run is over
    const again = await fit(denseModel(), training, { epochs: 4, optimizer: new SGD(), state });
    assert.equal(again.outcome, "stopped");
    assert.equal(again.state.history.length, 2);
  });

  it("finishes the step, keeps the state and leaves when its signal is aborted; resumed, it gives the same bits", async () => {
    const source = brightRows(4, 6);
    const validation = brightRows(2, 5, 9);
    const run = (signal?: AbortSignal, state?: TrainingState, from?: Awaited<ReturnType<typeof begin>>) =>
      begin(source, validation, signal, state, from);
    const whole = await run();
    assert.equal(whole.result.outcome, "completed");
    for (const last of [1, 3, 4, 6]) {
      const controller = new AbortController();
      const calls: string[] = [];
      const part = await begin(source, validation, controller.signal, undefined, undefined, (step) => {
        calls.push(`step ${step}`);
        if (step === last) controller.abort();
      });
      assert.equal(part.result.outcome, "aborted");
      assert.equal(calls.length, last);
      assert.deepEqual([part.result.state.epoch, part.result.state.step], last === 6 ? [1, 2] : [0, last]);
      assert.deepEqual(part.saved.at(-1)?.step, part.result.state.step);
      const rest = await run(undefined, part.result.state, part);
      assert.equal(rest.result.outcome, "completed");
      assert.deepEqual(weightsOf(rest.model), weightsOf(whole.model));
      const bare = (records: readonly EpochRecord[]) => records.map((record) => ({ ...record, seconds: 0 }));
      assert.deepEqual(bare(rest.result.state.history), bare(whole.result.state.history));
    }
  });

  it("begins an epoch once, also where it was aborted before the first step", async () => {
    const rates: number[] = [];
    const halve: Callback = {
      onEpochBegin: (_epoch, { optimizer }) => void (optimizer.learningRate /= 2),
      onStepEnd: ({ learningRate }) => void rates.push(learningRate),
    };
    const [model, optimizer] = [denseModel(), new SGD({ learningRate: 1 })];
    const aborted = await fit(model, training, {
      ...{ epochs: 1, optimizer, callbacks: [halve], signal: AbortSignal.abort() },
    });
    assert.deepEqual([aborted.outcome, optimizer.learningRate], ["aborted", 1]);
    await fit(model, training, { epochs: 1, optimizer, callbacks: [halve], state: aborted.state });
    assert.deepEqual(rates, [0.5, 0.5, 0.5]);
  });

  it("gives the event loop a turn between steps", async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    await fit(smallConvolutional(), brightRows(30, 6), { epochs: 2, optimizer: new SGD() });
    clearInterval(timer);
    assert.ok(turns > 5, `${turns} turns in 60 steps`);
  });

  it("gives the same bits with 1, 2 and 3 threads, and others with another seed of dropout", async () => {
    const finals = [];
    for (const threads of [1, 2, 3]) {
      const execution = createExecution({ threads });
      const model = smallConvolutional();
      await fit(model, brightRows(3, 6), {
        epochs: 2,
        optimizer: new Adam({ learningRate: 0.01 }),
        execution,
        seed: 5,
      });
      execution.close();
      finals.push(weightsOf(model));
    }
    assert.deepEqual(finals[1], finals[0]);
    assert.deepEqual(finals[2], finals[0]);
    const other = smallConvolutional();
    await fit(other, brightRows(3, 6), { epochs: 2, optimizer: new Adam({ learningRate: 0.01 }), seed: 6 });
    assert.notDeepEqual(weightsOf(other), finals[0]);
  });

  it("learns, and needs no more memory in the last step than in the second", async () => {
    const used: number[] = [];
    const { state } = await fit(smallConvolutional(), brightRows(20, 8), {
      epochs: 4,
      optimizer: new Adam({ learningRate: 0.02 }),
      validation: brightRows(3, 8, 2),
      callbacks: [{ onStepEnd: () => void used.push(sharedHeap().peak, sharedHeap().used) }],
    });
    assert.deepEqual(used.slice(-2), used.slice(2, 4));
    const [first, , , last] = state.history;
    assert.ok(last.loss < first.loss / 2, `${first.loss} to ${last.loss}`);
    assert.ok((last.valAccuracy ?? 0) > 0.9, `${last.valAccuracy}`);
  });

  it("trains with class numbers and with squared errors too", async () => {
    for (const loss of ["sparse_categorical_crossentropy", "mean_squared_error"] as const) {
      const model = smallConvolutional();
      const { state } = await fit(model, brightRows(10, 8), {
        epochs: 3,
        optimizer: new Adam({ learningRate: 0.02 }),
        loss,
      });
      assert.ok(state.history[2].loss < state.history[0].loss, loss);
    }
    const [sparse, categorical] = [smallConvolutional(), smallConvolutional()];
    const source = brightRows(2, 4);
    await fit(sparse, source, { epochs: 1, optimizer: new SGD(), loss: "sparse_categorical_crossentropy" });
    await fit(categorical, source, { epochs: 1, optimizer: new SGD() });
    assert.deepEqual(weightsOf(sparse), weightsOf(categorical));
  });

  it("trains a weight that two inner models share with the sum of its gradients, and its penalty once", async () => {
    const build = (split: boolean): { model: Model; kernel: Float32Array | Float64Array } => {
      const shared = new Dense({ units: 3, kernelRegularizer: l2(0.5), kernelInitializer: "ones", name: "shared" });
      const x = input({ shape: [3], name: "x" });
      let y = x;
      for (const name of ["first", "second"]) {
        if (split) {
          const inner = input({ shape: [3], name: `${name}_x` });
          y = new Model({ inputs: inner, outputs: shared.apply(inner), name }).apply(y);
        } else y = shared.apply(y);
      }
      const model = new Model({ inputs: x, outputs: new Activation({ activation: "softmax", name: "soft" }).apply(y) });
      return { model, kernel: shared.weights[0].value.data };
    };
    const [split, whole] = [build(true), build(false)];
    for (const { model } of [split, whole])
      await fit(model, training, { epochs: 2, optimizer: new SGD({ learningRate: 0.125 }) });
    assert.deepEqual(split.kernel, whole.kernel);
  });

  it("leaves what is frozen alone, moving statistics included", async () => {
    const model = smallConvolutional();
    model.getLayer("norm").trainable = false;
    model.getLayer("conv").trainable = false;
    const before = weightsOf(model);
    await fit(model, brightRows(2, 4), { epochs: 1, optimizer: new SGD() });
    for (const [path, values] of weightsOf(model)) {
      if (/^(norm|conv)/.test(path)) assert.deepEqual(values, before.get(path), path);
      else assert.notDeepEqual(values, before.get(path), path);
    }
  });

  it("refuses options that do not fit, and says what it received", async () => {
    const optimizer = new SGD();
    const nameless: Callback = { saveState: () => ({}) };
    const x = input({ shape: [3], name: "x" });
    const twice = new Model({ inputs: x, outputs: [x, x] });
    const refusals: readonly (readonly [() => Promise<unknown>, string])[] = [
      [
        () => fit(twice, training, { epochs: 1, optimizer }),
        "the model must have one input and one output. Received 1 and 2.",
      ],
      [
        () => fit(denseModel(), training, { epochs: 1.5, optimizer }),
        "`epochs` must be a whole number of at least 0. Received epochs=1.5.",
      ],
      [
        () => fit(denseModel(), { ...training, batchesPerEpoch: 0 }, { epochs: 1, optimizer }),
        "`source` must have at least one batch. Received batchesPerEpoch=0.",
      ],
      [
        () => fit(denseModel(), training, { epochs: 1, optimizer, checkpoint: { everySteps: 0, save: () => {} } }),
        "`checkpoint.everySteps` must be a whole number of at least 1. Received everySteps=0.",
      ],
      [
        () => fit(denseModel(), training, { epochs: 1, optimizer, callbacks: [nameless] }),
        'every callback that saves its state must have a `name` of its own. Received name="".',
      ],
    ];
    for (const [call, message] of refusals) {
      await assert.rejects(call, { name: "RangeError", message: `fit: ${message}` });
    }
    const named = (name: string): Callback => ({ name, saveState: () => ({}) });
    const begun = await fit(denseModel(), training, { epochs: 0, optimizer, callbacks: [named("a"), named("b")] });
    for (const [callbacks, received] of [
      [[named("b")], "b"],
      [[], "none"],
      [[named("a"), named("c")], "a, c"],
    ] as const) {
      await assert.rejects(() => fit(denseModel(), training, { epochs: 1, optimizer, callbacks, state: begun.state }), {
        name: "RangeError",
        message: `fit: callbacks that save a state must be those of the run that is resumed, a, b. Received ${received}.`,
      });
    }
    const { state } = await fit(denseModel(), training, { epochs: 0, optimizer: new SGD() });
    await assert.rejects(
      () => fit(denseModel(), training, { epochs: 1, optimizer: new SGD(), state: { ...state, step: 4 } }),
      { name: "RangeError", message: "fit: `state` must be one of epochs of 3 steps. Received step 4." },
    );
  });
});

/** Two epochs of the small model, or what is left of them, with the model and optimizer of `from`. */
async function begin(
  source: ReturnType<typeof brightRows>,
  validation: ReturnType<typeof brightRows>,
  signal?: AbortSignal,
  state?: TrainingState,
  from?: { readonly model: Model; readonly optimizer: Adam },
  onStep?: (step: number) => void,
) {
  const model = from?.model ?? smallConvolutional();
  const optimizer = from?.optimizer ?? new Adam({ learningRate: 0.01 });
  const saved: TrainingState[] = [];
  const result = await fit(model, source, {
    epochs: 2,
    optimizer,
    validation,
    signal,
    state,
    seed: 3,
    callbacks: [{ onStepEnd: ({ step }) => onStep?.(step) }],
    checkpoint: { save: (kept) => void saved.push(kept) },
  });
  return { model, optimizer, result, saved };
}
