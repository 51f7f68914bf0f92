/**
 * Expectations of sums, by hand: what the bound is made of, and where it is 0, Infinity, or open.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  type ArithmeticModel,
  BFLOAT16_INPUTS,
  FLOAT16_STORAGE,
  FLOAT32,
  U_BFLOAT16,
  U_FLOAT32,
  withFlush,
} from "../../src/oracle/arithmetic-model.js";
import { type Expectation, gamma } from "../../src/oracle/expectation.js";
import { type Judgement, judgeTensor } from "../../src/oracle/judgement.js";
import type { Operands } from "../../src/oracle/operation.js";
import { OPERATIONS, operationNamed } from "../../src/oracle/operations/table.js";
import type { KerasConfig } from "../../src/serialization/config.js";
import { formatShape, type Shape } from "../../src/tensor/shape.js";
import { tensorOf } from "../../src/tensor/tensor.js";
import { anyTensors, distinctShapes } from "../support/tensors.js";

const of = (values: readonly number[], shape: Shape = [values.length]) => tensorOf(values, shape);

function expected(name: string, operands: Operands, args: KerasConfig = {}, model: ArithmeticModel = FLOAT32) {
  return operationNamed(name).expect(operands, args, model);
}

function judge(values: readonly number[], expectation: Expectation): Judgement {
  return judgeTensor(tensorOf(values, expectation.shape), expectation);
}

/** The float64 errors of truth and bound, of few terms, are far below this. */
const FLOAT64_ROUNDINGS = 1e-7;

function assertClose(actual: number, wanted: number): void {
  assert.ok(Math.abs(actual - wanted) <= FLOAT64_ROUNDINGS * wanted, `${actual} is not ${wanted}`);
}

describe("The bound of a sum of products", () => {
  const x = of([3, -1], [1, 2]);
  const kernel = of([2, 5], [2, 1]);
  const bias = of([-1]);

  it("is gamma of the number of terms, times the sum of their magnitudes", () => {
    const { truth, bound } = expected("dense", { x, kernel, bias })["y"];
    assert.deepEqual([...truth], [0]);
    assertClose(bound[0], gamma(3, U_FLOAT32) * (6 + 5 + 1));
    assertClose(expected("dense", { x, kernel })["y"].bound[0], gamma(2, U_FLOAT32) * 11);
  });

  it("allows both factors to be rounded, where the model does", () => {
    const { bound } = expected("dense", { x, kernel }, {}, BFLOAT16_INPUTS)["y"];
    const inputs = (2 + U_BFLOAT16) * U_BFLOAT16 * 11;
    assertClose(bound[0], inputs + gamma(2, U_FLOAT32) * (11 + inputs));
  });

  it("allows the result to be rounded where it is stored, and to overflow there", () => {
    const plain = expected("dense", { x, kernel, bias: of([99]) }, {}, FLOAT16_STORAGE)["y"].bound[0];
    assert.ok(plain > 100 * 2 ** -11 && plain < 3 * 110 * 2 ** -11);
    const large = { x: of([300], [1, 1]), kernel: of([300], [1, 1]) };
    assert.equal(expected("dense", large, {}, FLOAT16_STORAGE)["y"].bound[0], Number.POSITIVE_INFINITY);
    const beyond = { x: of([1e5], [1, 1]), kernel: of([1e-3], [1, 1]) };
    assert.equal(expected("dense", beyond, {}, FLOAT16_STORAGE)["y"].bound[0], Number.POSITIVE_INFINITY);
  });

  it("is 0 where every term is 0, in every model", () => {
    for (const model of [FLOAT32, BFLOAT16_INPUTS, FLOAT16_STORAGE, withFlush(FLOAT32)]) {
      const { bound } = expected("dense", { x: of([0, 7], [1, 2]), kernel: of([5, 0], [2, 1]) }, {}, model)["y"];
      assert.equal(bound[0], 0);
    }
  });

  it("is Infinity where a partial sum may overflow, though the sum does not", () => {
    const y = expected("dense", { x: of([2e38, 2e38, -2e38], [1, 3]), kernel: of([1, 1, 1], [3, 1]) })["y"];
    assert.equal(y.bound[0], Number.POSITIVE_INFINITY);
    assert.ok(judge([Number.POSITIVE_INFINITY], y).holds && judge([Number.NaN], y).holds && judge([2e38], y).holds);
  });

  it("asks for NaN and infinities where the truth has them", () => {
    const y = expected("dense", { x: of([Number.POSITIVE_INFINITY, 1], [2, 1]), kernel: of([1, 0], [1, 2]) })["y"];
    assert.ok(judge([Number.POSITIVE_INFINITY, Number.NaN, 1, 0], y).holds);
    assert.deepEqual(judge([Number.POSITIVE_INFINITY, 0, 1, 0], y).broken, ["special"]);
    const wrong = judge([Number.NEGATIVE_INFINITY, Number.NaN, 1, 0], y);
    assert.deepEqual([wrong.broken, wrong.effectiveBits], [["special"], 0]);
  });

  it("lets subnormals be flushed only where the model does, as inputs, products and results", () => {
    const cases = [
      [2 ** -130, 8], // an input
      [2 ** -100, 2 ** -40], // a product
      [2 ** -126, 0.5], // a result
    ];
    for (const [a, b] of cases) {
      const operands = { x: of([a], [1, 1]), kernel: of([b], [1, 1]) };
      assert.ok(judge([0], expected("dense", operands, {}, withFlush(FLOAT32))["y"]).holds, `${a} ${b}`);
      assert.deepEqual(judge([0], expected("dense", operands)["y"]).broken, ["bound"], `${a} ${b}`);
      assert.ok(judge([Math.fround(a * b)], expected("dense", operands)["y"]).holds, `${a} ${b}`);
    }
  });
});

