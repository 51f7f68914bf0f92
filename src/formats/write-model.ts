/**
 * Models to bytes, by the ending of the file's name.
 *
 * @module
 */
import type { Model } from "../models/model.js";
import { writeKerasArchive } from "./keras-archive.js";
import { writeLegacyModel } from "./legacy-h5.js";
import { writeNpzModel } from "./npz-model.js";

/**
 * The bytes of `model` as the file `name`: `.keras`, `.h5` (a whole model of the older layout) or `.npz`. Equal models
 * give equal bytes.
 *
 * @throws RangeError when the name has another ending.
 */
export function writeModel(model: Model, name: string): Uint8Array {
  if (/\.weights\.h5$/i.test(name)) {
    throw new RangeError(
      `writeModel: a file of weights alone is not written; end the name in .keras, .h5 or .npz. Received ${name}.`,
    );
  }
  if (/\.keras$/i.test(name)) return writeKerasArchive(model);
  if (/\.h(df)?5$/i.test(name)) return writeLegacyModel(model);
  if (/\.npz$/i.test(name)) return writeNpzModel(model);
  throw new RangeError(`writeModel: \`name\` must end in .keras, .h5 or .npz. Received ${name}.`);
}
