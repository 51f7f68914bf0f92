import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { exp } from "../../../src/arithmetic/exp.js";
import { log } from "../../../src/arithmetic/log.js";
import { tanh } from "../../../src/arithmetic/tanh.js";
import {
  BFLOAT16_INPUTS,
  FLOAT16_INPUTS,
  FLOAT16_STORAGE,
  FLOAT32,
  withFlush,
} from "../../../src/oracle/arithmetic-model.js";
import { nonlinearOperations } from "../../../src/oracle/operations/nonlinear.js";
import { tensor, type Tensor, tensorOf } from "../../../src/tensor/tensor.js";
import { assertCaught, assertHonest, judged } from "../../support/oracle.js";
import { bfloat16, dataOf, type Order, ORDERS, orders, raws } from "../../support/regimes.js";

const { fround: f } = Math;
const RUNS = { numRuns: 400, includeErrorInReport: true };
const CLASSES = 5;
const ROWS = 4;

/** exp and log of a good float32 library: within one unit of the truth. */
const expf = (x: number): number => f(f(exp(x)) * (1 + 2 ** -24));
const logf = (x: number): number => f(log(x) * (1 - 2 ** -24));
const tanhf = (x: number): number => f(f(tanh(x)) * (1 - 2 ** -24));

const pairs = fc.record({ x: raws(ROWS * CLASSES), dy: raws(ROWS * CLASSES) }).map((raw) => ({
  x: tensor(dataOf(raw.x, CLASSES), [ROWS, CLASSES]),
  dy: tensor(dataOf(raw.dy, CLASSES), [ROWS, CLASSES]),
}));
const byElement = (x: Tensor, map: (value: number, i: number) => number): Tensor =>
  tensorOf(Array.from(x.data, map), x.shape);

const INFINITY = Number.POSITIVE_INFINITY;

