/**
 * The contract that every optimizer file keeps, and what they share.
 *
 * A step is a pure function on one weight:
 *
 *     xStep(weight, gradient, state, options)  ->  { weight, state }
 *
 * The state has the tensors that the optimizer keeps beside the weight, of the same shape, and `xState` makes the
 * first one. All of a step stays in float64; weight and state are rounded once, when they are stored.
 *
 * Below it stands a class with Keras's name, which keeps the state of all weights of a model and does the same in place:
 * {@link Optimizer.applyGradients}.
 *
 * @module
 */
import { runPasses } from "../kernels/element-tiles.js";
import { type Execution, serial } from "../kernels/execution.js";
import type { Changes } from "../kernels/weight-updates.js";
import { Variable } from "../layers/variable.js";
import { describe, kindOf, type KerasConfig, readConfig } from "../serialization/config.js";
import { checkTensor } from "../serialization/tensors.js";
import type { DType, FloatArray } from "../tensor/dtype.js";
import { formatShape, type Shape, shapesAgree } from "../tensor/shape.js";
import { contiguous, copyInto, detach, empty, type Tensor, tensorOf } from "../tensor/tensor.js";

/** What a step returns. */
export interface Step<State> {
  /** The weight after it. */
  readonly weight: Tensor;
  /** The state after it, for the next one. */
  readonly state: State;
}

/** Options that all optimizers have. */
export interface OptimizerOptions {
  /** How far a step goes; each optimizer has a default of its own. */
  readonly learningRate?: number;
  /** The share of a weight, times the learning rate, that a step takes away before all else. @defaultValue none */
  readonly weightDecay?: number | undefined;
}

/** Checks that `value` is a finite number of at least 0. @throws RangeError */
export function expectFactor(className: string, argument: string, value: number): void {
  if (!(Number.isFinite(value) && value >= 0)) {
    throw new RangeError(
      `${className}: \`${argument}\` must be a finite number of at least 0. Received ${argument}=${value}.`,
    );
  }
}

/** Checks that `value` is a share: at least 0 and below 1. @throws RangeError */
export function expectShare(className: string, argument: string, value: number): void {
  if (!(Number.isFinite(value) && value >= 0 && value < 1)) {
    throw new RangeError(
      `${className}: \`${argument}\` must be at least 0 and below 1. Received ${argument}=${value}.`,
    );
  }
}

/** `x`, contiguous, if it has the shape of `weight`. @throws RangeError when it has not; TypeError when it is no tensor. */
export function likeWeight(className: string, name: string, x: Tensor, weight: { readonly shape: Shape }): Tensor {
  checkTensor(className, name, x);
  if (!shapesAgree(x.shape, weight.shape)) {
    throw new RangeError(
      `${className}: \`${name}\` must have the shape ${formatShape(weight.shape)} of the weight. ` +
        `Received ${name}.shape=${formatShape(x.shape)}.`,
    );
  }
  return contiguous(x);
}

/** A copy of `x`, in the arena of the step where there is one. */
export function copyOf(x: Tensor): Tensor {
  return copyInto(empty(x.shape, x), x);
}

/** How Keras rounds a Python number that meets a weight of element type `dtype`. */
export function roundingOf(dtype: DType): (x: number) => number {
  return dtype === "float64" ? (x) => x : Math.fround;
}

/** `base` to the power of the whole number `exponent` >= 0, by squaring: the same bits in every engine. */
export function wholePower(base: number, exponent: number): number {
  let power = 1;
  for (let square = base, rest = exponent; rest > 0; rest = Math.floor(rest / 2), square *= square) {
    if (rest % 2 === 1) power *= square;
  }
  return power;
}

/** One number or tensor that an optimizer keeps, by Keras's name. */
export interface OptimizerVariable {
  /** `iteration`, `learning_rate`, or the slot of a weight: `conv2d_kernel_momentum`. */
  readonly name: string;
  /** [] for a number. */
  readonly shape: Shape;
  /** The element type in Keras; an int64 is read and assigned as float64, which holds every count exactly. */
  readonly dtype: DType | "int64";
  /** A copy of the values. */
  read(): Tensor;
  /** Replaces the values. @throws RangeError when the shape is another. */
  assign(x: Tensor): void;
}

