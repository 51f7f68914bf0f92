import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { readNpz } from "../../src/formats/npz.js";
import { readModel } from "../../src/formats/read-model.js";
import { toTensor } from "../../src/formats/tensors.js";
import { Add } from "../../src/layers/add.js";
import { BatchNormalization } from "../../src/layers/batch-normalization.js";
import { Conv2D } from "../../src/layers/conv2d.js";
import { Dense } from "../../src/layers/dense.js";
import { Dropout } from "../../src/layers/dropout.js";
import { Flatten } from "../../src/layers/flatten.js";
import { input } from "../../src/layers/input-layer.js";
import type { SymbolicTensor } from "../../src/layers/layer.js";
import { Model } from "../../src/models/model.js";
import { type Trace, type TraceOptions, trace } from "../../src/models/trace.js";
import { l2 } from "../../src/regularizers/regularizer.js";
import type { DType } from "../../src/tensor/dtype.js";
import type { LossName } from "../../src/models/objective.js";
import { judgeTrace } from "../../src/oracle/trace-judgement.js";
import { type Tensor, tensorOf } from "../../src/tensor/tensor.js";
import { assertGradient } from "../support/gradients.js";
import { assertReadsViews, assertSameBits, generate } from "../support/tensors.js";

/** Some numbers of the order of 1 that do not repeat soon. */
const some = (shape: readonly number[], dtype: DType = "float32", from = 0): Tensor => {
  let i = from;
  return generate(shape, dtype, () => ((++i * 37) % 101) / 64 - 0.75);
};

function value(entries: Trace, key: string): Tensor {
  const found = entries.get(key);
  assert.ok(found !== undefined, `no ${key} among ${[...entries.keys()].join(", ")}`);
  return found;
}

/** Convolution, batch normalization, a Dense that is applied twice, a sum, a softmax. */
function small(dtype: DType = "float32"): Model {
  const x = input({ shape: [4, 3, 2], name: "x", dtype });
  const conv = new Conv2D({ filters: 3, kernelSize: 2, name: "conv", kernelRegularizer: l2(0.25), dtype });
  const norm = new BatchNormalization({ name: "norm", momentum: 0.5, dtype });
  const flat = new Flatten({ name: "flat", dtype }).apply(norm.apply(conv.apply(x)));
  const shared = new Dense({ units: 18, name: "shared", activation: "tanh", dtype });
  const sum = new Add({ name: "sum", dtype }).apply([flat, shared.apply(shared.apply(flat))]);
  const outputs = new Dense({ units: 5, name: "head", activation: "softmax", dtype }).apply(sum);
  return new Model({ inputs: x, outputs, seed: 7 });
}

const LAYERS = ["x", "conv", "norm", "flat", "shared", "shared:1", "sum", "head"];
const WEIGHTS = ["conv/kernel", "conv/bias", "norm/gamma", "norm/beta"];
const DENSE_WEIGHTS = ["shared/kernel", "shared/bias", "head/kernel", "head/bias"];
const classes = tensorOf([4, 0], [2], "float32");