describe("A kernel that is not finite", () => {
  const x = of([1, 2, 3], [1, 1, 3, 1]);
  const kernel = of([Number.POSITIVE_INFINITY, 1, 1], [1, 3, 1, 1]);

  it("leaves open what the border makes of it, and nothing else", () => {
    const y = expected("conv2d", { x, kernel }, { padding: "same" })["y"];
    const inf = Number.POSITIVE_INFINITY;
    assert.ok(judge([Number.NaN, inf, inf], y).holds, "zeros are multiplied");
    assert.ok(judge([3, inf, inf], y).holds, "zeros are left out");
    assert.ok(!judge([3, 6, inf], y).holds, "an infinity inside the image");
  });

  it("leaves open the gradient for inputs that not every tap saw", () => {
    const dx = expected("conv2d-backward", { x, kernel, dy: of([1], [1, 1, 1, 1]) })["dx"];
    assert.deepEqual([...dx.bound].map(Number.isFinite), [false, false, false]);
    const finite = expected("conv2d-backward", { x, kernel: of([1, 1, 1], [1, 3, 1, 1]), dy: of([1], [1, 1, 1, 1]) });
    assert.ok(judge([1, 1, 1], finite["dx"]).holds);
  });
});

describe("What is not rounded", () => {
  const exact: Readonly<Record<string, [operands: Operands, args: KerasConfig, result: string]>> = {
    "zero-padding2d": [{ x: of([1, 0.1], [1, 1, 2, 1]) }, { padding: [1, 2] }, "y"],
    "zero-padding2d-backward": [
      { x: of([1], [1, 1, 1, 1]), dy: of([1, 2, 0.1], [1, 1, 3, 1]) },
      { padding: [0, 1] },
      "dx",
    ],
    flatten: [{ x: of([1, 0.1], [1, 1, 2, 1]) }, {}, "y"],
    "flatten-backward": [{ x: of([1, 0.1], [1, 2, 1]), dy: of([1, 0.1], [1, 2]) }, {}, "dx"],
    reshape: [{ x: of([1, 0.1], [1, 2]) }, { targetShape: [2, -1] }, "y"],
    "reshape-backward": [{ x: of([1, 0.1], [1, 2]), dy: of([1, 0.1], [1, 2, 1]) }, { targetShape: [2, 1] }, "dx"],
    concatenate: [{ x0: of([1, 2], [2, 1]), x1: of([3, 0.1], [2, 1]) }, {}, "y"],
    "concatenate-backward": [
      { x0: of([1, 2], [2, 1]), x1: of([3, 4], [2, 1]), dy: of([1, 2, 3, 0.1], [2, 2]) },
      {},
      "dx1",
    ],
    "max-pooling2d": [{ x: of([1, 0.1, -0, 3], [1, 2, 2, 1]) }, {}, "y"],
    "global-max-pooling2d": [{ x: of([-0, -1], [1, 1, 2, 1]) }, { keepdims: true }, "y"],
    "add-backward": [{ x0: of([1, 2]), x1: of([3, 4]), dy: of([0.1, 2]) }, {}, "dx1"],
  };
  for (const [name, [operands, args, result]] of Object.entries(exact)) {
    it(`${name}: a bound of 0, for -0 and 0 alike, and a last bit is seen`, () => {
      const run = operationNamed(name).run(operands, args)[result];
      const expectation = expected(name, operands, args)[result];
      assert.equal(formatShape(run.shape), formatShape(expectation.shape));
      assert.ok(expectation.bound.every((value) => value === 0));
      const values = [...run.data];
      assert.ok(judge(values, expectation).holds);
      assert.ok(
        judge(
          values.map((value) => (value === 0 ? -value : value)),
          expectation,
        ).holds,
      );
      const off = values.map((value, i) =>
        i === values.length - 1 ? value + (value === 0 ? 1e-45 : value * 2 ** -23) : value,
      );
      assert.deepEqual(judge(off, expectation).broken, ["bound"]);
    });
  }

  it("is rounded once where results are stored narrower", () => {
    const y = expected("flatten", { x: of([0.1], [1, 1]) }, {}, FLOAT16_STORAGE)["y"];
    assert.ok(judge([0.0999755859375], y).holds);
    assert.ok(!judge([0.0997], y).holds);
  });
});

