/**
 * Verification: this installation against what Keras computed, layer by layer.
 *
 * Every fixture is run as a user would run it: the file is read, the model traced in inference and in training mode, and
 * every tensor of the trace is compared: outputs, loss, gradients, moving statistics.
 *
 * @module
 */
import { FormatError } from "../formats/format-error.js";
import { loadWeights, readModel } from "../formats/read-model.js";
import { toTensor } from "../formats/tensors.js";
import type { Execution } from "../kernels/execution.js";
import type { Model } from "../models/model.js";
import { predict } from "../models/predict.js";
import { type Trace, type TraceOptions, trace } from "../models/trace.js";
import type { FloatArray } from "../tensor/dtype.js";
import type { Tensor } from "../tensor/tensor.js";
import { type Compared, type Comparison, compare, judge, type Reference, ratioOf, type Verdict } from "./compare.js";
import {
  type FileFixture,
  fileFixtures,
  type FixtureArrays,
  type FixtureFiles,
  modelFixture,
  readArrays,
  readJson,
  rebuildBatch,
  rebuildModel,
  references,
  sample,
} from "./fixtures.js";
import { findKinks } from "./kinks.js";

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
  /** ReLUs at their kink that had to be taken into account; see kinks.ts. */
  readonly kinks: number;
}

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

/** What a model is given, and what Keras made of it. */
interface Case {
  readonly model: Model;
  readonly inputs: readonly Tensor[];
  readonly goal: TraceOptions;
  readonly arrays: FixtureArrays;
  /** The file that they are from. */
  readonly path: string;
  /** The elements of a tensor that the fixture kept. */
  readonly kept: (x: Tensor, key: string) => Compared;
}