/** One step on one weight: what changes the weight and its slots in place. */
export type Update = (weight: FloatArray, gradient: FloatArray, slots: readonly FloatArray[]) => Changes;

/** Options of every {@link Optimizer}. */
export interface OptimizerClassOptions extends OptimizerOptions {
  /** Keras's name of the object. @defaultValue the class in snake case */
  readonly name?: string | undefined;
}

/** What all optimizers share: the learning rate, the count of steps, and the state of every weight. */
export abstract class Optimizer {
  /** The Keras class. */
  abstract readonly className: "Adam" | "AdamW" | "SGD";
  /** Keras's name of the object. */
  readonly name: string;
  /** The share of a weight, times the learning rate, that a step takes away; undefined for none. */
  readonly weightDecay: number | undefined;
  #learningRate: number;
  #iterations = 0;
  #weights: readonly Variable[] | undefined;
  /** Of every weight, in order, its slots in the order of {@link slotNames}. */
  #slots: readonly (readonly Variable[])[] = [];

  /** @throws RangeError when a number is not finite or is negative. */
  protected constructor(className: string, name: string, learningRate: number, weightDecay: number | undefined) {
    expectFactor(className, "learningRate", learningRate);
    if (weightDecay !== undefined) expectFactor(className, "weightDecay", weightDecay);
    this.name = name;
    this.weightDecay = weightDecay;
    this.#learningRate = Math.fround(learningRate);
  }

  /** The learning rate: a float32, as in Keras. */
  get learningRate(): number {
    return this.#learningRate;
  }

  /** @throws RangeError when it is not finite or is negative. */
  set learningRate(learningRate: number) {
    expectFactor(this.className, "learningRate", learningRate);
    this.#learningRate = Math.fround(learningRate);
  }

  /** Steps that are done. */
  get iterations(): number {
    return this.#iterations;
  }

  /** The slots of a weight, in groups: Keras lists a group for all weights before the next group. */
  protected abstract readonly slotNames: readonly (readonly string[])[];

  /** The step numbered `t` from 1, for weights of element type `dtype`. */
  protected abstract update(t: number, dtype: DType, execution: Execution): Update;