describe("Maxima", () => {
  it("max-pooling2d-backward: tied elements may have anything from 0 to dy, others what is theirs", () => {
    const x = of([5, 5, 1, 5, 2, 9], [1, 2, 3, 1]);
    const dx = expected("max-pooling2d-backward", { x, dy: of([4, -6], [1, 1, 2, 1]) }, { poolSize: 2, strides: 1 })[
      "dx"
    ];
    // windows: {5, 5, 5, 2} with dy 4, {5, 1, 2, 9} with dy -6
    assert.deepEqual([...dx.truth], [4, 0, 0, 0, 0, -6]);
    for (const honest of [
      [4, 0, 0, 0, 0, -6],
      [0, 0, 0, 4, 0, -6],
      [Math.fround(4 / 3), Math.fround(4 / 3), 0, Math.fround(4 / 3), 0, -6],
    ]) {
      assert.ok(judge(honest, dx).holds, String(honest));
    }
    assert.ok(!judge([4, 0, 0, 0, 4, -6], dx).holds, "an element that is not the largest");
    assert.ok(!judge([5, 0, 0, 0, 0, -6], dx).holds, "more than dy");
    assert.ok(!judge([4, 0, 0, 0, 0, 0], dx).holds, "nothing for the only maximum");
  });

  it("max-pooling2d-backward, global-max-pooling2d-backward: a gradient that no tied element gets is lost", () => {
    const isRight = (name: string, operands: Operands, args: KerasConfig, dx: readonly number[]): boolean => {
      const { shape } = operands["x"];
      return judgeTensor(of(dx, shape), operationNamed(name).expect(operands, args, FLOAT32)["dx"]).holds;
    };
    for (const sign of [1, -1]) {
      const signed = (...values: readonly number[]): readonly number[] => values.map((value) => value * sign);
      const zeros = of([0, 0, 0, 0], [1, 2, 2, 1]);
      for (const [name, shape] of [
        ["max-pooling2d-backward", [1, 1, 1, 1]],
        ["global-max-pooling2d-backward", [1, 1]],
      ] as const) {
        const operands = { x: zeros, dy: of(signed(3), shape) };
        for (const dx of [
          [3, 0, 0, 0],
          [0, 0, 0, 3],
          [0.75, 0.75, 0.75, 0.75],
          [3, 3, 3, 3],
        ]) {
          assert.ok(isRight(name, operands, {}, signed(...dx)), `${name}: ${dx.join()}`);
        }
        for (const dx of [
          [0, 0, 0, 0],
          [2.99, 0, 0, 0],
          [0.75, 0.75, 0.75, 0],
        ]) {
          assert.ok(!isRight(name, operands, {}, signed(...dx)), `${name}: ${dx.join()}`);
        }
      }
      // windows that overlap: each has its share, whatever the others give
      const row = { x: of([0, 0, 0], [1, 1, 3, 1]), dy: of(signed(3, 5), [1, 1, 2, 1]) };
      const args = { poolSize: [1, 2], strides: 1 };
      for (const dx of [
        [3, 5, 0],
        [0, 8, 0],
        [0, 3, 5],
        [1.5, 4, 2.5],
      ]) {
        assert.ok(isRight("max-pooling2d-backward", row, args, signed(...dx)), dx.join());
      }
      for (const dx of [
        [0, 0, 0],
        [3, 0, 4],
        [0, 2, 5],
      ]) {
        assert.ok(!isRight("max-pooling2d-backward", row, args, signed(...dx)), dx.join());
      }
    }
  });

  it("max-pooling2d-backward, global-max-pooling2d-backward: equal in the format of storage is equal", () => {
    const dy = [3];
    for (const [name, shape] of [
      ["max-pooling2d-backward", [1, 1, 1, 1]],
      ["global-max-pooling2d-backward", [1, 1]],
    ] as const) {
      const judge = (x: readonly number[], model: ArithmeticModel): boolean => {
        const operands = { x: of(x, [1, 2, 2, 1]), dy: of(dy, shape) };
        return judgeTensor(of([3, 0, 0, 0], [1, 2, 2, 1]), operationNamed(name).expect(operands, {}, model)["dx"])
          .holds;
      };
      const near = [1.0001, 1.0002, 0.5, -1];
      assert.deepEqual([judge(near, FLOAT16_STORAGE), judge(near, FLOAT32)], [true, false], name);
      const beyond = [70000, 80000, 0.5, -80000]; // infinite, and so is what is greater
      assert.deepEqual([judge(beyond, FLOAT16_STORAGE), judge(beyond, FLOAT32)], [true, false], name);
      assert.ok(!judge([1, 1.01, 0.5, -1], FLOAT16_STORAGE), name);
    }
  });

  it("global-max-pooling2d-backward: to the first, or shared", () => {
    const dx = expected("global-max-pooling2d-backward", { x: of([7, 1, 7], [1, 1, 3, 1]), dy: of([-3], [1, 1]) })[
      "dx"
    ];
    assert.ok(judge([-3, 0, 0], dx).holds && judge([-1.5, 0, -1.5], dx).holds);
    assert.ok(!judge([-1.5, -1.5, 0], dx).holds && !judge([1, 0, 0], dx).holds);
  });

  it("leave open what NaN does to its window", () => {
    const x = of([Number.NaN, 1, 2, 3], [1, 1, 4, 1]);
    const args = { poolSize: [1, 2] };
    const y = expected("max-pooling2d", { x }, args)["y"];
    assert.ok(judge([Number.NaN, 3], y).holds && judge([1, 3], y).holds && !judge([1, 2], y).holds);
    const dx = expected("max-pooling2d-backward", { x, dy: of([1, 1], [1, 1, 2, 1]) }, args)["dx"];
    assert.ok(judge([0, 1, 0, 1], dx).holds && judge([1, 0, 0, 1], dx).holds && !judge([1, 0, 1, 0], dx).holds);
  });
});

