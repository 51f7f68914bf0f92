import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, readFileSync, symlinkSync } from "node:fs";
import { describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { NpyArray } from "../../src/formats/npy.js";
import { fromTensor, toTensor } from "../../src/formats/tensors.js";
import { writeModel } from "../../src/formats/write-model.js";
import { AveragePooling2D } from "../../src/layers/average-pooling2d.js";
import { BatchNormalization } from "../../src/layers/batch-normalization.js";
import { Conv2D } from "../../src/layers/conv2d.js";
import { ZeroPadding2D } from "../../src/layers/zero-padding2d.js";
import { Sequential } from "../../src/models/sequential.js";
import { caseAt } from "../../src/oracle/conformance/case.js";
import { OPERATIONS, operationNamed } from "../../src/oracle/operations/table.js";
import { images, network } from "../oracle/support/models.js";
import { counting, labels, MAIN, run, Workspace } from "../support/command-line.js";

const root = new URL("../../../", import.meta.url);
const EXAMPLES: string = fileURLToPath(new URL("docs/examples/", root));

/** Whether `program` is there and does what `args` ask. */
function works(program: string, ...args: string[]): boolean {
  return spawnSync(program, args, { stdio: "ignore" }).status === 0;
}

/** Runs one of the examples, as it is in the repository, in a folder of its own. */
async function example(workspace: Workspace, name: string, program: string, ...args: string[]): Promise<void> {
  copyFileSync(`${EXAMPLES}${name}`, workspace.path(name));
  const { code, err } = await run(program, [...args, name], workspace.folder);
  assert.equal(code, 0, err);
}

/** The JavaScript example, which imports the package by its name. */
async function javascriptExample(workspace: Workspace): Promise<void> {
  const index = new URL("build/src/index.js", root).href;
  const source = readFileSync(`${EXAMPLES}candidate.mjs`, "utf8").replace('"touchstone"', JSON.stringify(index));
  workspace.put("candidate.mjs", source);
  const { code, err } = await run(process.execPath, ["candidate.mjs"], workspace.folder);
  assert.equal(code, 0, err);
}

const [x, kernel] = [counting([1, 3, 4, 2]), counting([1, 1, 2, 3], 5)];

/** `kernel` of one pixel applied to `x`, exact in float32. */
function pointwise(): NpyArray {
  const data = new Float32Array(36);
  for (let pixel = 0; pixel < 12; pixel++) {
    for (let f = 0; f < 3; f++) {
      for (let c = 0; c < 2; c++) data[pixel * 3 + f] += Number(x.data[pixel * 2 + c]) * Number(kernel.data[c * 3 + f]);
    }
  }
  return { dtype: "float32", shape: [1, 3, 4, 3], data };
}

function prepared(test: TestContext): Workspace {
  const workspace = new Workspace(test);
  workspace.putArrays("in.npz", { x, kernel });
  workspace.putArrays("good.npy", { y: pointwise() });
  const bad = pointwise();
  bad.data[7] = 100;
  workspace.putArrays("bad.npz", { y: bad });
  return workspace;
}

/** Layers with arguments of every kind. */
const MODEL = writeModel(
  new Sequential({
    batchShape: [null, 7, 6, 3],
    layers: [
      new ZeroPadding2D({
        name: "zero_padding2d",
        padding: [
          [1, 2],
          [0, 3],
        ],
      }),
      new Conv2D({ name: "conv2d", filters: 4, kernelSize: 3, strides: 2, padding: "same" }),
      new BatchNormalization({ name: "batch_normalization", momentum: 0.9 }),
      new AveragePooling2D({ name: "average_pooling2d", poolSize: [3, 2], strides: 1 }),
    ],
    seed: 1,
  }),
  "m.keras",
);

/** A small residual network. */
const NARROW = writeModel(network(), "m.keras");

describe("touchstone judge", { concurrency: 2 }, () => {
  it("exits 0 for a right result and 1 for a wrong one, with the element that is wrong", async (test) => {
    const workspace = prepared(test);
    const good = await workspace.succeed("judge", "conv2d", "--input", "in.npz", "--candidate", "good.npy");
    assert.match(good, /^conv2d `y` \(float32\): holds\n/);
    const { code, out } = await workspace.touchstone("judge", "conv2d", "--input", "in.npz", "--candidate", "bad.npz");
    assert.equal(code, 1);
    assert.match(out, /^conv2d `y` \(float32\): BROKEN\n {2}1 of 36 elements beyond their bound\n/);
    assert.match(out, /at \[0, 0, 2, 1\]\n {2}candidate 100, reference /);
  });

  it("takes Keras's arguments in kebab-case, operands as .npy files, and a model of arithmetic; writes JSON", async (test) => {
    const workspace = prepared(test);
    workspace.putArrays("x.npy", { x });
    workspace.putArrays("kernel.npy", { kernel });
    const out = await workspace.succeed(
      ..."judge conv2d --input x.npy kernel.npy --candidate good.npy --json --arithmetic bfloat16 --flush".split(" "),
      ..."--functions wgsl --strides 1,1 --padding=valid --dilation-rate 1".split(" "),
    );
    const verdict: unknown = JSON.parse(out);
    assert.ok(typeof verdict === "object" && verdict !== null && "arithmetic" in verdict && "holds" in verdict);
    assert.equal(verdict.holds, true);
    assert.equal(verdict.arithmetic, "bfloat16 inputs, WGSL functions, subnormals flushed");
  });

  it("says which results were not there, and that operands were rounded", async (test) => {
    const workspace = prepared(test);
    const tenths = { dtype: "float64", shape: [2, 3], data: new Float64Array(6).fill(0.1) } as const;
    workspace.putArrays("in.npz", { x: counting([2, 3]), kernel: counting([3, 1]), dy: counting([2, 1]) });
    const dBias = Number(counting([2, 1]).data[0]) + Number(counting([2, 1]).data[1]);
    workspace.putArrays("out.npz", { dBias: { dtype: "float32", shape: [1], data: Float32Array.of(dBias) } });
    const out = await workspace.succeed("judge", "dense-backward", "--input", "in.npz", "--candidate", "out.npz");
    assert.match(out, /not judged, for they are not in out\.npz: dx, dKernel\n/);
    workspace.putArrays("x.npz", { x: tenths });
    workspace.putArrays("y.npy", { y: { dtype: "float32", shape: [2, 3], data: new Float32Array(6).fill(0.1) } });
    const relu = await workspace.succeed("judge", "relu", "--input", "x.npz", "--candidate", "y.npy");
    assert.match(relu, /note: `x` was rounded from float64 to float32 before it was used\n$/);
  });

  it("takes the operands of the backward pass in the same file", async (test) => {
    const workspace = prepared(test);
    workspace.putArrays("in.npz", { x, kernel, dy: pointwise() });
    await workspace.succeed("judge", "conv2d", "--input", "in.npz", "--candidate", "good.npy");
  });

  it("judges the trace that it wrote itself, and names the layer of one that it did not", async (test) => {
    const workspace = new Workspace(test);
    workspace.put("narrow.keras", NARROW);
    workspace.putArrays("in.npz", { x: fromTensor(images), y: labels(3, 7) });
    await workspace.succeed(..."trace narrow.keras --input in.npz --training --out trace.npz".split(" "));
    const args = "judge narrow.keras --input in.npz --training --candidate trace.npz".split(" ");
    const out = await workspace.succeed(...args, "--all");
    assert.match(out, /^holds: 109 of 109 tensors within float32\n/);
    assert.match(out, /\noutput\/conv2d_3 +\d.* holds Conv2D\n/);
    const entries = Object.fromEntries(workspace.arrays("trace.npz"));
    const bias = entries["gradWeight/conv2d_4/bias"];
    workspace.putArrays("trace.npz", {
      ...entries,
      "gradWeight/conv2d_4/bias": { ...bias, data: new Float32Array(7).fill(1) },
    });
    const { code, out: wrong } = await workspace.touchstone(...args);
    assert.equal(code, 1);
    assert.match(wrong, /the first that is not right: the backward pass of `conv2d_4` \(Conv2D\)\n/);
  });

  it("names the mistake, and writes the least of it, which is as wrong when it is judged", async (test) => {
    const workspace = new Workspace(test);
    const [image, taps, bias] = [counting([1, 4, 5, 2]), counting([3, 2, 2, 3], 5), counting([3], 11)];
    workspace.putArrays("in.npz", { x: image, kernel: taps, bias });
    const operands = { x: toTensor(image), kernel: toTensor(taps) };
    const { y } = operationNamed("conv2d").run(operands, { strides: [2, 1], padding: "same" });
    workspace.putArrays("out.npz", { y: fromTensor(y) });
    const given = "judge conv2d --input in.npz --candidate out.npz --strides 2,1 --padding same".split(" ");
    const { code, out } = await workspace.touchstone(...given, "--reproduction", "case.npz");
    assert.equal(code, 1);
    assert.match(out, /\nexplained by: bias missing \(`y`; remaining error [\d.]+ of the bound\)/);
    const [, command] = /\nto repeat it: npx touchstone (.*)\n/.exec(out) ?? [];
    assert.equal(command, "judge conv2d --input case.npz --candidate case.npz --padding valid");
    const again = await workspace.touchstone(...command.split(" "));
    assert.equal(again.code, 1);
    assert.match(again.out, /^conv2d `y` \(float32\): BROKEN\n {2}1 of 1 elements beyond their bound\n/);
    assert.match(again.out, /\nexplained by: bias missing /);
    const { out: json } = await workspace.touchstone(...given, "--json");
    assert.match(json, /"diagnosis":\{"holds":false,"causes":\[\{"name":"bias missing","outputs":\["y"\]/);
  });

  it("says how to repeat a mistake by the bounds that it was judged by, whatever the name of the file", async (test) => {
    const workspace = new Workspace(test);
    workspace.putArrays("in.npz", { x: counting([2, 3]) });
    workspace.putArrays("out.npz", { y: { ...counting([2, 3]), data: new Float32Array(6).fill(3) } });
    const { code, out } = await workspace.touchstone(
      ..."judge tanh --input in.npz --candidate out.npz --arithmetic tf32 --flush --functions wgsl".split(" "),
      ...["--reproduction", "the case.npz"],
    );
    assert.equal(code, 1);
    const command = "judge tanh --input 'the case.npz' --candidate 'the case.npz'";
    assert.ok(out.endsWith(`\nto repeat it: npx touchstone ${command} --arithmetic tf32 --flush --functions wgsl\n`));
  });

  it("refuses a name for the reproduction before the work, not after it", async (test) => {
    await new Workspace(test).refuse(
      "judge conv2d --input none.npz --candidate none.npz --reproduction case.txt".split(" "),
      "--reproduction must end in .npz. Received case.txt.",
    );
  });

  it("names the mistake of a layer in a trace, and writes the least of it", async (test) => {
    const workspace = new Workspace(test);
    workspace.put("narrow.keras", NARROW);
    workspace.putArrays("in.npz", { x: fromTensor(images) });
    await workspace.succeed(..."trace narrow.keras --input in.npz --out trace.npz".split(" "));
    const entries = Object.fromEntries(workspace.arrays("trace.npz"));
    const before = entries["output/batch_normalization_1"];
    const { "output/activation_1": right, ...others } = entries;
    assert.deepEqual(right.shape, before.shape);
    workspace.putArrays("trace.npz", { ...others, "output/activation_1": before });
    const args = "judge narrow.keras --input in.npz --candidate trace.npz --reproduction case.npz".split(" ");
    const { code, out } = await workspace.touchstone(...args);
    assert.equal(code, 1);
    assert.match(out, /the first that is not right: `activation_1` \(Activation\)\n/);
    assert.match(
      out,
      /\n {2}explained by: nothing is rectified \(`output\/activation_1`; remaining error 0 of the bound\)/,
    );
    const [, command] = /\nto repeat it: npx touchstone (.*)\n/.exec(out) ?? [];
    const again = await workspace.touchstone(...command.split(" "));
    assert.equal(again.code, 1);
    assert.match(again.out, /^relu `y` \(float32\): BROKEN\n {2}1 of 1 elements beyond their bound\n/);
    const last = entries["output/dense"];
    workspace.putArrays("trace.npz", { ...entries, "output/dense": { ...last, data: new Float32Array(22).fill(2) } });
    const { out: several } = await workspace.touchstone(...args);
    assert.match(several, /\nno case.npz: the first that is not right is not a result of one operation alone\n/);
  });

  for (const [layer, operation] of [
    ["zero_padding2d", "zero-padding2d"],
    ["batch_normalization", "batch-normalization"],
  ] as const) {
    it(`says how to repeat the mistake of a layer with arguments: ${layer}`, async (test) => {
      const workspace = new Workspace(test);
      workspace.put("m.keras", MODEL);
      workspace.putArrays("in.npz", { x: counting([2, 7, 6, 3]) });
      await workspace.succeed(..."trace m.keras --input in.npz --out trace.npz".split(" "));
      const entries = Object.fromEntries(workspace.arrays("trace.npz"));
      const key = `output/${layer}`;
      const right = entries[key];
      assert.ok(right.data instanceof Float32Array);
      const wrong = right.data.map((value, i) => (i === 5 ? value + 9 : value));
      workspace.putArrays("trace.npz", { ...entries, [key]: { ...right, data: wrong } });
      const args = "judge m.keras --input in.npz --candidate trace.npz --reproduction case.npz".split(" ");
      const { code, out } = await workspace.touchstone(...args);
      assert.equal(code, 1);
      const [, command] = /\nto repeat it: npx touchstone (.*)\n/.exec(out) ?? [];
      // no argument holds a blank, and a shell takes the quotes away
      const again = await workspace.touchstone(...command.replaceAll("'", "").split(" "));
      assert.deepEqual([again.err, again.code], ["", 1]);
      assert.match(again.out, new RegExp(`^${operation} \`y\` \\(float32\\): BROKEN\\n`));
    });
  }

  it("takes lists of lists as JSON, or as Python prints them", async (test) => {
    const workspace = new Workspace(test);
    const image = counting([1, 2, 3, 2]);
    const padding = [
      [1, 2],
      [0, 3],
    ];
    const { y } = operationNamed("zero-padding2d").run({ x: toTensor(image) }, { padding });
    workspace.putArrays("in.npz", { x: image });
    workspace.putArrays("out.npz", { y: fromTensor(y) });
    const given = "judge zero-padding2d --input in.npz --candidate out.npz --padding".split(" ");
    for (const written of ["[[1,2],[0,3]]", "[[1, 2], [0, 3]]", "((1, 2), (0, 3))"]) {
      await workspace.succeed(...given, written);
    }
    await workspace.refuse([...given, "[[1,2],[0,3]"], /`padding` must .* Received "\[\[1,2\],\[0,3\]"\.$/m);
  });

  it("refuses what it cannot judge", async (test) => {
    const workspace = prepared(test);
    const given = ["--input", "in.npz", "--candidate", "good.npy"];
    await workspace.refuse(
      ["judge", "conv", ...given],
      /^touchstone: what is judged must be a model, or one of conv2d, .* Received "conv"\.$/m,
    );
    await workspace.refuse(
      ["judge", "resnet8v1", ...given, "--strides", "2"],
      "arguments of layers must go with an operation, not with a model. Received --strides.",
    );
    await workspace.refuse(
      ["judge", "conv2d", ...given, "--stride", "2"],
      "arguments of conv2d must be among --dilation-rate, --groups, --padding, --strides. Received --stride.",
    );
    await workspace.refuse(
      ["judge", "conv2d", ...given, "same"],
      'arguments must be given as --name value, lists as --name 2,1. Received "same".',
    );
    await workspace.refuse(
      ["judge", "conv2d", ...given, "--training"],
      "--training must go with a model, not with an operation. Received conv2d.",
    );
    await workspace.refuse(
      ["judge", "conv2d", ...given, "--weights", "none.h5"],
      "--weights must go with a model, not with an operation. Received conv2d.",
    );
    workspace.putArrays("x.npz", { x: counting([2, 32, 32, 3]) });
    workspace.putArrays("trace.npz", { "moving/batch_normalization/moving_mean": counting([16]) });
    await workspace.refuse(
      "judge resnet8v1 --input x.npz --candidate trace.npz".split(" "),
      "--training must be given for a trace of training mode, which has moving/ statistics. " +
        "Received moving/batch_normalization/moving_mean.",
    );
    workspace.putArrays("dense.npz", { x: counting([2, 3]), kernel: counting([3, 1]), dy: counting([2, 1]) });
    await workspace.refuse(
      "judge dense-backward --input dense.npz --candidate good.npy".split(" "),
      "good.npy: the results of dense-backward must come as an .npz with dx, dKernel, dBias. Received one array.",
    );
    workspace.putArrays("misspelled.npz", { x: counting([2, 3]), kernel: counting([3, 1]), Bias: counting([1]) });
    await workspace.refuse(
      "judge dense --input misspelled.npz --candidate good.npy".split(" "),
      "operands of dense must be among x, kernel, bias. Received Bias.",
    );
    workspace.putArrays("other.npz", { a: counting([2]), b: counting([2]) });
    await workspace.refuse(
      "judge conv2d --input in.npz --candidate other.npz".split(" "),
      "other.npz: must hold y. Received a, b.",
    );
  });

  it("accepts the example in JavaScript", async (test) => {
    const workspace = new Workspace(test);
    await javascriptExample(workspace);
    await workspace.succeed("judge", "dense", "--input", "in.npz", "--candidate", "out.npy");
  });

  it("accepts the example in Python", { skip: !works("python3", "-c", "import numpy") }, async (test) => {
    const workspace = new Workspace(test);
    await example(workspace, "candidate.py", "python3");
    await workspace.succeed(..."judge conv2d --input in.npz --candidate out.npy --strides 2 --padding same".split(" "));
  });

  it("accepts the example in C++", { skip: !works("g++", "--version") }, async (test) => {
    const workspace = new Workspace(test);
    await example(workspace, "candidate.cpp", "g++", "-std=c++17", "-Wall", "-Werror", "-o", "candidate");
    const { code } = await run(workspace.path("candidate"), [], workspace.folder);
    assert.equal(code, 0);
    await workspace.succeed(..."judge dense --input x.npy kernel.npy bias.npy --candidate out.npy".split(" "));
  });
});

/** The page's blocks: each `sh` block is run as it is; a `text` block that follows is what it must print. */
describe("docs/is-my-backend-right.md", () => {
  const page = readFileSync(new URL("docs/is-my-backend-right.md", root), "utf8");
  const blocks = [...page.matchAll(/^```sh\n([\s\S]*?)^```$(?:\n\n```text\n([\s\S]*?)^```$)?/gm)];
  const needs = works("python3", "-c", "import numpy") && works("bash", "-c", "true");

  it("lists all operations, with what they take and give, and their arguments", () => {
    const listed = [...page.matchAll(/^\| `([a-z0-9-]+)` \| (.*) \| (.*) \| (.*) \| (.*) \|$/gm)];
    const names = (list: string): readonly string[] =>
      list
        .replace(/\b(d?x)1(\??), \.\.\. \1(\d)\2/, (_, x: string, mark: string, last: string) =>
          Array.from({ length: Number(last) }, (_, i) => `${x}${i + 1}${mark}`).join(", "),
        )
        .split(", ")
        .filter((name) => name !== "");
    const forward = [...OPERATIONS.values()].filter(({ name }) => !name.endsWith("-backward"));
    assert.deepEqual(
      listed.map(([, name]) => name),
      forward.map(({ name }) => name),
    );
    for (const [, name, takes, gives, args, backward] of listed) {
      const [operands, gradients] = backward.split(": ");
      for (const [operation, taken, given] of [
        [name, takes, gives],
        [`${name}-backward`, operands, gradients ?? ""],
      ]) {
        const { inputs = [], optional = [], outputs = [] } = OPERATIONS.get(operation) ?? {};
        assert.deepEqual(names(taken), [...inputs, ...optional.map((each) => `${each}?`)], operation);
        assert.deepEqual(names(given), outputs, operation);
      }
      const known = Array.from({ length: 60 }, (_, i) => Object.keys(caseAt(name, i, 0).args)).flat();
      assert.deepEqual(new Set(names(args)), new Set(known), name);
    }
  });

  it("prints what it says, command by command", { skip: !needs }, async (test) => {
    assert.ok(blocks.length >= 4);
    const workspace = new Workspace(test);
    symlinkSync(new URL("docs", root), workspace.path("docs"));
    const touchstone = `touchstone() { ${JSON.stringify(process.execPath)} ${JSON.stringify(MAIN)} "$@"; }; npx() { "$@"; }`;
    for (const [, commands, expected] of blocks) {
      const { out, err } = await run("bash", ["-c", `${touchstone}\n${commands}`], workspace.folder);
      assert.equal(err, "", commands);
      if (expected !== undefined) assert.equal(out, expected, commands);
    }
  });
});
