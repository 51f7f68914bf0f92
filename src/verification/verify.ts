/**
 * Verification: this installation against what Keras computed, layer by layer.
 *
 * Every fixture is run as a user would run it: the file is read, the model traced in inference and in training mode, and
 * every tensor of the trace is compared: outputs, loss, gradients, moving statistics.
 *
 * @module
 */
import { readNpz } from "../formats/npz.js";
import { readModel } from "../formats/read-model.js";
import { toTensor } from "../formats/tensors.js";
import type { Execution } from "../kernels/execution.js";
import type { Model } from "../models/model.js";
import { predict } from "../models/predict.js";
import { type Trace, type TraceOptions, trace } from "../models/trace.js";
import type { Tensor } from "../tensor/tensor.js";
import { type Comparison, compare, judge, type Verdict } from "./compare.js";
import {
  type FixtureArrays,
  type FixtureFiles,
  modelFixture,
  rebuildBatch,
  rebuildModel,
  references,
  sample,
} from "./fixtures.js";

/** What one fixture gave. */
export interface Result {
  /** The folder it is in. */
  readonly kind: "layers" | "models" | "files";
  /** Its name. */
  readonly name: string;
  /** How it compares. */
  readonly verdict: Verdict;
  /** Each tensor. */
  readonly comparisons: readonly Comparison[];
}

const decoder = new TextDecoder();

/** The arrays `prefix/<layer>` in the order of `tensors`. */
function arraysOf(arrays: FixtureArrays, prefix: string, names: readonly string[]): readonly Tensor[] {
  return names.flatMap((name) => {
    const array = arrays.get(`${prefix}/${name}`);
    return array === undefined ? [] : [toTensor(array)];
  });
}

/** The tensor of a trace that the fixture calls `key`; it calls the gradients of inputs `gradInput`. */
function traced(entries: Trace, key: string): Tensor | undefined {
  return entries.get(key) ?? entries.get(key.replace(/^gradInput\//, "gradOutput/"));
}

/** Compares both modes of `model` with all that the fixture holds. */
function compareModel(
  model: Model,
  inputs: readonly Tensor[],
  goal: TraceOptions,
  arrays: FixtureArrays,
  execution: Execution,
  kept: (x: Tensor, key: string) => Tensor["data"] = (x) => x.data,
): readonly Comparison[] {
  return (["inference", "training"] as const).flatMap((mode) => {
    const wanted = references(arrays, `${mode}/`);
    if (wanted.length === 0) return [];
    const training = mode === "training";
    const entries = trace(model, inputs, { ...(training && goal), training, execution });
    return wanted.map((reference) => {
      const key = reference.key.slice(mode.length + 1);
      const ours = traced(entries, key);
      if (ours === undefined) throw new Error(`internal: verify: the trace has no ${key}.`);
      return compare(kept(ours, reference.key), reference);
    });
  });
}

function verifyLayer(files: FixtureFiles, name: string, execution: Execution): readonly Comparison[] {
  const arrays = readNpz(files.read(`layers/${name}.npz`));
  const model = readModel(files.read(`layers/${name}.keras`), `${name}.keras`);
  const names = (tensors: Model["inputs"]): string[] => tensors.map((x) => x.node.layer.name);
  const inputs = arraysOf(arrays, "input", names(model.inputs));
  const cotangents = arraysOf(arrays, "dy", names(model.outputs));
  const goal = cotangents.length > 0 ? { cotangents } : {};
  return compareModel(model, inputs, goal, withLossScale(arrays, names(model.outputs)), execution);
}

/**
 * The loss of these fixtures is a sum of dy y of both signs, in which each y was rounded to float32 once: it moves by up to
 * u sum |dy| |y|, however small the sum is. That sum of magnitudes is the scale of its bound.
 */
function withLossScale(arrays: FixtureArrays, outputs: readonly string[]): FixtureArrays {
  let magnitude = 0;
  for (const name of outputs) {
    const dy = arrays.get(`dy/${name}`)?.data ?? [];
    const y = arrays.get(`truth/training/output/${name}`)?.data ?? [];
    for (let i = 0; i < dy.length; i++) magnitude += Math.abs(Number(dy[i]) * Number(y[i]));
  }
  const loss = arrays.get("truth/training/loss")?.data[0];
  const scale = Float64Array.of(Math.max(magnitude, Math.abs(Number(loss ?? 0))), 0, 0);
  return new Map([...arrays, ["scale/training/loss", { dtype: "float64", shape: [3], data: scale }]]);
}

function verifyModel(files: FixtureFiles, name: string, execution: Execution): readonly Comparison[] {
  const arrays = readNpz(files.read(`models/${name}.npz`));
  const fixture = modelFixture(JSON.parse(decoder.decode(files.read(`models/${name}.json`))));
  const { x, y } = rebuildBatch(fixture);
  const model = rebuildModel(fixture);
  return compareModel(model, [x], { targets: [y] }, arrays, execution, (tensor, key) => sample(tensor, key, fixture));
}

/** Files as users have them: read, and their predictions compared. */
function verifyFile(files: FixtureFiles, file: string, execution: Execution): readonly Comparison[] {
  const arrays = readNpz(files.read(`files/${fixtureOf(file)}.npz`));
  const model = readModel(files.read(`files/${file}`), file);
  const inputs = arraysOf(
    arrays,
    "input",
    model.inputs.map((x) => x.node.layer.name),
  );
  const outputs = predict(model, inputs, { execution });
  return model.outputs.map(({ node }, i) => {
    const reference = references(arrays, node.layer.name).find(({ key }) => key === node.layer.name);
    if (reference === undefined) throw new Error(`internal: verify: ${file} has no reference for ${node.layer.name}.`);
    return compare(outputs[i].data, reference);
  });
}

/** `keras3-functional-deflated.keras` belongs to `keras3-functional.npz`. */
function fixtureOf(file: string): string {
  return file.replace(/\.(keras|h5)$/, "").replace(/-(deflated|npz-weights|latest)$/, "");
}

/** Every fixture whose name contains `only`, one after another; the models smallest first. */
export function* verify(files: FixtureFiles, execution: Execution, only = ""): Generator<Result> {
  const names = (folder: string, ending: RegExp): string[] =>
    files
      .list(folder)
      .filter((file) => ending.test(file) && `${folder}/${file}`.includes(only))
      .map((file) => file.replace(/\.(keras|npz)$/, ""))
      .sort();
  const result = (kind: Result["kind"], name: string, comparisons: readonly Comparison[]): Result => ({
    kind,
    name,
    comparisons,
    verdict: judge(comparisons),
  });
  for (const name of names("layers", /\.keras$/)) yield result("layers", name, verifyLayer(files, name, execution));
  for (const file of files
    .list("files")
    .filter((f) => isWholeModel(f) && `files/${f}`.includes(only))
    .sort()) {
    yield result("files", file, verifyFile(files, file, execution));
  }
  const size = (name: string): number => files.read(`models/${name}.npz`).length;
  for (const name of names("models", /\.npz$/).sort((a, b) => size(a) - size(b))) {
    yield result("models", name, verifyModel(files, name, execution));
  }
}

/** Files of weights alone are left to the tests: they need a model to go into. */
function isWholeModel(file: string): boolean {
  return /\.(keras|h5)$/.test(file) && !/weights\.h5$/.test(file);
}
