import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SGD, type SGDOptions, type SGDState, sgdState, sgdStep } from "../../src/optimizers/sgd.js";
import { type Tensor, tensorOf, zeros } from "../../src/tensor/tensor.js";
import { assertClose, GRADIENTS, START } from "../support/steps.js";

/** Three steps in float64. */
function steps(options: SGDOptions): { readonly weight: Tensor; readonly state: SGDState } {
  let weight = START;
  let state = sgdState(weight, options);
  for (const gradient of GRADIENTS) ({ weight, state } = sgdStep(weight, gradient, state, options));
  return { weight, state };
}

// Keras 3.15.1 with TensorFlow takes these arguments in float32 even where weights are float64
const MOMENTUM = Math.fround(0.9);

describe("SGD", () => {
  it("takes the steps of Keras 3.15.1 in float64", () => {
    assert.equal(sgdState(START).momentum, undefined);
    assert.deepEqual(sgdState(START, { momentum: 0.5 }).momentum, zeros([3], "float64"));
    const plain = steps({ learningRate: 0.1 });
    assertClose(plain.weight, [0.48, -1.2000000000000002, 1.6999999999]);
    assert.equal(plain.state.momentum, undefined);
    const heavy = steps({ learningRate: 0.1, momentum: MOMENTUM });
    assertClose(heavy.weight, [0.43590000138282775, -0.9480000109672546, 1.69999999981]);
    assert.ok(heavy.state.momentum !== undefined);
    assertClose(heavy.state.momentum, [-0.015099998855590824, 0.02199999380111707, -0.30000000009000005]);
    const ahead = steps({ learningRate: 0.1, momentum: MOMENTUM, nesterov: true });
    assertClose(ahead.weight, [0.42231000277280806, -0.9282000170707699, 1.4300000068815573]);
    const decayed = steps({ learningRate: 0.1, momentum: 0.5, weightDecay: Math.fround(0.02) });
    assertClose(decayed.weight, [0.45461595606433036, -1.0933141901491226, 1.688023984117349]);
  });

  it("leaves its arguments alone, reads views, and rounds float32 once", () => {
    const weight = tensorOf([1, 2, 3, 4], [2, 2]).transpose(1, 0);
    const gradient = tensorOf([0.1, 0.2, 0.3, 0.4], [2, 2]);
    const { weight: after } = sgdStep(weight, gradient, sgdState(weight), { learningRate: 0.1 });
    assert.deepEqual(
      Array.from(after.data),
      [1, 3, 2, 4].map((w, i) => Math.fround(w - gradient.data[i] * 0.1)),
    );
    assert.deepEqual(Array.from(weight.data), [1, 2, 3, 4]);
  });

  it("takes a momentum of 1, as Keras does", () => {
    const weight = tensorOf([4], [1]);
    const options = { learningRate: 0.5, momentum: 1 };
    const first = sgdStep(weight, tensorOf([1], [1]), sgdState(weight, options), options);
    const second = sgdStep(first.weight, tensorOf([0], [1]), first.state, options);
    assert.deepEqual([first.weight.get(0), second.weight.get(0)], [3.5, 3]);
    assert.equal(new SGD({ momentum: 1 }).getConfig()["momentum"], 1);
  });

  it("refuses arguments that mean nothing, and says what it received", () => {
    const weight = tensorOf([1, 2], [2]);
    const take = (options: SGDOptions) => () => sgdStep(weight, weight, sgdState(weight), options);
    const refusals: readonly (readonly [() => unknown, string])[] = [
      [take({ learningRate: -1 }), "`learningRate` must be a finite number of at least 0. Received learningRate=-1."],
      [
        take({ weightDecay: Number.NaN }),
        "`weightDecay` must be a finite number of at least 0. Received weightDecay=NaN.",
      ],
      [take({ momentum: 1.5 }), "`momentum` must be between 0 and 1. Received momentum=1.5."],
      [() => new SGD({ momentum: -0.5 }), "`momentum` must be between 0 and 1. Received momentum=-0.5."],
      [
        () => sgdStep(weight, tensorOf([1], [1]), sgdState(weight)),
        "`gradient` must have the shape [2] of the weight. Received gradient.shape=[1].",
      ],
    ];
    for (const [call, message] of refusals) assert.throws(call, { name: "RangeError", message: `SGD: ${message}` });
  });
});
