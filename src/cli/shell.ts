/**
 * Commands that are printed so that they can be given again.
 *
 * @module
 */

/** `word` so that a shell takes it for one word, as it is. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
