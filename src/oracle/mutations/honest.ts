/**
 * Honest candidates: float32 kernels as backends write them, each with its own order of summation, which the kit must pass.
 *
 * @module
 */
import { exp } from "../../arithmetic/exp.js";
import type { KerasConfig } from "../../serialization/config.js";
import { contiguous, type Tensor, tensor } from "../../tensor/tensor.js";
import type { Backend } from "../conformance/backend.js";
import { Draw } from "../draw.js";
import { HONEST_SUMS, type HonestSum } from "../honest-sums.js";
import { OPERATIONS } from "../operations/table.js";
import { asBackendOperation, build, type Compute, mapped } from "./mutant.js";
import { summingKernels } from "./sums.js";

const { fround } = Math;

/** One accumulator, and an order that is another every time: atomic additions of threads. */
export function randomOrderSum(): HonestSum {
  let calls = 0;
  return (terms) => {
    const draw = new Draw(0, "honest/order", calls++ % 2 ** 32);
    const order = Float64Array.from(terms);
    for (let i = order.length - 1; i > 0; i--) {
      const j = draw.integer(0, i);
      [order[i], order[j]] = [order[j], order[i]];
    }
    return HONEST_SUMS["ascending"](order);
  };
}

/** Every element of `x`, with those that share `key`, summed. */
function sumsBy(x: Tensor, count: number, key: (position: readonly number[]) => number, sum: HonestSum): number[] {
  const terms: number[][] = Array.from({ length: count }, () => []);
  mapped(x, (value, position) => {
    terms[key(position)].push(value);
    return 0;
  });
  return terms.map((list) => sum(Float64Array.from(list)));
}

/** Batch normalization in training: two passes, every step in float32. */
function normalization(sum: HonestSum): Readonly<Record<string, Compute>> {
  const statistics = (x: Tensor, args: KerasConfig) => {
    const axis = args["axis"] === 1 ? 1 : 3;
    const count = x.shape[axis];
    const rows = x.size / count;
    const key = (position: readonly number[]): number => position[axis];
    const average = (of: Tensor): readonly number[] => sumsBy(of, count, key, sum).map((total) => fround(total / rows));
    const mean = average(x);
    const centred = mapped(x, (value, position) => value - mean[key(position)]);
    const variance = average(mapped(centred, (value) => value * value));
    const rstd = variance.map((v) => fround(1 / fround(Math.sqrt(fround(v + fround(Number(args["epsilon"])))))));
    return { key, count, rows, average, mean, centred, variance, rstd };
  };
  return {
    "batch-normalization-training": ({ x, gamma, beta, movingMean, movingVariance }, args) => {
      const { key, count, mean, centred, variance, rstd } = statistics(x, args);
      const y = mapped(centred, (value, position) => {
        const c = key(position);
        return fround(fround(value * rstd[c]) * (gamma?.get(c) ?? 1)) + (beta?.get(c) ?? 0);
      });
      const keep = fround(Number(args["momentum"]));
      const moved = (moving: Tensor, of: readonly number[]): Tensor =>
        build([count], ([c]) => fround(moving.get(c) * keep) + fround(of[c] * fround(1 - keep)));
      return { y, movingMean: moved(movingMean, mean), movingVariance: moved(movingVariance, variance) };
    },
    "batch-normalization-training-backward": ({ x, gamma, dy }, args) => {
      const { key, count, average, centred, rows, rstd } = statistics(x, args);
      const xHat = mapped(centred, (value, position) => value * rstd[key(position)]);
      const ofXHat = mapped(dy, (value, position) => value * xHat.get(...position));
      const [meanDy, meanDyXHat] = [average(dy), average(ofXHat)];
      const dx = mapped(dy, (value, position) => {
        const c = key(position);
        const inner = fround(fround(value - meanDy[c]) - fround(xHat.get(...position) * meanDyXHat[c]));
        return fround(fround((gamma?.get(c) ?? 1) * rstd[c]) * inner);
      });
      const total = (of: Tensor): Tensor => {
        const sums = sumsBy(of, count, key, sum);
        return build([count], ([c]) => sums[c]);
      };
      return rows > 0 ? { dx, dGamma: total(ofXHat), dBeta: total(dy) } : {};
    },
  };
}

