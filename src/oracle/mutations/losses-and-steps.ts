/**
 * Mistakes in losses and in steps of optimizers.
 *
 * @module
 */
import type { KerasConfig } from "../../serialization/config.js";
import type { Operands } from "../operation.js";
import { type Compute, inArgs, inResult, mapped, type Mutant, mutantsOf, scaled } from "./mutant.js";

type Mistakes = Readonly<Record<string, (reference: Compute) => Compute>>;

/** log 2, the natural one. */
const LOG_2 = 0.6931471805599453;

const loss: Mistakes = {
  "a sum over the batch": inResult("loss", (value, { yPred }) => scaled(value, yPred.shape[0])),
  "logarithm to base 2": inResult("loss", (value) => scaled(value, 1 / LOG_2)),
  "sign missing": inResult("loss", (value) => scaled(value, -1)),
  "logits taken for probabilities": inArgs(() => ({ fromLogits: false })),
  "probabilities taken for logits": inArgs(() => ({ fromLogits: true })),
};

const gradient: Mistakes = {
  "not divided by the batch": inResult("dYPred", (dYPred) => scaled(dYPred, dYPred.shape[0])),
  "divided by all elements": inResult("dYPred", (dYPred) => scaled(dYPred, 1 / dYPred.shape[1])),
  "sign missing": inResult("dYPred", (dYPred) => scaled(dYPred, -1)),
  "probabilities taken for logits": inArgs(() => ({ fromLogits: true })),
};

const smoothing: Mistakes = { "label smoothing ignored": inArgs(() => ({ labelSmoothing: 0 })) };

/** Class numbers that begin at 1. */
const offByOne: Mistakes = {
  "class numbers off by one": (reference) => (operands, args) => {
    const classes = operands["yPred"].shape[1];
    const yTrue = mapped(operands["yTrue"], (label) => (label + 1) % classes);
    return reference({ ...operands, yTrue }, args);
  },
};

/** A step as Keras takes it, of a gradient that is something else. */
function ofGradient(change: (operands: Operands, args: KerasConfig) => Operands): (reference: Compute) => Compute {
  return (reference) => (operands, args) => reference({ ...operands, ...change(operands, args) }, args);
}

/** L2 as it was before weight decay was decoupled: part of the gradient. */
const coupledDecay =
  (reference: Compute): Compute =>
  (operands, args) => {
    const { weight, gradient: given } = operands;
    const decay = Number(args["weightDecay"]);
    const penalized = mapped(given, (value, position) => value + decay * weight.get(...position));
    return reference({ ...operands, gradient: penalized }, { ...args, weightDecay: 0 });
  };

const adam: Mistakes = {
  "bias correction missing": inArgs(() => ({ iterations: 1_000_000 })),
  "counts steps from 0": inArgs(({ iterations }) => ({ iterations: Math.max(0, Number(iterations) - 1) })),
  "counts steps from 2": inArgs(({ iterations }) => ({ iterations: Number(iterations) + 1 })),
  "betas swapped": inArgs(({ beta1, beta2 }) => ({ beta1: beta2, beta2: beta1 })),
  "epsilon is 1e-8": inArgs(() => ({ epsilon: 1e-8 })),
  "amsgrad ignored": (reference) => (operands, args) => {
    const { velocityMax } = operands;
    const results = reference(operands, { ...args, amsgrad: false });
    return velocityMax === undefined ? results : { ...results, velocityMax };
  },
  "weight decay ignored": inArgs(() => ({ weightDecay: 0 })),
  "weight decay in the gradient": coupledDecay,
  "gradient not squared": (reference) => (operands, args) => ({
    ...reference(operands, args),
    velocity: mapped(operands["velocity"], (value, position) => {
      const kept = Number(args["beta2"]);
      return kept * value + (1 - kept) * Math.abs(operands["gradient"].get(...position));
    }),
  }),
  ascends: ofGradient(({ gradient: given }) => ({ gradient: scaled(given, -1) })),
};

/** All of them. */
export const LOSS_AND_STEP_MUTANTS: readonly Mutant[] = [
  ...mutantsOf("categorical-crossentropy", { ...loss, ...smoothing }),
  ...mutantsOf("categorical-crossentropy-backward", { ...gradient, ...smoothing }),
  ...mutantsOf("sparse-categorical-crossentropy", { ...loss, ...offByOne }),
  ...mutantsOf("sparse-categorical-crossentropy-backward", { ...gradient, ...offByOne }),
  ...mutantsOf("mean-squared-error", {
    halved: inResult("loss", (value) => scaled(value, 0.5)),
    "a sum over the batch": inResult("loss", (value, { yPred }) => scaled(value, yPred.shape[0])),
  }),
  ...mutantsOf("mean-squared-error-backward", {
    "2 missing": inResult("dYPred", (dYPred) => scaled(dYPred, 0.5)),
    "not divided by the batch": inResult("dYPred", (dYPred) => scaled(dYPred, dYPred.shape[0])),
  }),
  ...mutantsOf("sgd-step", {
    "nesterov ignored": inArgs(() => ({ nesterov: false })),
    "momentum ignored": inArgs(() => ({ momentum: 0 })),
    "weight decay ignored": inArgs(() => ({ weightDecay: 0 })),
    "weight decay in the gradient": coupledDecay,
    "momentum without the learning rate": inResult("momentum", (momentum, _, { learningRate }) =>
      scaled(momentum, -1 / Number(learningRate)),
    ),
    "learning rate twice": ofGradient(({ gradient: given }, { learningRate }) => ({
      gradient: scaled(given, Number(learningRate)),
    })),
  }),
  ...mutantsOf("adam-step", adam),
  ...mutantsOf("adamw-step", adam),
];
