/**
 * Mistakes in batch normalization, each a change of one line of its formulas.
 *
 * @module
 */
import { resolveAxis } from "../../layers/axis.js";
import type { KerasConfig } from "../../serialization/config.js";
import type { Tensor } from "../../tensor/tensor.js";
import type { Operands } from "../operation.js";
import { build, type Compute, forgetting, inArgs, inResult, mapped, type Mutant, mutantsOf, scaled } from "./mutant.js";

/** The formulas, with what mistakes change of them. */
interface Formulas {
  /** 1 / sqrt(variance + epsilon). */
  readonly rstd: (variance: number, epsilon: number) => number;
  /** The factor of the variance that x is divided by, for m rows, and of the moving one. */
  readonly bessel: (m: number) => number;
  readonly movingBessel: (m: number) => number;
  /** Factors of the terms of dx: dy, its mean, and xHat times the mean of dy xHat; and of all of dx. */
  readonly terms: readonly [dy: number, mean: number, xHat: number];
  readonly scale: (gamma: number) => number;
  /** dGamma from the sum of dy xHat, and of dy (x - mean). */
  readonly dGamma: (ofXHat: number, ofDifference: number) => number;
}

const RIGHT: Formulas = {
  rstd: (variance, epsilon) => 1 / Math.sqrt(variance + epsilon),
  bessel: () => 1,
  movingBessel: () => 1,
  terms: [1, 1, 1],
  scale: (gamma) => gamma,
  dGamma: (ofXHat) => ofXHat,
};

const sample = (m: number): number => (m > 1 ? m / (m - 1) : 1);

/** What every channel has. */
class Channels {
  readonly x: Tensor;
  readonly axis: number;
  readonly count: number;
  /** Rows of a channel. */
  readonly rows: number;

  constructor(x: Tensor, args: KerasConfig) {
    this.x = x;
    this.axis = resolveAxis("BatchNormalization", Number(args["axis"] ?? -1), x.shape);
    this.count = x.shape[this.axis];
    this.rows = x.size / this.count;
  }

  of(position: readonly number[]): number {
    return position[this.axis];
  }

  /** The sum over every channel. */
  sums(element: (value: number, position: readonly number[], channel: number) => number): number[] {
    const sums = new Array<number>(this.count).fill(0);
    mapped(this.x, (value, position) => {
      const channel = this.of(position);
      sums[channel] += element(value, position, channel);
      return 0;
    });
    return sums;
  }

  /** Mean and population variance. */
  statistics(): { readonly mean: readonly number[]; readonly variance: readonly number[] } {
    const mean = this.sums((value) => value).map((sum) => sum / this.rows);
    const variance = this.sums((value, _, c) => (value - mean[c]) * (value - mean[c])).map((sum) => sum / this.rows);
    return { mean, variance };
  }
}

function elements(x: Tensor | undefined, count: number, otherwise: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => x?.get(i) ?? otherwise);
}

function forward(training: boolean, formulas: Formulas): Compute {
  return (operands, args) => {
    const channels = new Channels(operands["x"], args);
    const { count, rows } = channels;
    const weights = (name: string, otherwise: number): readonly number[] => elements(operands[name], count, otherwise);
    const [gamma, beta] = [weights("gamma", 1), weights("beta", 0)];
    const batch = channels.statistics();
    const mean = training ? batch.mean : weights("movingMean", 0);
    const variance = training ? batch.variance.map((v) => v * formulas.bessel(rows)) : weights("movingVariance", 1);
    const rstd = variance.map((v) => formulas.rstd(v, Number(args["epsilon"])));
    const y = mapped(channels.x, (value, position) => {
      const c = channels.of(position);
      return (value - mean[c]) * rstd[c] * gamma[c] + beta[c];
    });
    if (!training) return { y };
    const keep = Number(args["momentum"]);
    const moved = (name: string, of: readonly number[]): Tensor =>
      build([count], ([c]) => operands[name].get(c) * keep + of[c] * (1 - keep));
    return {
      y,
      movingMean: moved("movingMean", batch.mean),
      movingVariance: moved(
        "movingVariance",
        batch.variance.map((v) => v * formulas.movingBessel(rows)),
      ),
    };
  };
}

