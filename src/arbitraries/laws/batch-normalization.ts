/**
 * Laws of batch normalization in training, over x [N, H, W, C] with M = N H W:
 *
 *     y              =  beta + gamma xHat,    xHat = (x - mean) rstd
 *     mean of y      =  beta
 *     variance of y  =  gamma^2 variance / (variance + epsilon)
 *     dx             =  gamma rstd (dy - mean of dy - xHat mean of dy xHat)
 *     sum dx         =  0
 *     sum dx xHat    =  gamma rstd dGamma epsilon / (variance + epsilon)      (0 but for epsilon)
 *     dBeta          =  sum dy
 *
 * Rounding, for whole numbers x and dy from -8 to 8. Sums of x and dy are exact then. With u = 2^-24, whether the variance
 * comes from two passes or from E[x^2] - E[x]^2, it is off by at most gamma_{M+4} q, q = mean of x^2 (+ epsilon), so rstd is
 * off relatively by gamma_{M+8} kappa, kappa = q / (variance + epsilon); x - mean is off by 2 u (|x| + |mean|). An element
 * made of such factors is off by at most
 *
 *     gamma_{2M+32} (1 + 3 kappa) times what it is made of, every term with its absolute value.
 *
 * Channels with a kappa above 2^10 (hardly any variance) are left out: there float32 knows little of xHat.
 *
 * @module
 */
import { U_FLOAT32 } from "../../oracle/arithmetic-model.js";
import { gamma } from "../../oracle/expectation.js";
import { contiguous, type Tensor } from "../../tensor/tensor.js";
import { type BatchNormalizationCase, batchNormalizations } from "../batch-normalizations.js";
import { expectClose, expectShape } from "./algebra.js";
import { type Awaitable, type Law, lawOf } from "./law.js";

/** Scale and offset, [C]; without them 1 and 0. */
export interface NormalizationWeights {
  /** [C]; without it 1. */
  readonly gamma?: Tensor;
  /** [C]; without it 0. */
  readonly beta?: Tensor;
}

/** Batch normalization by the statistics of the batch, forward. */
export interface NormalizationForward {
  /** The output for `x` [N, H, W, C]. */
  forward(x: Tensor, weights: NormalizationWeights, config: { readonly epsilon: number }): Awaitable<Tensor>;
}

/** Batch normalization by the statistics of the batch, forward and backward. */
export interface NormalizationImplementation extends NormalizationForward {
  /** The gradients, given the derivative `dy` for the output. */
  backward(
    dy: Tensor,
    x: Tensor,
    weights: NormalizationWeights,
    config: { readonly epsilon: number },
  ): Awaitable<{ readonly dx: Tensor; readonly dGamma: Tensor; readonly dBeta: Tensor }>;
}

/** What is known of one channel in float64. */
interface Channel {
  readonly c: number;
  readonly gamma: number;
  readonly beta: number;
  readonly mean: number;
  readonly variance: number;
  readonly rstd: number;
  /** The relative error of an element, as the module says. */
  readonly error: number;
  /** The largest (|x| + |mean|) rstd: what xHat is made of. */
  readonly size: number;
  readonly xs: readonly number[];
}

const column = (x: Tensor, c: number): number[] => {
  const channels = x.shape[3];
  return Array.from(contiguous(x).data).filter((_, i) => i % channels === c);
};
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** Calls `visit` for every channel with enough variance. */
function forEachChannel(
  { x, gamma: scale, beta, config }: BatchNormalizationCase,
  visit: (channel: Channel) => void,
): void {
  for (let c = 0; c < x.shape[3]; c++) {
    const xs = column(x, c);
    const mean = sum(xs) / xs.length;
    const variance = sum(xs.map((value) => (value - mean) * (value - mean))) / xs.length;
    const rstd = 1 / Math.sqrt(variance + config.epsilon);
    const kappa = (sum(xs.map((value) => value * value)) / xs.length + config.epsilon) * rstd * rstd;
    if (kappa > 1024) continue;
    visit({
      c,
      gamma: scale?.get(c) ?? 1,
      beta: beta?.get(c) ?? 0,
      mean,
      variance,
      rstd,
      error: gamma(2 * xs.length + 32, U_FLOAT32) * (1 + 3 * kappa),
      size: Math.max(...xs.map((value) => Math.abs(value) + Math.abs(mean))) * rstd,
      xs,
    });
  }
}

const cases = batchNormalizations({ regime: "integers" });

