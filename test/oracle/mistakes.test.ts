/**
 * What is not honest float32 is caught, on ordinary data, by the test that is made for it.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { BFLOAT16_INPUTS, FLOAT32, TF32_INPUTS } from "../../src/oracle/arithmetic-model.js";
import { type Judgement, judgeTensor, STATISTICAL_MINIMUM } from "../../src/oracle/judgement.js";
import type { Operands } from "../../src/oracle/operation.js";
import { operationNamed } from "../../src/oracle/operations/table.js";
import type { KerasConfig } from "../../src/serialization/config.js";
import type { Shape } from "../../src/tensor/shape.js";
import { type Tensor, tensor } from "../../src/tensor/tensor.js";
import { candidateOf } from "./support/candidates.js";
import { linearCase, type Size } from "./support/cases.js";
import { fromDataSet } from "./support/data-sets.js";
import { flipped, roundedOperands, roundedSum, roundTo, shifted, shortSum, truncate } from "./support/mistakes.js";

const normal = (shape: Shape, factor: 0 | 1, seed: number): Tensor =>
  fromDataSet("normal", shape, shape.length - 1, factor, seed);

const SUMS = {
  "float16 accumulation": roundedSum(roundTo(11)),
  "truncation instead of rounding": roundedSum(truncate),
  "the last term dropped": shortSum,
};

/** Truncation shows in the mean of many elements, the others in few. */
const FEWEST: Readonly<Record<keyof typeof SUMS, number>> = {
  "float16 accumulation": 64,
  "truncation instead of rounding": 1000,
  "the last term dropped": 64,
};

/** Sizes at which results have so many elements. */
const SIZES: Readonly<Record<string, Size>> = {
  conv2d: { most: 8, batch: 11 },
  "conv2d-backward": { most: 8, batch: 11 },
  "depthwise-conv2d": { most: 8, batch: 11 },
  dense: { most: 40, depth: 43 },
  "dense-backward": { most: 40, depth: 43 },
};

const INPUTS = { "bfloat16 inputs": 8, "float16 inputs": 11, "TF32 inputs": 11 };

/** Judges what `run` makes of convolutions of this geometry: SAME with one zero at one side. */
function judgeConvolution(seed: number, run: (operands: Operands, args: KerasConfig) => Tensor): Judgement {
  const x = normal([2, 8, 10, 7], 0, seed);
  const kernel = normal([3, 5, 7, 6], 1, seed);
  const operands = { x, kernel, bias: normal([6], 1, seed) };
  const args = { strides: 2, padding: "same" };
  return judgeTensor(run(operands, args), operationNamed("conv2d").expect(operands, args, FLOAT32)["y"]);
}

const conv2d = (operands: Operands, args: KerasConfig): Tensor => operationNamed("conv2d").run(operands, args)["y"];

