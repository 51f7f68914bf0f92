/**
 * Models to bytes, by the ending of the file's name.
 *
 * @module
 */
import { Model } from "../models/model.js";
import { writeKerasArchive } from "./keras-archive.js";
import { writeLegacyModel } from "./legacy-h5.js";
import { writeNpzModel } from "./npz-model.js";

/**
 * The bytes of `model` as the file `name`: `.keras`, `.h5` (a whole model of the older layout) or `.npz`. Equal models
 * give equal bytes.
 *
 * @throws RangeError when the name has another ending, or a layer's name is one that Keras 3 does not take.
 */
export function writeModel(model: Model, name: string): Uint8Array {
  if (/\.weights\.h5$/i.test(name)) {
    throw new RangeError(
      `writeModel: a file of weights alone is not written; end the name in .keras, .h5 or .npz. Received ${name}.`,
    );
  }
  if (/\.keras$/i.test(name)) return writeKerasArchive(withKerasNames(model));
  if (/\.h(df)?5$/i.test(name)) return writeLegacyModel(withKerasNames(model));
  if (/\.npz$/i.test(name)) return writeNpzModel(model);
  throw new RangeError(`writeModel: \`name\` must end in .keras, .h5 or .npz. Received ${name}.`);
}

/** `model`, all of whose layers have names that Keras 3 takes; older ones could have a slash in them. */
function withKerasNames(model: Model): Model {
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
