import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import type { NpyArray } from "../../src/formats/npy.js";
import { toTensor } from "../../src/formats/tensors.js";
import { counting, labels, Workspace } from "../support/command-line.js";

const X = counting([2, 8, 7, 2]);

/** A workspace with a model of three classes. */
function prepared(test: TestContext): Workspace {
  const workspace = new Workspace(test);
  workspace.putFixture("files/keras3-functional.keras", "m.keras");
  return workspace;
}

/** A workspace with two inputs a, b [null, 4] and two outputs label [null, 3], value [null, 1]. */
function preparedPair(test: TestContext): Workspace {
  const workspace = new Workspace(test);
  workspace.putFixture("files/keras3-shared.keras", "m.keras");
  return workspace;
}

const PAIR = { "x/a": counting([2, 4]), "x/b": counting([2, 4], 5) };

/** The trace of m.keras for these arrays. */
async function traced(
  workspace: Workspace,
  arrays: Readonly<Record<string, NpyArray>>,
  ...options: readonly string[]
): Promise<ReadonlyMap<string, NpyArray>> {
  workspace.putArrays("in.npz", arrays);
  const out = await workspace.succeed("trace", "m.keras", "--input", "in.npz", "--out", "trace.npz", ...options);
  const entries = workspace.arrays("trace.npz");
  assert.equal(out, `trace.npz: ${entries.size} arrays\n`);
  return entries;
}

const oneHot = (...numbers: readonly number[]): NpyArray => ({
  dtype: "uint8",
  shape: [numbers.length, 3],
  data: Uint8Array.from(numbers.flatMap((n) => [0, 1, 2].map((k) => Number(n === k)))),
});