function backward(training: boolean, formulas: Formulas): Compute {
  return (operands, args): Operands => {
    const { dy } = operands;
    const channels = new Channels(operands["x"], args);
    const { count, rows } = channels;
    const gamma = elements(operands["gamma"], count, 1);
    const batch = channels.statistics();
    const mean = training ? batch.mean : elements(operands["movingMean"], count, 0);
    const variance = training
      ? batch.variance.map((v) => v * formulas.bessel(rows))
      : elements(operands["movingVariance"], count, 1);
    const rstd = variance.map((v) => formulas.rstd(v, Number(args["epsilon"])));
    const dBeta = channels.sums((_, position) => dy.get(...position));
    const ofDifference = channels.sums((value, position, c) => dy.get(...position) * (value - mean[c]));
    const ofXHat = ofDifference.map((sum, c) => sum * rstd[c]);
    const [ofDy, ofMean, ofHat] = training ? formulas.terms : [formulas.terms[0], 0, 0];
    const dx = mapped(channels.x, (value, position) => {
      const c = channels.of(position);
      const xHat = (value - mean[c]) * rstd[c];
      const inner = ofDy * dy.get(...position) - (ofMean * dBeta[c]) / rows - (ofHat * xHat * ofXHat[c]) / rows;
      return formulas.scale(gamma[c]) * rstd[c] * inner;
    });
    return {
      dx,
      dGamma: build([count], ([c]) => formulas.dGamma(ofXHat[c], ofDifference[c])),
      dBeta: build([count], ([c]) => dBeta[c]),
    };
  };
}

type Direction = (training: boolean, formulas: Formulas) => Compute;

function mutants(
  operation: string,
  mistakes: Readonly<Record<string, Partial<Formulas>>>,
  control = false,
): readonly Mutant[] {
  const direction: Direction = operation.endsWith("-backward") ? backward : forward;
  const training = operation.includes("training");
  const planted = Object.entries(mistakes).map(
    ([mistake, change]) => [mistake, () => direction(training, { ...RIGHT, ...change })] as const,
  );
  return mutantsOf(operation, Object.fromEntries(planted), control);
}

const EPSILON: Readonly<Record<string, Partial<Formulas>>> = {
  "epsilon is 1e-5": { rstd: (variance) => 1 / Math.sqrt(variance + 1e-5) },
  "epsilon outside the root": { rstd: (variance, epsilon) => 1 / (Math.sqrt(variance) + epsilon) },
  "epsilon missing": { rstd: (variance) => 1 / Math.sqrt(variance) },
};

const BESSEL: Readonly<Record<string, Partial<Formulas>>> = { "sample variance": { bessel: sample } };

const FORWARD = {
  "gamma missing": forgetting("gamma"),
  "beta missing": forgetting("beta"),
  "gamma and beta swapped":
    (reference: Compute): Compute =>
    (operands, args) => {
      const { gamma, beta, ...others } = operands;
      return reference(gamma && beta ? { ...others, gamma: beta, beta: gamma } : operands, args);
    },
};

/** All of them. */
export const NORMALIZATION_MUTANTS: readonly Mutant[] = [
  ...mutants("batch-normalization", EPSILON),
  ...mutantsOf("batch-normalization", {
    ...FORWARD,
    "variance taken for a deviation": (reference) => (operands, args) => {
      const movingVariance = mapped(operands["movingVariance"], (value) => value * value);
      return reference({ ...operands, movingVariance }, args);
    },
    "statistics of the batch": () => (operands, args) => ({ y: forward(true, RIGHT)(operands, args)["y"] }),
  }),
  ...mutants("batch-normalization", { "the formula as it stands": {} }, true),
  ...mutants("batch-normalization-training", {
    ...EPSILON,
    ...BESSEL,
    "moving variance of the sample": { movingBessel: sample },
  }),
  ...mutantsOf("batch-normalization-training", {
    ...FORWARD,
    "momentum inverted": inArgs(({ momentum }) => ({ momentum: 1 - Number(momentum) })),
    "moving statistics not updated": (reference) => (operands, args) => {
      const { movingMean, movingVariance } = operands;
      return { ...reference(operands, args), movingMean, movingVariance };
    },
  }),
  ...mutants("batch-normalization-training", { "the formula as it stands": {} }, true),
  ...mutants("batch-normalization-backward", { ...EPSILON, "gamma missing in dx": { scale: () => 1 } }),
  ...mutants("batch-normalization-training-backward", {
    ...EPSILON,
    ...BESSEL,
    "gamma missing in dx": { scale: () => 1 },
    "statistics taken for constants": { terms: [1, 0, 0] },
    "term of the mean missing in dx": { terms: [1, 0, 1] },
    "term of the variance missing in dx": { terms: [1, 1, 0] },
    "term of the variance has the wrong sign": { terms: [1, 1, -1] },
    "dGamma without the deviation": { dGamma: (_, ofDifference) => ofDifference },
  }),
  ...mutantsOf("batch-normalization-training-backward", {
    "dBeta is a mean": inResult("dBeta", (dBeta, { x }) => scaled(dBeta, dBeta.size / x.size)),
  }),
  ...mutants("batch-normalization-training-backward", { "the formula as it stands": {} }, true),
];
