/**
 * Options that a caller names.
 *
 * @module
 */
import { describe, isKerasConfig } from "./config.js";

/**
 * @throws TypeError when `options` is no object, as where Keras takes an argument without its name, or has others than those
 *   `known`: a misspelt one, or one of Keras's, would do nothing.
 */
export function expectOptions(className: string, options: object, known: readonly string[]): void {
  if (!isKerasConfig(options)) {
    throw new TypeError(
      `${className}: its options must be an object of ${known.join(", ")}. Received ${describe(options)}.`,
    );
  }
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || known.includes(name)) continue;
    throw new TypeError(`${className}: its options must be among ${known.join(", ")}. Received \`${name}\`.`);
  }
}

/** @throws TypeError when one of `values`, by their names, is no truth value: the text "false" would be taken for true. */
export function expectBooleans(className: string, values: Readonly<Record<string, boolean>>): void {
  for (const [name, value] of Object.entries(values)) {
    if (typeof value === "boolean") continue;
    throw new TypeError(`${className}: \`${name}\` must be true or false. Received ${describe(value)}.`);
  }
}
