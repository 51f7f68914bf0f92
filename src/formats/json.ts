/**
 * JSON inside model files: read with the errors of this room, written as Python writes it.
 *
 * @module
 */
import { isKerasConfig, type KerasConfig } from "../serialization/config.js";
import { FormatError, quote } from "./format-error.js";

/**
 * A number that Python must read as a float: it is written 1.0, not 1. Keras refuses an int where an optimizer has a float.
 */
export class PythonFloat {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }

  /** As JSON has it, with a point or an exponent. */
  toString(): string {
    const text = JSON.stringify(this.value);
    return Number.isInteger(this.value) && !text.includes("e") ? `${text}.0` : text;
  }
}

/** The JSON text of a configuration, in which numbers may be of {@link PythonFloat}. */
export function configText(value: unknown): string {
  if (value instanceof PythonFloat) return value.toString();
  if (Array.isArray(value)) return `[${value.map((item) => configText(item ?? null)).join(",")}]`;
  if (!isKerasConfig(value)) return JSON.stringify(value);
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${configText(item)}`).join(",")}}`;
}

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
