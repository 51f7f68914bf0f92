import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type AdamOptions, type AdamState, adamState, adamStep } from "../../src/optimizers/adam.js";
import { adamWStep } from "../../src/optimizers/adamw.js";
import { wholePower } from "../../src/optimizers/optimizer.js";
import { sgdState, sgdStep } from "../../src/optimizers/sgd.js";
import { type Tensor, tensorOf } from "../../src/tensor/tensor.js";
import { assertClose, GRADIENTS, START } from "../support/steps.js";

/** Three steps in float64. */
function steps(
  options: AdamOptions,
  step: typeof adamStep = adamStep,
): { readonly weight: Tensor; readonly state: AdamState } {
  let weight = START;
  let state = adamState(weight, options);
  for (const gradient of GRADIENTS) ({ weight, state } = step(weight, gradient, state, options));
  return { weight, state };
}

/**
 * Keras 3.15.1 with TensorFlow takes beta2 in float32 for its power, even where weights are float64: 1 - beta2^t is off by
 * 2^-25 / 0.001, 3e-5 of itself, its root by half of that, and so are three steps of at most 0.01. The last number of each
 * row, with a gradient of 3 at the end, has one such step.
 */
const BETA_IN_FLOAT32 = 3 * 0.01 * 1.5e-5;
/** So is beta1, 0.9, by 2^-25 of 1 - beta1, 0.1. */
const BETA1_IN_FLOAT32 = (3 * 0.01 * 2 ** -25) / 0.1;

describe("Adam", () => {
  it("takes the steps of Keras 3.15.1 in float64", () => {
    const { weight, state } = steps({ learningRate: 0.01 });
    assertClose(weight, [0.478243725579355, -1.2367228499772018, 1.9936095607770814], BETA_IN_FLOAT32);
    assertClose(state.momentum, [0.015099999999999999, -0.022000000000000006, 0.30000000008999994]);
    assertClose(state.velocity, [0.00013989001000000014, 0.005241004000000004, 0.009000000000000008]);
    assert.equal(state.iterations, 3);
    assert.equal(state.velocityMax, undefined);
  });

  it("divides by the greatest velocity with amsgrad", () => {
    const { weight, state } = steps({ learningRate: 0.01, amsgrad: true, beta2: 0.5 });
    assertClose(weight, [0.4794522232144709, -1.236884633155014, 1.995073281052801], BETA1_IN_FLOAT32);
    assert.ok(state.velocityMax !== undefined);
    assertClose(state.velocityMax, [0.0475, 2, 4.5]);
  });

  it("takes a first step of the learning rate against the sign of the gradient, until epsilon matters", () => {
    const weight = tensorOf([1, 1, 1, 1], [4], "float64");
    const gradient = tensorOf([5, -0.01, 0, 1e-7 / Math.sqrt(0.001)], [4], "float64");
    const { weight: after } = adamStep(weight, gradient, adamState(weight), { learningRate: 0.5 });
    // m = g / 10, v = g^2 / 1000, alpha = sqrt(0.001) / 0.2: epsilon is added to sqrt(v), so it halves the last step
    assertClose(after, [0.5, 1.5, 1, 0.75], 2e-4);
  });

  it("adds a decay that goes past the moments as AdamW", () => {
    const { weight, state } = steps({ learningRate: 0.01 }, adamWStep);
    assertClose(weight, [0.478184895036223, -1.236573762481391, 1.9933695704596515], BETA_IN_FLOAT32);
    assertClose(state.momentum, [0.015099999999999999, -0.022000000000000006, 0.30000000008999994]);
  });

  it("refuses arguments that mean nothing, and says what it received", () => {
    const weight = tensorOf([1, 2], [2]);
    const take = (options: AdamOptions) => () => adamStep(weight, weight, adamState(weight), options);
    const refusals: readonly (readonly [() => unknown, string])[] = [
      [take({ learningRate: -1 }), "`learningRate` must be a finite number of at least 0. Received learningRate=-1."],
      [take({ epsilon: -1 }), "`epsilon` must be a finite number of at least 0. Received epsilon=-1."],
      [take({ beta1: 1 }), "`beta1` must be at least 0 and below 1. Received beta1=1."],
      [take({ beta2: -0.1 }), "`beta2` must be at least 0 and below 1. Received beta2=-0.1."],
      [
        () => adamStep(weight, weight, adamState(tensorOf([1], [1]))),
        "`momentum` must have the shape [2] of the weight. Received momentum.shape=[1].",
      ],
    ];
    for (const [call, message] of refusals) assert.throws(call, { name: "RangeError", message: `Adam: ${message}` });
  });
});

describe("A step", () => {
  it("has Keras's arguments where none is given", () => {
    const weight = tensorOf([1, 2], [2], "float64");
    const gradient = tensorOf([0.5, 1e-6], [2], "float64");
    const state = { ...adamState(weight), iterations: 3 };
    const adam = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-7, amsgrad: false, weightDecay: 0 };
    assert.deepEqual(adamStep(weight, gradient, state), adamStep(weight, gradient, state, adam));
    assert.deepEqual(adamWStep(weight, gradient, state), adamStep(weight, gradient, state, { weightDecay: 0.004 }));
    const sgd = { learningRate: 0.01, momentum: 0, nesterov: false, weightDecay: 0 };
    assert.deepEqual(
      sgdStep(weight, gradient, { momentum: undefined }),
      sgdStep(weight, gradient, sgdState(weight), sgd),
    );
  });

  it("takes betas of 0: the first step is the learning rate, against the sign of the gradient", () => {
    const weight = tensorOf([1, 2], [2], "float64");
    const options = { learningRate: 0.5, beta1: 0, beta2: 0, epsilon: 0 };
    const { weight: after } = adamStep(weight, tensorOf([3, -0.25], [2], "float64"), adamState(weight), options);
    assert.deepEqual(Array.from(after.data), [0.5, 2.5]);
  });

  it("refuses options that it does not have, as Keras's learning_rate", () => {
    const weight = tensorOf([1, 2], [2]);
    const options: object = { learning_rate: 1 };
    for (const [name, take, known] of [
      [
        "adamStep",
        () => adamStep(weight, weight, adamState(weight), options),
        "learningRate, beta1, beta2, epsilon, amsgrad, weightDecay",
      ],
      [
        "sgdStep",
        () => sgdStep(weight, weight, sgdState(weight), options),
        "learningRate, momentum, nesterov, weightDecay",
      ],
    ] as const) {
      assert.throws(take, {
        name: "TypeError",
        message: `${name}: its options must be among ${known}. Received \`learning_rate\`.`,
      });
    }
  });
});

describe("wholePower", () => {
  it("is a product of equal factors", () => {
    assert.deepEqual(
      [wholePower(3, 0), wholePower(3, 1), wholePower(3, 13), wholePower(0.5, 60)],
      [1, 3, 1594323, 2 ** -60],
    );
  });
});
