/**
 * MODEL on the command line: a file, or the name of a builder.
 *
 * @module
 */
import { Option } from "commander";
import { loadWeights, readModel } from "../formats/read-model.js";
import { ResNet50, ResNet101, ResNet152 } from "../models/applications/resnet.js";
import { ResNet50V2, ResNet101V2, ResNet152V2 } from "../models/applications/resnet-v2.js";
import type { Model } from "../models/model.js";
import { resnetV1 } from "../models/resnet-v1.js";
import { resnetV2 } from "../models/resnet-v2.js";
import type { DType } from "../tensor/dtype.js";
import { UsageError } from "./errors.js";
import { exists, readBytes } from "./files.js";
import { choice, wholeNumber } from "./options.js";

/** How a model is found and built. */
export interface ModelFlags {
  readonly weights?: string;
  readonly seed: number;
  readonly classes?: number;
  readonly inputShape?: readonly number[];
  readonly dtype?: DType;
}

/** What `--help` says of MODEL. */
export const MODEL_HELP: string =
  "a .keras, .h5 or .npz file, or a builder: resnet20v1 (any 6n+2), resnet29v2 (any 9n+2), resnet50, resnet101, resnet152, " +
  "resnet50v2, resnet101v2, resnet152v2";

/** The options that go with MODEL. */
export function modelOptions(): readonly Option[] {
  return [
    new Option("--weights <file>", "weights for the model (.h5, .keras or .npz)"),
    new Option("--seed <n>", "seed of a builder's initial weights").argParser(wholeNumber("--seed", 0)).default(0),
    new Option("--classes <n>", "classes of a builder").argParser(wholeNumber("--classes", 1)),
    new Option("--input-shape <h,w,c>", "input of a builder, for example 64,64,3").argParser(inputShape),
    choice("--dtype <type>", "element type of the whole model", ["float32", "float64"]),
  ];
}

function inputShape(text: string): readonly number[] {
  const shape = text.split(",").map(Number);
  if (!/^\d+,\d+,\d+$/.test(text) || !shape.every((size) => Number.isSafeInteger(size) && size > 0)) {
    throw new UsageError(
      "--input-shape must be three whole numbers of at least 1, height,width,channels.",
      JSON.stringify(text),
    );
  }
  return shape;
}

/** Building takes time that grows with the square of the depth. */
const MAX_DEPTH = 2000;

const APPLICATIONS: Readonly<Record<string, typeof ResNet50>> = {
  resnet50: ResNet50,
  resnet101: ResNet101,
  resnet152: ResNet152,
  resnet50v2: ResNet50V2,
  resnet101v2: ResNet101V2,
  resnet152v2: ResNet152V2,
};

/** Whether `spec` is the name of a builder, and what it builds has the weights of its seed unless others are loaded. */
export function isBuilder(spec: string): boolean {
  return Object.hasOwn(APPLICATIONS, spec) || BUILDER.test(spec);
}

const BUILDER = /^resnet(\d+)v([12])$/;

function build(name: string, { seed, classes, inputShape: shape, dtype }: ModelFlags): Model | undefined {
  const options = {
    seed,
    ...(classes !== undefined && { classes }),
    ...(shape !== undefined && { inputShape: shape }),
    ...(dtype !== undefined && { dtype }),
  };
  const application = APPLICATIONS[name];
  if (application !== undefined) return application(options);
  const [, depth, version] = BUILDER.exec(name) ?? [];
  if (depth === undefined) return undefined;
  if (Number(depth) > MAX_DEPTH) throw new UsageError(`a builder's depth must be at most ${MAX_DEPTH}.`, name);
  return version === "1" ? resnetV1(Number(depth), options) : resnetV2(Number(depth), options);
}

function load(path: string, { classes, inputShape, dtype }: ModelFlags): Model {
  if (!/\.(keras|h5|hdf5|npz)$/i.test(path) && !exists(path)) {
    throw new UsageError(`<model> must be ${MODEL_HELP}.`, JSON.stringify(path));
  }
  if (classes !== undefined || inputShape !== undefined) {
    throw new UsageError(
      "--classes and --input-shape must go with a builder's name.",
      `the file ${path}, which has its own`,
    );
  }
  return readModel(readBytes(path), path, dtype === undefined ? {} : { dtype });
}

/**
 * The model that the command line names, with its weights.
 *
 * @throws UsageError when `spec` is neither a file nor a builder's name.
 */
export function resolveModel(spec: string, flags: ModelFlags): Model {
  const model = build(spec, flags) ?? load(spec, flags);
  if (flags.weights !== undefined) loadWeights(model, readBytes(flags.weights), flags.weights);
  return model;
}