describe("trace", () => {
  it("of inference without targets holds every layer's output and nothing else", () => {
    const entries = trace(small(), [some([2, 4, 3, 2])]);
    assert.deepEqual(
      [...entries.keys()],
      LAYERS.map((layer) => `output/${layer}`),
    );
    assert.deepEqual(value(entries, "output/conv").shape, [2, 3, 2, 3]);
  });

  it("of training with targets holds loss, all gradients and the moving statistics too", () => {
    const entries = trace(small(), [some([2, 4, 3, 2])], {
      training: true,
      targets: [classes],
      loss: "sparse_categorical_crossentropy",
    });
    assert.deepEqual([...entries.keys()].toSorted(), [
      ...LAYERS.map((layer) => `gradOutput/${layer}`).toSorted(),
      ...[...WEIGHTS, ...DENSE_WEIGHTS].map((path) => `gradWeight/${path}`).toSorted(),
      "loss",
      "moving/norm/moving_mean",
      "moving/norm/moving_variance",
      ...LAYERS.map((layer) => `output/${layer}`).toSorted(),
    ]);
    assert.deepEqual(value(entries, "loss").shape, []);
  });

  it("of inference with targets has gradients, but no moving statistics", () => {
    const entries = trace(small(), [some([2, 4, 3, 2])], {
      targets: [classes],
      loss: "sparse_categorical_crossentropy",
    });
    assert.ok(entries.has("gradOutput/x"));
    assert.ok(![...entries.keys()].some((key) => key.startsWith("moving/")));
  });

  it("holds the tensors that Keras exports, by the same keys", () => {
    const file = (ending: string): Uint8Array =>
      new Uint8Array(readFileSync(new URL(`../../../fixtures/layers/residual-block${ending}`, import.meta.url)));
    const arrays = readNpz(file(".npz"));
    const tensorAt = (key: string): Tensor => {
      const array = arrays.get(key);
      assert.ok(array !== undefined, key);
      return toTensor(array);
    };
    const model = readModel(file(".keras"), "residual-block.keras");
    const [{ node }] = model.outputs;
    const entries = trace(model, [tensorAt("input/x")], {
      training: true,
      cotangents: [tensorAt(`dy/${node.layer.name}`)],
    });
    const keys = [...arrays.keys()]
      .filter((key) => key.startsWith("truth/training/"))
      .map((key) => key.slice("truth/training/".length).replace("gradInput/", "gradOutput/"));
    // Keras has no output for an input layer
    assert.deepEqual([...entries.keys()].filter((key) => key !== "output/x").toSorted(), keys.toSorted());
  });

  for (const training of [false, true]) {
    it(`has gradients equal to central differences, ${training ? "in training" : "in inference"}`, () => {
      const model = small("float64");
      const x = some([2, 4, 3, 2], "float64");
      const options: TraceOptions = { training, targets: [classes], loss: "sparse_categorical_crossentropy" };
      const loss = (at: Tensor): { value: number; scale: number } => {
        const found = value(trace(model, [at], options), "loss").get();
        return { value: found, scale: Math.max(1, found) };
      };
      const entries = trace(model, [x], options);
      assertGradient({ name: "x", at: x, gradient: value(entries, "gradOutput/x"), loss });
      for (const path of [...WEIGHTS, "shared/bias", "head/bias"]) {
        const weight = model.weightsByPath().get(path);
        assert.ok(weight !== undefined);
        const at = weight.read();
        assertGradient({
          name: path,
          at,
          gradient: value(entries, `gradWeight/${path}`),
          loss: (changed) => {
            weight.assign(changed);
            const result = loss(x);
            weight.assign(at);
            return result;
          },
        });
      }
    });
  }

  it("is the same to the bit for class numbers and for one-hot targets", () => {
    const oneHot = generate([2, 5], "float32", (n, k) => Number(k === classes.get(n)));
    const x = [some([2, 4, 3, 2])];
    const sparse = trace(small(), x, { training: true, targets: [classes], loss: "sparse_categorical_crossentropy" });
    const dense = trace(small(), x, { training: true, targets: [oneHot], loss: "categorical_crossentropy" });
    // of the last layer the gradient is that of the probabilities, for which the two losses clip differently
    for (const [key, tensor] of sparse) if (key !== "gradOutput/head") assertSameBits(value(dense, key), tensor, key);
  });

  it("adds the regularizers to the loss and to the gradients", () => {
    const x = input({ shape: [2], name: "x" });
    const dense = new Dense({ units: 1, name: "dense", useBias: false, kernelRegularizer: l2(0.5) });
    const model = new Model({ inputs: x, outputs: dense.apply(x) });
    model.getLayer("dense").weights[0].assign(tensorOf([3, -1], [2, 1], "float32"));
    const entries = trace(model, [tensorOf([2, 5], [1, 2], "float32")], {
      cotangents: [tensorOf([4], [1, 1], "float32")],
    });
    // y = 2 * 3 - 5 = 1; loss = 4 y + 0.5 (9 + 1); dKernel = 4 x + 2 * 0.5 kernel
    assert.equal(value(entries, "output/dense").get(0, 0), 1);
    assert.equal(value(entries, "loss").get(), 9);
    assert.deepEqual(Array.from(value(entries, "gradWeight/dense/kernel").data), [11, 19]);
  });

  it("has all of the gradient of a weight, its penalty once, under every path of a layer that an inner model shares", () => {
    const shared = new Dense({
      units: 2,
      useBias: false,
      name: "shared",
      dtype: "float64",
      kernelRegularizer: l2(0.5),
    });
    const [inside, x] = [0, 1].map(() => input({ shape: [2], dtype: "float64" }));
    const inner = new Model({ inputs: inside, outputs: shared.apply(inside), name: "inner" });
    const model = new Model({ inputs: x, outputs: inner.apply(shared.apply(x)) });
    // y = x K K, so dK = x' dy K' + (x K)' dy, and the penalty's K is added to that
    shared.weights[0].assign(tensorOf([1, 2, 3, 4], [2, 2], "float64"));
    const cotangents = [tensorOf([1, -1], [1, 2], "float64")];
    const x0 = tensorOf([5, 7], [1, 2], "float64");
    const entries = trace(model, [x0], { cotangents });
    const [xk0, xk1] = [5 + 21, 10 + 28];
    const expected = [-5 + xk0 + 1, -5 - xk0 + 2, -7 + xk1 + 3, -7 - xk1 + 4];
    for (const path of ["shared/kernel", "inner/shared/kernel"]) {
      assert.deepEqual(Array.from(value(entries, `gradWeight/${path}`).data), expected, path);
    }
    assert.ok(judgeTrace(model, [x0], entries, { cotangents }).holds);
  });

  it("adds the losses of several outputs, each with its own targets or cotangents", () => {
    const x = input({ shape: [3], name: "x" });
    const hidden = new Dense({ units: 4, name: "hidden" }).apply(x);
    const outputs = [hidden, new Dense({ units: 2, name: "head" }).apply(hidden)];
    const model = new Model({ inputs: x, outputs, seed: 1 });
    const [a, b] = [some([2, 4]), some([2, 2])];
    const of = (cotangents: readonly Tensor[]): Trace => trace(model, [some([2, 3])], { cotangents });
    const zero = (shape: readonly number[]): Tensor => generate(shape, "float32", () => 0);
    const both = of([a, b]);
    const first = of([a, zero([2, 2])]);
    const second = of([zero([2, 4]), b]);
    assert.equal(
      value(both, "loss").get(),
      Math.fround(value(first, "loss").get() + value(second, "loss").get()),
      "the losses are short enough to add up exactly",
    );
    assertSameBits(value(first, "gradOutput/hidden"), a);
    assertSameBits(value(both, "gradOutput/head"), b);
    assert.notDeepEqual(value(second, "gradOutput/hidden").data, value(both, "gradOutput/hidden").data);
  });

  it("adds the gradients of an output that is given twice, of a softmax too, which backward enters at its logits", () => {
    for (const activation of ["softmax", "sigmoid"] as const) {
      const x = input({ shape: [3], name: "x" });
      const y = new Dense({ units: 2, name: "y", activation }).apply(x);
      const model = new Model({ inputs: x, outputs: [y, y], seed: 1 });
      const one = new Model({ inputs: x, outputs: y });
      const inputs = [tensorOf([1, -2, 0.5], [1, 3])];
      const targets = [tensorOf([1, 0], [1, 2]), tensorOf([0, 1], [1, 2])];
      const [a, b] = targets.map((target) => value(trace(one, inputs, { targets: [target] }), "gradOutput/y"));
      const sum = generate([1, 2], "float32", (n, k) => a.get(n, k) + b.get(n, k));
      assertSameBits(value(trace(model, inputs, { targets }), "gradOutput/y"), sum, activation);
    }
  });

  it("adds what a reader of a softmax leaves to the gradient of that as an output", () => {
    const x = input({ shape: [3], name: "x" });
    const y = new Dense({ units: 2, name: "y", activation: "softmax" }).apply(x);
    const z = new Dense({ units: 2, name: "z", activation: "sigmoid" }).apply(y);
    const ofY = (outputs: SymbolicTensor[], targets: Tensor[]): Tensor => {
      const model = new Model({ inputs: x, outputs, seed: 1 });
      return value(trace(model, [tensorOf([1, -2, 0.5], [1, 3])], { targets }), "gradOutput/y");
    };
    const [a, b] = [tensorOf([1, 0], [1, 2]), tensorOf([0, 1], [1, 2])];
    const [asOutput, asInput] = [ofY([y], [a]), ofY([z], [b])];
    const sum = generate([1, 2], "float32", (n, k) => asInput.get(n, k) + asOutput.get(n, k));
    assertSameBits(ofY([y, z], [a, b]), sum);
  });

  it("reads inputs, targets and cotangents through strided views like their contiguous copies", () => {
    const [x, dy] = [some([2, 4, 3, 2]), some([2, 5], "float32", 9)];
    assertReadsViews([x, dy], (inputs, cotangent) => [
      ...trace(small(), [inputs], { cotangents: [cotangent] }).values(),
    ]);
    assertReadsViews([x, dy], (inputs, target) => [...trace(small(), [inputs], { targets: [target] }).values()]);
    const wide = some([2, 5], "float64", 9);
    assertReadsViews([wide], (cotangent) => [...trace(small(), [x], { cotangents: [cotangent] }).values()]);
  });

  it("leaves the model as it was", () => {
    const model = small();
    const before = model.weights.map((weight) => weight.read());
    trace(model, [some([2, 4, 3, 2])], { training: true });
    model.weights.forEach((weight, i) => assertSameBits(weight.value, before[i], weight.name));
  });

  it("repeats dropout for a seed, and not for another", () => {
    const x = input({ shape: [40], name: "x" });
    const model = new Model({ inputs: x, outputs: new Dropout({ rate: 0.5, name: "dropout" }).apply(x) });
    const y = (seed: number): Tensor =>
      value(trace(model, [some([1, 40])], { training: true, seed }), "output/dropout");
    assertSameBits(y(3), y(3));
    assert.notDeepEqual(y(3).data, y(4).data);
  });

  it("refuses what is no array of tensors, and losses that there are not", () => {
    const [x, y] = [some([2, 4, 3, 2]), some([2, 5])];
    assert.throws(() => trace(small(), [x], { targets: y as unknown as readonly Tensor[] }), {
      name: "TypeError",
      message: "trace: `targets` must be an array of tensors. Received one tensor.",
    });
    assert.throws(() => trace(small(), x as unknown as readonly Tensor[]), {
      name: "TypeError",
      message: "trace: `inputs` must be an array of tensors. Received one tensor.",
    });
    assert.throws(() => trace(small(), [x], { targets: [y], loss: "mae" as LossName }), {
      name: "RangeError",
      message:
        "loss: it must be one of categorical_crossentropy, sparse_categorical_crossentropy, mean_squared_error. " +
        'Received "mae".',
    });
  });

  it("refuses targets and cotangents that are not one for each output, or of another shape", () => {
    const x = [some([2, 4, 3, 2])];
    assert.throws(() => trace(small(), x, { targets: [] }), {
      name: "RangeError",
      message: "trace: `targets` must be given for each of the 1 outputs. Received 0.",
    });
    assert.throws(() => trace(small(), x, { cotangents: [some([2, 5]), some([2, 5])] }), {
      name: "RangeError",
      message: "trace: `cotangents` must be given for each of the 1 outputs. Received 2.",
    });
    assert.throws(() => trace(small(), x, { cotangents: [some([5, 2])] }), {
      name: "RangeError",
      message: "trace: `cotangents` must have the shape [2, 5] of the output. Received [5, 2].",
    });
  });
});
