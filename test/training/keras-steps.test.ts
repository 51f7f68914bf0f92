/** Twenty steps of training beside Keras's: loss and accuracy of every step, the weights after the last, and what a mistake does. */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { createExecution, type Execution, serial } from "../../src/kernels/execution.js";
import type { KerasConfig } from "../../src/serialization/config.js";
import { Arena } from "../../src/tensor/arena.js";
import { evaluate } from "../../src/training/evaluate.js";
import { trainStep } from "../../src/training/train-step.js";
import { ratioOf } from "../../src/verification/compare.js";
import {
  allowedLosses,
  batchOf,
  compareWeights,
  type KerasRun,
  type KerasStart,
  kerasRuns,
  numbersOf,
  startOf,
} from "../support/keras-steps.js";

const loss = "categorical_crossentropy";
const runs = kerasRuns();

/** One step beside the exact one. */
interface StepJudgement {
  readonly loss: number;
  readonly exact: number;
  /** |loss - exact| as a share of what is allowed. */
  readonly ratio: number;
  readonly accuracy: number;
}

/** All steps of a run. */
function train(run: KerasRun, { model, optimizer }: KerasStart, execution: Execution): readonly StepJudgement[] {
  const allowed = allowedLosses(run);
  const arena = new Arena();
  return Array.from(numbersOf(run, "truth/loss"), (exact, step) => {
    const options = { loss, optimizer, execution, seed: 0, step, arena } as const;
    const metrics = trainStep(model, batchOf(run, model, step), options);
    const ratio = Math.abs(metrics.loss - exact) / allowed[step];
    return { loss: metrics.loss, exact, ratio, accuracy: metrics.correct / metrics.samples };
  });
}

describe("twenty training steps beside Keras's", () => {
  const threads = createExecution({ threads: 2 });
  after(() => threads.close());

  for (const run of runs) {
    it(`${run.name}: every loss is as near to the exact one as float32 allows, and so are the weights in the end`, async () => {
      const start = startOf(run);
      // a whole ResNet on two threads, which give the same bits
      const steps = train(run, start, run.file === undefined ? threads : serial);
      for (const [step, { loss: ours, exact, ratio }] of steps.entries()) {
        assert.ok(ratio <= 1, `step ${step + 1}: loss ${ours}, exact ${exact}: ${ratio} times what is allowed`);
      }
      // where losses may differ in their third digit, so may two classes of one image that are nearly as probable
      const otherwise = run.file === undefined ? 1 / run.batch : 0;
      for (const [step, exact] of numbersOf(run, "truth/accuracy").entries()) {
        assert.ok(Math.abs(steps[step].accuracy - exact) <= otherwise, `accuracy of step ${step + 1}`);
      }
      for (const comparison of compareWeights(run, start.model)) {
        const { key, element, allowed } = comparison;
        assert.ok(ratioOf(comparison) <= 1, `${key}: ${JSON.stringify(element)}, allowed ${allowed}`);
      }
      if (run.file === undefined) return;

      const last = batchOf(run, start.model, run.steps - 1);
      const source = { batchesPerEpoch: 1, samples: run.batch, classes: 3, batchSize: run.batch, close() {} };
      const found = await evaluate(start.model, { ...source, batch: () => last }, { loss });
      const [exactLoss, accuracy] = numbersOf(run, "truth/evaluation");
      assert.equal(found.accuracy, accuracy);
      // the same batch and weights as the last step's, so the same bound
      const allowed = allowedLosses(run)[run.steps - 1];
      assert.ok(Math.abs(found.loss - exactLoss) <= allowed, `evaluation: ${found.loss}, exact ${exactLoss}`);
    });
  }

  const MISTAKES: readonly [run: string, mistake: string, changes: KerasConfig][] = [
    ["functional-sgd", "a learning rate off by a thousandth", { learning_rate: 0.05005 }],
    ["functional-sgd", "a momentum off by a thousandth", { momentum: 0.9009 }],
    ["functional-sgd", "Nesterov's momentum where there is none", { nesterov: true }],
    ["functional-sgd-nesterov", "plain momentum in place of Nesterov's", { nesterov: false }],
    ["functional-sgd-nesterov", "a weight decay off by a hundredth", { weight_decay: 0.0202 }],
    ["functional-adam", "beta_1 off by a thousandth", { beta_1: 0.8008 }],
    ["functional-adam", "beta_2 off by a thousandth", { beta_2: 0.98901 }],
    ["functional-adam", "an epsilon off by a hundredth", { epsilon: 0.00101 }],
    ["functional-adamw", "a weight decay off by a hundredth", { weight_decay: 0.0505 }],
    ["functional-adamw", "an epsilon of PyTorch's size", { epsilon: 1e-8 }],
    ["functional-adamw-amsgrad", "the last velocity in place of the greatest", { amsgrad: false }],
  ];
  for (const [name, mistake, changes] of MISTAKES) {
    it(`${name}: ${mistake} breaks the bounds`, () => {
      const run = runs.find((candidate) => candidate.name === name);
      assert.ok(run);
      assert.ok(train(run, startOf(run, changes), serial).some(({ ratio }) => ratio > 2));
    });
  }

  it("trained-adam: state that is lost on the way from the file breaks the bounds", () => {
    const run = runs.find(({ continues }) => continues);
    assert.ok(run);
    const { model } = startOf(run);
    const { optimizer } = startOf({ ...run, continues: false });
    assert.ok(train(run, { model, optimizer }, serial)[1].ratio > 2);
  });
});