/** Laws of batch normalization in training, forward. */
export const batchNormalizationLaws: readonly Law<NormalizationForward>[] = [
  lawOf("gives every element its deviation, scaled", cases, async (mine, example) => {
    const y = await mine.forward(example.x, example, example.config);
    forEachChannel(example, ({ c, gamma, beta, mean, rstd, error, size, xs }) => {
      const allowed = error * (Math.abs(gamma) * size + Math.abs(beta));
      for (const [i, value] of column(y, c).entries()) {
        expectClose(`element ${i} of channel ${c}`, value, beta + gamma * (xs[i] - mean) * rstd, allowed);
      }
    });
  }),
  lawOf("gives every channel the mean beta", cases, async (mine, example) => {
    const y = await mine.forward(example.x, example, example.config);
    expectShape("y", y, example.x.shape);
    forEachChannel(example, ({ c, gamma, beta, error, size, xs }) => {
      const allowed = error * (Math.abs(gamma) * size + Math.abs(beta));
      expectClose(`mean of channel ${c}`, sum(column(y, c)) / xs.length, beta, allowed);
    });
  }),
  lawOf("gives every channel the variance gamma^2, but for epsilon", cases, async (mine, example) => {
    const y = await mine.forward(example.x, example, example.config);
    forEachChannel(example, ({ c, gamma, beta, variance, rstd, error, size }) => {
      const ys = column(y, c).map((value) => value - beta);
      const largest = Math.abs(gamma) * size + Math.abs(beta);
      // the square of a number of up to `largest` that is off by error * largest
      const allowed = 3 * error * largest * largest;
      const expected = gamma * gamma * variance * rstd * rstd;
      expectClose(`variance of channel ${c}`, sum(ys.map((value) => value * value)) / ys.length, expected, allowed);
    });
  }),
];

/** Laws of batch normalization's gradients in training. */
export const batchNormalizationGradientLaws: readonly Law<NormalizationImplementation>[] = [
  lawOf(
    "gives an input gradient that sums to zero and is orthogonal to xHat, but for epsilon",
    cases,
    async (mine, example) => {
      const { x, dy, config } = example;
      const { dx } = await mine.backward(dy, x, example, config);
      expectShape("dx", dx, x.shape);
      forEachChannel(example, ({ c, gamma, mean, rstd, error, size, xs }) => {
        const [dys, dxs] = [column(dy, c), column(dx, c)];
        const xHat = xs.map((value) => (value - mean) * rstd);
        const dGamma = sum(dys.map((value, i) => value * xHat[i]));
        const largest = Math.max(...dys.map(Math.abs));
        // dx is made of dy, its mean, and xHat times the mean of dy xHat
        const allowed = error * xs.length * Math.abs(gamma) * rstd * largest * (2 + size * size);
        expectClose(`sum dx of channel ${c}`, sum(dxs), 0, allowed);
        const left = gamma * rstd * dGamma * config.epsilon * rstd * rstd;
        const along = sum(dxs.map((value, i) => value * xHat[i]));
        expectClose(`sum dx xHat of channel ${c}`, along, left, allowed * Math.max(1, size));
      });
    },
  ),
  lawOf("gives dy less its mean and its part along xHat, scaled, for the input", cases, async (mine, example) => {
    const { x, dy, config } = example;
    const { dx } = await mine.backward(dy, x, example, config);
    forEachChannel(example, ({ c, gamma, mean, rstd, error, size, xs }) => {
      const dys = column(dy, c);
      const xHat = xs.map((value) => (value - mean) * rstd);
      const meanDy = sum(dys) / xs.length;
      const meanAlong = sum(dys.map((value, i) => value * xHat[i])) / xs.length;
      const largest = Math.max(...dys.map(Math.abs));
      const allowed = error * Math.abs(gamma) * rstd * largest * (2 + size * size);
      for (const [i, value] of column(dx, c).entries()) {
        const expected = gamma * rstd * (dys[i] - meanDy - xHat[i] * meanAlong);
        expectClose(`dx of element ${i} of channel ${c}`, value, expected, allowed);
      }
    });
  }),
  lawOf("sums dy for beta's gradient and dy xHat for gamma's", cases, async (mine, example) => {
    const { x, dy, config } = example;
    const { dGamma, dBeta } = await mine.backward(dy, x, example, config);
    forEachChannel(example, ({ c, mean, rstd, error, size, xs }) => {
      const dys = column(dy, c);
      expectClose(`dBeta[${c}]`, dBeta.get(c), sum(dys));
      const expected = sum(dys.map((value, i) => value * (xs[i] - mean) * rstd));
      expectClose(`dGamma[${c}]`, dGamma.get(c), expected, error * size * sum(dys.map(Math.abs)));
    });
  }),
];
