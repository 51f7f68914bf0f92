/**
 * Keras configurations: the JSON dictionaries in model files, read with an error for whatever is not as Keras writes it.
 *
 * Keras 3 writes an object as `{ module, class_name, config, registered_name }`, Keras 2 as `{ class_name, config }`.
 *
 * @module
 */
import type { DType } from "../tensor/dtype.js";

/** A JSON dictionary. */
export type KerasConfig = Readonly<Record<string, unknown>>;

/** Whether `value` is a JSON dictionary. */
export function isKerasConfig(value: unknown): value is KerasConfig {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `value` as error messages print it, cut to one short line. */
export function describe(value: unknown): string {
  const text = textOf(value);
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}

function textOf(value: unknown): string {
  if (value === undefined) return "nothing";
  // JSON has no NaN, no infinities and no big integers
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  try {
    return JSON.stringify(value) ?? typeof value;
  } catch {
    // it leads back to itself, as a layer does
    const { constructor } = Object(value);
    return `[object ${typeof constructor === "function" ? constructor.name : "Object"}]`;
  }
}

/** No more of an object than what it is: symbolic tensors and layers lead back to themselves, and arrays are long. */
export function kindOf(x: unknown): string {
  if (typeof x !== "object" || x === null) return describe(x);
  if ("stride" in x) return "a tensor with numbers";
  const kind = Object.prototype.toString.call(x).slice("[object ".length, -1);
  if (kind === "Array") return "an array";
  return kind === "Object" ? "another object" : `an object of class ${kind}`;
}

/** Reads the arguments of one object. Every method names the class, the argument, the rule and what was received. */
export interface ConfigReader {
  /** A whole number of at least `min`; `absent` where the key is missing. */
  integer(key: string, min: number, absent?: number): number;
  /** A finite number; `absent` where the key is missing. */
  number(key: string, absent?: number): number;
  /** A finite number, or null. */
  optionalNumber(key: string): number | undefined;
  /** true or false; `absent` where the key is missing. */
  boolean(key: string, absent: boolean): boolean;
  /** A string, or undefined where there is none. */
  optionalString(key: string): string | undefined;
  /** One of `choices`. */
  oneOf<Choice extends string>(key: string, choices: readonly Choice[], absent?: Choice): Choice;
  /** [height, width], both whole numbers of at least 1; one number stands for both. */
  pair(key: string, absent?: readonly [number, number]): readonly [number, number];
  /** A list of whole numbers. */
  integers(key: string): readonly number[];
  /** A shape with its batch dimension: at least one dimension, each null or a whole number of at least 1. */
  shape(key: string): readonly (number | null)[];
  /** An element type: "float32", or a DTypePolicy of that name. */
  dtype(key: string): DType;
  /** Refuses any value but null, nothing, or one of `allowed`: for arguments that this project does not implement. */
  refuse(key: string, ...allowed: readonly unknown[]): void;
  /** The raw value. */
  raw(key: string): unknown;
}

/** A reader of `config`, the arguments of an object of class `className`. */
export function readConfig(className: string, config: KerasConfig): ConfigReader {
  const fail = (key: string, rule: string): never => {
    throw new TypeError(`${className}: \`${key}\` must be ${rule}. Received ${describe(config[key])}.`);
  };
  const value = (key: string, absent?: unknown): unknown => config[key] ?? absent;
  const isInteger = (x: unknown, min: number): x is number => Number.isSafeInteger(x) && Number(x) >= min;
  const reader: ConfigReader = {
    integer(key, min, absent) {
      const x = value(key, absent);
      return isInteger(x, min) ? x : fail(key, `a whole number of at least ${min}`);
    },
    number(key, absent) {
      const x = value(key, absent);
      return typeof x === "number" && Number.isFinite(x) ? x : fail(key, "a finite number");
    },
    optionalNumber(key) {
      return value(key) === undefined ? undefined : reader.number(key);
    },
    boolean(key, absent) {
      const x = value(key, absent);
      return typeof x === "boolean" ? x : fail(key, "true or false");
    },
    optionalString(key) {
      const x = value(key);
      return x === undefined || typeof x === "string" ? x : fail(key, "a string");
    },
    oneOf(key, choices, absent) {
      const x = value(key, absent);
      return choices.find((choice) => choice === x) ?? fail(key, `one of ${choices.map(describe).join(", ")}`);
    },
    pair(key, absent) {
      const x = value(key, absent);
      if (isInteger(x, 1)) return [x, x];
      if (Array.isArray(x) && x.length === 2 && isInteger(x[0], 1) && isInteger(x[1], 1)) return [x[0], x[1]];
      return fail(key, "one or two whole numbers of at least 1");
    },
    integers(key) {
      const x = value(key);
      return Array.isArray(x) && x.every(Number.isSafeInteger) ? x.map(Number) : fail(key, "a list of whole numbers");
    },
    shape(key) {
      const x = value(key);
      return Array.isArray(x) && x.length > 0 && x.every((size) => size === null || isInteger(size, 1))
        ? x
        : fail(key, "a list of dimensions, each null or a whole number of at least 1");
    },
    dtype(key) {
      const x = value(key, "float32");
      const name = isKerasConfig(x) && isKerasConfig(x["config"]) ? x["config"]["name"] : x;
      if (name === "float32" || name === "float64") return name;
      return fail(key, "float32 or float64");
    },
    refuse(key, ...allowed) {
      const x = value(key, null);
      if (x !== null && !allowed.includes(x)) {
        fail(key, allowed.length === 0 ? "null (others are not implemented)" : allowed.map(describe).join(" or "));
      }
    },
    raw: (key) => config[key],
  };
  return reader;
}
