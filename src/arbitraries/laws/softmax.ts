/**
 * Laws of softmax and cross-entropy over the last axis: y [N, K], and the mean of -log y of the label over the batch.
 *
 * Rounding. Each y is e_i / sum e. With whole numbers from -8 to 8, x - max is exact and within 16, each exponential is off
 * by at most (a + 16 b) u relatively, its sum by as much and gamma_{K-1}, the quotient by the rest:
 *
 *     |error of y|  <=  gamma_m y,    m = 2 (a + 16 b) + K + division
 *
 * where a, b are the errors that the candidate's library functions are allowed, in units of u = 2^-24.
 *
 * @module
 */
import fc from "fast-check";
import { exp } from "../../arithmetic/exp.js";
import { log } from "../../arithmetic/log.js";
import { FLOAT32, type FunctionErrors, U_FLOAT32 } from "../../oracle/arithmetic-model.js";
import { gamma } from "../../oracle/expectation.js";
import { contiguous, type Tensor, tensor } from "../../tensor/tensor.js";
import { REGIMES } from "../regimes.js";
import { casesOf, distinctSizes, type Sizes } from "../cases.js";
import { expectClose, expectSame, expectShape, generated, mapped } from "./algebra.js";
import { type Awaitable, type Law, lawOf } from "./law.js";

/** A softmax over the last axis. */
export interface SoftmaxImplementation {
  /** The probabilities for `x` [N, K]. */
  forward(x: Tensor): Awaitable<Tensor>;
  /** The gradient for `x`, given the derivative `dy` for the probabilities. */
  backward(dy: Tensor, x: Tensor): Awaitable<Tensor>;
}

/** Cross-entropy from logits, the mean over the batch. */
export interface CrossentropyImplementation {
  /** The loss for one-hot `labels` [N, K] and `logits` [N, K]. */
  forward(labels: Tensor, logits: Tensor): Awaitable<number>;
  /** The gradient for the logits. */
  backward(labels: Tensor, logits: Tensor): Awaitable<Tensor>;
}

interface Rows {
  readonly x: Tensor;
  readonly dy: Tensor;
  readonly labels: Tensor;
}

const rows = casesOf<Sizes<"batch" | "classes">, Rows>({
  sizes: distinctSizes(["batch", "classes"], 9),
  fits: () => true,
  least: () => 1,
  plan({ batch, classes }) {
    const of = (regime: "integers" | "oneHot") =>
      ({ shape: [batch, classes], dtype: "float32", regime: REGIMES[regime] }) as const;
    return {
      tensors: { x: of("integers"), dy: of("integers"), labels: of("oneHot") },
      build: ({ x, dy, labels }) => ({ x, dy, labels }),
    };
  },
});

/** The largest |x| that an exponential sees. */
const SPREAD = 16;

function relativeError(classes: number, { exp, division }: FunctionErrors): number {
  return gamma(2 * (exp[0] + exp[1] * SPREAD) + classes + division, U_FLOAT32);
}

/** Calls `visit` for every row with its sum and the sum of absolute values. */
function forEachRow(x: Tensor, visit: (row: number, sum: number, absolute: number) => void): void {
  const classes = x.shape[x.dimension - 1];
  const { data } = contiguous(x);
  for (let row = 0; row * classes < data.length; row++) {
    let [sum, absolute] = [0, 0];
    for (const value of data.subarray(row * classes, (row + 1) * classes)) {
      sum += value;
      absolute += Math.abs(value);
    }
    visit(row, sum, absolute);
  }
}

/** What softmax gives for `x` [N, K], in float64. */
function probabilitiesOf(x: Tensor): Tensor {
  const [batch, classes] = x.shape;
  const { data } = contiguous(x);
  const y = Float64Array.from(data, exp);
  for (let n = 0; n < batch; n++) {
    const row = y.subarray(n * classes, (n + 1) * classes);
    const sum = row.reduce((total, e) => total + e, 0);
    for (let k = 0; k < classes; k++) row[k] /= sum;
  }
  return tensor(y, x.shape);
}

