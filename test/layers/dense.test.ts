import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { serial } from "../../src/kernels/execution.js";
import { Dense, denseBackward, denseForward } from "../../src/layers/dense.js";
import { input } from "../../src/layers/input-layer.js";
import { layerFromConfig } from "../../src/layers/registry.js";
import { softmaxBackward, softmaxForward } from "../../src/layers/softmax.js";
import { l1l2 } from "../../src/regularizers/regularizer.js";
import { type Tensor, tensorOf } from "../../src/tensor/tensor.js";
import { assertExactGradient, fakeLoss } from "../support/gradients.js";
import { assertGradients, assertRoundTrip, callLayer } from "../support/layers.js";
import {
  assertReadsViews,
  assertSameBits,
  exactTensors,
  floatTensors,
  generate,
  inner,
  mapped,
  permuted,
} from "../support/tensors.js";

interface Case {
  readonly x: Tensor;
  readonly kernel: Tensor;
  readonly bias: Tensor;
  readonly dy: Tensor;
}

/** Inputs of rank 2 to 4 whose dimensions differ from each other and from the number of units. */
function cases(tensors: (shape: number[]) => fc.Arbitrary<Tensor>): fc.Arbitrary<Case> {
  return fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { minLength: 3, maxLength: 5 }).chain(([units, ...shape]) =>
    fc.record({
      x: tensors(shape),
      kernel: tensors([shape[shape.length - 1], units]),
      bias: tensors([units]),
      dy: tensors([...shape.slice(0, -1), units]),
    }),
  );
}

const forward = ({ x, kernel, bias }: Case): Tensor => denseForward(x, { kernel, bias }).y;

/** The equation at the top of the layer's file; `round` is applied to every product and sum. */
function reference({ x, kernel, bias, dy }: Case, round: (v: number) => number): Tensor {
  return generate(dy.shape, "float32", (...index) => {
    const [rows, u] = [index.slice(0, -1), index[index.length - 1]];
    let sum = 0;
    for (let k = 0; k < kernel.shape[0]; k++) sum = round(sum + round(x.get(...rows, k) * kernel.get(k, u)));
    return round(sum + bias.get(u));
  });
}

describe("Dense", () => {
  it("multiplies rows by columns, and adds the bias", () => {
    const x = tensorOf([1, 2, 3, 4, 5, 6], [2, 3]);
    const kernel = tensorOf([1, 10, 2, 20, 3, 30], [3, 2]);
    const { y, cache } = denseForward(x, { kernel, bias: tensorOf([0.5, -1], [2]) });
    assertSameBits(y, tensorOf([14.5, 139, 32.5, 319], [2, 2]));
    const { dx, dKernel, dBias } = denseBackward(tensorOf([1, 0, 0, 1], [2, 2]), cache);
    assertSameBits(dx, tensorOf([1, 2, 3, 10, 20, 30], [2, 3]));
    assertSameBits(dKernel, tensorOf([1, 4, 2, 5, 3, 6], [3, 2]));
    assertSameBits(dBias, tensorOf([1, 1], [2]));
  });

  it("equals the sum in its equation, to the bit, in both accumulations and for any rank", () => {
    fc.assert(
      fc.property(cases(floatTensors), (at) => {
        assertSameBits(
          forward(at),
          reference(at, (v) => v),
        );
        const single = { ...serial, accumulate: "float32" as const };
        assertSameBits(denseForward(at.x, at, single).y, reference(at, Math.fround));
      }),
    );
  });

  it("has gradients equal to differences of L = sum r * y", () => {
    fc.assert(
      fc.property(cases(exactTensors), (at) => {
        const { dx, dKernel, dBias } = denseBackward(at.dy, denseForward(at.x, at).cache);
        const loss = (changed: Partial<Case>) => fakeLoss(forward({ ...at, ...changed }), at.dy);
        assertExactGradient({ name: "dx", at: at.x, gradient: dx, loss: (x) => loss({ x }) });
        assertExactGradient({ name: "dKernel", at: at.kernel, gradient: dKernel, loss: (kernel) => loss({ kernel }) });
        assertExactGradient({ name: "dBias", at: at.bias, gradient: dBias, loss: (bias) => loss({ bias }) });
      }),
      { numRuns: 50 },
    );
  });

  it("has backward passes that are adjoint to forward: <dy, y> = <dx, x> = <dKernel, kernel> without a bias", () => {
    fc.assert(
      fc.property(cases(exactTensors), ({ x, kernel, dy }) => {
        const { y, cache } = denseForward(x, { kernel });
        const { dx, dKernel } = denseBackward(dy, cache);
        assert.equal(inner(dx, x), inner(dy, y));
        assert.equal(inner(dKernel, kernel), inner(dy, y));
      }),
    );
  });

  it("permutes its outputs with the columns of the kernel, and treats every row alike", () => {
    fc.assert(
      fc.property(cases(floatTensors), (at) => {
        const rotate = (size: number): number[] => Array.from({ length: size }, (_, i) => (i + 1) % size);
        const units = rotate(at.bias.size);
        const moved = { ...at, kernel: permuted(at.kernel, 1, units), bias: permuted(at.bias, 0, units) };
        assertSameBits(forward(moved), permuted(forward(at), at.x.dimension - 1, units));
        const rows = rotate(at.x.shape[0]);
        assertSameBits(forward({ ...at, x: permuted(at.x, 0, rows) }), permuted(forward(at), 0, rows));
      }),
    );
  });

  it("scales with the input by powers of two, to the bit", () => {
    fc.assert(
      fc.property(cases(floatTensors), fc.integer({ min: -8, max: 8 }), ({ x, kernel }, exponent) => {
        const scaled = (v: number): number => v * 2 ** exponent;
        assertSameBits(denseForward(mapped(x, scaled), { kernel }).y, mapped(denseForward(x, { kernel }).y, scaled));
      }),
    );
  });

  it("reads strided views like their contiguous copies, and changes none of its arguments", () => {
    fc.assert(
      fc.property(cases(floatTensors), ({ x, kernel, bias, dy }) => {
        assertReadsViews([x, kernel, bias, dy], (x, kernel, bias, dy) => {
          const { y, cache } = denseForward(x, { kernel, bias });
          const { dx, dKernel, dBias } = denseBackward(dy, cache);
          return [y, dx, dKernel, dBias];
        });
      }),
      { numRuns: 30 },
    );
  });

  it("refuses shapes that do not fit together", () => {
    const x = tensorOf([1, 2, 3, 4, 5, 6], [2, 3]);
    assert.throws(() => denseForward(x, { kernel: tensorOf([1, 2, 3, 4], [2, 2]) }), {
      name: "RangeError",
      message: "Dense: `kernel` must have shape [3, units] for an input of shape [2, 3]. Received kernel.shape=[2, 2].",
    });
    assert.throws(() => denseForward(x, { kernel: tensorOf([1, 2, 3], [3, 1]), bias: tensorOf([1, 2], [2]) }), {
      name: "RangeError",
      message: "Dense: `bias` must have shape [1] for a kernel of shape [3, 1]. Received bias.shape=[2].",
    });
  });
});

