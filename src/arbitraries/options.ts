/**
 * What options may be. A wrong one is refused where it is given, not where a case that was drawn with it breaks.
 *
 * @module
 */
import { describe, isKerasConfig } from "../serialization/config.js";
import { type Regime, REGIMES, type RegimeName } from "./regimes.js";

/** What an option must be, where it is given. */
interface Rule {
  readonly must: string;
  /** What `typeof` says of a right one. */
  readonly type: string;
  readonly holds: (value: unknown) => boolean;
}

type Rules = Readonly<Record<string, Rule>>;

/** A whole number of at least `least`. */
export function wholeNumber(least: number): Rule {
  return {
    must: `be a whole number of at least ${least}`,
    type: "number",
    holds: (value) => Number.isSafeInteger(value) && Number(value) >= least,
  };
}

/** One of `choices`. */
export function oneOf(...choices: readonly (string | number)[]): Rule {
  return {
    must: `be one of ${choices.map(describe).join(", ")}`,
    type: typeof choices[0],
    holds: (value) => choices.some((choice) => choice === value),
  };
}

const TRUTH: Rule = { must: "be true or false", type: "boolean", holds: (value) => typeof value === "boolean" };

/** A shape: whole numbers. */
export const SHAPE: Rule = {
  must: "be an array of whole numbers of at least 0",
  type: "object",
  holds: (value) => Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0),
};

/** The name of a regime, or one. */
export const REGIME: Rule = {
  must: `be an object with draw, allows and simpler, or one of ${Object.keys(REGIMES).join(", ")}`,
  type: "string",
  holds: (value) =>
    typeof value === "string"
      ? Object.hasOwn(REGIMES, value)
      : typeof value === "object" &&
        value !== null &&
        ["draw", "allows", "simpler"].every((method) => typeof Reflect.get(value, method) === "function"),
};

/** The options of models, which all arbitraries have. */
export const OF_MODELS: Rules = { dtype: oneOf("float32", "float64"), regime: REGIME };
/** Those of layers. */
export const OF_LAYERS: Rules = { ...OF_MODELS, distinct: TRUTH, maxDim: wholeNumber(1) };
/** Those of windows. */
export const OF_WINDOWS: Rules = {
  ...OF_LAYERS,
  maxWindow: wholeNumber(1),
  maxStrides: wholeNumber(1),
  padding: oneOf("same", "valid"),
};

/**
 * Checks the options of the arbitrary `name`. What is undefined is not given.
 *
 * @throws TypeError when they are no object, there are others than `rules` has, or one is of a wrong type; RangeError when it
 *   has a wrong value.
 */
export function checkOptions(name: string, options: object, rules: Rules): void {
  if (!isKerasConfig(options)) {
    const known = Object.keys(rules).join(", ");
    throw new TypeError(`${name}: \`options\` must be an object of ${known}. Received ${describe(options)}.`);
  }
  for (const [key, value] of Object.entries(options)) {
    if (!Object.hasOwn(rules, key)) {
      throw new TypeError(
        `${name}: \`options\` must be among ${Object.keys(rules).join(", ")}. Received ${key}=${describe(value)}.`,
      );
    }
    const { must, type, holds } = rules[key];
    if (value === undefined || holds(value)) continue;
    const message = `${name}: \`${key}\` must ${must}. Received ${key}=${describe(value)}.`;
    throw typeof value === type ? new RangeError(message) : new TypeError(message);
  }
}

/** The regime of this name, or `regime` itself. */
export function regimeOf(regime: RegimeName | Regime): Regime {
  return typeof regime === "string" ? REGIMES[regime] : regime;
}
