/**
 * The state of a run out of a checkpoint, every part of it checked: what goes on from nonsense would be nonsense.
 *
 * @module
 */
import { FormatError, quote } from "../formats/format-error.js";
import { describe, isKerasConfig, type KerasConfig } from "../serialization/config.js";
import type { CallbackState, EpochRecord } from "./callback.js";
import type { TrainingState } from "./state.js";

/**
 * `value` as the state of a run.
 *
 * @throws FormatError when a part is missing or of another type; the message names it.
 */
export function readState(name: string, value: unknown): TrainingState {
  const parts = new Parts(name, value);
  const sums = new Parts(name, parts.get("sums"));
  const history = parts.get("history");
  if (!Array.isArray(history)) throw parts.error("history", "a list");
  const callbacks = parts.get("callbacks");
  if (!isKerasConfig(callbacks)) throw parts.error("callbacks", "a dictionary");
  const stopped = parts.get("stopped");
  if (typeof stopped !== "boolean") throw parts.error("stopped", "true or false");
  return {
    epoch: parts.count("epoch"),
    step: parts.count("step"),
    sums: { loss: sums.number("loss"), correct: sums.count("correct"), samples: sums.count("samples") },
    seconds: parts.number("seconds"),
    stopped,
    history: history.map((record) => readRecord(new Parts(name, record))),
    callbacks: Object.fromEntries(
      Object.entries(callbacks).map(([key, state]) => [key, readCallback(parts, key, state)]),
    ),
  };
}

function readRecord(parts: Parts): EpochRecord {
  return {
    epoch: parts.count("epoch"),
    loss: parts.number("loss"),
    accuracy: parts.number("accuracy"),
    valLoss: parts.optionalNumber("valLoss"),
    valAccuracy: parts.optionalNumber("valAccuracy"),
    learningRate: parts.number("learningRate"),
    seconds: parts.number("seconds"),
  };
}

function readCallback(parts: Parts, key: string, state: unknown): CallbackState {
  if (!isCallbackState(state)) throw parts.error(key, "a dictionary of numbers, texts and arrays");
  return state;
}

function isCallbackState(value: unknown): value is CallbackState {
  return (
    isKerasConfig(value) &&
    Object.values(value).every(
      (item) =>
        item === null ||
        typeof item === "number" ||
        typeof item === "string" ||
        typeof item === "boolean" ||
        (typeof item === "object" && "data" in item && "stride" in item),
    )
  );
}

/** Reads a dictionary; errors name the key. */
class Parts {
  readonly #name: string;
  readonly #values: KerasConfig;

  constructor(name: string, value: unknown) {
    if (!isKerasConfig(value)) {
      throw new FormatError(name, "the state of a run must be made of dictionaries.", quote(describe(value)));
    }
    this.#name = name;
    this.#values = value;
  }

  get(key: string): unknown {
    return this.#values[key];
  }

  count(key: string): number {
    const value = this.#values[key];
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
    throw this.error(key, "a whole number of at least 0");
  }

  number(key: string): number {
    const value = this.#values[key];
    if (typeof value === "number") return value;
    throw this.error(key, "a number");
  }

  optionalNumber(key: string): number | undefined {
    return this.#values[key] === undefined ? undefined : this.number(key);
  }

  error(key: string, rule: string): FormatError {
    return new FormatError(this.#name, `\`${key}\` must be ${rule}.`, describe(this.#values[key]));
  }
}
