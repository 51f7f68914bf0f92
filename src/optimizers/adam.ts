/**
 * Adam (Kingma and Ba 2014, https://arxiv.org/abs/1412.6980): steps as long as the gradient is large beside its own
 * deviation. Keras: `keras.optimizers.Adam(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7,
 * amsgrad=False)`.
 *
 * Shapes: weight w, gradient g, momentum m, velocity v and its maximum vMax all have the shape of the weight; t counts
 * steps from 1.
 *
 * Step:      w     = w - weightDecay learningRate w        where there is a weight decay: then it is AdamW
 *            alpha = learningRate sqrt(1 - beta2^t) / (1 - beta1^t)
 *            m     = m + (g - m) (1 - beta1)               m and v are 0 at first, alpha corrects their bias to it
 *            v     = v + (g^2 - v) (1 - beta2)
 *            w     = w - alpha m / (sqrt(v) + epsilon)     with amsgrad max(vMax, v) for v
 *
 * Notes on the numbers:
 * - This is the order of the paper's section 2.1, and Keras's: epsilon, outside of the root, is added to the
 *   uncorrected sqrt(v). Its algorithm 1, and PyTorch, add it to the corrected one, so their epsilon is the smaller
 *   one by sqrt(1 - beta2^t) at equal effect.
 * - The state keeps m and v as they were rounded; w takes them before that.
 * - 1 - beta2 and 1 - beta2^t in float32 are off by u / (1 - beta2), 6e-5 of themselves; here they are not rounded.
 *
 * @module
 */
import { empty, type Tensor, zeros } from "../tensor/tensor.js";
import { expectFactor, expectShare, likeWeight, type OptimizerOptions, type Step, wholePower } from "./optimizer.js";

/** Options of {@link adamStep}, with Keras's defaults. */
export interface AdamOptions extends OptimizerOptions {
  /** @defaultValue 0.001 */
  readonly learningRate?: number;
  /** The share of the momentum that a step keeps. @defaultValue 0.9 */
  readonly beta1?: number;
  /** The share of the velocity that a step keeps. @defaultValue 0.999 */
  readonly beta2?: number;
  /** Added to the root of the velocity. @defaultValue 1e-7 */
  readonly epsilon?: number;
  /** Whether the greatest velocity so far divides (Reddi, Kale and Kumar 2018). @defaultValue false */
  readonly amsgrad?: boolean;
}

/** What Adam keeps beside a weight. */
export interface AdamState {
  /** Steps that are done; the first one has 0. */
  readonly iterations: number;
  /** Running mean of gradients. */
  readonly momentum: Tensor;
  /** Running mean of their squares. */
  readonly velocity: Tensor;
  /** The greatest velocity; without amsgrad undefined. */
  readonly velocityMax: Tensor | undefined;
}

/** The state before the first step of `weight`. */
export function adamState(weight: Tensor, { amsgrad = false }: AdamOptions = {}): AdamState {
  return {
    iterations: 0,
    momentum: zeros(weight.shape, weight),
    velocity: zeros(weight.shape, weight),
    velocityMax: amsgrad ? zeros(weight.shape, weight) : undefined,
  };
}

/**
 * One step of Adam.
 *
 * @throws RangeError when shapes differ, a beta is not within [0, 1), or another number is negative.
 */
export function adamStep(
  weight: Tensor,
  gradient: Tensor,
  state: AdamState,
  options: AdamOptions = {},
): Step<AdamState> {
  const { learningRate = 1e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7, amsgrad = false, weightDecay = 0 } = options;
  for (const [name, value] of Object.entries({ learningRate, epsilon, weightDecay })) expectFactor("Adam", name, value);
  for (const [name, value] of Object.entries({ beta1, beta2 })) expectShare("Adam", name, value);
  const like = (name: string, x: Tensor): Tensor => likeWeight("Adam", name, x, weight);
  const ws = like("weight", weight).data;
  const gs = like("gradient", gradient).data;
  const ms = like("momentum", state.momentum).data;
  const vs = like("velocity", state.velocity).data;
  const before = amsgrad ? like("velocityMax", state.velocityMax ?? zeros(weight.shape, weight)).data : undefined;
  const t = state.iterations + 1;
  const alpha = (learningRate * Math.sqrt(1 - wholePower(beta2, t))) / (1 - wholePower(beta1, t));

  const [next, momentum, velocity] = [0, 1, 2].map(() => empty(weight.shape, weight));
  const velocityMax = before && empty(weight.shape, weight);
  for (let i = 0; i < ws.length; i++) {
    const w = ws[i] - ws[i] * weightDecay * learningRate;
    const m = ms[i] + (gs[i] - ms[i]) * (1 - beta1);
    const v = vs[i] + (gs[i] * gs[i] - vs[i]) * (1 - beta2);
    const divisor = before === undefined ? v : Math.max(before[i], v);
    momentum.data[i] = m;
    velocity.data[i] = v;
    if (velocityMax !== undefined) velocityMax.data[i] = divisor;
    next.data[i] = w - (alpha * m) / (Math.sqrt(divisor) + epsilon);
  }
  return { weight: next, state: { iterations: t, momentum, velocity, velocityMax } };
}