describe("Means", () => {
  it("may divide, or multiply by the reciprocal, and overflow before they do", () => {
    const y = expected("average-pooling2d", { x: of([1, 2, 4, 0.1, 0, 0], [1, 1, 6, 1]) }, { poolSize: [1, 3] })["y"];
    for (const divide of [(sum: number) => sum / 3, (sum: number) => sum * Math.fround(1 / 3)]) {
      assert.ok(
        judge(
          [7, Math.fround(0.1)].map((sum) => Math.fround(divide(sum))),
          y,
        ).holds,
      );
    }
    assertClose(y.bound[0], gamma(4, U_FLOAT32) * (7 / 3));
    const large = expected("global-average-pooling2d", { x: of([3e38, 3e38], [1, 1, 2, 1]) })["y"];
    assert.equal(large.truth[0] < 3.1e38, true);
    assert.ok(judge([Number.POSITIVE_INFINITY], large).holds);
  });

  it("divide by what is under the window, not by its size", () => {
    const y = expected("average-pooling2d", { x: of([1, 2, 3], [1, 1, 3, 1]) }, { poolSize: [1, 2], padding: "same" })[
      "y"
    ];
    assert.ok(judge([1.5, 3], y).holds && !judge([1.5, 1.5], y).holds);
  });
});

