import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readModel, readTraining } from "../../src/formats/read-model.js";
import { writeModel } from "../../src/formats/write-model.js";
import { readZip } from "../../src/formats/zip.js";
import { writeZip } from "../../src/formats/zip-writer.js";
import { Adam } from "../../src/optimizers/adam.js";
import { AdamW } from "../../src/optimizers/adamw.js";
import type { Optimizer } from "../../src/optimizers/optimizer.js";
import { tensorOf } from "../../src/tensor/tensor.js";
import { type Fingerprint, readCheckpoint, writeCheckpoint } from "../../src/training/checkpoint.js";
import { weightsSha256 } from "../../src/training/digest.js";
import { fit } from "../../src/training/fit.js";
import { START, type TrainingState } from "../../src/training/state.js";
import { brightRows, smallConvolutional, weightsOf } from "../support/training.js";

const FINGERPRINT: Fingerprint = { data: "bright rows", batchSize: 4, augment: false };

/** A model and its optimizer after a few steps. */
async function trained(): Promise<{ model: ReturnType<typeof smallConvolutional>; optimizer: Optimizer }> {
  const model = smallConvolutional();
  const optimizer = new Adam({ learningRate: 0.01 });
  await fit(model, brightRows(2, 4), { epochs: 1, optimizer });
  return { model, optimizer };
}

/** The entries of the archive `bytes`, one of them replaced or, with undefined, left out. */
function withEntry(bytes: Uint8Array, name: string, change: (text: string) => string | undefined): Uint8Array {
  const entries = new Map<string, Uint8Array>();
  for (const [key, entry] of readZip(bytes)) {
    if (key !== name) {
      entries.set(key, entry.read());
      continue;
    }
    const text = change(new TextDecoder().decode(entry.read()));
    if (text !== undefined) entries.set(key, new TextEncoder().encode(text));
  }
  return writeZip(entries);
}