/** Softmax over an axis, every step in float32. */
function softmax(sum: HonestSum): Readonly<Record<string, Compute>> {
  const forward = (x: Tensor, axis: number) => {
    const at = axis < 0 ? x.dimension + axis : axis;
    const strides = x.shape.map((_, i) => x.shape.slice(i + 1).reduce((a, b) => a * b, 1));
    const key = (position: readonly number[]): number =>
      position.reduce((offset, index, i) => (i === at ? offset : offset + index * strides[i]), 0);
    const most = new Map<number, number>();
    mapped(x, (value, position) => {
      most.set(key(position), Math.max(value, most.get(key(position)) ?? Number.NEGATIVE_INFINITY));
      return 0;
    });
    const powers = mapped(x, (value, position) => exp(fround(value - (most.get(key(position)) ?? 0))));
    const totals = sumsBy(powers, x.size, key, sum);
    return { y: mapped(powers, (value, position) => value / totals[key(position)]), key };
  };
  return {
    softmax: ({ x }, args) => ({ y: forward(x, Number(args["axis"])).y }),
    "softmax-backward": ({ x, dy }, args) => {
      const { y, key } = forward(x, Number(args["axis"]));
      const products = mapped(y, (value, position) => value * dy.get(...position));
      const dots = sumsBy(products, x.size, key, sum);
      return { dx: mapped(y, (value, position) => value * fround(dy.get(...position) - dots[key(position)])) };
    },
  };
}

/** Means and sums. */
function averages(sum: HonestSum): Readonly<Record<string, Compute>> {
  return {
    "global-average-pooling2d": ({ x }, { keepdims }) => {
      const [batch, height, width, channels] = x.shape;
      const sums = sumsBy(x, batch * channels, ([n, , , c]) => n * channels + c, sum);
      const shape = keepdims === true ? [batch, 1, 1, channels] : [batch, channels];
      return {
        y: tensor(
          Float32Array.from(sums, (total) => total / (height * width)),
          shape,
        ),
      };
    },
    "mean-squared-error": ({ yTrue, yPred }) => {
      const squares = mapped(yPred, (value, position) => {
        const difference = fround(value - yTrue.get(...position));
        return difference * difference;
      });
      return { loss: tensor(Float32Array.of(sum(Float64Array.from(contiguous(squares).data)) / squares.size), []) };
    },
    add: (operands) => {
      const inputs = Object.values(operands);
      return {
        y: mapped(inputs[0], (_, position) => sum(Float64Array.from(inputs, (x) => x.get(...position)))),
      };
    },
  };
}

/** Everything that sums, with `sum`. */
function honestBackend(order: string, sum: HonestSum): Backend {
  const computes = { ...summingKernels(sum), ...normalization(sum), ...softmax(sum), ...averages(sum) };
  const operations = Object.entries(computes).map(([name, compute]) => [name, asBackendOperation(compute)] as const);
  return { name: `float32, ${order}`, operations: Object.fromEntries(operations) };
}

/** The reference, which sums in float64. */
export const REFERENCE_BACKEND: Backend = {
  name: "the reference",
  operations: Object.fromEntries(
    [...OPERATIONS].map(([name, operation]) => [
      name,
      asBackendOperation((operands, args) => operation.run(operands, args)),
    ]),
  ),
};

/** One backend an order of summation, and the reference. */
export function honestBackends(): readonly Backend[] {
  const orders = { ...HONEST_SUMS, "random order": randomOrderSum() };
  return [REFERENCE_BACKEND, ...Object.entries(orders).map(([order, sum]) => honestBackend(order, sum))];
}
