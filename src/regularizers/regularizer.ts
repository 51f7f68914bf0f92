/**
 * Regularizers: a penalty on a weight w that is added to the loss, and its gradient.
 * Keras: `keras.regularizers.L1`, `L2`, `L1L2`.
 *
 * Forward:   penalty = l1 * sum |w| + l2 * sum w^2
 *
 * Backward:  dW      = l1 * sign(w) + 2 * l2 * w
 *
 * Keras's l2 has no factor 1/2, hence the 2 in the gradient.
 *
 * @module
 */
import { type Execution, serial } from "../kernels/execution.js";
import { penaltyGradients, type PenaltySums, penaltySums, penaltySumsOfAll } from "../kernels/weight-updates.js";
import { describe, isKerasConfig } from "../serialization/config.js";
import { contiguous, type Tensor } from "../tensor/tensor.js";

const CLASS_NAMES = ["L1", "L2", "L1L2"] as const;

/** A penalty on one weight. Both factors may be zero, not negative. */
export interface Regularizer {
  /** The Keras class this was made as; it decides what is written to a file. */
  readonly className: (typeof CLASS_NAMES)[number];
  /** Factor of the sum of absolute values. */
  readonly l1: number;
  /** Factor of the sum of squares. */
  readonly l2: number;
}

/** What a Keras file says of a regularizer. */
export interface SerializedRegularizer {
  readonly module: "keras.regularizers";
  readonly class_name: Regularizer["className"];
  readonly config: Readonly<Record<string, number>>;
  readonly registered_name: null;
}

function checkFactor(className: string, argument: string, value: unknown): number {
  if (typeof value !== "number" || !Number.isFinite(value) || value < 0) {
    throw new RangeError(
      `${className}: \`${argument}\` must be a finite number of at least 0. Received ${String(value)}.`,
    );
  }
  return value;
}

/** The L1 penalty, `factor * sum |w|`. @throws RangeError when the factor is negative or not finite. */
export function l1(factor = 0.01): Regularizer {
  return { className: "L1", l1: checkFactor("L1", "l1", factor), l2: 0 };
}

/** The L2 penalty, `factor * sum w^2`. @throws RangeError when the factor is negative or not finite. */
export function l2(factor = 0.01): Regularizer {
  return { className: "L2", l1: 0, l2: checkFactor("L2", "l2", factor) };
}

/** Both penalties. @throws RangeError when a factor is negative or not finite. */
export function l1l2(l1Factor = 0, l2Factor = 0): Regularizer {
  return {
    className: "L1L2",
    l1: checkFactor("L1L2", "l1", l1Factor),
    l2: checkFactor("L1L2", "l2", l2Factor),
  };
}

/** How an option names a regularizer: as made by {@link l1}, {@link l2} or {@link l1l2}, or Keras's name of one. */
export type RegularizerOption = Regularizer | string;

/**
 * The regularizer that an option is or names.
 *
 * @throws TypeError when it is none; the message begins with `where`.
 * @throws RangeError when a factor is negative or not finite.
 */
export function regularizerOf(option: RegularizerOption | null | undefined, where: string): Regularizer | undefined {
  if (typeof option !== "object" || option === null) return regularizerFromConfig(option, where);
  if (!CLASS_NAMES.includes(option.className)) {
    throw new TypeError(`${where} must be made by l1, l2 or l1l2, or be named. Received ${describe(option)}.`);
  }
  checkFactor(where, "l1", option.l1);
  checkFactor(where, "l2", option.l2);
  return option;
}

/** The penalty on `weight`: the sum runs in float64, index ascending. */
export function regularizationLoss(regularizer: Regularizer, weight: Tensor): number {
  return penaltyOf(regularizer, penaltySums(contiguous(weight).data));
}

/** The sum of the penalties on `weights`, in their order; those without a regularizer have none. */
export function regularizationLossOfAll(
  weights: readonly { readonly regularizer: Regularizer | undefined; readonly value: Tensor }[],
  execution: Execution,
): number {
  const penalized = weights.filter(({ regularizer }) => regularizer !== undefined);
  const sums = penaltySumsOfAll(
    penalized.map(({ value }) => contiguous(value).data),
    execution,
  );
  let loss = 0;
  for (const [i, { regularizer }] of penalized.entries()) {
    if (regularizer !== undefined) loss += penaltyOf(regularizer, sums[i]);
  }
  return loss;
}

function penaltyOf({ l1, l2 }: Regularizer, { absolute, squares }: PenaltySums): number {
  return l1 * absolute + l2 * squares;
}

/** `dWeight`, the gradient that the data loss gave, plus that of the penalty; a fresh tensor. */
export function addRegularizationGradient(
  regularizer: Regularizer,
  weight: Tensor,
  dWeight: Tensor,
  execution: Execution = serial,
): Tensor {
  return addRegularizationGradients([{ regularizer, weight, dWeight }], execution)[0];
}

/** {@link addRegularizationGradient} for many weights, whose work threads share. */
export function addRegularizationGradients(
  terms: readonly { readonly regularizer: Regularizer; readonly weight: Tensor; readonly dWeight: Tensor }[],
  execution: Execution,
): Tensor[] {
  return penaltyGradients(
    terms.map(({ regularizer: { l1, l2 }, weight, dWeight }) => ({
      gradient: dWeight,
      weight,
      factors: { l1, l2Twice: 2 * l2 },
    })),
    execution,
  );
}

/** How a Keras file spells `regularizer`. */
export function regularizerToConfig(regularizer: Regularizer | undefined): SerializedRegularizer | null {
  if (regularizer === undefined) return null;
  const { className, l1, l2 } = regularizer;
  const config = className === "L1" ? { l1 } : className === "L2" ? { l2 } : { l1, l2 };
  return { module: "keras.regularizers", class_name: className, config, registered_name: null };
}

/**
 * Reads a regularizer from a Keras 3 or Keras 2 configuration.
 *
 * @throws TypeError when it is none of the known ones; the message names it.
 */
export function regularizerFromConfig(config: unknown, where: string): Regularizer | undefined {
  if (config === null || config === undefined) return undefined;
  const className = isKerasConfig(config) ? config["class_name"] : config;
  const values = isKerasConfig(config) && isKerasConfig(config["config"]) ? config["config"] : {};
  // Keras 2 writes every one of them as L1L2 or L2 and leaves out what is zero
  const factor = (name: "l1" | "l2", absent: number): number => checkFactor(where, name, values[name] ?? absent);
  switch (className) {
    case "L1":
    case "l1":
      return l1(factor("l1", 0.01));
    case "L2":
    case "l2":
      return l2(factor("l2", 0.01));
    case "L1L2":
    case "l1l2":
      return l1l2(factor("l1", 0), factor("l2", 0));
    case "l1_l2": // a name in Keras 2 alone, which has other factors there than the class
      return l1l2(factor("l1", 0.01), factor("l2", 0.01));
    default:
      throw new TypeError(`${where} must be one of ${CLASS_NAMES.join(", ")}. Received ${describe(className)}.`);
  }
}
