/**
 * Stochastic gradient descent, with momentum and Nesterov's variant of it.
 * Keras: `keras.optimizers.SGD(learning_rate=0.01, momentum=0.0, nesterov=False, weight_decay=None)`.
 *
 * Shapes: weight w, gradient g and momentum m all have the shape of the weight.
 *
 * Step:      w = w - weightDecay learningRate w            where there is a weight decay
 *            m = momentum m - learningRate g               m is 0 at first
 *            w = w + m                                     or, with nesterov,
 *            w = w + momentum m - learningRate g
 *
 * Notes on the numbers:
 * - Keras's m is a step, with the learning rate in it; PyTorch's is a sum of gradients that the rate multiplies later.
 *   They differ when the rate changes.
 * - The state keeps m as it was rounded; w takes it before that.
 *
 * @module
 */
import { empty, type Tensor, zeros } from "../tensor/tensor.js";
import { expectFactor, expectShare, likeWeight, type OptimizerOptions, type Step } from "./optimizer.js";

/** Options of {@link sgdStep}, with Keras's defaults. */
export interface SGDOptions extends OptimizerOptions {
  /** @defaultValue 0.01 */
  readonly learningRate?: number;
  /** The share of the last step that is taken again. @defaultValue 0 */
  readonly momentum?: number;
  /** Whether the gradient is taken as if the next step's momentum had been applied. @defaultValue false */
  readonly nesterov?: boolean;
}

/** What SGD keeps beside a weight. */
export interface SGDState {
  /** The last step; without momentum undefined. */
  readonly momentum: Tensor | undefined;
}

/** The state before the first step of `weight`. */
export function sgdState(weight: Tensor, { momentum = 0 }: SGDOptions = {}): SGDState {
  return { momentum: momentum === 0 ? undefined : zeros(weight.shape, weight) };
}

/**
 * One step down the `gradient`.
 *
 * @throws RangeError when shapes differ, the rate or the decay is negative, or the momentum is not within [0, 1).
 */
export function sgdStep(
  weight: Tensor,
  gradient: Tensor,
  state: SGDState,
  { learningRate = 0.01, momentum = 0, nesterov = false, weightDecay = 0 }: SGDOptions = {},
): Step<SGDState> {
  expectFactor("SGD", "learningRate", learningRate);
  expectShare("SGD", "momentum", momentum);
  expectFactor("SGD", "weightDecay", weightDecay);
  const ws = likeWeight("SGD", "weight", weight, weight).data;
  const gs = likeWeight("SGD", "gradient", gradient, weight).data;
  const ms =
    momentum === 0 ? undefined : likeWeight("SGD", "momentum", state.momentum ?? zeros(weight.shape, weight), weight);
  const next = empty(weight.shape, weight);
  const nextMomentum = ms && empty(weight.shape, weight);
  for (let i = 0; i < ws.length; i++) {
    const w = ws[i] - ws[i] * weightDecay * learningRate;
    const down = gs[i] * learningRate;
    if (ms === undefined || nextMomentum === undefined) {
      next.data[i] = w - down;
      continue;
    }
    const m = ms.data[i] * momentum - down;
    nextMomentum.data[i] = m;
    next.data[i] = w + (nesterov ? m * momentum - down : m);
  }
  return { weight: next, state: { momentum: nextMomentum } };
}
