/**
 * The fixtures that Keras exported: what is in them, and how a model is rebuilt from its seed.
 *
 * @module
 */
import { randomStream } from "../arithmetic/random.js";
import { FormatError, quote } from "../formats/format-error.js";
import type { NpyArray } from "../formats/npy.js";
import { readNpz } from "../formats/npz.js";
import { ResNet50 } from "../models/applications/resnet.js";
import { ResNet50V2 } from "../models/applications/resnet-v2.js";
import type { Model } from "../models/model.js";
import { resnetV1 } from "../models/resnet-v1.js";
import { resnetV2 } from "../models/resnet-v2.js";
import { isKerasConfig, readConfig } from "../serialization/config.js";
import { floatArray } from "../tensor/dtype.js";
import { formatShape, type Shape, shapesAgree, sizeOf } from "../tensor/shape.js";
import { type Tensor, tensor } from "../tensor/tensor.js";
import type { Compared, Reference } from "./compare.js";

/** Where fixtures are read from. */
export interface FixtureFiles {
  /** Names in a folder. */
  list(folder: string): readonly string[];
  /** The bytes of a file. */
  read(path: string): Uint8Array;
}

/** The arrays of one fixture by key. */
export type FixtureArrays = ReadonlyMap<string, NpyArray>;

function floats(arrays: FixtureArrays, key: string, path: string): Compared {
  const array = arrays.get(key);
  if (array?.data instanceof Float32Array || array?.data instanceof Float64Array) {
    return { shape: array.shape, data: array.data };
  }
  throw new FormatError(path, `there must be an array of floats ${key}.`, array?.dtype ?? "no such array");
}

/**
 * Every reference of the fixture at `path` whose key begins with `prefix`.
 *
 * @throws FormatError when a truth is not float64, which would be as rounded as what it is to judge, or has no result of
 * Keras in float32 of its shape beside it.
 */
export function references(arrays: FixtureArrays, prefix: string, path: string): readonly Reference[] {
  return [...arrays.keys()]
    .filter((key) => key.startsWith(`truth/${prefix}`))
    .map((full) => {
      const key = full.slice("truth/".length);
      const { shape, data: truth } = floats(arrays, full, path);
      const keras = floats(arrays, `keras/${key}`, path);
      if (!(truth instanceof Float64Array)) throw new FormatError(path, `${full} must be float64.`, "float32");
      if (!shapesAgree(keras.shape, shape)) {
        throw new FormatError(path, `keras/${key} must have shape ${formatShape(shape)}.`, formatShape(keras.shape));
      }
      const scale = arrays.has(`scale/${key}`) ? floats(arrays, `scale/${key}`, path).data : undefined;
      return {
        path,
        key,
        shape,
        truth,
        keras: keras.data,
        ...(scale && { maxTruth: scale[0], maxKerasError: scale[1] }),
      };
    });
}

/** The arrays in an npz file. @throws FormatError when it is corrupt. */
export function readArrays(files: FixtureFiles, path: string): FixtureArrays {
  try {
    return readNpz(files.read(path));
  } catch (error) {
    if (error instanceof FormatError) error.message = `${path}: ${error.message}`;
    throw error;
  }
}

/** The value in a JSON file. @throws FormatError when it is not JSON. */
export function readJson(files: FixtureFiles, path: string): unknown {
  const text = new TextDecoder().decode(files.read(path));
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FormatError(path, "the file must be JSON.", quote(text), { cause });
  }
}

/** A file as users have them. */
export interface FileFixture {
  /** Its name. */
  readonly file: string;
  /** The npz of inputs and predictions. */
  readonly predictions: string;
  /** For a file of weights alone: the archive whose model they go into. */
  readonly architecture: string | undefined;
}

/**
 * The list of files that `files/files.json` keeps, as far as they are installed: HDF5 files are not part of the package.
 *
 * @throws FormatError when it is no such list.
 */
export function fileFixtures(files: FixtureFiles): readonly FileFixture[] {
  const path = "files/files.json";
  const present = new Set(files.list("files"));
  const list = readJson(files, path);
  if (!Array.isArray(list)) throw new FormatError(path, "the file must hold a list.", quote(JSON.stringify(list)));
  return list.flatMap((entry: unknown) => {
    const read = readConfig(path, isKerasConfig(entry) ? entry : {});
    const [file, predictions] = [read.optionalString("file"), read.optionalString("predictions")];
    if (file === undefined || predictions === undefined) {
      throw new FormatError(path, "every entry must have a file and predictions.", quote(JSON.stringify(entry)));
    }
    if (/\.h5$/.test(file) && !present.has(file)) return [];
    return [{ file, predictions, architecture: read.optionalString("architecture") }];
  });
}