describe("Checkpoint", () => {
  it("gives back weights, optimizer and state to the bit, numbers that JSON does not have and tensors included", async () => {
    const { model, optimizer } = await trained();
    const record = {
      epoch: 1,
      loss: 0.1,
      accuracy: 0.25,
      valLoss: undefined,
      valAccuracy: undefined,
      learningRate: Math.fround(0.01),
      seconds: 1.5,
    };
    const state: TrainingState = {
      epoch: 3,
      step: 1,
      sums: { loss: 1 / 3, correct: 2, samples: 4 },
      seconds: 0.1,
      stopped: false,
      history: [record, { ...record, epoch: 2, valLoss: Number.NaN, valAccuracy: 0.5 }],
      callbacks: {
        first: { best: Number.NEGATIVE_INFINITY, wait: 2, note: "a text", open: true, none: null },
        second: { "weights/conv/kernel": tensorOf([1, -0, 1e-45, 3], [2, 2]) },
      },
    };
    const bytes = writeCheckpoint({ model, optimizer, state, fingerprint: FINGERPRINT });
    const again = smallConvolutional(8);
    const optimizerAgain = new Adam({ learningRate: 0.5 });
    const read = readCheckpoint(bytes, "last.keras", {
      model: again,
      optimizer: optimizerAgain,
      fingerprint: FINGERPRINT,
    });
    assert.deepEqual(read, state);
    assert.deepEqual(weightsOf(again), weightsOf(model));
    assert.equal(await weightsSha256(again), await weightsSha256(model));
    assert.deepEqual(
      optimizerAgain.variables().map((variable) => [variable.name, variable.read().data]),
      optimizer.variables().map((variable) => [variable.name, variable.read().data]),
    );
    assert.equal(optimizerAgain.learningRate, Math.fround(0.01));
    assert.deepEqual(
      writeCheckpoint({ model: again, optimizer: optimizerAgain, state: read, fingerprint: FINGERPRINT }),
      bytes,
    );
  });

  it("is one before the first step too", () => {
    const parts = { model: smallConvolutional(), optimizer: new Adam(), fingerprint: {} };
    const bytes = writeCheckpoint({ ...parts, state: START });
    assert.deepEqual(readCheckpoint(bytes, "last.keras", { ...parts, optimizer: new Adam() }), START);
  });

  it("is a model too, with its optimizer, as Keras keeps it", async () => {
    const { model, optimizer } = await trained();
    const bytes = writeCheckpoint({ model, optimizer, state: START, fingerprint: {} });
    const again = readModel(bytes, "last.keras");
    assert.deepEqual(weightsOf(again), weightsOf(model));
    assert.equal(readTraining(again, bytes, "last.keras")?.optimizer.iterations, 2);
  });

  it("is not resumed with other data, options, optimizer or model, and says what differs; nothing has changed then", async () => {
    const { model, optimizer } = await trained();
    const bytes = writeCheckpoint({ model, optimizer, state: START, fingerprint: FINGERPRINT });
    const fresh = smallConvolutional(8);
    const before = weightsOf(fresh);
    const read = (fingerprint: Fingerprint, other: Optimizer = new Adam()) =>
      readCheckpoint(bytes, "last.keras", { model: fresh, optimizer: other, fingerprint });
    assert.throws(() => read({ ...FINGERPRINT, batchSize: 8 }), {
      name: "RangeError",
      message: "resume: `batchSize` must be 4, as when last.keras was written. Received 8.",
    });
    assert.throws(() => read({ data: "bright rows", batchSize: 4 }), {
      name: "RangeError",
      message: "resume: `augment` must be false, as when last.keras was written. Received left out.",
    });
    assert.throws(() => read({ ...FINGERPRINT, seed: 1 }), {
      name: "RangeError",
      message: "resume: `seed` must be left out, as when last.keras was written. Received 1.",
    });
    const parts = { model: fresh, optimizer: new Adam(), fingerprint: FINGERPRINT };
    assert.throws(() => readCheckpoint(bytes, "last.keras", { ...parts, loss: "mean_squared_error" }), {
      name: "RangeError",
      message:
        "resume: `loss` must be categorical_crossentropy, as when last.keras was written. Received mean_squared_error.",
    });
    assert.throws(() => read(FINGERPRINT, new AdamW()), {
      name: "RangeError",
      message: /^resume: `optimizer` must be Adam \{.*\}, as when last\.keras was written\. Received AdamW \{.*\}\.$/,
    });
    const other = smallConvolutional();
    other.getLayer("conv").trainable = false;
    assert.throws(
      () => readCheckpoint(bytes, "last.keras", { model: other, optimizer: new Adam(), fingerprint: FINGERPRINT }),
      {
        name: "RangeError",
        message:
          /^resume: `model` must be functional with \d+ weights, [0-9a-f]{8}, as when last\.keras was written\. Received functional with \d+ weights, [0-9a-f]{8}\.$/,
      },
    );
    assert.deepEqual(weightsOf(fresh), before);
  });

  it("is refused where it is none, or has nonsense in it", async () => {
    const { model, optimizer } = await trained();
    const parts = { model, optimizer, fingerprint: {} };
    const read = (bytes: Uint8Array) => () => readCheckpoint(bytes, "last.keras", parts);
    const bytes = writeCheckpoint({ ...parts, state: START });
    assert.throws(read(writeModel(model, "m.keras")), {
      name: "FormatError",
      message:
        "last.keras: a checkpoint must have touchstone/training.json and touchstone/arrays.npz. " +
        "Received a model without them.",
    });
    const uncompiled = withEntry(bytes, "config.json", (text) => text.replace("compile_config", "none"));
    assert.throws(read(uncompiled), {
      name: "FormatError",
      message: "last.keras: a checkpoint must have an optimizer. Received none.",
    });
    const changed = (from: string, to: string) =>
      read(withEntry(bytes, "touchstone/training.json", (text) => text.replace(from, to)));
    const refusals: readonly (readonly [string, string, string])[] = [
      ['"format":1', '"format":2', "a checkpoint must have format 1. Received format 2."],
      ['"epoch":0', '"epoch":-1', "`epoch` must be a whole number of at least 0. Received -1."],
      ['"seconds":0', '"seconds":"0"', '`seconds` must be a number. Received "0".'],
      ['"stopped":false', '"stopped":0', "`stopped` must be true or false. Received 0."],
      ['"history":[]', '"history":{}', "`history` must be a list. Received {}."],
      ['"callbacks":{}', '"callbacks":[]', "`callbacks` must be a dictionary. Received []."],
      [
        '"callbacks":{}',
        '"callbacks":{"x":{"best":[1]}}',
        "`x` must be a dictionary of numbers, texts and arrays. Received nothing.",
      ],
      ['"callbacks":{}', '"callbacks":{"x":{"w":{"$array":"y"}}}', "there must be an array y. Received none."],
      ['"sums":{', '"sums":5,"more":{', 'the state of a run must be made of dictionaries. Received "5".'],
    ];
    for (const [from, to, message] of refusals) {
      assert.throws(changed(from, to), { name: "FormatError", message: `last.keras: ${message}` });
    }
  });
});
