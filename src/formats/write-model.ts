/**
 * Models to bytes, by the ending of the file's name.
 *
 * @module
 */
import { checkModel } from "../models/check-model.js";
import { Model } from "../models/model.js";
import { checkOptimizer } from "../optimizers/optimizer.js";
import { expectOptions } from "../serialization/options.js";
import { writeKerasArchive } from "./keras-archive.js";
import { writeLegacyModel } from "./legacy-h5.js";
import { writeNpzModel } from "./npz-model.js";
import type { Training } from "./training-config.js";

/** What a file can hold beside the model. */
export interface WriteModelOptions {
  /** Optimizer, with its state, and loss: Keras then loads a compiled model that goes on training. */
  readonly training?: Training | undefined;
  /** Further entries of a `.keras` archive by name, which Keras leaves alone. */
  readonly entries?: ReadonlyMap<string, Uint8Array> | undefined;
}

/**
 * The bytes of `model` as the file `name`: `.keras`, `.h5` (a whole model of the older layout) or `.npz`. Equal models
 * give equal bytes.
 *
 * @throws RangeError when the name has another ending, a layer's name is one that Keras 3 does not take, the optimizer was
 *   built for other weights, or the file has no place for what `options` holds.
 * @throws TypeError when `model` is no model, or an option is none of {@link WriteModelOptions}.
 */
export function writeModel(model: Model, name: string, options: WriteModelOptions = {}): Uint8Array {
  checkModel("writeModel", model);
  expectOptions("writeModel", options, ["training", "entries"]);
  const { training, entries } = options;
  if (training !== undefined) checkOptimizer("writeModel: `training`", training.optimizer);
  if (/\.weights\.h5$/i.test(name)) {
    throw new RangeError(
      `writeModel: a file of weights alone is not written; end the name in .keras, .h5 or .npz. Received ${name}.`,
    );
  }
  if (/\.keras$/i.test(name)) return writeKerasArchive(withKerasNames(model), training, entries);
  if (entries !== undefined) throw new RangeError(`writeModel: \`entries\` go into a .keras alone. Received ${name}.`);
  if (/\.h(df)?5$/i.test(name)) return writeLegacyModel(withKerasNames(model), training);
  if (training !== undefined) {
    throw new RangeError(`writeModel: \`training\` goes into a .keras or .h5 alone. Received ${name}.`);
  }
  if (/\.npz$/i.test(name)) return writeNpzModel(model);
  throw new RangeError(`writeModel: \`name\` must end in .keras, .h5 or .npz. Received ${name}.`);
}

/**
 * `model`, all of whose layers have names that Keras 3 takes; older ones could have a slash in them.
 *
 * @throws RangeError when one has another.
 */
export function withKerasNames(model: Model): Model {
  for (const layer of model.layers) {
    if (layer.name.includes("/") || layer.name === ".") {
      throw new RangeError(
        `writeModel: layer names must have no slash, as Keras 3 asks; .npz takes any. Received \`${layer.name}\`.`,
      );
    }
    if (layer instanceof Model) withKerasNames(layer);
  }
  return model;
}
