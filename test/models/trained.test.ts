import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { gunzipSync } from "node:zlib";
import { readModel, readTraining } from "../../src/formats/read-model.js";
import { readZip } from "../../src/formats/zip.js";
import { resnetV1 } from "../../src/models/resnet-v1.js";
import { weightsSha256 } from "../../src/training/digest.js";
import { PREPROCESSING_ENTRY, readPreprocessing } from "../../src/training/preprocessing.js";
import { parseHistory } from "../../src/training/report/history.js";

const FOLDER = new URL("../../../models/", import.meta.url);
const read = (name: string): Buffer => readFileSync(new URL(name, FOLDER));
const STEPS_PER_EPOCH = Math.ceil(50_000 / 64);

describe("models/resnet20v1-cifar10.keras", () => {
  const readme = read("README.md").toString();
  const bytes = new Uint8Array(read("resnet20v1-cifar10.keras"));
  const model = readModel(bytes, "resnet20v1-cifar10.keras");

  it("has the weights whose SHA-256 its page gives, in the layers of ResNet20 v1", async () => {
    assert.ok(readme.includes(`weights SHA-256 \`${await weightsSha256(model)}\``));
    const built = resnetV1(20);
    assert.deepEqual(
      model.layers.map(({ className, name, weights }) => [className, name, weights.map(({ shape }) => shape)]),
      built.layers.map(({ className, name, weights }) => [className, name, weights.map(({ shape }) => shape)]),
    );
  });

  it("says what pixels go through, and holds no optimizer", () => {
    const entry = readZip(bytes).get(PREPROCESSING_ENTRY) ?? assert.fail();
    const { scale, mean = assert.fail() } = readPreprocessing(entry.read());
    assert.deepEqual([scale, mean.length], [1 / 255, 32 * 32 * 3]);
    assert.ok(mean.every((value) => value > 0.3 && value < 0.7));
    assert.equal(readTraining(model, bytes, "resnet20v1-cifar10.keras"), undefined);
  });

  it("comes with the log of all its steps, which ends in the accuracy that its page gives", () => {
    const { epochs, steps } = parseHistory(gunzipSync(read("resnet20v1-cifar10/log.jsonl.gz")).toString());
    const [, ...rows] = read("resnet20v1-cifar10/epochs.csv").toString().trim().split("\n");
    assert.deepEqual(
      rows.map((row) => Number(row.split(",")[4])),
      epochs.map(({ valAccuracy }) => valAccuracy),
    );
    assert.deepEqual([epochs.length, steps.length], [40, 40 * STEPS_PER_EPOCH]);
    const accuracy = epochs.at(-1)?.valAccuracy ?? assert.fail();
    assert.ok(readme.includes(`${(100 * accuracy).toFixed(2)} % of the 10,000 test images`), String(accuracy));
  });
});