/** Compares both modes of a model with all that the fixture holds. */
function compareModel(example: Case, execution: Execution): Comparisons {
  const { model, inputs, goal, arrays, path, kept } = example;
  const inference = traceAndCompare(example, "inference/", () => trace(model, inputs, { execution }));
  const wanted = references(arrays, "training/", path);
  if (wanted.length + inference.comparisons.length === 0) {
    throw new FormatError(path, "there must be arrays truth/inference/... or truth/training/...", "none");
  }
  if (wanted.length === 0) return { comparisons: inference.comparisons, kinks: 0 };
  const options = { ...goal, training: true, execution };
  const training = traceAndCompare(example, "training/", () => trace(model, inputs, options));
  const comparisons = [...inference.comparisons, ...training.comparisons];
  if (comparisons.every((comparison) => ratioOf(comparison) <= 1)) return { comparisons, kinks: 0 };

  // a bound is broken: is it a ReLU at its kink?
  const bounds = new Map(training.comparisons.map(({ key, allowed }) => [key, allowed]));
  const allowed = (layer: string): number => bounds.get(`training/output/${layer}`) ?? 0;
  const kinks = findKinks(model, inputs, { ...goal, execution }, training.entries, allowed);
  const again = wanted.map((reference) => {
    const key = reference.key.slice("training/".length);
    const shift = kinks.shift(key.replace(/^gradInput\//, "gradOutput/"));
    const moved = shift === undefined ? reference : moveTruth(reference, kept(shift, reference.key));
    return compare(keptOf(training.entries, key, reference.key, example), moved);
  });
  return { comparisons: [...inference.comparisons, ...again], kinks: kinks.count };
}

interface Comparisons {
  readonly comparisons: readonly Comparison[];
  /** ReLUs that rounding has put on the other side of zero, where the comparison had to look for them. */
  readonly kinks: number;
}

function keptOf(entries: Trace, key: string, fullKey: string, { path, kept }: Case): Compared {
  const ours = traced(entries, key);
  if (ours !== undefined) return kept(ours, fullKey);
  throw new FormatError(path, `truth/${fullKey} must be of a tensor in our trace.`, `a trace without ${key}`);
}

function traceAndCompare(
  example: Case,
  mode: string,
  run: () => Trace,
): { readonly entries: Trace; readonly comparisons: readonly Comparison[] } {
  const wanted = references(example.arrays, mode, example.path);
  const entries: Trace = wanted.length === 0 ? new Map() : run();
  const comparisons = wanted.map((reference) =>
    compare(keptOf(entries, reference.key.slice(mode.length), reference.key, example), reference),
  );
  return { entries, comparisons };
}

/** The reference with its truth, and Keras's value with it, moved by `shift`: Keras's own error stays what it is. */
function moveTruth(reference: Reference, { data: shift }: Compared): Reference {
  const move = (values: FloatArray): FloatArray => Float64Array.from(values, (value, i) => value + shift[i]);
  return { ...reference, truth: move(reference.truth), keras: move(reference.keras) };
}

function verifyLayer(files: FixtureFiles, name: string, execution: Execution): Comparisons {
  const path = `layers/${name}.npz`;
  const arrays = readArrays(files, path);
  const model = readModel(files.read(`layers/${name}.keras`), `${name}.keras`);
  const names = (tensors: Model["inputs"]): string[] => tensors.map((x) => x.node.layer.name);
  const inputs = arraysOf(arrays, "input", names(model.inputs));
  const cotangents = arraysOf(arrays, "dy", names(model.outputs));
  const goal = cotangents.length > 0 ? { cotangents } : {};
  const kept = (x: Tensor): Compared => x;
  const scaled = withLossScale(arrays, names(model.outputs));
  return compareModel({ model, inputs, goal, arrays: scaled, path, kept }, execution);
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

function verifyModel(files: FixtureFiles, name: string, execution: Execution): Comparisons {
  const path = `models/${name}.npz`;
  const arrays = readArrays(files, path);
  const fixture = modelFixture(readJson(files, `models/${name}.json`));
  const { x, y } = rebuildBatch(fixture);
  const model = rebuildModel(fixture);
  const kept = (tensor: Tensor, key: string): Compared => sample(tensor, key, fixture);
  return compareModel({ model, inputs: [x], goal: { targets: [y] }, arrays, path, kept }, execution);
}

/** Files as users have them: read, weights alone into the model of another file, and their predictions compared. */
function verifyFile(
  files: FixtureFiles,
  { file, predictions, architecture }: FileFixture,
  execution: Execution,
): Comparisons {
  const path = `files/${predictions}`;
  const arrays = readArrays(files, path);
  const whole = architecture ?? file;
  const model = readModel(files.read(`files/${whole}`), whole);
  if (architecture !== undefined) loadWeights(model, files.read(`files/${file}`), file);
  const inputs = arraysOf(
    arrays,
    "input",
    model.inputs.map((x) => x.node.layer.name),
  );
  const outputs = predict(model, inputs, { execution });
  const comparisons = model.outputs.map(({ node }, i) => {
    const { name } = node.layer;
    const reference = references(arrays, name, path).find(({ key }) => key === name);
    if (reference !== undefined) return compare(outputs[i], reference);
    throw new FormatError(path, `there must be an array of floats truth/${name}.`, "no such array");
  });
  return { comparisons, kinks: 0 };
}

/** The name of a file in models/ that is no model's rule: shapes of models, which no numbers go with. */
const SHAPES = "shapes";

/** Every fixture whose name contains `only`, one after another; the models smallest first. */
export function* verify(files: FixtureFiles, execution: Execution, only = ""): Generator<Result> {
  // a fixture is two files: where one of them is missing, reading it says so
  const names = (folder: string, rest: string): string[] => {
    const found = files
      .list(folder)
      .filter((file) => (file.endsWith(rest) || file.endsWith(".npz")) && `${folder}/${file}`.includes(only))
      .map((file) => file.replace(/\.\w+$/, ""));
    return [...new Set(found)].filter((name) => name !== SHAPES).sort();
  };
  const result = (kind: Result["kind"], name: string, { comparisons, kinks }: Comparisons): Result => ({
    kind,
    name,
    comparisons,
    kinks,
    verdict: judge(comparisons),
  });
  for (const name of names("layers", ".keras")) yield result("layers", name, verifyLayer(files, name, execution));
  const wanted = fileFixtures(files).filter(({ file }) => `files/${file}`.includes(only));
  for (const file of wanted) yield result("files", file.file, verifyFile(files, file, execution));
  const size = (name: string): number => files.read(`models/${name}.npz`).length;
  for (const name of names("models", ".json").sort((a, b) => size(a) - size(b))) {
    yield result("models", name, verifyModel(files, name, execution));
  }
}