describe("expectations of ReLU", () => {
  const kinds = {
    relu: [{}, (v: number): number => (v > 0 ? v : 0)],
    relu6: [{}, (v: number): number => Math.min(6, Math.max(v, 0))],
    "leaky-relu": [{ negativeSlope: 0.1 }, (v: number): number => (v > 0 ? v : f(v * f(0.1)))],
  } as const;
  for (const [name, [args, rectify]] of Object.entries(kinds)) {
    it(`hold for honest float32 of ${name}`, () => {
      fc.assert(
        fc.property(pairs, ({ x }) => {
          assertHonest(name, { x }, args, { y: byElement(x, rectify) });
          const rounded = byElement(x, (v) => rectify(bfloat16(v)));
          assertHonest(name, { x }, args, { y: rounded }, BFLOAT16_INPUTS);
          const flushed = byElement(x, (v) => (Math.abs(rectify(v)) < 2 ** -126 ? 0 : rectify(v)));
          assertHonest(name, { x }, args, { y: flushed }, withFlush(FLOAT32));
          assertHonest(name, { x }, args, { y: flushed }, withFlush(FLOAT16_STORAGE));
        }),
        RUNS,
      );
    });
  }

  it("are exact where there is nothing to round", () => {
    const x = tensorOf([1.1, -2, 7, 0], [4]);
    for (const name of ["relu", "relu6"]) {
      const operation = nonlinearOperations.find((known) => known.name === name);
      assert.deepEqual(Array.from(operation?.expect({ x }, {}, FLOAT32)["y"].bound ?? []), [0, 0, 0, 0]);
    }
    assertCaught("y", "relu", { x }, {}, { y: tensorOf([1.1000001, 0, 7, 0], [4]) });
    assertHonest("relu", { x }, {}, { y: tensorOf([1.1, -0, 7, -0], [4]) });
  });

  it("let the gradient be any of both sides at a kink, and nothing else", () => {
    const x = tensorOf([0, 6, 1, -1], [4]);
    const dy = tensorOf([5, 5, 5, 5], [4]);
    for (const dx of [
      [0, 0, 5, 0],
      [5, 5, 5, 0],
      [2.5, 0, 5, 0],
    ]) {
      assertHonest("relu6-backward", { x, dy }, {}, { dx: tensorOf(dx, [4]) });
    }
    for (const dx of [
      [6, 5, 5, 0],
      [0, 0, 0, 0],
      [0, 0, 5, 5],
      [-1, 0, 5, 0],
    ]) {
      assertCaught("dx", "relu6-backward", { x, dy }, {}, { dx: tensorOf(dx, [4]) });
    }
    assertHonest("leaky-relu-backward", { x, dy }, { negativeSlope: 0.5 }, { dx: tensorOf([2.5, 5, 5, 2.5], [4]) });
  });

  it("have infinities where inputs have them, and no other value", () => {
    const x = tensorOf([INFINITY, -INFINITY, 1], [3]);
    const dy = tensorOf([1, 1, -INFINITY], [3]);
    const leaky = { negativeSlope: 0.25 };
    for (const [name, args, right, wrongs] of [
      ["relu", {}, [INFINITY, 0, 1], [0, 7, Number.NaN, -INFINITY]],
      ["leaky-relu", leaky, [INFINITY, -INFINITY, 1], [0, 7, Number.NaN]],
    ] as const) {
      assertHonest(name, { x }, args, { y: tensorOf([...right], [3]) });
      for (const wrong of wrongs) {
        for (const at of right.keys()) {
          if (Math.abs(right[at]) < INFINITY) continue;
          assertCaught("y", name, { x }, args, { y: tensorOf(right.with(at, wrong), [3]) });
        }
      }
    }
    const given = { x: tensorOf([1, 2, 3], [3]), dy };
    for (const name of ["relu-backward", "leaky-relu-backward"]) {
      assertHonest(name, given, {}, { dx: dy });
      assertCaught("dx", name, given, {}, { dx: tensorOf([1, 1, 0], [3]) });
    }
    const endless = { x: tensorOf([INFINITY, 1, 1], [3]), dy: tensorOf([2, 2, 2], [3]) };
    assertHonest("relu-backward", endless, {}, { dx: endless.dy });
    assertCaught("dx", "relu-backward", endless, {}, { dx: tensorOf([3, 2, 2], [3]) });
    const below = { x: tensorOf([-1, -2, -3], [3]), dy };
    const scaled = tensorOf([0.25, 0.25, -INFINITY], [3]);
    assertHonest("leaky-relu-backward", below, leaky, { dx: scaled });
    assertCaught("dx", "leaky-relu-backward", below, leaky, { dx: tensorOf([0.25, 0.25, -3], [3]) });
    // a slope of 0 is multiplied in some libraries, and 0 times infinity is NaN
    for (const value of [0, Number.NaN]) {
      assertHonest("relu-backward", below, {}, { dx: tensorOf([0, 0, value], [3]) });
    }
  });

  it("have x on either side of a threshold or maximum that is no float32 number, if it is their float32 number", () => {
    const ends = fc.double({ min: 2 ** -20, max: 2 ** 20, noNaN: true }).filter((end) => f(end) !== end);
    const dy = tensorOf([3, 3], [2]);
    const ulp = 2 ** -23;
    fc.assert(
      fc.property(ends, fc.constantFrom(0, 0.25), (end, negativeSlope) => {
        // what a float32 kernel compares with, and the same number as its input; and one that is clearly above
        const [own, above] = [f(end), f(end * (1 + 4 * ulp))];
        const x = tensorOf([own, above], [2]);
        const below = f(f(negativeSlope) * f(own - own));
        const atThreshold = { threshold: end, negativeSlope };
        assertHonest("relu", { x }, atThreshold, { y: tensorOf([below, above], [2]) });
        assertCaught("y", "relu", { x }, atThreshold, { y: tensorOf([below, below], [2]) });
        assertHonest("relu-backward", { x, dy }, atThreshold, { dx: tensorOf([3 * negativeSlope, 3], [2]) });
        assertCaught("dx", "relu-backward", { x, dy }, atThreshold, { dx: tensorOf([3, 3 * negativeSlope], [2]) });
        const atMax = { maxValue: end, negativeSlope };
        assertHonest("relu", { x }, atMax, { y: tensorOf([own, own], [2]) });
        for (const slope of [0, 1]) {
          assertHonest("relu-backward", { x, dy }, atMax, { dx: tensorOf([3 * slope, 0], [2]) });
        }
        assertCaught("dx", "relu-backward", { x, dy }, atMax, { dx: tensorOf([0, 3], [2]) });
      }),
      RUNS,
    );
  });

  it("let the gradient at NaN be what a comparison makes of dy, and nothing else", () => {
    const given = { x: tensorOf([Number.NaN, 1], [2]), dy: tensorOf([2, 2], [2]) };
    for (const value of [0, 2]) assertHonest("relu-backward", given, {}, { dx: tensorOf([value, 2], [2]) });
    for (const value of [123, -1]) assertCaught("dx", "relu-backward", given, {}, { dx: tensorOf([value, 2], [2]) });
  });

  it("hold for honest gradients", () => {
    fc.assert(
      fc.property(pairs, ({ x, dy }) => {
        const slope = f(0.3);
        const dx = byElement(x, (v, i) => (v > 0 ? dy.data[i] : f(slope * dy.data[i])));
        assertHonest("leaky-relu-backward", { x, dy }, {}, { dx });
        assertHonest("relu-backward", { x, dy }, {}, { dx: byElement(x, (v, i) => (v >= 0 ? dy.data[i] : 0)) });
      }),
      RUNS,
    );
  });

  it("have slope, threshold and maximum as arguments", () => {
    const x = tensorOf([-1, 0.5, 2, 9], [4]);
    const args = { negativeSlope: 0.5, threshold: 1, maxValue: 4 };
    assertHonest("relu", { x }, args, { y: tensorOf([-1, -0.25, 2, 4], [4]) });
    assertHonest("relu-backward", { x, dy: x }, args, { dx: tensorOf([-0.5, 0.25, 2, 0], [4]) });
  });
});