describe("The table of operations", () => {
  it("names what it has not", () => {
    assert.throws(() => operationNamed("conv3d"), {
      name: "RangeError",
      message: /^operationNamed: `name` must be one of conv2d, conv2d-backward, .*\. Received "conv3d"\.$/,
    });
  });

  it("has a backward pass for every operation on x, with a gradient for every x", () => {
    for (const { name, inputs, optional, outputs } of OPERATIONS.values()) {
      if (!outputs.includes("y")) continue;
      const backward = operationNamed(`${name}-backward`);
      assert.ok(backward.inputs.includes("dy"), name);
      for (const input of [...inputs, ...optional].filter((input) => input.startsWith("x"))) {
        assert.ok(backward.outputs.includes(`d${input}`), `${name}: ${input}`);
      }
    }
  });

  it("refuses operands that are missing, and a gradient of another shape", () => {
    assert.throws(() => operationNamed("conv2d").run({ x: of([1], [1, 1, 1, 1]) }, {}), {
      name: "TypeError",
      message: "conv2d: `kernel` must be given. Received x.",
    });
    assert.throws(() => operationNamed("add").run({}, {}), {
      name: "TypeError",
      message: "add: `x0` must be given. Received none.",
    });
    assert.throws(() => expected("flatten-backward", { x: of([1, 2], [1, 1, 2]), dy: of([1, 2], [2, 1]) }), {
      name: "RangeError",
      message: "flatten-backward: `dy` must have the shape [1, 2] of the result. Received dy.shape=[2, 1].",
    });
  });

  it("reads arguments by their Keras names, and says which one is wrong", () => {
    const operands = { x: of([1], [1, 1, 1, 1]), kernel: of([1], [1, 1, 1, 1]) };
    assert.throws(() => expected("conv2d", operands, { padding: "full" }), {
      name: "TypeError",
      message: 'conv2d: `padding` must be one of "same", "valid". Received "full".',
    });
  });

  it("gives the reference's own results, which hold every expectation, for any numbers", () => {
    fc.assert(
      fc.property(
        distinctShapes(4).chain((shape) =>
          fc.tuple(anyTensors(shape, { noNaN: false }), anyTensors([1, 2, shape[3], 2], { noNaN: false })),
        ),
        ([x, kernel]) => {
          const args = { padding: "same", strides: 2 };
          const forward = operationNamed("conv2d").run({ x, kernel }, args);
          assert.ok(judgeTensor(forward["y"], expected("conv2d", { x, kernel }, args)["y"]).holds);
          const backward = { x, kernel, dy: forward["y"] };
          const gradients = operationNamed("conv2d-backward").run(backward, args);
          for (const [name, expectation] of Object.entries(expected("conv2d-backward", backward, args))) {
            const judgement = judgeTensor(gradients[name], expectation);
            assert.ok(judgement.holds, `${name}: ${JSON.stringify(judgement)}`);
          }
        },
      ),
    );
  });
});
