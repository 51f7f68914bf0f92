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

/** Names that are handed out once each. */
export class UniqueNames {
  readonly #taken = new Set<string>();
  readonly #next = new Map<string, number>();

  /** Takes `name`; false where it is taken already. */
  take(name: string): boolean {
    if (this.#taken.has(name)) return false;
    this.#taken.add(name);
    return true;
  }

  /** Takes the first of `name`, `name_1`, `name_2`, ... that is free. */
  takeNumbered(name: string): string {
    let i = this.#next.get(name) ?? 0;
    while (!this.take(i === 0 ? name : `${name}_${i}`)) i++;
    this.#next.set(name, i + 1);
    return i === 0 ? name : `${name}_${i}`;
  }
}

/**
 * Names the unnamed among `layers`, those of one model, as Keras does in a fresh session that makes no other: by class, in
 * order of creation. Keras counts on from model to model; here the layers of each inner model are counted by themselves.
 *
 * @throws RangeError when two layers have the same name.
 */
export function nameLayers(layers: readonly Layer[]): void {
  const names = new UniqueNames();
  for (const { givenName } of layers) {
    if (givenName !== undefined && !names.take(givenName)) {
      throw new RangeError(`Model: every layer must have a name of its own. Received \`${givenName}\` twice.`);
    }
  }
  const unnamed = layers.filter((layer) => layer.givenName === undefined);
  for (const layer of unnamed.sort((a, b) => a.serial - b.serial)) {
    layer.name = names.takeNumbered(snakeCase(layer.className));
  }
}