describe("the layer Dense", () => {
  const x = generate([4, 3], "float64", (n, k) => ((7 * n + 5 * k) % 11) - 5);
  const kernel = generate([3, 2], "float64", (k, u) => ((3 * k + 5 * u) % 7) / 4 - 1);
  const bias = tensorOf([0.5, -2], [2], "float64");

  it("joins the pair of functions, and gives its logits away where its activation is a softmax", () => {
    const pass = callLayer(new Dense({ units: 2, activation: "softmax", dtype: "float64" }), [x], { kernel, bias });
    const dense = denseForward(x, { kernel, bias });
    const softmax = softmaxForward(dense.y);
    assertSameBits(pass.y, softmax.y);
    const dy = unrelated(pass.y);
    const { dx, dKernel, dBias } = denseBackward(softmaxBackward(dy, softmax.cache), dense.cache);
    assertGradients(pass, dy, [dx], { kernel: dKernel, bias: dBias });
    assert.ok(pass.logits);
    assertSameBits(pass.logits.x, dense.y);
    assertSameBits(pass.logits.backward(dy).dInputs[0], denseBackward(dy, dense.cache).dx);
  });

  it("has neither weight nor gradient for a bias that it does not use, and no logits without a softmax", () => {
    const pass = callLayer(new Dense({ units: 2, useBias: false, dtype: "float64" }), [x], { kernel });
    const { dx, dKernel } = denseBackward(pass.y, denseForward(x, { kernel }).cache);
    assertGradients(pass, pass.y, [dx], { kernel: dKernel });
    assert.equal(pass.logits, undefined);
  });

  it("multiplies along the last axis, of any number of them", () => {
    const layer = new Dense({ units: 2 });
    assert.deepEqual(layer.apply(input({ shape: [null, 5, 3] })).shape, [null, null, 5, 2]);
    assert.deepEqual(
      layer.weights.map(({ shape }) => shape),
      [[3, 2], [2]],
    );
  });

  it("keeps its configuration", () => {
    const config = assertRoundTrip(
      new Dense({ units: 7, activation: "sigmoid", kernelInitializer: "he_uniform", biasRegularizer: l1l2(0.5, 0.25) }),
    );
    assert.equal(config["units"], 7);
    assert.equal(config["activation"], "sigmoid");
    assertRoundTrip(layerFromConfig("Dense", { units: 1, quantization_config: null }));
  });

  it("refuses arguments and inputs that it cannot take", () => {
    const type = (message: string): object => ({ name: "TypeError", message });
    const range = (message: string): object => ({ name: "RangeError", message });
    assert.throws(
      () => new Dense({ units: 0 }),
      type("Dense: `units` must be a whole number of at least 1. Received 0."),
    );
    assert.throws(
      () => layerFromConfig("Dense", { units: 2.5 }),
      type("Dense: `units` must be a whole number of at least 1. Received 2.5."),
    );
    assert.throws(
      () => layerFromConfig("Dense", { units: 2, lora_rank: 4 }),
      type("Dense: `lora_rank` must be null (others are not implemented). Received 4."),
    );
    assert.throws(
      () => layerFromConfig("Dense", { units: 2, kernel_regularizer: { class_name: "Orthogonal" } }),
      type('Dense: `kernel_regularizer` must be one of L1, L2, L1L2. Received "Orthogonal".'),
    );
    assert.throws(
      () => new Dense({ units: 2 }).apply(input({ shape: [] })),
      range("Dense: the input must have at least 2 dimensions. Received shape [null]."),
    );
    assert.throws(
      () => new Dense({ units: 2 }).apply(input({ shape: [3, null] })),
      range("Dense: axis -1 of the input must have a known size. Received shape [null, 3, null]."),
    );
  });
});

/** Numbers of the shape of `y` that are no multiple of it. */
function unrelated(y: Tensor): Tensor {
  return generate(y.shape, "float64", (n, u) => ((5 * n + 3 * u) % 7) - 3);
}