describe("expectations of the sigmoid and of tanh", () => {
  const SIGMOIDS: Readonly<Record<string, (v: number) => number>> = {
    "1 / (1 + exp(-x))": (v) => f(1 / f(1 + expf(-v))),
    "e / (1 + e) below 0": (v) => (v < 0 ? f(expf(v) / f(1 + expf(v))) : f(1 / f(1 + expf(-v)))),
    "1/2 + 1/2 tanh(x / 2)": (v) => f(0.5 + f(0.5 * tanhf(f(0.5 * v)))),
  };
  for (const [title, formula] of Object.entries(SIGMOIDS)) {
    it(`hold for honest float32 sigmoids: ${title}`, () => {
      fc.assert(
        fc.property(pairs, ({ x, dy }) => {
          const y = byElement(x, formula);
          assertHonest("sigmoid", { x }, {}, { y });
          const dx = byElement(y, (v, i) => f(f(dy.data[i] * v) * f(1 - v)));
          assertHonest("sigmoid-backward", { x, dy }, {}, { dx });
          const other = byElement(y, (v, i) => f(dy.data[i] * f(v - f(v * v))));
          assertHonest("sigmoid-backward", { x, dy }, {}, { dx: other });
        }),
        RUNS,
      );
    });
  }

  it("hold for an honest float32 tanh", () => {
    fc.assert(
      fc.property(pairs, ({ x, dy }) => {
        const y = byElement(x, tanhf);
        assertHonest("tanh", { x }, {}, { y });
        assertHonest("tanh-backward", { x, dy }, {}, { dx: byElement(y, (v, i) => f(dy.data[i] * f(1 - f(v * v)))) });
        const factors = byElement(y, (v, i) => f(f(dy.data[i] * f(1 - v)) * f(1 + v)));
        assertHonest("tanh-backward", { x, dy }, {}, { dx: factors });
      }),
      RUNS,
    );
  });

  it("have infinite gradients where dy is infinite and the slope is none of 0", () => {
    const given = { x: tensorOf([1, 2], [2]), dy: tensorOf([INFINITY, -INFINITY], [2]) };
    for (const name of ["sigmoid-backward", "tanh-backward"]) {
      assertHonest(name, given, {}, { dx: given.dy });
      assertCaught("dx", name, given, {}, { dx: tensorOf([0, -INFINITY], [2]) });
    }
  });

  it("are broken by bfloat16 inputs, which their own model allows", () => {
    const x = tensorOf([0.123, 1.234, -2.345, 0.777], [4]);
    const y = byElement(x, (v) => SIGMOIDS["1 / (1 + exp(-x))"](bfloat16(v)));
    assertCaught("y", "sigmoid", { x }, {}, { y });
    assertHonest("sigmoid", { x }, {}, { y }, BFLOAT16_INPUTS);
    assertCaught("y", "tanh", { x }, {}, { y: byElement(x, (v) => tanhf(bfloat16(v))) });
    assertCaught("dx", "tanh-backward", { x, dy: x }, {}, { dx: x });
  });
});

