import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { exp } from "../../src/arithmetic/exp.js";
import { sigmoid } from "../../src/arithmetic/sigmoid.js";
import { tanh } from "../../src/arithmetic/tanh.js";
import type { ActivationName } from "../../src/layers/activation.js";
import { FLOAT32 } from "../../src/oracle/arithmetic-model.js";
import { throughActivation } from "../../src/oracle/compose.js";
import type { Expectation } from "../../src/oracle/expectation.js";
import { judgeTensor } from "../../src/oracle/judgement.js";
import { tensorOf } from "../../src/tensor/tensor.js";

const { fround: f } = Math;
const expf = (x: number): number => f(f(exp(x)) * (1 + 2 ** -24));

/** Float32 activations of one row. */
const ACTIVATIONS: Readonly<Record<ActivationName, (z: readonly number[]) => readonly number[]>> = {
  linear: (z) => z,
  relu: (z) => z.map((v) => Math.max(0, v)),
  relu6: (z) => z.map((v) => Math.min(6, Math.max(0, v))),
  leaky_relu: (z) => z.map((v) => (v > 0 ? v : f(v * f(0.2)))),
  sigmoid: (z) => z.map((v) => f(sigmoid(v))),
  tanh: (z) => z.map((v) => f(tanh(v))),
  softmax(z) {
    const powers = z.map((v) => expf(f(v - Math.max(...z))));
    const sum = powers.reduce((a, b) => f(a + b), 0);
    return powers.map((power) => f(power / sum));
  },
};
const SIZE = 5;
/** Numbers from `min` to `max`, evenly: fast-check draws doubles by their bits, which gives next to nothing but tiny ones. */
const evenly = (min: number, max: number): fc.Arbitrary<number> =>
  fc.integer({ min: 0, max: 2 ** 30 }).map((n) => min + (max - min) * n * 2 ** -30);
/** Truths, bounds and where within them a candidate is. */
const cases = fc.array(
  fc.record({
    truth: fc.oneof(evenly(-8, 8), evenly(-1e-4, 1e-4), fc.double({ min: -8, max: 8, noNaN: true })),
    bound: evenly(0, 0.01),
    at: fc.constantFrom(-1, -0.5, 0, 0.9, 1),
  }),
  { minLength: SIZE, maxLength: SIZE },
);

function expectationOf(elements: readonly { readonly truth: number; readonly bound: number }[]): Expectation {
  return {
    shape: [1, elements.length],
    truth: Float64Array.from(elements, ({ truth }) => truth),
    // a float32 candidate at the very end of the bound may be rounded out of it
    bound: Float64Array.from(elements, ({ truth, bound }) => bound + 2 ** -24 * (Math.abs(truth) + bound) + 2 ** -149),
    spread: Float64Array.from(elements, ({ bound }) => bound / 2),
  };
}

describe("throughActivation", () => {
  for (const [name, activate] of Object.entries(ACTIVATIONS) as [ActivationName, (typeof ACTIVATIONS)["relu"]][]) {
    it(`allows what ${name} makes of any value within the bound`, () => {
      fc.assert(
        fc.property(cases, (elements) => {
          const z = elements.map(({ truth, bound, at }) => f(truth + at * bound));
          const expected = throughActivation(expectationOf(elements), name, FLOAT32);
          const { holds, worst } = judgeTensor(tensorOf(activate(z), [1, SIZE]), expected);
          assert.ok(holds, JSON.stringify(worst));
        }),
        { numRuns: 300 },
      );
    });
  }

  it("leaves no error where ReLU is flat, and all of it where it is not", () => {
    const expectation = expectationOf([
      { truth: -1, bound: 0.25 },
      { truth: 1, bound: 0.25 },
      { truth: -0.125, bound: 0.25 },
      { truth: 7, bound: 0.25 },
    ]);
    const { bound, spread, truth } = throughActivation(expectation, "relu6", FLOAT32);
    assert.deepEqual(Array.from(truth), [0, 1, 0, 6]);
    assert.deepEqual([bound[0], bound[3], spread[0], spread[3]], [0, 0, 0, 0]);
    assert.ok(bound[1] > 0.25 && bound[1] < 0.251 && bound[2] > 0.125 && bound[2] < 0.126);
    assert.equal(spread[1], 0.125);
  });

  it("shrinks bounds where a function saturates, and takes ties along", () => {
    const before = expectationOf([
      { truth: 0, bound: 0.01 },
      { truth: 7, bound: 0.01 },
    ]);
    const { bound } = throughActivation(before, "tanh", FLOAT32);
    assert.ok(bound[0] < 0.0101 && bound[0] > 0.0099 && bound[1] < 1e-5);
    const ties = { least: Float64Array.of(-1, 7), greatest: Float64Array.of(0.5, 8) };
    const through = throughActivation({ ...before, ties }, "relu", FLOAT32);
    assert.deepEqual(through.ties, { least: Float64Array.of(0, 7), greatest: Float64Array.of(0.5, 8) });
  });

  it("keeps a bound that says nothing", () => {
    const before = expectationOf([{ truth: 1, bound: Number.POSITIVE_INFINITY }]);
    for (const name of ["relu", "sigmoid", "tanh"] as const) {
      assert.equal(throughActivation(before, name, FLOAT32).bound[0], Number.POSITIVE_INFINITY);
    }
  });
});
