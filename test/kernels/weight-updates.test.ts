import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import { runPasses } from "../../src/kernels/element-tiles.js";
import { serial } from "../../src/kernels/execution.js";
import { adamUpdate, penaltyGradients, penaltySumsOfAll, sgdUpdate } from "../../src/kernels/weight-updates.js";
import type { FloatArray } from "../../src/tensor/dtype.js";
import { detach, tensor, tensorOf } from "../../src/tensor/tensor.js";
import { assertSameBits, dtypes, fastExecutions, fill, nameOf, seedValues } from "./support.js";

const { executions, closeAll } = fastExecutions();
after(closeAll);

/** Weights that are changed where they lie, on the vector unit, and such that threads share. */
const sizes = fc.oneof(
  fc.integer({ min: 1, max: 50 }),
  fc.integer({ min: 512, max: 800 }),
  fc.integer({ min: 4096, max: 5000 }),
);
const adam = {
  alpha: 0.03,
  momentumShare: 0.1,
  velocityShare: 0.001,
  epsilon: 1e-7,
  decay: 0.004,
  learningRate: 0.01,
};

/** What `step` makes of copies of `arrays`, joined. */
function changedBy(arrays: readonly FloatArray[], step: (copies: readonly FloatArray[]) => void): FloatArray {
  const copies = arrays.map((array) => array.slice());
  step(copies);
  const joined = arrays[0] instanceof Float64Array ? new Float64Array(arrays[0].length * arrays.length) : undefined;
  const all = joined ?? new Float32Array(arrays[0].length * arrays.length);
  for (const [i, copy] of copies.entries()) all.set(copy, i * copy.length);
  return all;
}

const vector = (data: FloatArray) => tensor(data, [data.length]);

describe("updates of weights", () => {
  it("of Adam, with and without amsgrad, have the bits of one loop on any number of threads", () => {
    fc.assert(
      fc.property(sizes, dtypes, seedValues, seedValues, fc.boolean(), (size, dtype, p, q, amsgrad) => {
        const [w, g, m] = [p, q, p].map((values) => fill(values, [size], dtype).data);
        const v = m.map(Math.abs);
        const step =
          (execution = serial) =>
          ([w, m, v, maxima]: readonly FloatArray[]): void =>
            runPasses(execution, adamUpdate(w, g, m, v, amsgrad ? maxima : undefined, adam, execution));
        const expected = changedBy([w, m, v, w], step({ ...serial, kernel: "naive" }));
        for (const execution of executions) {
          assertSameBits(vector(changedBy([w, m, v, w], step(execution))), vector(expected), nameOf(execution));
        }
      }),
      { numRuns: 30 },
    );
  });

  it("of SGD, without momentum, with it, and with Nesterov's, have the bits of one loop on any number of threads", () => {
    const kinds = fc.constantFrom("none", "plain", "nesterov");
    fc.assert(
      fc.property(sizes, dtypes, seedValues, seedValues, kinds, (size, dtype, p, q, kind) => {
        const [w, g, m] = [p, q, [...q, ...p]].map((values) => fill(values, [size], dtype).data);
        const hasMomentum = kind !== "none";
        const nesterov = kind === "nesterov";
        const coefficients = { learningRate: 0.3, momentum: hasMomentum ? 0.9 : 0, nesterov, decay: 0.1 };
        const step =
          (execution = serial) =>
          ([w, m]: readonly FloatArray[]): void =>
            runPasses(execution, sgdUpdate(w, g, hasMomentum ? m : undefined, coefficients, execution));
        const expected = changedBy([w, m], step({ ...serial, kernel: "naive" }));
        for (const execution of executions) {
          assertSameBits(vector(changedBy([w, m], step(execution))), vector(expected), nameOf(execution));
        }
      }),
      { numRuns: 60 },
    );
  });

  it("take a step that can be made by hand", () => {
    const [w, m, v] = [Float32Array.of(1), Float32Array.of(0), Float32Array.of(0)];
    const coefficients = { ...adam, alpha: 1, momentumShare: 0.5, velocityShare: 1, epsilon: 0, decay: 0 };
    runPasses(serial, adamUpdate(w, Float32Array.of(4), m, v, undefined, coefficients, serial));
    assert.deepEqual([w[0], m[0], v[0]], [0.5, 2, 16]);
    const velocity = Float32Array.of(1);
    const ofSGD = { learningRate: 0.25, momentum: 2, nesterov: false, decay: 0 };
    runPasses(serial, sgdUpdate(w, Float32Array.of(4), velocity, ofSGD, serial));
    assert.deepEqual([w[0], velocity[0]], [1.5, 1]);
  });
});

describe("penaltySumsOfAll", () => {
  it("has the bits of one loop over each weight, in the order of the weights, on any number of threads", () => {
    const counts = fc.constantFrom(0, 1, 7, 8, 9, 40, 521); // one job holds 8, and 64 run together
    fc.assert(
      fc.property(counts, dtypes, seedValues, (count, dtype, p) => {
        const weights = Array.from({ length: count }, (_, i) => fill(p, [1 + ((i * 37) % 61)], dtype).data);
        const expected = weights.map((ws) => {
          let [absolute, squares] = [0, 0];
          for (const w of ws) [absolute, squares] = [absolute + Math.abs(w), squares + w * w];
          return { absolute, squares };
        });
        for (const execution of executions) {
          assert.deepEqual(penaltySumsOfAll(weights, execution), expected, nameOf(execution));
        }
      }),
      { numRuns: 30 },
    );
  });
});

describe("penaltyGradients", () => {
  const factors = fc.record({ l1: fc.constantFrom(0, 0.5), l2Twice: fc.constantFrom(0, 0.0002) });

  it("have the bits of their equation on any number of threads, the signs of zeros included", () => {
    const weights = fc.array(fc.tuple(sizes, factors), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(weights, dtypes, seedValues, seedValues, (weights, dtype, p, q) => {
        const terms = weights.map(([size, factors]) => {
          const [weight, gradient] = [p, q].map((values) => fill(values, [size], dtype));
          return { weight, gradient, factors };
        });
        const expected = terms.map(({ weight: { data: w }, gradient, factors: { l1, l2Twice } }) => {
          const sum = detach(gradient);
          for (let i = 0; i < w.length; i++) sum.data[i] = sum.data[i] + l1 * Math.sign(w[i]) + l2Twice * w[i];
          return sum;
        });
        for (const execution of executions) {
          for (const [i, sum] of penaltyGradients(terms, execution).entries()) {
            assertSameBits(sum, expected[i], `${i}, ${nameOf(execution)}`);
          }
        }
      }),
      { numRuns: 40 },
    );
    const zero = tensorOf([-0], [1]);
    const [sum] = penaltyGradients([{ gradient: zero, weight: zero, factors: { l1: 0, l2Twice: 1 } }], serial);
    assert.ok(Object.is(sum.data[0], -0));
  });

  it("are each that of its own weight where they are more than run together", () => {
    const terms = Array.from({ length: 150 }, (_, i) => {
      const size = 1 + ((i * 37) % 1031);
      const weight = tensorOf(new Array<number>(size).fill(i), [size]);
      return { weight, gradient: weight, factors: { l1: 0, l2Twice: 2 } };
    });
    for (const execution of executions) {
      for (const [i, { data }] of penaltyGradients(terms, execution).entries()) {
        assert.ok(data.length === terms[i].weight.size && data.every((value) => value === 3 * i), String(i));
      }
    }
  });
});
