import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createExecution, serial } from "../../src/kernels/execution.js";
import { Dense } from "../../src/layers/dense.js";
import { input } from "../../src/layers/input-layer.js";
import { Model } from "../../src/models/model.js";
import { Adam } from "../../src/optimizers/adam.js";
import { SGD } from "../../src/optimizers/sgd.js";
import { tensorOf } from "../../src/tensor/tensor.js";
import { fit } from "../../src/training/fit.js";
import { finiteTensors, NonFiniteError } from "../../src/training/non-finite.js";
import { brightRows, inOrder, pattern, smallConvolutional, weightsOf } from "../support/training.js";

const x = tensorOf(pattern(12, 17), [4, 3]);
const source = inOrder(x, [0, 1, 2, 1], 3, 2);

/** Two Dense layers within a model, and one behind it; `kernel` is the first layer's. */
function nested(): { model: Model; kernel: Dense } {
  const kernel = new Dense({ units: 3, name: "wide", kernelInitializer: "ones" });
  const inner = input({ shape: [3], name: "inner_x" });
  const outputs = new Dense({ units: 3, name: "narrow" }).apply(kernel.apply(inner));
  const outer = input({ shape: [3], name: "x" });
  const body = new Model({ inputs: inner, outputs, name: "body" }).apply(outer);
  const head = new Dense({ units: 3, activation: "softmax", name: "head" });
  return { model: new Model({ inputs: outer, outputs: head.apply(body) }), kernel };
}

describe("A step that is not finite", () => {
  it("names the first layer whose output is not, its step and rate, and is not applied", async () => {
    const { model, kernel } = nested();
    kernel.weights[0].assign(tensorOf([3e38, 3e38, 3e38, 1, 1, 1, 3e38, 3e38, 3e38], [3, 3]));
    const before = weightsOf(model);
    const optimizer = new SGD({ learningRate: 0.5 });
    const big = inOrder(tensorOf([4, 0, 0], [1, 3]), [0], 3, 1);
    await assert.rejects(() => fit(model, big, { epochs: 1, optimizer }), {
      name: "NonFiniteError",
      message:
        "fit: the loss must be finite. Received NaN in step 1, at a learning rate of 0.5. " +
        "Layer `body/wide` is the first whose output is not finite (Infinity at [0, 0]). The step has not been applied. " +
        "Try a learning rate of a tenth, a warm-up, inputs scaled to about -1 to 1, or a regularizer.",
    });
    assert.deepEqual(weightsOf(model), before);
    assert.equal(optimizer.iterations, 0);
  });

  it("blames a weight that is not finite, or the data", async () => {
    const { model, kernel } = nested();
    kernel.weights[1].assign(tensorOf([1, Number.NaN, 1], [3]));
    await assert.rejects(() => fit(model, source, { epochs: 1, optimizer: new SGD() }), {
      name: "NonFiniteError",
      message:
        /Layer `body\/wide` is the first whose output is not finite \(NaN at \[0, 1\]\), because its weight `bias` is not finite\./,
    });
    const broken = x.data.slice();
    broken[7] = Number.POSITIVE_INFINITY;
    await assert.rejects(
      () =>
        fit(nested().model, inOrder(tensorOf(broken, [4, 3]), [0, 1, 2, 1], 3, 2), { epochs: 1, optimizer: new SGD() }),
      {
        name: "NonFiniteError",
        message:
          /in step 2, .* Layer `x` is the first whose output is not finite \(Infinity at \[0, 1\]\), because the data are not finite\. The step has not been applied\. Look at the data and at how they are scaled\.$/,
      },
    );
  });

  it("names the first gradient on the way back that is not finite, where the loss still was", async () => {
    const x = input({ shape: [3], name: "x" });
    const first = new Dense({ units: 2, name: "first" });
    const second = new Dense({ units: 3, name: "second" });
    const model = new Model({ inputs: x, outputs: second.apply(first.apply(x)) });
    // y = 1e30, so dy = 2/3 1e30 and dKernel of the first layer takes that times 1e30 again
    first.weights[0].assign(tensorOf([0, 0, 0, 0, 0, 0], [3, 2]));
    first.weights[1].assign(tensorOf([1, 0], [2]));
    second.weights[0].assign(tensorOf([1e30, 1e30, 1e30, 0, 0, 0], [2, 3]));
    const before = weightsOf(model);
    const source = inOrder(tensorOf([1, 1, 1], [1, 3]), [0], 3, 1);
    const run = fit(model, source, { epochs: 1, optimizer: new Adam(), loss: "mean_squared_error" });
    await assert.rejects(run, (error) => {
      assert.ok(error instanceof NonFiniteError);
      assert.match(
        error.message,
        /^fit: the gradient must be finite\. Received Infinity in step 1, .* On the way back, `first\/bias` is the first whose gradient is not finite \(Infinity at \[0\]\)\./,
      );
      assert.equal(error.step, 1);
      assert.equal(error.found?.path, "first/bias");
      return true;
    });
    assert.deepEqual(weightsOf(model), before);
  });

  it("comes of a learning rate that is far too great, whose run stops with the last finite weights", async () => {
    const model = smallConvolutional();
    await assert.rejects(
      () => fit(model, brightRows(20, 6), { epochs: 3, optimizer: new SGD({ learningRate: 1e20 }) }),
      { name: "NonFiniteError" },
    );
    for (const [path, values] of weightsOf(model)) assert.ok(values.every(Number.isFinite), path);
  });
});

describe("finiteTensors", () => {
  it("finds infinities and NaN, and nothing else", () => {
    const of = (...values: number[]): boolean | undefined => {
      const x = tensorOf(values, [values.length]);
      return finiteTensors([x]).get(x);
    };
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      assert.equal(of(1, value, 2), false);
    }
    assert.equal(of(-0, 3e38, -3e38, 1e-45), true);
    assert.equal(of(), true);
  });

  it("finds one value among many, on the vector unit and without it", () => {
    for (const kernel of ["simd", "scalar"] as const) {
      for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 3e38]) {
        const x = tensorOf(new Array<number>(2051).fill(-2.5).with(2049, value), [2051]);
        assert.equal(finiteTensors([x], { ...serial, kernel }).get(x), value === 3e38, `${kernel}, ${value}`);
      }
    }
  });

  it("tells of each of many, small and large, on any number of threads", () => {
    const bad = new Set([0, 70, 71, 149]);
    const tensors = Array.from({ length: 150 }, (_, i) => {
      const size = i % 3 === 0 ? 5 : 1024 + i;
      return tensorOf(new Array<number>(size).fill(i).with(size - 1, bad.has(i) ? Number.NaN : 1), [size]);
    });
    for (const threads of [1, 3]) {
      const execution = createExecution({ threads });
      try {
        const found = finiteTensors(tensors, execution);
        assert.deepEqual(
          tensors.map((x) => found.get(x)),
          tensors.map((_, i) => !bad.has(i)),
        );
      } finally {
        execution.close();
      }
    }
  });
});