describe("touchstone trace", { concurrency: 2 }, () => {
  it("writes Keras's names, and gradients where there are targets", async (test) => {
    const workspace = prepared(test);
    const layers = ["image", "conv", "norm", "relu", "branch", "add", "pool", "head"];
    const outputs = layers.map((layer) => `output/${layer}`);
    assert.deepEqual([...(await traced(workspace, { x: X })).keys()], outputs);
    const entries = await traced(workspace, { x: X, y: labels(2, 0) }, "--training");
    assert.deepEqual(
      [...entries.keys()].toSorted(),
      [
        ...outputs,
        "loss",
        ...layers.map((layer) => `gradOutput/${layer}`),
        ...["conv/kernel", "norm/gamma", "norm/beta", "branch/kernel", "branch/bias", "head/kernel", "head/bias"].map(
          (path) => `gradWeight/${path}`,
        ),
        "moving/norm/moving_mean",
        "moving/norm/moving_variance",
      ].toSorted(),
    );
  });

  it("writes the same bytes for class numbers of any integer type, and for one-hot targets the same gradients", async (test) => {
    const workspace = prepared(test);
    const int64 = await traced(workspace, { x: X, y: labels(2, 0) }, "--training");
    const uint8 = await traced(
      workspace,
      { x: X, y: { dtype: "uint8", shape: [2, 1], data: Uint8Array.of(2, 0) } },
      "--training",
    );
    assert.deepEqual(uint8, int64);
    const dense = await traced(workspace, { x: X, y: oneHot(2, 0) }, "--training");
    // of the last layer the gradient is that of the probabilities, for which the two losses clip differently
    for (const [key, array] of int64) if (key !== "gradOutput/head") assert.deepEqual(dense.get(key), array, key);
  });

  it("writes the same bytes for float64 inputs as for the float32 they hold, and for any number of threads", async (test) => {
    const workspace = prepared(test);
    const single = await traced(workspace, { x: X, y: labels(2, 0) }, "--threads", "1");
    const wide: NpyArray = { dtype: "float64", shape: X.shape, data: Float64Array.from(toTensor(X).data) };
    assert.deepEqual(await traced(workspace, { x: wide, y: labels(2, 0) }, "--threads", "3"), single);
  });

  it("takes uint8 inputs, and computes in float64 with --dtype float64", async (test) => {
    const workspace = prepared(test);
    const x: NpyArray = { dtype: "uint8", shape: X.shape, data: Uint8Array.from(toTensor(X).data, (_, i) => i % 251) };
    const entries = await traced(workspace, { x, y: labels(1, 1) }, "--dtype", "float64");
    assert.deepEqual([...new Set(Array.from(entries.values(), ({ dtype }) => dtype))], ["float64"]);
    assert.deepEqual(entries.get("output/image")?.data, Float64Array.from(toTensor(x).data));
  });

  it("takes one target for each output, and names a layer's second application", async (test) => {
    const entries = await traced(
      preparedPair(test),
      { ...PAIR, "y/label": counting([2, 3]), "y/value": counting([2, 1]) },
      "--loss",
      "mean_squared_error",
    );
    assert.ok(entries.has("output/shared") && entries.has("output/shared:1"));
    assert.ok(entries.has("gradOutput/a") && entries.has("gradOutput/b") && entries.has("gradWeight/shared/kernel"));
  });

  it("takes cotangents, which are then the gradients of the outputs", async (test) => {
    const dy = { "dy/label": counting([2, 3], 3), "dy/value": counting([2, 1], 4) };
    const entries = await traced(preparedPair(test), { ...PAIR, ...dy });
    assert.deepEqual(entries.get("gradOutput/label"), dy["dy/label"]);
    assert.deepEqual(entries.get("gradOutput/value"), dy["dy/value"]);
  });

  const nan: NpyArray = { dtype: "float32", shape: [2, 3], data: Float32Array.of(1, 0, 0, 0, Number.NaN, 0) };
  const refused: readonly (readonly [what: string, arrays: Readonly<Record<string, NpyArray>>, line: string])[] = [
    ["no x", { y: labels(1, 2), z: X }, "the input file must hold `x`. Received y, z."],
    [
      "a class number that is too large",
      { x: X, y: labels(1, 3) },
      "SparseCategoricalCrossentropy: `yTrue` must be made of whole numbers from 0 to 2. Received 3 at [1].",
    ],
    [
      "a class number below 0",
      { x: X, y: labels(-1, 2) },
      "SparseCategoricalCrossentropy: `yTrue` must be made of whole numbers from 0 to 2. Received -1 at [0].",
    ],
    [
      "a class number that is not a number",
      { x: X, y: { dtype: "float32", shape: [2], data: Float32Array.of(1, Number.NaN) } },
      "SparseCategoricalCrossentropy: `yTrue` must be made of whole numbers from 0 to 2. Received NaN at [1].",
    ],
    [
      "NaN in one-hot targets",
      { x: X, y: nan },
      "CategoricalCrossentropy: `yTrue` must be made of finite numbers. Received NaN at [1, 1].",
    ],
    [
      "class numbers for fewer samples",
      { x: X, y: labels(1) },
      "SparseCategoricalCrossentropy: `yTrue` must have shape [2] for predictions of shape [2, 3]. " +
        "Received yTrue.shape=[1].",
    ],
    [
      "one-hot targets of another width",
      { x: X, y: counting([2, 4]) },
      "CategoricalCrossentropy: `yTrue` must have the shape of `yPred`, [2, 3]. Received yTrue.shape=[2, 4].",
    ],
    [
      "cotangents of another shape",
      { x: X, dy: counting([3, 2]) },
      "trace: `cotangents` must have the shape [2, 3] of the output. Received [3, 2].",
    ],
    [
      "both targets and cotangents",
      { x: X, y: labels(1, 2), dy: counting([2, 3]) },
      "the input file must hold either targets `y` or cotangents `dy`. Received both.",
    ],
  ];
  for (const [what, arrays, line] of refused) {
    it(`refuses ${what}`, async (test) => {
      const workspace = prepared(test);
      workspace.putArrays("in.npz", arrays);
      workspace.put("trace.npz", "from before");
      await workspace.refuse(["trace", "m.keras", "--input", "in.npz", "--out", "trace.npz"], line);
    });
  }

  it("refuses a loss without targets, and targets for some of the outputs", async (test) => {
    const workspace = preparedPair(test);
    workspace.putArrays("in.npz", PAIR);
    const args = ["trace", "m.keras", "--input", "in.npz", "--out", "trace.npz"];
    await workspace.refuse(
      [...args, "--loss", "mean_squared_error"],
      "--loss must go with targets `y` in the input file. Received mean_squared_error and x/a, x/b.",
    );
    workspace.putArrays("in.npz", { ...PAIR, "y/value": counting([2, 1]) });
    await workspace.refuse(
      args,
      "the input file must have one array for each of y/label, y/value. Received x/a, x/b, y/value.",
    );
  });
});
