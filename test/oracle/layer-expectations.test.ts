import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { readNpz } from "../../src/formats/npz.js";
import { readModel } from "../../src/formats/read-model.js";
import { toTensor } from "../../src/formats/tensors.js";
import { createExecution } from "../../src/kernels/execution.js";
import { Dense } from "../../src/layers/dense.js";
import { Dropout } from "../../src/layers/dropout.js";
import type { SymbolicTensor } from "../../src/layers/layer.js";
import { input } from "../../src/layers/input-layer.js";
import { ReLU } from "../../src/layers/relu.js";
import { trace } from "../../src/models/trace.js";
import { FLOAT32 } from "../../src/oracle/arithmetic-model.js";
import { judgeTensor } from "../../src/oracle/judgement.js";
import { exactly, expectLayer, expectLayerGradients } from "../../src/oracle/layer-expectations.js";
import { missing, NotJudged, sumOf } from "../../src/oracle/reading.js";
import { judgeTrace } from "../../src/oracle/trace-judgement.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { tensorOf } from "../../src/tensor/tensor.js";
import { FIXTURES } from "../support/command-line.js";

const folder = `${FIXTURES}layers/`;
const fixtures = readdirSync(folder).filter((file) => file.endsWith(".keras"));

describe("expectations of layers", () => {
  for (const training of [false, true]) {
    it(`hold for every layer there is a fixture of, forward and backward, in float32 (training ${training})`, () => {
      const reasons = new Set<string>();
      for (const file of fixtures) {
        const model = readModel(new Uint8Array(readFileSync(folder + file)), file);
        const arrays = readNpz(new Uint8Array(readFileSync(folder + file.replace(".keras", ".npz"))));
        const given = (prefix: string, tensors: readonly SymbolicTensor[]): readonly Tensor[] =>
          tensors.flatMap(({ node }) => {
            const array = arrays.get(`${prefix}/${node.layer.name}`);
            return array === undefined ? [] : [toTensor(array)];
          });
        const cotangents = given("dy", model.outputs);
        const options = { training, ...(cotangents.length > 0 && { cotangents }) };
        const inputs = given("input", model.inputs);
        const entries = trace(model, inputs, { ...options, execution: createExecution({ accumulate: "float32" }) });
        const { first, tensors, unknown } = judgeTrace(model, inputs, entries, options);
        assert.equal(first, undefined, `${file}: ${JSON.stringify(first)}`);
        assert.deepEqual(unknown, [], file);
        for (const { reason } of tensors) if (reason !== undefined) reasons.add(reason);
      }
      assert.ok(
        [...reasons].every((reason) => /within the model|no operation|not judged|random|more than once/.test(reason)),
        [...reasons].join("; "),
      );
    });
  }

  it("carry the doubt of an input that is not there: D times the weights, or as it is through a ReLU", () => {
    const x = missing({ ...exactly(tensorOf([1, -2], [1, 2])), bound: Float64Array.of(0.25, 0.5) });
    const dense = new Dense({ units: 1, useBias: false });
    dense.apply(input({ shape: [2], name: "x" }));
    dense.weights[0].assign(tensorOf([3, -4], [2, 1]));
    const sum = expectLayer(dense, [x], false, FLOAT32);
    assert.ok(!(sum instanceof NotJudged));
    // 3 * 0.25 + 4 * 0.5, and at most gamma_64 of that and as much again
    assert.equal(sum.y.truth[0], 11);
    assert.ok(sum.y.bound[0] > 2.75 && sum.y.bound[0] < 2.75 + 2e-5, String(sum.y.bound[0]));
    const rectified = expectLayer(new ReLU(), [x], false, FLOAT32);
    assert.ok(!(rectified instanceof NotJudged));
    assert.deepEqual([...rectified.y.truth], [1, 0]);
    assert.ok(rectified.y.bound[0] >= 0.25 && rectified.y.bound[0] < 0.2501);
  });

  it("take both sides of a ReLU whose input is not known to be above or below zero", () => {
    const x = missing({ ...exactly(tensorOf([1, 0.125, -1], [3])), bound: new Float64Array(3).fill(0.25) });
    const dy = { value: tensorOf([5, 5, 5], [3]) };
    const options = { training: false, beforeActivation: undefined };
    const gradients = expectLayerGradients(new ReLU(), [x], { dy, atLogits: false }, options, FLOAT32);
    assert.ok(!(gradients instanceof NotJudged));
    const holds = (...values: readonly number[]): boolean =>
      judgeTensor(tensorOf(values, [3]), gradients.dInputs[0]).holds;
    assert.deepEqual([holds(5, 5, 0), holds(5, 0, 0), holds(0, 0, 0), holds(5, 5, 5)], [true, true, false, false]);
  });

  it("say why they are none", () => {
    const expectation = expectLayer(new Dropout({ rate: 0.5 }), [{ value: tensorOf([1], [1]) }], true, FLOAT32);
    assert.ok(expectation instanceof NotJudged);
    assert.equal(expectation.reason, "dropout in training is random");
  });

  it("add up where gradients meet: values, bounds, and a rounding for each addition", () => {
    const [a, b] = [
      exactly(tensorOf([1, 2], [2])),
      { ...exactly(tensorOf([3, -2], [2])), bound: Float64Array.of(0, 0.5) },
    ];
    const { truth, bound } = sumOf([a, b], FLOAT32);
    assert.deepEqual([...truth], [4, 0]);
    assert.ok(bound[0] >= 4 * 2 ** -24 && bound[0] < 4.1 * 2 ** -24);
    assert.ok(bound[1] > 0.5 && bound[1] < 0.5 + 1e-6);
    assert.equal(sumOf([a], FLOAT32), a);
  });
});
