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
 * @module
 */
import { formatShape, shapesAgree } from "../tensor/shape.js";
import { contiguous, type Tensor } from "../tensor/tensor.js";

/** What a step returns. */
export interface Step<State> {
  /** The weight after it. */
  readonly weight: Tensor;
  /** The state after it, for the next one. */
  readonly state: State;
}

/** Options that all optimizers have. */
export interface OptimizerOptions {
  readonly learningRate?: number;
  /** The share of a weight, times the learning rate, that a step takes away before all else. @defaultValue none */
  readonly weightDecay?: number | undefined;
}

/** Checks that `value` is a finite number of at least 0. @throws RangeError */
export function expectFactor(className: string, argument: string, value: number): void {
  if (!(value >= 0 && value < Number.POSITIVE_INFINITY)) {
    throw new RangeError(
      `${className}: \`${argument}\` must be a finite number of at least 0. Received ${argument}=${value}.`,
    );
  }
}

/** Checks that `value` is a share: at least 0 and below 1. @throws RangeError */
export function expectShare(className: string, argument: string, value: number): void {
  if (!(value >= 0 && value < 1)) {
    throw new RangeError(
      `${className}: \`${argument}\` must be at least 0 and below 1. Received ${argument}=${value}.`,
    );
  }
}

/** `x`, contiguous, if it has the shape of `weight`. @throws RangeError when it has not. */
export function likeWeight(className: string, name: string, x: Tensor, weight: Tensor): Tensor {
  if (!shapesAgree(x.shape, weight.shape)) {
    throw new RangeError(
      `${className}: \`${name}\` must have the shape ${formatShape(weight.shape)} of the weight. ` +
        `Received ${name}.shape=${formatShape(x.shape)}.`,
    );
  }
  return contiguous(x);
}

/** `base` to the power of the whole number `exponent` >= 0, by squaring: the same bits in every engine. */
export function wholePower(base: number, exponent: number): number {
  let power = 1;
  for (let square = base, rest = exponent; rest > 0; rest = Math.floor(rest / 2), square *= square) {
    if (rest % 2 === 1) power *= square;
  }
  return power;
}
