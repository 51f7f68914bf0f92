/**
 * A model that is trained here, goes on under Keras, and comes back: at each handing over the next losses are those that
 * training would have had without it.
 *
 * It needs Keras (fixtures/requirements.txt): TOUCHSTONE_PYTHON=.venv/bin/python npm test. The other direction, from a file
 * that Keras trained, needs none: `trained-adam` in keras-steps.test.ts.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { writeNpz } from "../../src/formats/npz.js";
import type { NpyArray } from "../../src/formats/npy.js";
import { readModel, readTraining } from "../../src/formats/read-model.js";
import { fromTensor } from "../../src/formats/tensors.js";
import { writeModel } from "../../src/formats/write-model.js";
import { serial } from "../../src/kernels/execution.js";
import { AdamW } from "../../src/optimizers/adamw.js";
import { SGD } from "../../src/optimizers/sgd.js";
import { isKerasConfig, type KerasConfig } from "../../src/serialization/config.js";
import { Arena } from "../../src/tensor/arena.js";
import { evaluate } from "../../src/training/evaluate.js";
import { trainStep } from "../../src/training/train-step.js";
import { allowedLosses, batchOf, type KerasRun, type KerasStart, kerasRuns, startOf } from "../support/keras-steps.js";

const loss = "categorical_crossentropy";
const python = process.env["TOUCHSTONE_PYTHON"];

/** The loss of one step. */
function step(run: KerasRun, { model, optimizer }: KerasStart, number: number): number {
  const batch = batchOf(run, model, number);
  return trainStep(model, batch, { loss, optimizer, execution: serial, seed: 0, step: number, arena: new Arena() })
    .loss;
}

/** Keras's leg: steps on `batches` from the file `from` to the file `to`. */
function continueInKeras(from: string, batches: string, to: string): KerasConfig {
  const script = fileURLToPath(new URL("../../../fixtures/check_training.py", import.meta.url));
  const { stdout, stderr, status } = spawnSync(python ?? "", [script, from, batches, to], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  const found: unknown = JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
  assert.ok(isKerasConfig(found));
  return found;
}

describe("a model on its way to Keras and back", {
  skip: python === undefined && "TOUCHSTONE_PYTHON is not set",
}, () => {
  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "touchstone-round-trip-"));
  });
  after(() => rmSync(folder, { recursive: true }));

  for (const optimizer of [new SGD(), new AdamW({ learningRate: 1, weightDecay: 0 })]) {
    it(`goes on under Keras with ${optimizer.className}, whose arguments are whole numbers`, () => {
      const [run] = kerasRuns();
      const { model } = startOf(run);
      const [from, batches, to] = ["from.keras", "batches.npz", "to.keras"].map((file) => join(folder, file));
      writeFileSync(from, writeModel(model, from, { training: { optimizer, loss } }));
      const { x, yTrue } = batchOf(run, model, 0);
      writeFileSync(
        batches,
        writeNpz(
          new Map([
            ["x0", fromTensor(x)],
            ["y0", fromTensor(yTrue)],
          ]),
        ),
      );
      assert.equal(continueInKeras(from, batches, to)["optimizer"], optimizer.className);
    });
  }

  for (const run of kerasRuns()) {
    it(`${run.name}: three steps here, two under Keras and one here are six steps`, async () => {
      const here = startOf(run);
      for (let number = 0; number < 3; number++) step(run, here, number);
      const [from, batches, to] = ["from.keras", "batches.npz", "to.keras"].map((file) => join(folder, file));
      writeFileSync(from, writeModel(here.model, from, { training: { optimizer: here.optimizer, loss } }));
      const arrays = new Map<string, NpyArray>();
      for (const i of [0, 1]) {
        const { x, yTrue } = batchOf(run, here.model, 3 + i);
        arrays.set(`x${i}`, fromTensor(x)).set(`y${i}`, fromTensor(yTrue));
      }
      writeFileSync(batches, writeNpz(arrays));

      const found = continueInKeras(from, batches, to);
      assert.equal(found["optimizer"], run.optimizer["class_name"]);
      assert.equal(found["iterations"], here.optimizer.iterations);
      assert.equal(found["variables"], here.optimizer.variables().length);

      // both are runs in float32, each within its bound of the exact one
      const allowed = allowedLosses(run).map((bound) => 2 * bound);
      const assertNear = (what: string, theirs: unknown, ours: number, number: number): void =>
        assert.ok(Math.abs(Number(theirs) - ours) <= allowed[number], `${what}: Keras ${Number(theirs)}, here ${ours}`);
      const batch = batchOf(run, here.model, 3);
      const source = { batchesPerEpoch: 1, samples: run.batch, batchSize: run.batch, classes: batch.yTrue.shape[1] };
      const evaluation = await evaluate(here.model, { ...source, batch: () => batch, close() {} }, { loss });
      const [theirLoss, theirAccuracy]: unknown[] = Array.isArray(found["evaluation"]) ? found["evaluation"] : [];
      assert.equal(Math.fround(Number(theirAccuracy)), Math.fround(evaluation.accuracy));
      assertNear("evaluation", theirLoss, evaluation.loss, 3);

      const losses: unknown[] = Array.isArray(found["losses"]) ? found["losses"] : [];
      assertNear("step 4", losses[0], step(run, here, 3), 3);
      assertNear("step 5", losses[1], step(run, here, 4), 4);

      const bytes = new Uint8Array(readFileSync(to));
      const model = readModel(bytes, to);
      const training = readTraining(model, bytes, to);
      assert.ok(training);
      assert.equal(training.optimizer.iterations, here.optimizer.iterations);
      assertNear("step 6", step(run, { model, optimizer: training.optimizer }, 5), step(run, here, 5), 5);
    });
  }
});