/** A float32 softmax of one row. */
type Softmax = (z: readonly number[], sum: Order) => number[];

const SOFTMAXES: Readonly<Record<string, Softmax>> = {
  "maximum out, quotient": (z, sum) => {
    const powers = z.map((v) => expf(f(v - Math.max(...z))));
    return powers.map((power) => f(power / sum(powers)));
  },
  "product with a reciprocal": (z, sum) => {
    const powers = z.map((v) => expf(f(v - Math.max(...z))));
    const reciprocal = f(1 / sum(powers));
    return powers.map((power) => f(power * reciprocal));
  },
  "exp of log softmax": (z, sum) => {
    const differences = z.map((v) => f(v - Math.max(...z)));
    const logSum = logf(sum(differences.map(expf)));
    return differences.map((difference) => expf(f(difference - logSum)));
  },
  "exp(z - log sum exp)": (z, sum) => {
    const max = Math.max(...z);
    const logSum = f(max + logf(sum(z.map((v) => expf(f(v - max))))));
    return z.map((v) => expf(f(v - logSum)));
  },
};
const unshifted: Softmax = (z, sum) => {
  const powers = z.map(expf);
  return powers.map((power) => f(power / sum(powers)));
};

function softmaxOf(x: Tensor, softmax: Softmax, sum: Order): Tensor {
  const rows = Array.from({ length: x.shape[0] }, (_, r) =>
    softmax(
      Array.from({ length: x.shape[1] }, (_k, k) => x.get(r, k)),
      sum,
    ),
  );
  return tensorOf(rows.flat(), x.shape);
}

function softmaxGradient(y: Tensor, dy: Tensor, sum: Order, distributed: boolean): Tensor {
  const rows = Array.from({ length: y.shape[0] }, (_, r) => {
    const ks = Array.from({ length: y.shape[1] }, (_k, k) => k);
    const dot = sum(ks.map((k) => f(dy.get(r, k) * y.get(r, k))));
    return ks.map((k) =>
      distributed ? f(f(dy.get(r, k) * y.get(r, k)) - f(y.get(r, k) * dot)) : f(y.get(r, k) * f(dy.get(r, k) - dot)),
    );
  });
  return tensorOf(rows.flat(), y.shape);
}

