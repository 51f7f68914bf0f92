/**
 * Options that a caller names.
 *
 * @module
 */

/** @throws TypeError when `options` has others than those `known`: a misspelt one, or one of Keras's, would do nothing. */
export function expectOptions(className: string, options: object, known: readonly string[]): void {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || known.includes(name)) continue;
    throw new TypeError(`${className}: its options must be among ${known.join(", ")}. Received \`${name}\`.`);
  }
}
