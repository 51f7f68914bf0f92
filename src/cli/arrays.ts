/**
 * Arrays from the command line: what of an .npy or .npz file goes where in a model.
 *
 * @module
 */
import { FormatError } from "../formats/format-error.js";
import { readNpy } from "../formats/npy.js";
import { readNpz } from "../formats/npz.js";
import { toTensor } from "../formats/tensors.js";
import type { SymbolicTensor } from "../layers/layer.js";
import type { Model } from "../models/model.js";
import { tensorNames } from "../models/node-names.js";
import type { LossName } from "../models/objective.js";
import { formatShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { UsageError } from "./errors.js";
import { readBytes } from "./files.js";

/** Arrays by name; that of an .npy file is called `x`. */
export type Arrays = ReadonlyMap<string, Tensor>;

/**
 * The arrays of an .npy or .npz file.
 *
 * @throws UsageError when it cannot be read. @throws FormatError when it is corrupt.
 */
export function readArrays(path: string): Arrays {
  const isSingle = /\.npy$/i.test(path);
  if (!isSingle && !/\.npz$/i.test(path)) throw new UsageError("arrays must come in an .npy or .npz file.", path);
  const bytes = readBytes(path);
  try {
    const arrays = isSingle ? new Map([["x", readNpy(bytes)]]) : readNpz(bytes);
    return new Map(Array.from(arrays, ([name, array]) => [name, toTensor(array)]));
  } catch (error) {
    if (error instanceof FormatError) error.message = `${path}: ${error.message}`;
    throw error;
  }
}

/**
 * One array for each of `layers`: `<letter>` where there is one, else `<letter>/<layer>`; for inputs also
 * `<layer>`, and `input/<layer>`. Nothing where none of them is there.
 */
function arraysFor(arrays: Arrays, letter: string, layers: readonly string[]): readonly Tensor[] | undefined {
  const found = layers.map((name) => {
    const names = [`${letter}/${name}`, ...(letter === "x" ? [`input/${name}`, name] : [])];
    if (layers.length === 1) names.push(letter);
    return names.map((key) => arrays.get(key)).find((array) => array !== undefined);
  });
  if (found.every((array) => array === undefined)) return undefined;
  const missing = found.indexOf(undefined);
  if (missing >= 0) {
    throw new UsageError(
      `the input file must have one array for each of ${layers.map((name) => `${letter}/${name}`).join(", ")}.`,
      namesOf(arrays),
    );
  }
  return found.filter((array) => array !== undefined);
}

/**
 * The inputs of `model` among `arrays`: `x`, or by the names of the input layers, or the only array there is.
 *
 * @throws UsageError when they are not there.
 */
export function modelInputs(model: Model, arrays: Arrays): readonly Tensor[] {
  const inputs = arraysFor(arrays, "x", tensorNames(model, model.inputs));
  if (inputs !== undefined) return inputs;
  const [only] = arrays.values();
  if (model.inputs.length === 1 && arrays.size === 1) return [only];
  const wanted = model.inputs.length === 1 ? "`x`" : model.inputs.map((x) => `\`x/${x.node.layer.name}\``).join(", ");
  throw new UsageError(`the input file must hold ${wanted}.`, namesOf(arrays));
}

/** What a file says of the loss. */
export interface Targets {
  readonly targets?: readonly Tensor[];
  readonly cotangents?: readonly Tensor[];
  readonly loss?: LossName;
}

/**
 * The targets `y` (one-hot, or class numbers, or values) or the cotangents `dy` among `arrays`, if there are any.
 *
 * @throws UsageError when both are there, some are missing, or there is a loss but nothing to compare with.
 */
export function modelTargets(model: Model, arrays: Arrays, loss: LossName | undefined): Targets {
  const targets = arraysFor(arrays, "y", tensorNames(model, model.outputs));
  const cotangents = arraysFor(arrays, "dy", tensorNames(model, model.outputs));
  if (targets !== undefined && cotangents !== undefined) {
    throw new UsageError("the input file must hold either targets `y` or cotangents `dy`.", "both");
  }
  if (targets === undefined && loss !== undefined) {
    throw new UsageError(`--loss must go with targets \`y\` in the input file.`, `${loss} and ${namesOf(arrays)}`);
  }
  if (cotangents !== undefined) return { cotangents };
  if (targets === undefined) return {};
  return { targets, loss: loss ?? lossFor(targets[0], model.outputs[0]) };
}

/** Class numbers have one dimension less than the output (or 1 in its place); everything else is compared as it is. */
function lossFor(y: Tensor, { shape }: SymbolicTensor): LossName {
  const classes = shape.at(-1);
  const isSparse =
    y.dimension === shape.length - 1 || (y.dimension === shape.length && y.shape.at(-1) === 1 && classes !== 1);
  return isSparse ? "sparse_categorical_crossentropy" : "categorical_crossentropy";
}

function namesOf(arrays: Arrays): string {
  return [...arrays.keys()].join(", ") || "no array";
}

/** Shapes of `tensors` for a message. */
export function listShapes(tensors: readonly Tensor[]): string {
  return tensors.map((x) => formatShape(x.shape)).join(", ");
}