describe("expectations of softmax", () => {
  for (const [title, softmax] of Object.entries(SOFTMAXES)) {
    it(`hold for honest float32: ${title}`, () => {
      fc.assert(
        fc.property(pairs, orders, fc.boolean(), ({ x, dy }, sum, distributed) => {
          const y = softmaxOf(x, softmax, sum);
          assertHonest("softmax", { x }, {}, { y });
          const dx = softmaxGradient(y, dy, sum, distributed);
          assertHonest("softmax-backward", { x, dy }, {}, { dx });
        }),
        RUNS,
      );
    });
  }

  const x = tensorOf([0.5, 1.7, -0.3, 2.2, 0.1, -1, 3, 0.25, 0.75, 1.1], [2, CLASSES]);
  const quotient = SOFTMAXES["maximum out, quotient"];

  it("are broken by the wrong axis, and hold for the right one", () => {
    const other = softmaxOf(x.transpose(1, 0), quotient, ORDERS["ascending"]).transpose(1, 0);
    assertCaught("y", "softmax", { x }, {}, { y: other });
    assertHonest("softmax", { x }, { axis: 0 }, { y: other });
    const dx = softmaxGradient(other.transpose(1, 0), x.transpose(1, 0), ORDERS["ascending"], true).transpose(1, 0);
    assertHonest("softmax-backward", { x, dy: x }, { axis: 0 }, { dx });
  });

  it("are broken by large logits whose maximum stays in", () => {
    const large = tensorOf([100, 50, 0, -50, 99], [1, CLASSES]);
    const candidate = { y: softmaxOf(large, unshifted, ORDERS["ascending"]) };
    const { y } = judged("softmax", { x: large }, {}, candidate);
    assert.ok(y.broken.includes("special"));
  });

  it("are broken by bfloat16 inputs, which their own model allows", () => {
    const y = softmaxOf(byElement(x, bfloat16), quotient, ORDERS["ascending"]);
    assertCaught("y", "softmax", { x }, {}, { y });
    assertHonest("softmax", { x }, {}, { y }, BFLOAT16_INPUTS);
    const honest = softmaxOf(x, quotient, ORDERS["ascending"]);
    const rounded = byElement(x, bfloat16);
    assertCaught(
      "dx",
      "softmax-backward",
      { x, dy: x },
      {},
      {
        dx: softmaxGradient(honest, rounded, ORDERS["ascending"], false),
      },
    );
  });

  it("hold for logits that become equal when they are rounded, and of which one was no share before", () => {
    const far = tensorOf([200000, 199200], [1, 2]); // both 199680 in bfloat16
    for (const y of [
      [0.5, 0.5],
      [1, 0],
    ]) {
      assertHonest("softmax", { x: far }, {}, { y: tensorOf(y, [1, 2]) }, BFLOAT16_INPUTS);
    }
    assertCaught("y", "softmax", { x: far }, {}, { y: tensorOf([0.5, 0.5], [1, 2]) });
  });

  it("hold for logits that are infinite in float16", () => {
    const x = tensorOf([70000, 3], [1, 2]);
    assertHonest("softmax", { x }, {}, { y: tensorOf([Number.NaN, Number.NaN], [1, 2]) }, FLOAT16_INPUTS);
    assertCaught("y", "softmax", { x }, {}, { y: tensorOf([Number.NaN, Number.NaN], [1, 2]) });
  });

  it("are broken by a gradient that leaves out the sum", () => {
    const y = softmaxOf(x, quotient, ORDERS["ascending"]);
    assertCaught("dx", "softmax-backward", { x, dy: x }, {}, { dx: byElement(y, (v, i) => f(v * x.data[i])) });
  });
});

describe("operands", () => {
  it("must be there and fit", () => {
    const x = tensorOf([1, 2], [2]);
    const dy = tensorOf([1, 2, 3], [3]);
    for (const { name, inputs } of nonlinearOperations) {
      const operation = nonlinearOperations.find((known) => known.name === name);
      for (const call of [() => operation?.run({}, {}), () => operation?.expect({}, {}, FLOAT32)]) {
        assert.throws(call, (error: Error) => {
          assert.match(error.message, new RegExp(`^${name}: \`(${inputs.join("|")})\` must be given. Received none.$`));
          return error instanceof TypeError;
        });
      }
    }
    const backward = nonlinearOperations.find(({ name }) => name === "relu-backward");
    assert.throws(() => backward?.run({ x, dy }, {}), {
      name: "RangeError",
      message: "relu-backward: `dy` must have shape [2]. Received dy.shape=[3].",
    });
    assert.throws(() => backward?.run({ x }, {}), {
      name: "TypeError",
      message: "relu-backward: `dy` must be given. Received x.",
    });
  });
});
