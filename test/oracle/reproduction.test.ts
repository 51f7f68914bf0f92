import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FLOAT32 } from "../../src/oracle/arithmetic-model.js";
import { fromPlain } from "../../src/oracle/conformance/plain-numbers.js";
import type { Reproduction } from "../../src/oracle/conformance/reproduction.js";
import { judgeTensor } from "../../src/oracle/judgement.js";
import { mapped, mirrored } from "../../src/oracle/mutations/mutant.js";
import type { Operands } from "../../src/oracle/operation.js";
import { operationNamed } from "../../src/oracle/operations/table.js";
import { judgeCommandLine, minimalReproduction } from "../../src/oracle/reproduction.js";
import type { KerasConfig } from "../../src/serialization/config.js";
import { sizeOf, type Shape } from "../../src/tensor/shape.js";
import { type Tensor, tensor } from "../../src/tensor/tensor.js";
import { randomStream } from "../../src/arithmetic/random.js";

function random(shape: Shape, name: string): Tensor {
  return tensor(randomStream(5, name).fillUniform(new Float32Array(sizeOf(shape))), shape);
}

/** The shapes of the operands. */
function shapes({ operands }: Reproduction): Readonly<Record<string, Shape>> {
  return Object.fromEntries(Object.entries(operands).map(([name, { shape }]) => [name, shape]));
}

/** That the reproduction, judged by itself, is wrong. */
function assertWrong({ operation, args, operands, output, received }: Reproduction): void {
  assert.ok(output !== undefined && received !== undefined);
  const read = ({ shape, values }: typeof received): Tensor => tensor(Float32Array.from(values, fromPlain), shape);
  const given = Object.fromEntries(Object.entries(operands).map(([name, x]) => [name, read(x)]));
  const expectation = operationNamed(operation).expect(given, args, FLOAT32)[output];
  assert.equal(judgeTensor(read(received), expectation).holds, false);
}

/** What remains of a case where one element of the first result is wrong. */
function ofOneElement(name: string, operands: Operands, args: KerasConfig, at: readonly number[]): Reproduction {
  const operation = operationNamed(name);
  const output = operation.outputs[0];
  const right = operation.run(operands, args)[output];
  const wrong = mapped(right, (value, position) => (position.join() === at.join() ? value + 1 : value));
  const found = minimalReproduction({ operation, operands, args }, { [output]: wrong }, FLOAT32);
  assert.ok(found !== undefined);
  assertWrong(found);
  return found;
}

const x = random([2, 7, 9, 3], "x");
const image = { x, kernel: random([3, 2, 3, 5], "kernel"), bias: random([5], "bias") };

describe("minimalReproduction, of results alone", () => {
  it("is the patch of the worst element of a convolution, with its padding, and one filter", () => {
    const found = ofOneElement("conv2d", image, { strides: [2, 1], padding: "same" }, [1, 0, 8, 4]);
    assert.deepEqual(shapes(found), { x: [1, 3, 2, 3], kernel: [3, 2, 3, 1], bias: [1] });
    assert.deepEqual(found.args, { padding: "valid" });
    // the row above the image, and the column behind it
    const { values } = found.operands["x"];
    assert.deepEqual(values.slice(0, 6), [0, 0, 0, 0, 0, 0]);
    assert.deepEqual(values.slice(9, 12), [0, 0, 0]);
    assert.equal(found.received?.values.length, 1);
  });

  it("keeps dilation, and groups", () => {
    const dilated = ofOneElement("conv2d", image, { dilationRate: 2, padding: "valid" }, [0, 1, 2, 3]);
    assert.deepEqual(shapes(dilated), { x: [1, 5, 3, 3], kernel: [3, 2, 3, 1], bias: [1] });
    const grouped = { x: random([2, 4, 5, 4], "x"), kernel: random([1, 1, 2, 6], "kernel") };
    assert.deepEqual(shapes(ofOneElement("conv2d", grouped, { groups: 2 }, [1, 2, 3, 4])), {
      x: [1, 4, 5, 4],
      kernel: [1, 1, 2, 6],
    });
  });

  for (const [name, operands, args, at, expected] of [
    ["dense", { x: random([4, 6], "x"), kernel: random([6, 3], "k") }, {}, [2, 1], { x: [1, 6], kernel: [6, 1] }],
    [
      "dense-backward",
      { x: random([4, 6], "x"), kernel: random([6, 3], "k"), dy: random([4, 3], "dy") },
      {},
      [2, 5],
      { x: [1, 1], kernel: [1, 3], dy: [1, 3] },
    ],
    ["max-pooling2d", { x }, { poolSize: 2 }, [1, 2, 3, 1], { x: [1, 7, 9, 1] }],
    ["global-average-pooling2d", { x }, {}, [1, 2], { x: [1, 7, 9, 1] }],
    ["relu", { x }, {}, [1, 2, 3, 1], { x: [1, 1, 1, 1] }],
    ["softmax", { x: random([4, 6], "x") }, { axis: -1 }, [3, 2], { x: [1, 6] }],
    ["add", { x0: x, x1: random(x.shape, "x1") }, {}, [1, 2, 3, 1], { x0: [1, 1, 1, 1], x1: [1, 1, 1, 1] }],
    [
      "depthwise-conv2d",
      { x, kernel: random([3, 3, 3, 2], "k") },
      {},
      [1, 2, 3, 1],
      { x: [1, 3, 3, 3], kernel: [3, 3, 3, 2] },
    ],
    [
      "batch-normalization-training",
      { x, movingMean: random([3], "m"), movingVariance: random([3], "v") },
      { epsilon: 1e-3, momentum: 0.9 },
      [1, 2, 3, 1],
      { x: [2, 7, 9, 1], movingMean: [1], movingVariance: [1] },
    ],
    [
      "batch-normalization",
      { x, movingMean: random([3], "m"), movingVariance: random([3], "v") },
      { epsilon: 1e-3 },
      [1, 2, 3, 1],
      { x: [1, 1, 1, 1], movingMean: [1], movingVariance: [1] },
    ],
    ["flatten", { x }, {}, [1, 5], { x: x.shape }],
  ] as const) {
    it(`is cut to what an element of ${name} is made of`, () => {
      assert.deepEqual(shapes(ofOneElement(name, operands, args, at)), expected);
    });
  }

  it("is nothing where nothing is wrong", () => {
    const operation = operationNamed("conv2d");
    const given = { operation, operands: image, args: {} };
    assert.equal(minimalReproduction(given, operation.run(image, {}), FLOAT32), undefined);
  });
});

