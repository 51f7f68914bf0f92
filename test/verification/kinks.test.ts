import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Dense } from "../../src/layers/dense.js";
import { input } from "../../src/layers/input-layer.js";
import { ReLU } from "../../src/layers/relu.js";
import { Model } from "../../src/models/model.js";
import { type Trace, trace } from "../../src/models/trace.js";
import { type Tensor, tensorOf } from "../../src/tensor/tensor.js";
import { findKinks, type Kinks } from "../../src/verification/kinks.js";

/** y = relu(x kernel) of two units, without a bias. */
function model(): Model {
  const x = input({ shape: [2], name: "x" });
  const hidden = new Dense({ units: 2, useBias: false, name: "hidden" });
  const result = new Model({ inputs: x, outputs: new ReLU({ name: "relu" }).apply(hidden.apply(x)) });
  hidden.weights[0].assign(tensorOf([1, 3, -1, 5], [2, 2], "float32"));
  return result;
}

const x = tensorOf([0.5, 0.5], [1, 2], "float32");
const goal = { cotangents: [tensorOf([7, 11], [1, 2], "float32")] };

/** A trace of ours in which the first hidden number, exactly 0, came out as `z`. */
function kinksFor(z: number, allowed: number): Kinks {
  const ours: Trace = new Map<string, Tensor>([
    ...trace(model(), [x], goal),
    ["output/hidden", tensorOf([z, 4], [1, 2], "float32")],
  ]);
  return findKinks(model(), [x], goal, ours, () => allowed);
}

describe("findKinks", () => {
  it("finds a ReLU that reads a number of the other sign, within the bound, and what that adds to the gradients", () => {
    const kinks = kinksFor(2 ** -20, 2 ** -19);
    assert.equal(kinks.count, 1);
    // the first unit lets its cotangent 7 through now: dx += 7 [1, -1], dKernel[:, 0] += 7 x
    assert.deepEqual(Array.from(kinks.shift("gradOutput/x")?.data ?? []), [7, -7]);
    assert.deepEqual(Array.from(kinks.shift("gradWeight/hidden/kernel")?.data ?? []), [3.5, 0, 3.5, 0]);
    assert.equal(kinks.shift("gradOutput/none"), undefined);
  });

  it("excuses nothing that is further off than the bound", () => {
    const kinks = kinksFor(2 ** -18, 2 ** -19);
    assert.equal(kinks.count, 0);
    assert.equal(kinks.shift("gradOutput/x"), undefined);
  });

  it("has nothing to say of numbers on the same side", () => {
    assert.equal(kinksFor(-(2 ** -20), 2 ** -19).count, 0);
    assert.equal(kinksFor(0, 2 ** -19).count, 0);
  });
});
