/**
 * Names of layers that their author did not name.
 *
 * @module
 */
import type { Layer } from "../layers/layer.js";

/** Keras's `to_snake_case`: `BatchNormalization` gives `batch_normalization`, `Conv2D` gives `conv2d`, `ReLU` `re_lu`. */
export function snakeCase(className: string): string {
  return className
    .replace(/\W+/g, "")
    .replace(/(.)([A-Z][a-z]+)/g, "$1_$2")
    .replace(/([a-z])([A-Z])/g, "$1_$2")
    .toLowerCase();
}

/** `name`, `name_1`, `name_2`, ...: the first that `taken` does not have, and adds it there. */
export function uniqueName(name: string, taken: Set<string>): string {
  let unique = name;
  for (let i = 1; taken.has(unique); i++) unique = `${name}_${i}`;
  taken.add(unique);
  return unique;
}

/**
 * Names the unnamed among `layers` as Keras does in a fresh session: by class, in order of creation.
 *
 * @throws RangeError when two layers have the same name.
 */
export function nameLayers(layers: readonly Layer[]): void {
  const taken = new Set<string>();
  for (const { givenName } of layers) {
    if (givenName === undefined) continue;
    if (taken.has(givenName)) {
      throw new RangeError(`Model: every layer must have a name of its own. Received \`${givenName}\` twice.`);
    }
    taken.add(givenName);
  }
  const unnamed = layers.filter((layer) => layer.givenName === undefined);
  for (const layer of unnamed.sort((a, b) => a.serial - b.serial)) {
    layer.name = uniqueName(snakeCase(layer.className), taken);
  }
}
