import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { randomStream } from "../../src/arithmetic/random.js";
import { FormatError } from "../../src/formats/format-error.js";
import type { NpyArray } from "../../src/formats/npy.js";
import { writeNpz } from "../../src/formats/npz.js";
import {
  fileFixtures,
  type FixtureFiles,
  modelFixture,
  readArrays,
  readJson,
  rebuildBatch,
  rebuildModel,
  references,
  sample,
} from "../../src/verification/fixtures.js";
import { generate } from "../support/tensors.js";

const text = new TextEncoder();

/** Files in memory. */
function filesOf(files: Readonly<Record<string, string | Uint8Array>>): FixtureFiles {
  return {
    list: (folder) => Object.keys(files).flatMap((path) => (path.startsWith(`${folder}/`) ? [path.split("/")[1]] : [])),
    read: (path) => {
      const content = files[path];
      return typeof content === "string" ? text.encode(content) : content;
    },
  };
}

const RULE = {
  builder: "resnet8v1",
  seed: 11,
  classes: 4,
  inputShape: [32, 32, 3],
  batch: 2,
  input: [-1, 3],
  kernelGain: 2,
  logitKernelScale: 0.5,
  ranges: { gamma: [0.5, 1.5], beta: [-0.25, 0.25], bias: [-1, 1], moving_mean: [0, 1], moving_variance: [1, 2] },
  samples: 16,
};

const f64 = (...values: number[]): NpyArray => ({
  dtype: "float64",
  shape: [values.length],
  data: Float64Array.from(values),
});

describe("references", () => {
  const arrays = new Map([
    ["input/x", f64(7)],
    ["truth/training/loss", f64(1)],
    ["keras/training/loss", f64(2)],
    ["truth/inference/output/a", f64(3, 4)],
    ["keras/inference/output/a", f64(5, 6)],
    ["scale/inference/output/a", f64(10, 20, 30)],
  ]);

  it("pairs truth with Keras's own result, and with the scale of the whole tensor where only a sample is kept", () => {
    assert.deepEqual(references(arrays, "training/", "a.npz"), [
      { path: "a.npz", key: "training/loss", shape: [1], truth: Float64Array.of(1), keras: Float64Array.of(2) },
    ]);
    assert.deepEqual(references(arrays, "inference/", "a.npz"), [
      {
        path: "a.npz",
        key: "inference/output/a",
        shape: [2],
        truth: Float64Array.of(3, 4),
        keras: Float64Array.of(5, 6),
        maxTruth: 10,
        maxKerasError: 20,
      },
    ]);
  });

  it("refuses a truth without Keras's result, of less than float64, or of another shape", () => {
    const single: NpyArray = { dtype: "float32", shape: [1], data: Float32Array.of(1) };
    for (const [truth, keras, message] of [
      [f64(1), undefined, "there must be an array of floats keras/loss. Received no such array."],
      [single, single, "truth/loss must be float64. Received float32."],
      [f64(1), f64(1, 2), "keras/loss must have shape [1]. Received [2]."],
    ] as const) {
      const broken = new Map([["truth/loss", truth], ...(keras === undefined ? [] : [["keras/loss", keras] as const])]);
      assert.throws(() => references(broken, "", "layers/a.npz"), {
        name: "FormatError",
        message: `layers/a.npz: ${message}`,
      });
    }
  });
});

describe("files of fixtures", () => {
  it("are named in what is said of them", () => {
    const files = filesOf({ "models/a.json": "{", "layers/a.npz": "PK" });
    assert.throws(() => readJson(files, "models/a.json"), {
      name: "FormatError",
      message: 'models/a.json: the file must be JSON. Received "{".',
    });
    assert.throws(
      () => readArrays(files, "layers/a.npz"),
      (error) => error instanceof FormatError && error.message.startsWith("layers/a.npz: zip: "),
    );
    const good = filesOf({ "layers/a.npz": writeNpz(new Map([["x", f64(1)]])), "models/a.json": "[1]" });
    assert.deepEqual([...readArrays(good, "layers/a.npz").keys()], ["x"]);
    assert.deepEqual(readJson(good, "models/a.json"), [1]);
  });

  it("of users are those that are listed and, of HDF5 files, which the package leaves out, installed", () => {
    const list = [
      { file: "a.keras", predictions: "a.npz" },
      { file: "b.h5", predictions: "b.npz" },
      { file: "d.keras", predictions: "d.npz" },
      { file: "c.weights.h5", predictions: "a.npz", architecture: "a.keras" },
    ];
    const files = filesOf({ "files/files.json": JSON.stringify(list), "files/a.keras": "", "files/c.weights.h5": "" });
    assert.deepEqual(fileFixtures(files), [
      { file: "a.keras", predictions: "a.npz", architecture: undefined },
      { file: "d.keras", predictions: "d.npz", architecture: undefined },
      { file: "c.weights.h5", predictions: "a.npz", architecture: "a.keras" },
    ]);
  });
});