  /**
   * Makes the state for `weights`, once; {@link applyGradients} does it by itself.
   *
   * @throws RangeError when it was made for other weights.
   */
  build(weights: readonly Variable[]): void {
    if (this.#weights !== undefined) {
      const same = weights.length === this.#weights.length && weights.every((w, i) => w === this.#weights?.[i]);
      if (same) return;
      throw new RangeError(
        `${this.className}: \`weights\` must be those that the optimizer was built for. ` +
          `Received ${weights.length} weights, not the same ${this.#weights.length}.`,
      );
    }
    this.#weights = [...weights];
    this.#slots = this.#weights.map((weight) => {
      const path = `${weight.owner}/${weight.name}`.replaceAll("/", "_");
      return this.slotNames
        .flat()
        .map(
          (slot) =>
            new Variable(
              { name: `${path}_${slot}`, shape: weight.shape, initializer: ZEROS, trainable: false },
              weight.dtype,
            ),
        );
    });
  }

  /**
   * One step: changes `weights`, given the gradients of the loss for each, and the state.
   *
   * @throws RangeError when there is not one gradient of its shape for each weight, or the weights are not those of the
   *   first step; nothing has changed then.
   */
  applyGradients(weights: readonly Variable[], gradients: readonly Tensor[], execution: Execution = serial): void {
    if (gradients.length !== weights.length) {
      throw new RangeError(
        `${this.className}: \`gradients\` must be one for each of ${weights.length} weights. ` +
          `Received ${gradients.length}.`,
      );
    }
    const dense = gradients.map((gradient, i) => likeWeight(this.className, "gradient", gradient, weights[i]));
    this.build(weights);
    // all memory is there before the first weight changes: a step that finds none must not be half done
    const changed = weights.map((weight, i) => ({
      weight: weight.value.data,
      slots: this.#slots[i].map((slot) => slot.value.data),
    }));
    const updates = new Map<DType, Update>();
    const passes = weights.flatMap(({ dtype }, i) => {
      const update = updates.get(dtype) ?? this.update(this.#iterations + 1, dtype, execution);
      updates.set(dtype, update);
      return update(changed[i].weight, dense[i].data, changed[i].slots);
    });
    runPasses(execution, passes);
    this.#iterations += 1;
  }

  /** All of the state, in Keras's order: what a file keeps. The slots are there once the optimizer is built. */
  variables(): readonly OptimizerVariable[] {
    const iteration = numberVariable(this.className, "iteration", "int64", {
      get: () => this.#iterations,
      set: (count) => void (this.#iterations = count),
    });
    const learningRate = numberVariable(this.className, "learning_rate", "float32", {
      get: () => this.#learningRate,
      set: (rate) => void (this.learningRate = rate),
    });
    let first = 0;
    const slots = this.slotNames.flatMap((group) => {
      const begin = first;
      first += group.length;
      return this.#slots.flatMap((ofWeight) => ofWeight.slice(begin, first));
    });
    return [iteration, learningRate, ...slots];
  }

  /** The arguments of this class as Keras's `get_config` gives them, without what all optimizers share. */
  protected abstract arguments(): KerasConfig;

  /** Keras's `get_config()`. */
  getConfig(): KerasConfig {
    return {
      name: this.name,
      learning_rate: this.learningRate,
      weight_decay: this.weightDecay ?? null,
      clipnorm: null,
      global_clipnorm: null,
      clipvalue: null,
      use_ema: false,
      ema_momentum: 0.99,
      ema_overwrite_frequency: null,
      loss_scale_factor: null,
      gradient_accumulation_steps: null,
      ...this.arguments(),
    };
  }
}

const ZEROS = { className: "Zeros", config: {} } as const;

/** A number that an optimizer keeps, as a variable of shape []. */
function numberVariable(
  className: string,
  name: string,
  dtype: DType | "int64",
  { get, set }: { readonly get: () => number; readonly set: (value: number) => void },
): OptimizerVariable {
  return {
    name,
    shape: [],
    dtype,
    read: () => tensorOf([get()], [], dtype === "int64" ? "float64" : dtype),
    assign(x) {
      if (x.size !== 1) {
        throw new RangeError(
          `${className}: \`${name}\` must be one number. Received a tensor of shape ${formatShape(x.shape)}.`,
        );
      }
      const [value] = detach(x).data;
      if (dtype === "int64" && !(Number.isSafeInteger(value) && value >= 0)) {
        throw new RangeError(`${className}: \`${name}\` must be a whole number of at least 0. Received ${value}.`);
      }
      set(value);
    },
  };
}

/**
 * The options that all optimizers share, read from Keras's configuration.
 *
 * @throws TypeError when one is of another type, or asks for what is not implemented: clipping of gradients, averages of
 *   weights, scaled losses, accumulated gradients, a rate that decays, a schedule in place of the rate.
 */
export function optimizerOptionsFromConfig(className: string, config: KerasConfig): OptimizerClassOptions {
  const read = readConfig(className, config);
  for (const key of ["clipnorm", "global_clipnorm", "clipvalue"]) read.refuse(key);
  read.refuse("use_ema", false);
  read.refuse("decay", 0); // of the learning rate, in Keras 2
  for (const key of ["loss_scale_factor", "gradient_accumulation_steps"]) read.refuse(key);
  const rate = config["learning_rate"];
  if (typeof rate === "object" && rate !== null) {
    throw new TypeError(
      `${className}: \`learning_rate\` must be a number; schedules are callbacks here. Received ${describe(rate)}.`,
    );
  }
  const learningRate = read.optionalNumber("learning_rate");
  return {
    name: read.optionalString("name"),
    weightDecay: read.optionalNumber("weight_decay"),
    ...(learningRate !== undefined && { learningRate }),
  };
}

/** @throws TypeError when the option `optimizer` of the function `caller` is none, as a name is not. */
export function checkOptimizer(caller: string, optimizer: Optimizer): void {
  if (optimizer instanceof Optimizer) return;
  throw new TypeError(`${caller}: \`optimizer\` must be one, as \`new Adam()\` is. Received ${kindOf(optimizer)}.`);
}
