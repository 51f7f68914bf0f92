/** What may and may not reach the user of a file that is not as it should be. */
import assert from "node:assert/strict";
import { FormatError } from "../../src/formats/format-error.js";

/** Errors of the engine, or of ours that no input may cause, by their words. */
const ENGINE =
  /Maximum call stack|Invalid (?:typed )?array length|Invalid string length|Cannot (?:read|set|convert|destructure|mix|create)|is not (?:iterable|a function|a constructor|defined)|undefined|allocation failed|offset is out of bounds|should be a multiple|object Object|internal:|longer than 0x/;

/** Asserts that `error` is one for the user: of a class that the command line takes for bad input, in one line. */
export function assertUserError(error: unknown): asserts error is Error {
  const isExpected = error instanceof FormatError || error instanceof RangeError || error instanceof TypeError;
  const stack = error instanceof Error ? error.stack : "";
  assert.ok(isExpected, `leaked ${String(error)}\n${stack}`);
  assert.doesNotMatch(error.message, ENGINE, stack);
  assert.doesNotMatch(error.message, /[\n\r]/);
  assert.ok(error.message.length < 2000, `${error.message.length} characters: ${error.message.slice(0, 500)}`);
}

/** Runs `read`: it must return or throw a user's error, within `milliseconds`. */
export function assertReadsOrRefuses(read: () => void, milliseconds: number): void {
  const start = performance.now();
  try {
    read();
  } catch (error) {
    assertUserError(error);
  }
  const spent = performance.now() - start;
  assert.ok(spent < milliseconds, `took ${spent} ms of ${milliseconds}`);
}