describe("A float32 claim that is not true", () => {
  for (const [operation, size] of Object.entries(SIZES)) {
    for (const name of ["float16 accumulation", "truncation instead of rounding", "the last term dropped"] as const) {
      it(`${operation} with ${name} is caught`, () => {
        let judged = 0;
        fc.assert(
          fc.property(fc.nat(), (seed) => {
            const { args, operands, results } = linearCase(operation, seed, size, ["normal", "normal"]);
            const expected = operationNamed(operation).expect(operands, args, FLOAT32);
            for (const [result, summed] of Object.entries(results)) {
              if (summed.terms.length < FEWEST[name]) continue;
              judged++;
              const { holds, variance, bias } = judgeTensor(candidateOf(summed, SUMS[name]), expected[result]);
              assert.ok(!holds, `${result}: variance ${variance}, bias ${bias}`);
            }
          }),
          { numRuns: 12 },
        );
        assert.ok(judged > 0);
      });
    }
    for (const [name, bits] of Object.entries(INPUTS)) {
      it(`${operation} with ${name} is caught`, () => {
        fc.assert(
          fc.property(fc.nat(), (seed) => {
            const { args, operands } = linearCase(operation, seed, { most: 8 }, ["normal", "normal"]);
            const expected = operationNamed(operation).expect(operands, args, FLOAT32);
            const actual = operationNamed(operation).run(roundedOperands(operands, roundTo(bits)), args);
            for (const [result, candidate] of Object.entries(actual)) {
              if (candidate.size < STATISTICAL_MINIMUM) continue;
              assert.ok(!judgeTensor(candidate, expected[result]).holds, result);
            }
          }),
          { numRuns: 10 },
        );
      });
    }
  }

  it("sums of 4608 terms: rounded inputs and truncation are caught by their variance and bias", () => {
    const operands = { x: normal([32, 4608], 0, 1), kernel: normal([4608, 33], 1, 1) };
    const expected = operationNamed("dense").expect(operands, {}, FLOAT32)["y"];
    for (const bits of [8, 11]) {
      const { y } = operationNamed("dense").run(roundedOperands(operands, roundTo(bits)), {});
      assert.equal(judgeTensor(y, expected).holds, false, `${bits} bits`);
    }
    const { x, kernel } = operands;
    const cut = roundedSum(truncate);
    const y = Float32Array.from({ length: 32 * 33 }, (_, i) =>
      cut(Float64Array.from({ length: 4608 }, (_, k) => x.get(Math.floor(i / 33), k) * kernel.get(k, i % 33))),
    );
    assert.equal(judgeTensor(tensor(y, [32, 33]), expected).holds, false, "truncation");
  });

  it("a convolution that pads SAME on the other side is caught", () => {
    const { broken } = judgeConvolution(1, ({ x, kernel, bias }, args) => {
      const other = { x: flipped(x, [1, 2]), kernel: flipped(kernel, [0, 1]), bias };
      return flipped(conv2d(other, args), [1, 2]);
    });
    assert.ok(broken.includes("bound"));
  });

  it("a convolution without its bias, or with a tap in another place, is caught", () => {
    for (const change of [
      ({ x, kernel }: Operands) => ({ x, kernel }),
      ({ x, kernel, bias }: Operands) => ({ x, kernel: shifted(kernel, 1), bias }),
      ({ x, kernel, bias }: Operands) => ({ x: shifted(x, 3), kernel, bias }),
    ]) {
      const { broken } = judgeConvolution(2, (operands, args) => conv2d(change(operands), args));
      assert.ok(broken.includes("bound"));
    }
  });

  it("the honest convolution of the same operands is not", () => {
    assert.deepEqual(judgeConvolution(1, conv2d).broken, []);
  });
});

describe("A candidate that says what it rounds", () => {
  it("is believed: rounded inputs hold their own model on any data", () => {
    for (const [model, bits] of [
      [BFLOAT16_INPUTS, 8],
      [TF32_INPUTS, 11],
    ] as const) {
      fc.assert(
        fc.property(fc.nat(), (seed) => {
          const { args, operands, dataSets } = linearCase("conv2d-backward", seed);
          const actual = operationNamed("conv2d-backward").run(roundedOperands(operands, roundTo(bits)), args);
          const expected = operationNamed("conv2d-backward").expect(operands, args, model);
          for (const result of ["dx", "dKernel"]) {
            const judgement = judgeTensor(actual[result], expected[result]);
            assert.ok(judgement.holds, `${result}, ${dataSets.join(" and ")}: ${JSON.stringify(judgement)}`);
          }
        }),
        { numRuns: 60 },
      );
    }
  });

  it("bfloat16 is not believed when it claims TF32", () => {
    const { args, operands } = linearCase("conv2d", 5, { most: 8 }, ["normal", "normal"]);
    const actual = operationNamed("conv2d").run(roundedOperands(operands, roundTo(8)), args)["y"];
    const expected = operationNamed("conv2d").expect(operands, args, TF32_INPUTS)["y"];
    assert.equal(judgeTensor(actual, expected).holds, false);
  });
});
