import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { readImage } from "../../src/cli/images.js";
import { writeModel } from "../../src/formats/write-model.js";
import { input } from "../../src/layers/input-layer.js";
import { ReLU } from "../../src/layers/relu.js";
import { Model } from "../../src/models/model.js";
import { resnetV1 } from "../../src/models/resnet-v1.js";
import { PREPROCESSING_ENTRY, writePreprocessing } from "../../src/training/preprocessing.js";
import { counting, FIXTURES, Workspace } from "../support/command-line.js";

/** A workspace with a model of three classes and an input of five samples. */
function prepared(test: TestContext): Workspace {
  const workspace = new Workspace(test);
  workspace.putFixture("files/keras3-functional.keras", "m.keras");
  workspace.putArrays("x.npy", { x: counting([5, 8, 7, 2]) });
  return workspace;
}

describe("touchstone predict", { concurrency: 2 }, () => {
  it("prints the most probable classes of every sample, best first, as many as --top says", async (test) => {
    const workspace = prepared(test);
    const lines = (await workspace.succeed("predict", "m.keras", "--input", "x.npy", "--top", "2"))
      .trimEnd()
      .split("\n");
    assert.equal(lines.length, 5);
    for (const [n, line] of lines.entries()) {
      const [, first, second] = line.match(/^sample \d: \d (0\.\d{4}), \d (0\.\d{4})$/) ?? [];
      assert.ok(line.startsWith(`sample ${n}: `) && Number(first) >= Number(second), line);
    }
    const all = await workspace.succeed("predict", "m.keras", "--input", "x.npy", "--top", "99");
    assert.match(all, /^sample 0: \d 0\.\d+, \d 0\.\d+, \d 0\.\d+$/m);
  });

  it("writes what it would print with --out, the same bits for every batch size and number of threads", async (test) => {
    const workspace = prepared(test);
    const predict = (out: string, ...options: string[]): Promise<string> =>
      workspace.succeed("predict", "m.keras", "--input", "x.npy", "--out", out, ...options);
    assert.equal(await predict("whole.npy", "--threads", "1"), "whole.npy: [5, 3]\n");
    await predict("parts.npy", "--batch-size", "2", "--threads", "3");
    assert.deepEqual(workspace.array("parts.npy"), workspace.array("whole.npy"));
    assert.equal(workspace.array("whole.npy").dtype, "float32");
    await predict("named.npz");
    assert.deepEqual(workspace.arrays("named.npz"), new Map([["head", workspace.array("whole.npy")]]));
  });

  it("computes and writes float64 with --dtype float64", async (test) => {
    const workspace = prepared(test);
    await workspace.succeed("predict", "m.keras", "--input", "x.npy", "--out", "y.npy", "--dtype", "float64");
    assert.equal(workspace.array("y.npy").dtype, "float64");
  });

  it("writes several outputs to one .npz, and prints them by name", async (test) => {
    const workspace = new Workspace(test);
    workspace.putFixture("files/keras3-shared.keras", "m.keras");
    workspace.putArrays("x.npz", { a: counting([2, 4]), b: counting([2, 4], 3) });
    const args = ["predict", "m.keras", "--input", "x.npz"];
    assert.equal(await workspace.succeed(...args, "--out", "y.npz"), "y.npz: [2, 3], [2, 1]\n");
    assert.deepEqual([...workspace.arrays("y.npz").keys()], ["label", "value"]);
    assert.match(await workspace.succeed(...args, "--top", "1"), /^label, sample 0: .*\nlabel, sample 1: .*\nvalue, /);
  });

  it("tells two outputs of one layer apart by its applications", async (test) => {
    const workspace = new Workspace(test);
    const [a, b] = [input({ shape: [2], name: "a" }), input({ shape: [2], name: "b" })];
    const twin = new ReLU({ name: "twin" });
    const model = new Model({ inputs: [a, b], outputs: [twin.apply(a), twin.apply(b)] });
    workspace.put("m.keras", writeModel(model, "m.keras"));
    const [x, y] = [counting([1, 2]), counting([1, 2], 5)];
    workspace.putArrays("x.npz", { a: x, b: y, "dy/twin": x, "dy/twin:1": y });
    await workspace.succeed("predict", "m.keras", "--input", "x.npz", "--out", "y.npz");
    await workspace.succeed("trace", "m.keras", "--input", "x.npz", "--out", "t.npz");
    const [outputs, entries] = [workspace.arrays("y.npz"), workspace.arrays("t.npz")];
    assert.deepEqual([...outputs.keys()], ["twin", "twin:1"]);
    for (const [name, array] of outputs) assert.deepEqual(array, entries.get(`output/${name}`));
    assert.deepEqual(entries.get("gradOutput/twin:1"), y);
  });

  it("takes the only array of an .npz for the input, whatever its name", async (test) => {
    const workspace = prepared(test);
    workspace.putArrays("only.npz", { images: counting([5, 8, 7, 2]) });
    const args = (input: string): string[] => ["predict", "m.keras", "--input", input];
    assert.equal(await workspace.succeed(...args("only.npz")), await workspace.succeed(...args("x.npy")));
  });

  it("takes images, at any size, and prints them by name", async (test) => {
    const workspace = new Workspace(test);
    workspace.putFixture("images/rgb8.png", "a.png");
    workspace.putFixture("images/rgb-420.jpg", "b.jpg");
    const images = ["--input", "a.png", "b.jpg"];
    const out = await workspace.succeed("predict", "resnet20v1", ...images, "--top", "1");
    assert.match(out, /^a\.png: \d 0\.\d{4}\nb\.jpg: \d 0\.\d{4}\n$/);
    const { out: named, err } = await workspace.touchstone(
      ...["predict", "resnet50", "--input-shape", "32,32,3", ...images, "--top", "1"],
    );
    assert.match(named, /^a\.png: [a-zA-Z]\S* 0\.\d{4}\n/);
    assert.equal(err, "note: the weights of resnet50 are random, from seed 0; --weights reads others\n");
  });

  it("takes pixels in an array as they are, says so, and does with them what --preprocess says", async (test) => {
    const workspace = new Workspace(test);
    workspace.putFixture("images/rgb8.png", "a.png");
    const model = resnetV1(8, { inputShape: [29, 31, 3] });
    const mean = Float32Array.from({ length: 29 * 31 * 3 }, (_, i) => (i % 7) / 16);
    const preprocessing = writePreprocessing({ scale: 1 / 255, mean }, [29, 31, 3]);
    workspace.put(
      "m.keras",
      writeModel(model, "m.keras", { entries: new Map([[PREPROCESSING_ENTRY, preprocessing]]) }),
    );
    const pixels = readImage(join(FIXTURES, "images/rgb8.png"), [29, 31]);
    const bytes = Uint8Array.from(pixels.data);
    workspace.putArrays("x.npy", { x: { dtype: "uint8", shape: [1, 29, 31, 3], data: bytes } });
    const predict = async (input: string, ...options: string[]): Promise<string> => {
      const { code, out, err } = await workspace.touchstone("predict", "m.keras", "--input", input, ...options);
      return `${code} ${out.replace(/^.*?: /gm, "")}${err}`;
    };
    const asTrained = await predict("a.png");
    assert.equal(await predict("x.npy", "--preprocess", "trained"), asTrained);
    const asTheyAre = await predict("a.png", "--preprocess", "none");
    assert.notEqual(asTheyAre, asTrained);
    assert.equal(
      await predict("x.npy"),
      `${asTheyAre}note: x.npy holds pixels from 0 to 255, and goes into the model as it is; images would go through --preprocess trained\n`,
    );
    assert.equal(await predict("x.npy", "--preprocess", "none"), asTheyAre);
    await workspace.refuse(
      ["predict", "resnet20v1", "--input", "a.png", "--preprocess", "trained"],
      "--preprocess trained must go with a .keras file that says how. Received one that does not.",
    );
    workspace.putArrays("y.npy", { x: counting([2, 8, 7, 2]) });
    await workspace.refuse(
      ["predict", "m.keras", "--input", "y.npy", "--preprocess", "scale"],
      "--preprocess must go with images, or one array [N, H, W, 3] of pixels. Received [2, 8, 7, 2].",
    );
  });

  it("divides the pixels of images by 255 unless it is told otherwise", async (test) => {
    const workspace = new Workspace(test);
    workspace.putFixture("images/rgb8.png", "a.png");
    const predict = (...options: string[]): Promise<string> =>
      workspace.succeed("predict", "resnet20v1", "--input", "a.png", ...options);
    const scaled = await predict();
    assert.equal(await predict("--preprocess", "scale"), scaled);
    assert.notEqual(await predict("--preprocess", "none"), scaled);
  });
});
