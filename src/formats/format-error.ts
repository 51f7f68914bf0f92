/**
 * The one error of every parser in this room.
 *
 * A parser meets bytes that nobody vouches for. Whatever is wrong with them, it ends in this error, in one line: the
 * format, the rule, what was received. Errors of the engine itself ("Invalid array length", "offset is out of bounds")
 * never leave a parser, because every offset and size is checked before it is used.
 *
 * @module
 */

/** The bytes of a file break a rule of its format. */
export class FormatError extends Error {
  override readonly name = "FormatError";

  /**
   * @param format - What is being read, for example `npy`.
   * @param rule - The rule as a sentence, with its full stop.
   * @param received - What came instead, without a full stop.
   */
  constructor(format: string, rule: string, received: string, options?: ErrorOptions) {
    super(`${format}: ${oneLine(rule)} Received ${oneLine(received)}.`, options);
  }
}

/** Longest piece of a file's own text that a message repeats. */
const MAX_QUOTE = 80;

/** `text` from a file as messages print it: in quotes, escaped, cut where it is long. */
export function quote(text: string): string {
  return JSON.stringify(text.length > MAX_QUOTE ? `${text.slice(0, MAX_QUOTE)}...` : text);
}

/** `text` without what would end the line. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ");
}