/** Laws of softmax, for library functions with these errors; by default those of a good float32 library. */
export function softmaxLaws(functions: FunctionErrors = FLOAT32.functions): readonly Law<SoftmaxImplementation>[] {
  return [
    lawOf("gives rows that sum to one", rows, async (mine, { x }) => {
      const y = await mine.forward(x);
      expectShape("y", y, x.shape);
      forEachRow(y, (row, sum) => {
        expectClose(`sum of row ${row}`, sum, 1, relativeError(x.shape[1], functions));
      });
    }),
    lawOf("gives every class its share of the sum of e^x", rows, async (mine, { x }) => {
      const error = relativeError(x.shape[1], functions);
      expectSame("softmax(x)", await mine.forward(x), probabilitiesOf(x), (value) => error * value);
    }),
    // a shift by up to 1000 is exact; without the maximum subtracted first, exponentials overflow
    lawOf(
      "does not change when a constant is added",
      fc.tuple(rows, fc.integer({ min: -1000, max: 1000 })),
      async (mine, [{ x }, shift]) => {
        const y = await mine.forward(x);
        const error = 2 * relativeError(x.shape[1], functions);
        const shifted = await mine.forward(mapped(x, (value) => value + shift));
        expectSame(`softmax(x + ${shift})`, shifted, y, (value) => error * value);
      },
    ),
    // dx = y (dy - sum y dy): its sum is that of two equal sums, each of which is off by gamma_{2K} and the error of y
    lawOf("gives gradients that sum to zero", rows, async (mine, { x, dy }) => {
      const dx = await mine.backward(dy, x);
      expectShape("dx", dx, x.shape);
      const classes = x.shape[1];
      const error = relativeError(classes, functions) + gamma(2 * classes + 4, U_FLOAT32);
      const largest = Math.max(...contiguous(dy).data.map(Math.abs));
      forEachRow(dx, (row, sum) => {
        expectClose(`sum of row ${row} of dx`, sum, 0, 4 * error * largest);
      });
    }),
    // y is off by its error, dy - sum y dy by that of y and of the sum: of numbers up to twice the largest dy
    lawOf("gives the gradient y (dy - sum y dy)", rows, async (mine, { x, dy }) => {
      const classes = x.shape[1];
      const error = relativeError(classes, functions) + gamma(2 * classes + 4, U_FLOAT32);
      const largest = Math.max(...contiguous(dy).data.map(Math.abs));
      const y = probabilitiesOf(x);
      const products = generated(x.shape, y, (n, k) => y.get(n, k) * dy.get(n, k));
      const means: number[] = [];
      forEachRow(products, (_row, sum) => means.push(sum));
      const expected = generated(x.shape, y, (n, k) => y.get(n, k) * (dy.get(n, k) - means[n]));
      const allowed = (_value: number, at: number): number => 4 * error * largest * y.data[at];
      expectSame("dx", await mine.backward(dy, x), expected, allowed);
    }),
  ];
}

/** Laws of cross-entropy from logits, for library functions with these errors. */
export function crossentropyLaws(
  functions: FunctionErrors = FLOAT32.functions,
): readonly Law<CrossentropyImplementation>[] {
  return [
    // loss = log(sum e) - x of the label: of numbers up to 16 + log 9; log is off by its own error and that of its argument
    lawOf(
      "does not change when a constant is added",
      fc.tuple(rows, fc.integer({ min: -1000, max: 1000 })),
      async (mine, [{ x, labels }, shift]) => {
        const loss = await mine.forward(labels, x);
        const batch = x.shape[0];
        const error = relativeError(x.shape[1], functions) + gamma(batch + functions.log + 8, U_FLOAT32) * (SPREAD + 4);
        const shifted = await mine.forward(
          labels,
          mapped(x, (value) => value + shift),
        );
        expectClose(`loss of logits + ${shift}`, shifted, loss, 2 * error);
      },
    ),
    // the exponentials of equal logits are 1: log K, and a mean over the batch of N equal losses
    lawOf("is log K where all logits are equal, its gradient (1/K - label) / N", rows, async (mine, { x, labels }) => {
      const [batch, classes] = x.shape;
      const equal = mapped(x, () => x.get(0, 0));
      const error = relativeError(classes, functions) + gamma(batch + functions.log + 8, U_FLOAT32) * (SPREAD + 4);
      expectClose("loss", await mine.forward(labels, equal), log(classes), error);
      const gradientError = (relativeError(classes, functions) + gamma(classes + 4, U_FLOAT32)) / batch;
      const expected = generated(x.shape, x, (n, k) => (1 / classes - labels.get(n, k)) / batch);
      expectSame("dLogits", await mine.backward(labels, equal), expected, () => gradientError);
    }),
    lawOf("is not negative", rows, async (mine, { x, labels }) => {
      const loss = await mine.forward(labels, x);
      const error = relativeError(x.shape[1], functions) + gamma(functions.log + 8, U_FLOAT32) * SPREAD;
      if (!(loss >= -error)) throw new Error(`loss: must be at least 0, give or take ${error}. Received ${loss}.`);
    }),
    // dLogits = (softmax - label) / N
    lawOf("gives gradients whose rows sum to zero", rows, async (mine, { x, labels }) => {
      const dx = await mine.backward(labels, x);
      expectShape("dLogits", dx, x.shape);
      const error = relativeError(x.shape[1], functions) + gamma(x.shape[1] + 4, U_FLOAT32);
      forEachRow(dx, (row, sum) => {
        expectClose(`sum of row ${row} of dLogits`, sum, 0, (2 * error) / x.shape[0]);
      });
    }),
    lawOf("pulls the label's logit up and the others down", rows, async (mine, { x, labels }) => {
      const dx = contiguous(await mine.backward(labels, x)).data;
      const label = contiguous(labels).data;
      dx.forEach((value, i) => {
        if (label[i] === 1 ? value <= 0 : value >= 0) return;
        throw new Error(`dLogits: must be ${label[i] === 1 ? "at most" : "at least"} 0 at ${i}. Received ${value}.`);
      });
    }),
  ];
}
