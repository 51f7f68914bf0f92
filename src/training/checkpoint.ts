/**
 * Checkpoints: all of a training run in one file, which is also the model.
 *
 *     metadata.json, config.json, model.weights.h5     a `.keras` archive, compiled, with the optimizer's state: Keras opens
 *                                                      it and trains on, and `readModel` opens it too
 *     touchstone/training.json                         position, sums, what callbacks remember, and the fingerprint
 *     touchstone/arrays.npz                            tensors that callbacks remember
 *
 * and what else the caller adds, such as what pixels go through before the model sees them.
 *
 * The fingerprint says what the run was made of: the model's architecture, the optimizer's arguments, and what the caller adds
 * (data, batch size, seed, augmentation, ...). A run is only resumed with the same, since it could not go on to the same
 * bits with others.
 *
 * In the JSON, `{"$number": "NaN"}` stands for a number that JSON does not have, `{"$array": "key"}` for an array.
 *
 * @module
 */
import { checkBytes, decodeUtf8 } from "../formats/byte-reader.js";
import { crc32 } from "../formats/crc32.js";
import { FormatError } from "../formats/format-error.js";
import { parseConfig } from "../formats/json.js";
import { type NpyArray } from "../formats/npy.js";
import { readNpz, writeNpz } from "../formats/npz.js";
import { loadWeights, readTraining } from "../formats/read-model.js";
import { fromTensor, toTensor } from "../formats/tensors.js";
import { writeModel } from "../formats/write-model.js";
import { readZip } from "../formats/zip.js";
import { serializeLayer } from "../models/graph-config.js";
import { checkModel } from "../models/check-model.js";
import type { Model } from "../models/model.js";
import type { LossName } from "../models/objective.js";
import { checkOptimizer, type Optimizer } from "../optimizers/optimizer.js";
import { describe, isKerasConfig, type KerasConfig } from "../serialization/config.js";
import { expectOptions } from "../serialization/options.js";
import { isContiguous, type Tensor } from "../tensor/tensor.js";
import { readState } from "./read-state.js";
import type { TrainingState } from "./state.js";

/** What a run is made of, by name. */
export type Fingerprint = Readonly<Record<string, string | number | boolean | null>>;

/** What a checkpoint holds. */
export interface CheckpointParts {
  /** The model, with its weights. */
  readonly model: Model;
  /** The optimizer, with its state. */
  readonly optimizer: Optimizer;
  /** The loss of the run. @defaultValue "categorical_crossentropy" */
  readonly loss?: LossName | undefined;
  /** Where the run stands. */
  readonly state: TrainingState;
  /** What else must be the same when the run is resumed. */
  readonly fingerprint: Fingerprint;
  /** Further entries of the archive, such as what pixels go through before the model sees them. */
  readonly entries?: ReadonlyMap<string, Uint8Array> | undefined;
}

const PARTS = ["model", "optimizer", "loss", "fingerprint", "entries"];

/**
 * @throws TypeError when an option of the function `caller` is neither one of a checkpoint's parts nor among `others`, or
 *   `model` is no model.
 */
export function checkParts(caller: string, parts: Omit<CheckpointParts, "state">, others: readonly string[]): void {
  expectOptions(caller, parts, [...PARTS, ...others]);
  checkModel(caller, parts.model);
  checkOptimizer(caller, parts.optimizer);
}

const FORMAT = 1;
const STATE_ENTRY = "touchstone/training.json";
const ARRAYS_ENTRY = "touchstone/arrays.npz";

/**
 * The bytes of a checkpoint.
 *
 * @throws RangeError when a layer's name is one that Keras does not take.
 * @throws TypeError when a part is none of {@link CheckpointParts}, or `model` no model.
 */
export function writeCheckpoint(parts: CheckpointParts): Uint8Array {
  checkParts("writeCheckpoint", parts, ["state"]);
  const { model, optimizer, loss = "categorical_crossentropy", state } = parts;
  const arrays = new Map<string, NpyArray>();
  const training = encode({ format: FORMAT, fingerprint: fingerprintOf(parts), state }, "state", arrays);
  return writeModel(model, "checkpoint.keras", {
    training: { optimizer, loss },
    entries: new Map([
      ...(parts.entries ?? []),
      [STATE_ENTRY, new TextEncoder().encode(JSON.stringify(training))],
      [ARRAYS_ENTRY, writeNpz(arrays)],
    ]),
  });
}