describe("minimalReproduction, of a candidate that can be asked", () => {
  const shrunk = (
    name: string,
    operands: Operands,
    args: KerasConfig,
    mistake: (of: Operands) => Operands,
  ): Reproduction => {
    const operation = operationNamed(name);
    const candidate = (of: Operands, given: KerasConfig): Operands => operation.run(mistake(of), given);
    const found = minimalReproduction({ operation, operands, args }, candidate, FLOAT32);
    assert.ok(found !== undefined);
    assertWrong(found);
    return found;
  };
  const flipped = (of: Operands): Operands => ({ ...of, kernel: mirrored(of["kernel"], 0, 1) });

  it("has the smallest shapes and the simplest numbers", () => {
    const found = shrunk("conv2d", image, {}, flipped);
    // two taps are the fewest that can be flipped
    const { x: pixels, kernel } = shapes(found);
    assert.deepEqual([sizeOf(pixels), sizeOf(kernel), Object.keys(found.operands)], [2, 2, ["x", "kernel"]]);
    for (const { values } of Object.values(found.operands))
      assert.ok(values.every((value) => value === 0 || value === 1));
  });

  it("cuts dy to the smaller result", () => {
    const dy = random([2, 7, 9, 5], "dy");
    const { bias: _bias, ...others } = image;
    const found = shrunk("conv2d-backward", { ...others, dy }, { padding: "same" }, flipped);
    assert.ok(sizeOf(shapes(found)["dy"]) <= 2, JSON.stringify(shapes(found)));
  });

  it("keeps rows of images and channels in step", () => {
    const operands = { x, gamma: random([3], "g"), movingMean: random([3], "m"), movingVariance: random([3], "v") };
    const found = shrunk("batch-normalization", operands, { epsilon: 1e-3 }, ({ gamma: _gamma, ...of }) => of);
    assert.deepEqual(shapes(found), { x: [1, 1, 1, 1], gamma: [1], movingMean: [1], movingVariance: [1] });
  });
});

describe("judgeCommandLine", () => {
  it("says Keras's arguments as the command line takes them", () => {
    const found = ofOneElement("conv2d", image, { dilationRate: [2, 1], padding: "valid" }, [0, 1, 2, 3]);
    assert.equal(
      judgeCommandLine(found, "case.npz"),
      "npx touchstone judge conv2d --input case.npz --candidate case.npz --dilation-rate 2,1 --padding valid",
    );
    assert.equal(
      judgeCommandLine({ operation: "adam-step", args: { beta1: 0.5, amsgrad: true }, operands: {} }, "a.npz"),
      "npx touchstone judge adam-step --input a.npz --candidate a.npz --beta1 0.5 --amsgrad true",
    );
    const padding = [
      [1, 2],
      [0, 3],
    ];
    assert.equal(
      judgeCommandLine({ operation: "zero-padding2d", args: { padding }, operands: {} }, "a.npz"),
      "npx touchstone judge zero-padding2d --input a.npz --candidate a.npz --padding '[[1,2],[0,3]]'",
    );
  });
});
