/**
 * JSON inside model files, with the errors of this room.
 *
 * @module
 */
import { isKerasConfig, type KerasConfig } from "../serialization/config.js";
import { FormatError, quote } from "./format-error.js";

/** Deeper than any model, and far from the end of the stack for whoever walks the result by recursion. */
const MAX_DEPTH = 256;

/** The configuration of a ResNet152 takes half a megabyte. */
const MAX_SIZE = 32 * 1024 * 1024;

/**
 * Refuses a configuration before it is unpacked.
 *
 * @throws FormatError when it has more than 32 MiB.
 */
export function checkConfigSize(what: string, size: number): void {
  if (size > MAX_SIZE) {
    throw new FormatError(what, `the configuration must have at most ${MAX_SIZE} bytes.`, `${size} bytes`);
  }
}

/**
 * The dictionary that `text` is.
 *
 * @throws FormatError when it is not JSON, has more than 32 MiB, nests deeper than 256, or is not a dictionary.
 */
export function parseConfig(what: string, text: string): KerasConfig {
  checkConfigSize(what, text.length);
  checkDepth(what, text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new FormatError(what, "the configuration must be JSON.", quote(reason), { cause });
  }
  if (!isKerasConfig(value)) throw new FormatError(what, "the configuration must be a dictionary.", quote(text));
  return value;
}

function checkDepth(what: string, text: string): void {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (inString) {
      if (c === "\\") i++;
      else if (c === '"') inString = false;
    } else if (c === '"') inString = true;
    else if (c === "[" || c === "{") depth++;
    else if (c === "]" || c === "}") depth--;
    if (depth > MAX_DEPTH) {
      throw new FormatError(what, `the configuration must nest at most ${MAX_DEPTH} deep.`, "a deeper one");
    }
  }
}
