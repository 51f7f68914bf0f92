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
 * - 1 - beta2^t is off by u / (1 - beta2), 6e-5 of itself, where beta2 has been rounded to float32. {@link adamStep} does
 *   not round it; {@link Adam} rounds arguments where Keras does, as it must to follow a run of Keras.
 *
 * @module
 */
import { runPasses } from "../kernels/element-tiles.js";
import { type Execution, serial } from "../kernels/execution.js";
import { type AdamCoefficients, adamUpdate } from "../kernels/weight-updates.js";
import { type KerasConfig, readConfig } from "../serialization/config.js";
import { expectBooleans, expectOptions } from "../serialization/options.js";
import type { DType } from "../tensor/dtype.js";
import { type Tensor, zeros } from "../tensor/tensor.js";
import {
  copyOf,
  expectFactor,
  expectShare,
  likeWeight,
  Optimizer,
  type OptimizerClassOptions,
  type OptimizerOptions,
  optimizerOptionsFromConfig,
  roundingOf,
  type Step,
  type Update,
  wholePower,
} from "./optimizer.js";

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

const STEP_OPTIONS = ["learningRate", "beta1", "beta2", "epsilon", "amsgrad", "weightDecay"] as const;

/**
 * One step of Adam.
 *
 * @throws TypeError when there is an option that is none of {@link AdamOptions}, or `amsgrad` is no truth value.
 * @throws RangeError when shapes differ, a beta is not within [0, 1), or another number is negative.
 */
export function adamStep(
  weight: Tensor,
  gradient: Tensor,
  state: AdamState,
  options: AdamOptions = {},
): Step<AdamState> {
  expectOptions("adamStep", options, STEP_OPTIONS);
  const { learningRate = 1e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7, amsgrad = false, weightDecay = 0 } = options;
  for (const [name, value] of Object.entries({ learningRate, epsilon, weightDecay })) expectFactor("Adam", name, value);
  for (const [name, value] of Object.entries({ beta1, beta2 })) expectShare("Adam", name, value);
  expectBooleans("Adam", { amsgrad });
  const like = (name: string, x: Tensor): Tensor => likeWeight("Adam", name, x, weight);
  const next = copyOf(like("weight", weight));
  const momentum = copyOf(like("momentum", state.momentum));
  const velocity = copyOf(like("velocity", state.velocity));
  const velocityMax = amsgrad
    ? copyOf(like("velocityMax", state.velocityMax ?? zeros(weight.shape, weight)))
    : undefined;
  const t = state.iterations + 1;
  const changes = adamUpdate(
    next.data,
    like("gradient", gradient).data,
    momentum.data,
    velocity.data,
    velocityMax?.data,
    {
      alpha: (learningRate * Math.sqrt(1 - wholePower(beta2, t))) / (1 - wholePower(beta1, t)),
      momentumShare: 1 - beta1,
      velocityShare: 1 - beta2,
      epsilon,
      decay: weightDecay,
      learningRate,
    },
    serial,
  );
  runPasses(serial, changes);
  return { weight: next, state: { iterations: t, momentum, velocity, velocityMax } };
}

/** Options of {@link Adam}. */
export interface AdamClassOptions extends AdamOptions, OptimizerClassOptions {}

/** Of {@link AdamClassOptions}. */
export const ADAM_OPTIONS: readonly string[] = [...STEP_OPTIONS, "name"];

/** Adam as Keras has it, for all weights of a model. */
export class Adam extends Optimizer {
  readonly className: "Adam" | "AdamW" = "Adam";
  protected readonly slotNames: readonly (readonly string[])[];
  readonly #beta1: number;
  readonly #beta2: number;
  readonly #epsilon: number;
  readonly #amsgrad: boolean;

  /**
   * @throws TypeError when there is an option that is none of {@link AdamClassOptions}, or `amsgrad` is no truth value.
   * @throws RangeError when a beta, also as a float32, is not within [0, 1), or another number is negative or not finite.
   */
  constructor(options: AdamClassOptions = {}, className = "Adam") {
    expectOptions(className, options, ADAM_OPTIONS);
    const { learningRate = 1e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7, amsgrad = false } = options;
    super(className, options.name ?? "adam", learningRate, options.weightDecay);
    expectFactor(className, "epsilon", epsilon);
    expectBooleans(className, { amsgrad });
    for (const [name, value] of Object.entries({ beta1, beta2 })) {
      expectShare(className, name, value);
      expectShare(className, name, Math.fround(value)); // with which steps correct the bias: 1 would leave nothing
    }
    this.#beta1 = beta1;
    this.#beta2 = beta2;
    this.#epsilon = epsilon;
    this.#amsgrad = amsgrad;
    this.slotNames = amsgrad ? [["momentum", "velocity"], ["velocity_hat"]] : [["momentum", "velocity"]];
  }

  /**
   * Reads the optimizer from Keras's configuration.
   *
   * @throws TypeError when an argument is of another type, or asks for what is not implemented: clipping of gradients,
   *   averages of weights, scaled losses, accumulated gradients, a rate that decays, a schedule in place of the rate.
   * @throws RangeError as the constructor.
   */
  static fromConfig(config: KerasConfig): Adam {
    return new Adam(adamOptionsFromConfig("Adam", config));
  }

  protected update(t: number, dtype: DType, execution: Execution): Update {
    const { learningRate } = this;
    const round = roundingOf(dtype);
    // Keras raises betas that have been rounded to float32, but rounds 1 - beta to the element type of the weight
    const [beta1, beta2] = [Math.fround(this.#beta1), Math.fround(this.#beta2)];
    const coefficients: AdamCoefficients = {
      alpha: (learningRate * Math.sqrt(1 - wholePower(beta2, t))) / (1 - wholePower(beta1, t)),
      momentumShare: round(1 - this.#beta1),
      velocityShare: round(1 - this.#beta2),
      epsilon: round(this.#epsilon),
      decay: Math.fround(this.weightDecay ?? 0),
      learningRate,
    };
    return (ws, gs, [ms, vs, maxima]) =>
      adamUpdate(ws, gs, ms, vs, this.#amsgrad ? maxima : undefined, coefficients, execution);
  }

  protected arguments(): KerasConfig {
    return { beta_1: this.#beta1, beta_2: this.#beta2, epsilon: this.#epsilon, amsgrad: this.#amsgrad };
  }
}

/** The options of an Adam or AdamW in Keras's configuration. */
export function adamOptionsFromConfig(className: string, config: KerasConfig): AdamClassOptions {
  const read = readConfig(className, config);
  return {
    ...optimizerOptionsFromConfig(className, config),
    beta1: read.number("beta_1", 0.9),
    beta2: read.number("beta_2", 0.999),
    epsilon: read.number("epsilon", 1e-7),
    amsgrad: read.boolean("amsgrad", false),
  };
}
