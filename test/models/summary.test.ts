import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { readZip } from "../../src/formats/zip.js";
import { BatchNormalization } from "../../src/layers/batch-normalization.js";
import { Conv2D } from "../../src/layers/conv2d.js";
import { Dense } from "../../src/layers/dense.js";
import { input } from "../../src/layers/input-layer.js";
import { ReLU } from "../../src/layers/relu.js";
import { ResNet50 } from "../../src/models/applications/resnet.js";
import { modelFromConfig } from "../../src/models/from-config.js";
import { Model } from "../../src/models/model.js";
import { resnetV1 } from "../../src/models/resnet-v1.js";
import { Sequential } from "../../src/models/sequential.js";
import { readableMemorySize, type SummaryOptions, summary } from "../../src/models/summary.js";

const fixtures = new URL("../../../fixtures/", import.meta.url);
const text = (path: string): string => readFileSync(new URL(path, fixtures), "utf8");

/** The model of a layer fixture, from the configuration in its archive. */
function fixtureModel(name: string): Model {
  const archive = readZip(readFileSync(new URL(`layers/${name}.keras`, fixtures)));
  const config = archive.get("config.json");
  assert.ok(config !== undefined, `${name}.keras has no configuration`);
  return modelFromConfig(JSON.parse(new TextDecoder().decode(config.read())));
}

describe("summary prints what Keras prints", () => {
  const builders: Readonly<Record<string, () => Model>> = {
    resnet20v1: () => withName(resnetV1(20), "functional"),
    resnet50: () => ResNet50(),
  };
  const suffixes: Readonly<Record<string, SummaryOptions>> = {
    "-wide": { columns: 200 },
    "-expanded": { expandNested: true, showTrainable: true },
  };
  for (const file of readdirSync(new URL("models/summaries/", fixtures))) {
    const base = file.replace(/\.txt$/, "");
    const suffix = Object.keys(suffixes).find((ending) => base.endsWith(ending)) ?? "";
    const name = base.slice(0, base.length - suffix.length);
    it(`of ${base}`, () => {
      const model = builders[name]?.() ?? fixtureModel(name);
      assert.equal(`${summary(model, suffixes[suffix])}\n`, text(`models/summaries/${file}`));
    });
  }

  const odd: Readonly<Record<string, () => Model>> = {
    "long-words": () => {
      const open = input({ shape: [null, null, 3], name: "open" });
      const conv = new Conv2D({ filters: 8, kernelSize: 6, name: "conv" }).apply(open);
      const name = `open model ${"x".repeat(70)} ${"y".repeat(200)}`;
      return new Model({ inputs: open, outputs: new ReLU({ name: "r" }).apply(conv), name });
    },
    "long-layer-names": () => {
      const x = input({ shape: [3], name: "i" });
      const spaced = new Dense({ units: 288, useBias: false, name: "s p a c e ".repeat(6) }).apply(x);
      const outputs = new Dense({ units: 5, name: "d".repeat(50) }).apply(spaced);
      return new Model({ inputs: x, outputs, name: `long_${"z".repeat(67)}` });
    },
    "unused-input": () => {
      const x = input({ shape: [3], name: "i" });
      const shared = new Dense({ units: 3, name: "shared" });
      const unused = input({ shape: [7], name: "unused" });
      return new Model({ inputs: [x, unused], outputs: shared.apply(shared.apply(x)), name: "m" });
    },
    "later-applications": () => {
      const x = input({ shape: [3], name: "i" });
      const shared = new Dense({ units: 3, name: "shared" });
      shared.apply(shared.apply(x));
      return new Model({ inputs: x, outputs: shared.apply(shared.apply(x)), name: "m" });
    },
    "inner-chain": () => {
      const x = input({ shape: [8, 8, 3], name: "a" });
      const outputs = new Conv2D({ filters: 4, kernelSize: 3, name: "c" }).apply(x);
      return new Model({ inputs: x, outputs, name: "inner" });
    },
    "tie-in-memory-size": () =>
      new Sequential({ batchShape: [null, 2, 72], layers: [new BatchNormalization({ name: "bn" })], name: "m" }),
  };
  const widths: Readonly<Record<string, SummaryOptions>> = {
    "line-length-60": { lineLength: 60 },
    "line-length-97": { lineLength: 97, columns: 100, showTrainable: true },
    "line-length-120-in-80-columns": { lineLength: 120 },
    "columns-57": { columns: 57 },
  };
  const sections = text("summaries/odd.txt")
    .split(/^# (.*)\n/m)
    .slice(1);
  for (const [name, build] of Object.entries(odd)) {
    it(`of an odd model: ${name}`, () => {
      assert.equal(`${summary(build())}\n`, sections[sections.indexOf(name) + 1]);
    });
  }
  for (const [name, options] of Object.entries(widths)) {
    it(`at an odd width: ${name}`, () => {
      assert.equal(`${summary(odd["unused-input"](), options)}\n`, sections[sections.indexOf(name) + 1]);
    });
  }
});

/** A model of the same graph under another name. */
function withName({ inputs, outputs }: Model, name: string): Model {
  return new Model({ inputs, outputs, name });
}

describe("summary", () => {
  const x = input({ shape: [3], name: "i" });
  const model = new Model({ inputs: x, outputs: new Dense({ units: 2 }).apply(x) });

  it("rounds sizes as Python does, ties to even", () => {
    assert.equal(readableMemorySize(0), "0.00 B");
    assert.equal(readableMemorySize(1023), "1023.00 B");
    assert.equal(readableMemorySize(1024), "1.00 KB");
    assert.equal(readableMemorySize(1152), "1.12 KB"); // 1.125
    assert.equal(readableMemorySize(1408), "1.38 KB"); // 1.375
    assert.equal(readableMemorySize(25636712 * 4), "97.80 MB");
  });

  it("counts eight bytes a parameter in a float64 model", () => {
    const wide = input({ shape: [3], dtype: "float64" });
    const double = new Model({ inputs: wide, outputs: new Dense({ units: 2, dtype: "float64" }).apply(wide) });
    assert.match(summary(double), /Total params: 8 \(64\.00 B\)/);
    assert.match(summary(model), /Total params: 8 \(32\.00 B\)/);
  });

  it("gives characters of East Asian scripts two cells, and cuts none in half", () => {
    const x = input({ shape: [4], name: "x" });
    const names = ["密", "層".repeat(20), `a${"層".repeat(20)}`, "かな カナ 한글 ＡＢ ｱｲ é"];
    const outputs = names.reduce((y, name) => new ReLU({ name }).apply(y), x);
    // as Keras prints them
    assert.deepEqual(
      summary(new Model({ inputs: x, outputs }))
        .split("\n")
        .filter((line) => /[^ -~─-╿…]/.test(line))
        .map((line) => line.slice(0, line.indexOf("│", 1))),
      [
        "│ 密 (ReLU)                       ",
        "│ 層層層層層層層層層層層層層層層… ",
        "│ a層層層層層層層層層層層層層層 … ",
        "│ かな カナ 한글 ＡＢ ｱｲ é (ReLU) ",
      ],
    );
  });

  it("refuses widths that leave no room", () => {
    assert.throws(() => summary(model, { columns: 39 }), {
      name: "RangeError",
      message: "summary: `columns` must be a whole number of at least 40. Received columns=39.",
    });
    assert.throws(() => summary(model, { lineLength: 12 }), {
      name: "RangeError",
      message:
        "summary: `lineLength` must be a whole number that leaves every column at least one character. " +
        "Received lineLength=12.",
    });
  });
});
