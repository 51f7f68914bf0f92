/**
 * Runs of twenty training steps that Keras made, and what float32 allows of ours; `fixtures/README.md` says what is stored.
 *
 * @module
 */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { randomStream } from "../../src/arithmetic/random.js";
import { readModel, readTraining } from "../../src/formats/read-model.js";
import type { Model } from "../../src/models/model.js";
import { optimizerFromConfig, serializeOptimizer } from "../../src/optimizers/from-config.js";
import type { Optimizer } from "../../src/optimizers/optimizer.js";
import { isKerasConfig, type KerasConfig } from "../../src/serialization/config.js";
import type { FloatArray } from "../../src/tensor/dtype.js";
import type { Batch } from "../../src/training/batches.js";
import { zeros } from "../../src/tensor/tensor.js";
import { type Comparison, compare } from "../../src/verification/compare.js";
import {
  type FixtureArrays,
  type FixtureFiles,
  modelFixture,
  readArrays,
  readJson,
  rebuildModel,
  references,
} from "../../src/verification/fixtures.js";
import { kerasFixture } from "../formats/fixture-files.js";

const files: FixtureFiles = {
  list: (folder) => readdirSync(new URL(`../../../fixtures/${folder}`, import.meta.url)),
  read: kerasFixture,
};

/** One run. */
export interface KerasRun {
  readonly name: string;
  readonly steps: number;
  readonly batch: number;
  readonly seed: number;
  /** `{ class_name, config }`. */
  readonly optimizer: KerasConfig;
  /** Begins with this file of fixtures/, or else with the model of `rule`. */
  readonly file: string | undefined;
  readonly rule: unknown;
  /** Whether it goes on with the optimizer's state in the file. */
  readonly continues: boolean;
  /** What Keras found. */
  readonly arrays: FixtureArrays;
}

/** The runs of fixtures/steps. */
export function kerasRuns(): readonly KerasRun[] {
  const list = readJson(files, "steps/steps.json");
  return (Array.isArray(list) ? list : []).filter(isKerasConfig).map((entry): KerasRun => {
    const { file, rule, optimizer } = entry;
    const name = String(entry["name"]);
    return {
      name,
      steps: Number(entry["steps"]),
      batch: Number(entry["batch"]),
      seed: Number(entry["seed"]),
      optimizer: isKerasConfig(optimizer) ? optimizer : {},
      file: typeof file === "string" ? file : undefined,
      rule,
      continues: entry["continues"] === true,
      arrays: readArrays(files, `steps/${name}.npz`),
    };
  });
}

/** Model and optimizer that a run begins with. */
export interface KerasStart {
  readonly model: Model;
  readonly optimizer: Optimizer;
}

/** Begins a run, with some arguments of its optimizer changed; one that continues has that of its file, with its state. */
export function startOf(run: KerasRun, changes: KerasConfig = {}): KerasStart {
  const { file, rule, continues, optimizer } = run;
  if (file === undefined) return { model: rebuildModel(modelFixture(rule)), optimizer: optimizerOf(run, changes) };
  const model = readModel(kerasFixture(file), file);
  if (!continues) return { model, optimizer: optimizerOf(run, changes) };
  const training = readTraining(model, kerasFixture(file), file);
  assert.equal(training?.loss, "categorical_crossentropy");
  assert.deepEqual(serializeOptimizer(training.optimizer)["config"], optimizer["config"]);
  return { model, optimizer: training.optimizer };
}

function optimizerOf({ optimizer }: KerasRun, changes: KerasConfig): Optimizer {
  return optimizerFromConfig({ ...optimizer, config: { ...configOf(optimizer), ...changes } });
}

function configOf(optimizer: KerasConfig): KerasConfig {
  return isKerasConfig(optimizer["config"]) ? optimizer["config"] : {};
}

/** The batch of a step: every image is the pattern of its class, and noise. */
export function batchOf({ seed, batch }: KerasRun, model: Model, step: number): Batch {
  const shape = model.inputs[0].shape.slice(1).map(Number);
  const classes = Number(model.outputs[0].shape.at(-1));
  const x = zeros([batch, ...shape], "float32");
  const yTrue = zeros([batch, classes], "float32");
  const size = x.size / batch;
  const pattern = randomStream(seed, "pattern").fillUniform(new Float32Array(classes * size), -0.25, 0.25);
  const noise = randomStream(seed, "noise", step).fillUniform(new Float32Array(x.size), -0.25, 0.25);
  const stream = randomStream(seed, "label", step);
  const labels = Int32Array.from({ length: batch }, (_, n) => stream.integer(n, classes));
  for (const [n, label] of labels.entries()) {
    yTrue.data[n * classes + label] = 1;
    for (let i = 0; i < size; i++) x.data[n * size + i] = pattern[label * size + i] + noise[n * size + i];
  }
  return { x, yTrue, labels };
}

/** The numbers of `key`. */
export function numbersOf({ arrays, name }: KerasRun, key: string): FloatArray {
  const array = arrays.get(key);
  if (array?.data instanceof Float32Array || array?.data instanceof Float64Array) return array.data;
  throw new Error(`${name} has no ${key}`);
}

/** The unit roundoff of float32. */
const U = 2 ** -24;

/**
 * How far the loss of every step may be from that of exact arithmetic.
 *
 * A run in float32 leaves the exact one at its first rounding, and the distance grows: Adam's first step is nearly the sign
 * of the gradient, and a ReLU whose input is at zero changes gradients by parts in a thousand. How fast is a property of the
 * model, not of an implementation, so it is measured: by Keras's own float32 run, and by eight more from weights of which
 * every second was moved to the next float32. Those are nine draws of what float32 allows. The reach of a step is the
 * greatest distance that one of them had at that step or before; ours, one more draw, may have twice that, and the rounding
 * of the loss itself, four units, as in `compare`.
 */
export function allowedLosses(run: KerasRun): readonly number[] {
  const truth = numbersOf(run, "truth/loss");
  const keras = numbersOf(run, "keras/loss");
  const neighbours = numbersOf(run, "neighbours/loss");
  let reach = 0;
  return Array.from(truth, (exact, step) => {
    reach = Math.max(reach, Math.abs(keras[step] - exact));
    for (let i = step; i < neighbours.length; i += truth.length)
      reach = Math.max(reach, Math.abs(neighbours[i] - exact));
    return 2 * reach + 4 * U * Math.abs(exact);
  });
}

/** How every weight that the fixture keeps after the last step compares; a ResNet's are not kept. */
export function compareWeights(run: KerasRun, model: Model): readonly Comparison[] {
  const weights = model.weightsByPath();
  return references(run.arrays, "weight/", `steps/${run.name}.npz`).map((reference) => {
    const weight = weights.get(reference.key.slice("weight/".length));
    if (weight === undefined) throw new Error(`${run.name}: the model has no ${reference.key}`);
    return compare(weight.value, reference);
  });
}