/** How a model fixture is rebuilt, and how it was sampled; `fixtures/README.md` says what each entry means. */
export interface ModelFixture {
  readonly builder: string;
  readonly seed: number;
  readonly classes: number;
  readonly inputShape: Shape;
  readonly batch: number;
  readonly input: readonly [number, number];
  readonly kernelGain: number;
  readonly logitKernelScale: number;
  readonly ranges: Readonly<Record<string, readonly [number, number]>>;
  readonly samples: number;
}

function range(value: unknown, what: string): readonly [number, number] {
  if (Array.isArray(value) && value.length === 2 && value.every(Number.isFinite)) return [value[0], value[1]];
  throw new FormatError("fixture", `${what} must be [low, high].`, JSON.stringify(value));
}

/** Reads the rule of a model fixture. */
export function modelFixture(json: unknown): ModelFixture {
  if (!isKerasConfig(json)) throw new FormatError("fixture", "a model's rule must be a dictionary.", typeof json);
  const read = readConfig("fixture", json);
  const ranges = isKerasConfig(json["ranges"]) ? json["ranges"] : {};
  return {
    builder: read.optionalString("builder") ?? "",
    seed: read.integer("seed", 0),
    classes: read.integer("classes", 1),
    inputShape: read.integers("inputShape"),
    batch: read.integer("batch", 1),
    input: range(json["input"], "input"),
    kernelGain: read.number("kernelGain"),
    logitKernelScale: read.number("logitKernelScale"),
    ranges: Object.fromEntries(Object.entries(ranges).map(([key, value]) => [key, range(value, key)])),
    samples: read.integer("samples", 1),
  };
}

/** low + (high - low) * uniform for every element, rounded to float32. */
function uniformTensor(seed: number, purpose: string, shape: Shape, [low, high]: readonly [number, number]): Tensor {
  const stream = randomStream(seed, purpose);
  const data = floatArray("float32", sizeOf(shape));
  for (let i = 0; i < data.length; i++) data[i] = low + (high - low) * stream.uniform(i);
  return tensor(data, shape);
}

function build({ builder, classes, inputShape }: ModelFixture): Model {
  const [, depth, version] = /^resnet(\d+)v([12])$/.exec(builder) ?? [];
  const options = { classes, inputShape };
  if (builder === "resnet50") return ResNet50(options);
  if (builder === "resnet50v2") return ResNet50V2(options);
  if (depth === undefined) {
    throw new FormatError("fixture", "builder must be resnet<depth>v1 or v2, resnet50 or resnet50v2.", quote(builder));
  }
  return version === "1" ? resnetV1(Number(depth), options) : resnetV2(Number(depth), options);
}

/** The model of a fixture, its weights made from the seed. */
export function rebuildModel(fixture: ModelFixture): Model {
  const { seed, kernelGain, logitKernelScale, ranges } = fixture;
  const model = build(fixture);
  const last = model.outputs[0].node.layer.name;
  for (const [path, weight] of model.weightsByPath()) {
    const fanIn = sizeOf(weight.shape.slice(0, -1));
    const limit = Math.sqrt((3 * kernelGain) / fanIn) * (path === `${last}/kernel` ? logitKernelScale : 1);
    const limits = weight.name === "kernel" ? ([-limit, limit] as const) : (ranges[weight.name] ?? [0, 0]);
    weight.assign(uniformTensor(seed, `weight/${path}`, weight.shape, limits));
  }
  return model;
}

/** The batch of a model fixture: x, and y one-hot. */
export function rebuildBatch({ seed, batch, inputShape, input, classes }: ModelFixture): { x: Tensor; y: Tensor } {
  const labels = randomStream(seed, "label");
  const y = floatArray("float32", batch * classes);
  for (let n = 0; n < batch; n++) y[n * classes + labels.integer(n, classes)] = 1;
  return { x: uniformTensor(seed, "input/x", [batch, ...inputShape], input), y: tensor(y, [batch, classes]) };
}

/** The elements of `x` that the fixture kept under `key`: all, or `samples` of them. */
export function sample(x: Tensor, key: string, { seed, samples }: ModelFixture): Compared {
  if (x.size <= samples) return x;
  const stream = randomStream(seed, `sample/${key}`);
  const kept = floatArray("float64", samples);
  for (let j = 0; j < samples; j++) kept[j] = x.data[stream.integer(j, x.size)];
  return { shape: [samples], data: kept };
}
