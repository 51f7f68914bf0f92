/** Twenty steps of training beside Keras's: losses and accuracies of every step, and the weights after the last. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { serial } from "../../src/kernels/execution.js";
import type { Model } from "../../src/models/model.js";
import { objectiveOf } from "../../src/models/objective.js";
import { backwardPass, regularizationLosses, withRegularizers } from "../../src/models/passes.js";
import type { Optimizer } from "../../src/optimizers/optimizer.js";
import type { KerasConfig } from "../../src/serialization/config.js";
import { compare, ratioOf } from "../../src/verification/compare.js";
import {
  allowedLosses,
  batchOf,
  type KerasBatch,
  kerasRuns,
  type KerasRun,
  modelOf,
  numbersOf,
  optimizerOf,
  weightKeys,
} from "../support/keras-steps.js";

function step(model: Model, { x, yTrue, labels }: KerasBatch, optimizer: Optimizer, s: number) {
  const pass = model.forward([x], { training: true, execution: serial, seed: 0, step: s });
  const out = pass.passes.get(model.outputs[0].node)!;
  const { loss, gradient } = objectiveOf("categorical_crossentropy", yTrue, out);
  const total = loss + regularizationLosses(model);
  const g = withRegularizers(model, backwardPass(model, pass, [gradient]).dWeights);
  const by = model.weightsByPath();
  const paths = [...g.keys()];
  optimizer.applyGradients(paths.map((p) => by.get(p)!), paths.map((p) => g.get(p)!));
  for (const [v, value] of pass.updates) v.assign(value);
  return { loss: total, labels };
}
for (const run of kerasRuns()) {
  const t0 = Date.now();
  const model = modelOf(run);
  const optimizer = optimizerOf(run);
  const allowed = allowedLosses(run);
  const truth = numbersOf(run, "truth/loss");
  const keras = numbersOf(run, "keras/loss");
  const rows = [];
  for (let s = 0; s < run.steps; s++) {
    const { loss } = step(model, batchOf(run, model, s), optimizer, s);
    rows.push([s, loss, truth[s], Math.abs(loss - truth[s]), Math.abs(keras[s] - truth[s]), allowed[s]]);
  }
  console.log(run.name, Date.now() - t0);
  console.log(rows.map((r) => r.map((x) => x.toPrecision(5)).join(" ")).join("\n"));
  const by = model.weightsByPath();
  for (const key of weightKeys(run)) {
    const c = compare(by.get(key.slice(7))!.value.data, { key, truth: numbersOf(run, `truth/${key}`), keras: numbersOf(run, `keras/${key}`) });
    console.log(key, ratioOf(c).toFixed(2), c.error, c.allowed);
  }
}
