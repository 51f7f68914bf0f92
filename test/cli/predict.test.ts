import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { writeModel } from "../../src/formats/write-model.js";
import { input } from "../../src/layers/input-layer.js";
import { ReLU } from "../../src/layers/relu.js";
import { Model } from "../../src/models/model.js";
import { counting, Workspace } from "../support/command-line.js";

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
    const named = await workspace.succeed("predict", "resnet50", "--input-shape", "32,32,3", ...images, "--top", "1");
    assert.match(named, /^a\.png: [a-zA-Z]\S* 0\.\d{4}\n/);
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
