/**
 * Runs of twenty training steps that Keras made, and what float32 allows of ours; `fixtures/README.md` says what is stored.
 *
 * @module
 */
import { readdirSync } from "node:fs";
import { randomStream } from "../../src/arithmetic/random.js";
import { readModel } from "../../src/formats/read-model.js";
import type { Model } from "../../src/models/model.js";
import { optimizerFromConfig } from "../../src/optimizers/from-config.js";
import type { Optimizer } from "../../src/optimizers/optimizer.js";
import { isKerasConfig, type KerasConfig } from "../../src/serialization/config.js";
import type { FloatArray } from "../../src/tensor/dtype.js";
import { type Tensor, tensor, zeros } from "../../src/tensor/tensor.js";
import {
  type FixtureArrays,
  type FixtureFiles,
  modelFixture,
  readArrays,
  readJson,
  rebuildModel,
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
  /** What Keras found. */
  readonly arrays: FixtureArrays;
}

/** The runs of fixtures/steps. */
export function kerasRuns(): readonly KerasRun[] {
  const list = readJson(files, "steps/steps.json");
  return (Array.isArray(list) ? list : []).filter(isKerasConfig).map((entry): KerasRun => {
    const { name, file, rule, optimizer } = entry;
    return {
      name: String(name),
      steps: Number(entry["steps"]),
      batch: Number(entry["batch"]),
      seed: Number(entry["seed"]),
      optimizer: isKerasConfig(optimizer) ? optimizer : {},
      file: typeof file === "string" ? file : undefined,
      rule,
      arrays: readArrays(files, `steps/${name}.npz`),
    };
  });
}

/** The model that a run begins with. */
export function modelOf({ file, rule }: KerasRun): Model {
  return file === undefined ? rebuildModel(modelFixture(rule)) : readModel(kerasFixture(file), file);
}

/** The optimizer of a run, with some arguments changed. */
export function optimizerOf({ optimizer }: KerasRun, changes: KerasConfig = {}): Optimizer {
  const config = isKerasConfig(optimizer["config"]) ? optimizer["config"] : {};
  return optimizerFromConfig({ ...optimizer, config: { ...config, ...changes } });
}

/** The batch of a step: every image is the pattern of its class, and noise. */
export function batchOf({ seed, batch }: KerasRun, model: Model, step: number): KerasBatch {
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

/** A batch as `trainStep` takes it. */
export interface KerasBatch {
  readonly x: Tensor;
  readonly yTrue: Tensor;
  readonly labels: Int32Array;
}

/** The numbers of `key`. */
export function numbersOf({ arrays, name }: KerasRun, key: string): FloatArray {
  const array = arrays.get(key);
  if (array?.data instanceof Float32Array || array?.data instanceof Float64Array) return array.data;
  throw new Error(`${name} has no ${key}`);
}

/** A small integer power of two: the unit roundoff of float32. */
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
    for (let i = step; i < neighbours.length; i += truth.length) reach = Math.max(reach, Math.abs(neighbours[i] - exact));
    return 2 * reach + 4 * U * Math.abs(exact);
  });
}

/** Weights of float64 by path that the fixture keeps after the last step. */
export function weightKeys({ arrays }: KerasRun): readonly string[] {
  return [...arrays.keys()].filter((key) => key.startsWith("truth/weight/")).map((key) => key.slice("truth/".length));
}

/** A tensor of a fixture. */
export function tensorOfRun(run: KerasRun, key: string): Tensor {
  return tensor(numbersOf(run, key), run.arrays.get(key)?.shape ?? []);
}