describe("the list of files", () => {
  it("is refused where it is none, and where an entry does not say what it is", () => {
    for (const [list, rule] of [
      [{}, "the file must hold a list."],
      [[{ flie: "a.keras", predictions: "a.npz" }], "every entry must have a file and predictions."],
      [["a.keras"], "every entry must have a file and predictions."],
    ] as const) {
      const json = JSON.stringify(list);
      const received = JSON.stringify(Array.isArray(list) ? JSON.stringify(list[0]) : json);
      assert.throws(() => fileFixtures(filesOf({ "files/files.json": json })), {
        name: "FormatError",
        message: `files/files.json: ${rule} Received ${received}.`,
      });
    }
  });
});

describe("a model fixture", () => {
  it("is rebuilt from its seed: every weight uniform within its limits, from a stream of its own", () => {
    const model = rebuildModel(modelFixture(RULE));
    const first = (path: string): number => randomStream(RULE.seed, `weight/${path}`).uniform(0);
    const weights = model.weightsByPath();
    const value = (path: string): number | undefined => weights.get(path)?.value.data[0];
    const kernel = Math.sqrt((3 * 2) / (3 * 3 * 3));
    assert.equal(value("conv2d/kernel"), Math.fround(-kernel + 2 * kernel * first("conv2d/kernel")));
    // the last layer's are scaled: logits spread by about 1
    const logits = Math.sqrt((3 * 2) / 64) * 0.5;
    assert.equal(value("dense/kernel"), Math.fround(-logits + 2 * logits * first("dense/kernel")));
    assert.equal(value("batch_normalization/gamma"), Math.fround(0.5 + first("batch_normalization/gamma")));
    assert.equal(value("batch_normalization/beta"), Math.fround(-0.25 + 0.5 * first("batch_normalization/beta")));
  });

  it("has a batch of its own: inputs within their range, one-hot labels", () => {
    const { x, y } = rebuildBatch(modelFixture(RULE));
    assert.deepEqual(
      [x.shape, y.shape],
      [
        [2, 32, 32, 3],
        [2, 4],
      ],
    );
    assert.equal(x.data[5], Math.fround(-1 + 4 * randomStream(RULE.seed, "input/x").uniform(5)));
    for (const n of [0, 1]) {
      const label = randomStream(RULE.seed, "label").integer(n, 4);
      assert.deepEqual(
        Array.from({ length: 4 }, (_, k) => y.get(n, k)),
        [0, 1, 2, 3].map((k) => Number(k === label)),
      );
    }
  });

  it("keeps small tensors whole, and of large ones as many elements as it says", () => {
    const fixture = modelFixture(RULE);
    const small = generate([4, 4], "float32", (i, j) => 4 * i + j);
    assert.equal(sample(small, "training/output/a", fixture), small);
    const large = generate([5, 7], "float32", (i, j) => 7 * i + j);
    const kept = sample(large, "training/output/a", fixture);
    const stream = randomStream(RULE.seed, "sample/training/output/a");
    assert.deepEqual(
      [kept.shape, Array.from(kept.data)],
      [[16], Array.from({ length: 16 }, (_, j) => stream.integer(j, 35))],
    );
  });

  it("is refused where its rule is not one", () => {
    assert.throws(() => modelFixture([]), {
      name: "FormatError",
      message: "fixture: a model's rule must be a dictionary. Received object.",
    });
    assert.throws(() => rebuildModel(modelFixture({ ...RULE, builder: "resnet" })), {
      name: "FormatError",
      message: 'fixture: builder must be resnet<depth>v1 or v2, resnet50 or resnet50v2. Received "resnet".',
    });
    for (const input of [[1], [1, null], "1,2"]) {
      assert.throws(() => modelFixture({ ...RULE, input }), {
        name: "FormatError",
        message: `fixture: input must be [low, high]. Received ${JSON.stringify(input)}.`,
      });
    }
    for (const [key, value] of [
      ["seed", -1],
      ["classes", 0],
      ["batch", 1.5],
      ["samples", "many"],
      ["kernelGain", null],
    ] as const) {
      assert.throws(() => modelFixture({ ...RULE, [key]: value }), new RegExp(`${key}.+ Received `));
    }
  });
});
