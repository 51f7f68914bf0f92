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
import { runPasses } from "../kernels/element-tiles.js";
import { type Execution, serial } from "../kernels/execution.js";
import { type SGDCoefficients, sgdUpdate } from "../kernels/weight-updates.js";
import { type KerasConfig, readConfig } from "../serialization/config.js";
import { expectBooleans, expectOptions } from "../serialization/options.js";
import type { DType } from "../tensor/dtype.js";
import { type Tensor, zeros } from "../tensor/tensor.js";
import {
  copyOf,
  expectFactor,
  likeWeight,
  Optimizer,
  type OptimizerClassOptions,
  type OptimizerOptions,
  optimizerOptionsFromConfig,
  type Step,
  type Update,
} from "./optimizer.js";

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

/** With a momentum of 1, which Keras takes too, a step is never forgotten. */
function expectMomentum(momentum: number): void {
  if (Number.isFinite(momentum) && momentum >= 0 && momentum <= 1) return;
  throw new RangeError(`SGD: \`momentum\` must be between 0 and 1. Received momentum=${momentum}.`);
}

/** The state before the first step of `weight`. */
export function sgdState(weight: Tensor, { momentum = 0 }: SGDOptions = {}): SGDState {
  return { momentum: momentum === 0 ? undefined : zeros(weight.shape, weight) };
}

const STEP_OPTIONS = ["learningRate", "momentum", "nesterov", "weightDecay"] as const;

/**
 * One step down the `gradient`.
 *
 * @throws TypeError when there is an option that is none of {@link SGDOptions}, or `nesterov` is no truth value.
 * @throws RangeError when shapes differ, the rate or the decay is negative, or the momentum is not within [0, 1].
 */
export function sgdStep(weight: Tensor, gradient: Tensor, state: SGDState, options: SGDOptions = {}): Step<SGDState> {
  expectOptions("sgdStep", options, STEP_OPTIONS);
  const { learningRate = 0.01, momentum = 0, nesterov = false, weightDecay = 0 } = options;
  expectFactor("SGD", "learningRate", learningRate);
  expectMomentum(momentum);
  expectBooleans("SGD", { nesterov });
  expectFactor("SGD", "weightDecay", weightDecay);
  const like = (name: string, x: Tensor): Tensor => likeWeight("SGD", name, x, weight);
  const next = copyOf(like("weight", weight));
  const nextMomentum =
    momentum === 0 ? undefined : copyOf(like("momentum", state.momentum ?? zeros(weight.shape, weight)));
  const coefficients = { learningRate, momentum, nesterov, decay: weightDecay };
  runPasses(serial, sgdUpdate(next.data, like("gradient", gradient).data, nextMomentum?.data, coefficients, serial));
  return { weight: next, state: { momentum: nextMomentum } };
}

/** Options of {@link SGD}. */
export interface SGDClassOptions extends SGDOptions, OptimizerClassOptions {}

const OPTIONS = [...STEP_OPTIONS, "name"] as const;

/** SGD as Keras has it, for all weights of a model. */
export class SGD extends Optimizer {
  readonly className = "SGD";
  protected readonly slotNames: readonly (readonly string[])[];
  readonly #momentum: number;
  readonly #nesterov: boolean;

  /**
   * @throws TypeError when there is an option that is none of {@link SGDClassOptions}, or `nesterov` is no truth value.
   * @throws RangeError when the rate or the decay is negative or not finite, or the momentum is not within [0, 1].
   */
  constructor(options: SGDClassOptions = {}) {
    expectOptions("SGD", options, OPTIONS);
    const { learningRate = 0.01, momentum = 0, nesterov = false } = options;
    super("SGD", options.name ?? "sgd", learningRate, options.weightDecay);
    expectMomentum(momentum);
    expectBooleans("SGD", { nesterov });
    this.#momentum = momentum;
    this.#nesterov = nesterov;
    this.slotNames = momentum === 0 ? [] : [["momentum"]];
  }

  /**
   * Reads the optimizer from Keras's configuration.
   *
   * @throws TypeError when an argument is of another type, or asks for what is not implemented: clipping of gradients,
   *   averages of weights, scaled losses, accumulated gradients, a rate that decays, a schedule in place of the rate.
   * @throws RangeError as the constructor.
   */
  static fromConfig(config: KerasConfig): SGD {
    const read = readConfig("SGD", config);
    return new SGD({
      ...optimizerOptionsFromConfig("SGD", config),
      momentum: read.number("momentum", 0),
      nesterov: read.boolean("nesterov", false),
    });
  }

  protected update(_t: number, _dtype: DType, execution: Execution): Update {
    const { learningRate } = this;
    const coefficients: SGDCoefficients = {
      learningRate,
      // Keras rounds these to float32, whatever the weights are
      momentum: Math.fround(this.#momentum),
      nesterov: this.#nesterov,
      decay: Math.fround(this.weightDecay ?? 0),
    };
    return (ws, gs, [ms]) => sgdUpdate(ws, gs, ms, coefficients, execution);
  }

  protected arguments(): KerasConfig {
    return { momentum: this.#momentum, nesterov: this.#nesterov };
  }
}