/**
 * Reads the checkpoint in `bytes` into `model` and `optimizer`, which are those that the run began with, made again, and
 * gives the state to go on from.
 *
 * @param name - The file's name, for messages.
 * @throws RangeError when the fingerprint is another: the message names what is; FormatError when the file is no checkpoint,
 *   or corrupt. Nothing has changed then.
 * @throws TypeError when `bytes` are none, a part is none of {@link CheckpointParts}, or `model` no model.
 */
export function readCheckpoint(bytes: Uint8Array, name: string, parts: Omit<CheckpointParts, "state">): TrainingState {
  checkBytes("readCheckpoint", bytes);
  checkParts("readCheckpoint", parts, []);
  const { model, optimizer } = parts;
  const entries = readZip(bytes);
  const text = entries.get(STATE_ENTRY);
  const packed = entries.get(ARRAYS_ENTRY);
  if (text === undefined || packed === undefined) {
    throw new FormatError(name, `a checkpoint must have ${STATE_ENTRY} and ${ARRAYS_ENTRY}.`, "a model without them");
  }
  const saved = decode(parseConfig(name, decodeUtf8(name, STATE_ENTRY, text.read())), name, readNpz(packed.read()));
  if (!isKerasConfig(saved) || saved["format"] !== FORMAT) {
    const format = isKerasConfig(saved) ? saved["format"] : undefined;
    throw new FormatError(name, `a checkpoint must have format ${FORMAT}.`, `format ${describe(format)}`);
  }
  const before = isKerasConfig(saved["fingerprint"]) ? saved["fingerprint"] : {};
  compareFingerprints(name, before, fingerprintOf(parts));
  const state = readState(name, saved["state"]);
  const compiled = readTraining(model, bytes, name);
  if (compiled === undefined) throw new FormatError(name, "a checkpoint must have an optimizer.", "none");

  loadWeights(model, bytes, name);
  for (const each of [compiled.optimizer, optimizer]) each.build(model.trainableWeights);
  const values = compiled.optimizer.variables();
  for (const [i, variable] of optimizer.variables().entries()) variable.assign(values[i].read());
  return state;
}

function fingerprintOf(parts: Omit<CheckpointParts, "state">): Fingerprint {
  const { model, optimizer, loss = "categorical_crossentropy", fingerprint } = parts;
  const architecture = new TextEncoder().encode(JSON.stringify(serializeLayer(model)));
  // the rate changes in a run, and the name says nothing
  const { learning_rate: _rate, name: _name, ...config } = optimizer.getConfig();
  return {
    model: `${model.name} with ${model.countParams()} weights, ${crc32(architecture).toString(16).padStart(8, "0")}`,
    optimizer: `${optimizer.className} ${JSON.stringify(config)}`,
    loss,
    ...fingerprint,
  };
}

/** @throws RangeError at the first difference. */
function compareFingerprints(name: string, before: KerasConfig, now: Fingerprint): void {
  for (const key of new Set([...Object.keys(before), ...Object.keys(now)])) {
    if (before[key] === now[key]) continue;
    throw new RangeError(
      `resume: \`${key}\` must be ${shown(before[key])}, as when ${name} was written. Received ${shown(now[key])}.`,
    );
  }
}

function shown(value: unknown): string {
  return typeof value === "string" ? value : value === undefined ? "left out" : describe(value);
}

function isTensor(value: object): value is Tensor {
  return "data" in value && "stride" in value;
}

/** `value` as JSON can hold it; tensors go to `arrays`, under their path. */
function encode(value: unknown, path: string, arrays: Map<string, NpyArray>): unknown {
  if (typeof value === "number" && !Number.isFinite(value)) return { $number: String(value) };
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item, i) => encode(item, `${path}/${i}`, arrays));
  if (isTensor(value)) {
    if (!isContiguous(value)) throw new Error("internal: checkpoint: a tensor that is kept must be contiguous.");
    arrays.set(path, fromTensor(value));
    return { $array: path };
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, encode(item, `${path}/${key}`, arrays)]));
}

/** What {@link encode} was given. */
function decode(value: unknown, name: string, arrays: ReadonlyMap<string, NpyArray>): unknown {
  if (Array.isArray(value)) return value.map((item) => decode(item, name, arrays));
  if (!isKerasConfig(value)) return value;
  const { $number: number, $array: key } = value;
  if (typeof number === "string") return Number(number);
  if (typeof key === "string") {
    const array = arrays.get(key);
    if (array === undefined) throw new FormatError(name, `there must be an array ${key}.`, "none");
    return toTensor(array);
  }
  return Object.fromEntries(Object.entries(value).map(([entry, item]) => [entry, decode(item, name, arrays)]));
}
