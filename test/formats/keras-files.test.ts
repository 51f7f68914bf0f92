/** Files that Keras wrote, three generations of it, and what becomes of models that go through our own writers. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, it } from "node:test";
import { readModel } from "../../src/formats/read-model.js";
import { toTensor } from "../../src/formats/tensors.js";
import { readNpz } from "../../src/formats/npz.js";
import { writeModel } from "../../src/formats/write-model.js";
import { serial } from "../../src/kernels/execution.js";
import type { Model } from "../../src/models/model.js";
import { predict } from "../../src/models/predict.js";
import { type FixtureFiles, fileFixtures } from "../../src/verification/fixtures.js";
import { verify } from "../../src/verification/verify.js";
import { kerasFixture } from "./fixture-files.js";

const files: FixtureFiles = {
  list: (folder) => readdirSync(new URL(`../../../fixtures/${folder}`, import.meta.url)),
  read: kerasFixture,
};
const listed = fileFixtures(files);

/** Every whole model among the fixtures, with the npz of its inputs. */
const models: [path: string, inputs: string][] = [
  ...files
    .list("layers")
    .filter((file) => file.endsWith(".keras"))
    .map((file): [string, string] => [`layers/${file}`, `layers/${file.replace(/keras$/, "npz")}`]),
  ...listed
    .filter(({ architecture }) => architecture === undefined)
    .map(({ file, predictions }): [string, string] => [`files/${file}`, `files/${predictions}`]),
];

/** Configuration, weights and predictions: all that a file is to keep. */
function contentOf(model: Model, inputs: string): unknown {
  const arrays = readNpz(kerasFixture(inputs));
  const xs = model.inputs.flatMap(({ node }) => {
    const array = arrays.get(`input/${node.layer.name}`);
    return array === undefined ? [] : [toTensor(array)];
  });
  return {
    config: model.getConfig(),
    weights: Array.from(model.weightsByPath(), ([path, { value }]) => [path, value.shape, value.data.slice()]),
    predictions: predict(model, xs, { execution: serial }).map((y) => [y.shape, y.data.slice()]),
  };
}

describe("files that Keras wrote", () => {
  const results = new Map(Array.from(verify(files, serial, "files/"), (result) => [result.name, result]));
  for (const { file } of listed) {
    it(`${file} is read, and predicts within its bound`, () => {
      const verdict = results.get(file)?.verdict;
      assert.ok(verdict?.holds, JSON.stringify(verdict));
    });
  }

  it("are all of the kinds that the list promises", () => {
    assert.ok(listed.length >= 34, `${listed.length} files`);
    assert.equal(results.size, listed.length);
  });
});

describe("writeModel", () => {
  for (const [path, inputs] of models) {
    it(`keeps everything of ${path} in .keras, .h5 and .npz`, () => {
      const original = readModel(kerasFixture(path), path);
      const content = contentOf(original, inputs);
      const first = writeModel(original, "a.keras");
      let model = original;
      for (const name of ["a.keras", "a.h5", "a.npz", "b.keras"]) {
        const bytes = writeModel(model, name);
        assert.deepEqual(writeModel(model, name), bytes, `${name} twice`);
        model = readModel(bytes, name);
        assert.deepEqual(contentOf(model, inputs), content, name);
      }
      assert.deepEqual(writeModel(model, "c.keras"), first);
    });
  }
});
