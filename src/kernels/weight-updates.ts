/**
 * Passes over a weight, its gradient and what an optimizer keeps beside it: arrays of one length, changed in place.
 *
 * Adam:      w = w - w decay learningRate
 *            m = m + (g - m) momentumShare
 *            v = v + (g g - v) velocityShare           with amsgrad the greatest v so far divides
 *            w = w - alpha m / (sqrt(v) + epsilon)
 *
 * SGD:       w = w - w decay learningRate
 *            m = m momentum - g learningRate           without momentum m is that step alone
 *            w = w + m                                 or, with nesterov, w + m momentum - g learningRate
 *
 * Penalty:   sum |w|, sum w^2                           index ascending, one flat sum for every weight
 *            sum = g + l1 sign(w) + l2Twice w           its gradient, added to that of the loss
 *
 * All in float64, in the order written; w, m and v are rounded once, when they are stored.
 *
 * @module
 */
import type { Job } from "../parallel/job.js";
import { doublesInScope, withPassing } from "../tensor/arena.js";
import { contiguous, empty, type Tensor } from "../tensor/tensor.js";
import type { FloatArray } from "../tensor/dtype.js";
import { MAX_JOBS } from "../parallel/control.js";
import { elementsPerTile, type Pass, passRunsSimd, runPasses } from "./element-tiles.js";
import { type Execution, NO_VALUES, runsSimd, runTiles } from "./execution.js";
import { LANES } from "./simd/floats.js";
import { ranges } from "./simd/axes.js";
import { adamKernel, amsgradKernel, penaltyKernel, sgdKernels } from "./simd/update-kernels.js";
import { runKernel } from "./simd/thread.js";

/** Weights with fewer elements are changed where they lie, by the loops here: to hand them to others would cost more. */
const TINY = 512;

/** The passes of a step that are still to be run: none where the weight was so small that it has been changed at once. */
export type Changes = readonly Pass[];

/** What changes arrays by `job`, which is given arrays that it reads, `reads` first, and then those that it writes. */
function changes(
  job: Job,
  reads: readonly FloatArray[],
  changed: readonly FloatArray[],
  numbers: readonly number[],
  execution: Execution,
): Changes {
  const { length } = changed[0];
  if (length < TINY || execution.kernel === "naive") {
    job.prepare([...reads, ...changed, ...changed], [length, ...numbers, 0])(0);
    return [];
  }
  const most = elementsPerTile(length, execution);
  const all = [...reads, ...changed];
  const run = { job, reads: all, writes: changed, numbers: [most, ...numbers], tiles: Math.ceil(length / most) };
  return [{ run, simd: all.every((data) => runsSimd(execution, { data })) }];
}

/** The elements of a tile: whole vectors from `begin` on, which a kernel takes, and from `rest` to `to` those that a loop takes. */
interface Part {
  readonly begin: number;
  readonly vectors: number;
  readonly rest: number;
  readonly to: number;
}

/** The elements of tile `tile` of `data`, `most` at most; no vectors where `simd` is 0. */
function partOf(data: FloatArray, tile: number, most: number, simd: number): Part {
  const begin = tile * most;
  const to = Math.min(begin + most, data.length);
  const vectors = simd === 1 ? Math.floor((to - begin) / LANES) : 0;
  return { begin, vectors, rest: begin + vectors * LANES, to };
}

/** The numbers of a step of Adam that all elements share. */
export interface AdamCoefficients {
  /** The learning rate, corrected for the bias of m and v. */
  readonly alpha: number;
  /** 1 - beta1. */
  readonly momentumShare: number;
  /** 1 - beta2. */
  readonly velocityShare: number;
  readonly epsilon: number;
  /** The weight decay. */
  readonly decay: number;
  readonly learningRate: number;
}

/** One step of Adam, which changes the weight `ws` and its state. Where there are `maxima`, they divide. */
export function adamUpdate(
  ws: FloatArray,
  gs: FloatArray,
  ms: FloatArray,
  vs: FloatArray,
  maxima: FloatArray | undefined,
  c: AdamCoefficients,
  execution: Execution,
): Changes {
  const numbers = [c.alpha, c.momentumShare, c.velocityShare, c.epsilon, c.decay, c.learningRate];
  const changed = maxima === undefined ? [ws, ms, vs] : [ws, ms, vs, maxima];
  return changes(adamUpdateJob, [gs], changed, numbers, execution);
}

/** Some of the elements. */
export const adamUpdateJob: Job = {
  name: "adamUpdate",
  prepare(arrays, [most, alpha, momentumShare, velocityShare, epsilon, decay, learningRate, simd]) {
    const count = (arrays.length - 1) / 2;
    const [gs, ws, ms, vs] = arrays;
    const [nextW, nextM, nextV] = arrays.slice(1 + count);
    const hasMaxima = count === 4;
    const [maxima, nextMaxima] = hasMaxima ? [arrays[4], arrays[8]] : [NO_VALUES, NO_VALUES];
    return (tile) => {
      const { begin, vectors, rest, to } = partOf(ws, tile, most, simd);
      if (vectors > 0) {
        runKernel(hasMaxima ? amsgradKernel : adamKernel, {
          vectors,
          gradient: gs.byteOffset + 4 * begin,
          w: ws.byteOffset + 4 * begin,
          m: ms.byteOffset + 4 * begin,
          v: vs.byteOffset + 4 * begin,
          maxima: maxima.byteOffset + 4 * begin,
          nextW: nextW.byteOffset + 4 * begin,
          nextM: nextM.byteOffset + 4 * begin,
          nextV: nextV.byteOffset + 4 * begin,
          nextMaxima: nextMaxima.byteOffset + 4 * begin,
          alpha,
          momentumShare,
          velocityShare,
          epsilon,
          decay,
          learningRate,
        });
      }
      for (let i = rest; i < to; i++) {
        const w = ws[i] - ws[i] * decay * learningRate;
        const m = ms[i] + (gs[i] - ms[i]) * momentumShare;
        const v = vs[i] + (gs[i] * gs[i] - vs[i]) * velocityShare;
        const divisor = hasMaxima ? Math.max(maxima[i], v) : v;
        nextM[i] = m;
        nextV[i] = v;
        if (hasMaxima) nextMaxima[i] = divisor;
        nextW[i] = w - (alpha * m) / (Math.sqrt(divisor) + epsilon);
      }
    };
  },
};

/** The numbers of a step of SGD that all elements share. */
export interface SGDCoefficients {
  readonly learningRate: number;
  readonly momentum: number;
  readonly nesterov: boolean;
  /** The weight decay. */
  readonly decay: number;
}

/** One step of SGD, which changes the weight `ws` and, where there is one, its momentum. */
export function sgdUpdate(
  ws: FloatArray,
  gs: FloatArray,
  ms: FloatArray | undefined,
  { learningRate, momentum, nesterov, decay }: SGDCoefficients,
  execution: Execution,
): Changes {
  const numbers = [learningRate, momentum, Number(nesterov), decay];
  return changes(sgdUpdateJob, [gs], ms === undefined ? [ws] : [ws, ms], numbers, execution);
}

/** Some of the elements. */
export const sgdUpdateJob: Job = {
  name: "sgdUpdate",
  prepare(arrays, [most, learningRate, momentum, nesterov, decay, simd]) {
    const hasMomentum = arrays.length === 5;
    const [gs, ws] = arrays;
    const [ms, nextW, nextM] = hasMomentum ? arrays.slice(2) : [NO_VALUES, arrays[2], NO_VALUES];
    const withMomentum = nesterov === 1 ? sgdKernels.nesterov : sgdKernels.plain;
    return (tile) => {
      const { begin, vectors, rest, to } = partOf(ws, tile, most, simd);
      if (vectors > 0) {
        runKernel(hasMomentum ? withMomentum : sgdKernels.none, {
          vectors,
          gradient: gs.byteOffset + 4 * begin,
          w: ws.byteOffset + 4 * begin,
          m: ms.byteOffset + 4 * begin,
          nextW: nextW.byteOffset + 4 * begin,
          nextM: nextM.byteOffset + 4 * begin,
          learningRate,
          momentum,
          decay,
        });
      }
      for (let i = rest; i < to; i++) {
        const w = ws[i] - ws[i] * decay * learningRate;
        const down = gs[i] * learningRate;
        if (!hasMomentum) {
          nextW[i] = w - down;
          continue;
        }
        const m = ms[i] * momentum - down;
        nextM[i] = m;
        nextW[i] = w + (nesterov === 1 ? m * momentum - down : m);
      }
    };
  },
};

/** What a penalty on a weight is made of. */
export interface PenaltySums {
  /** sum |w|. */
  readonly absolute: number;
  /** sum w^2. */
  readonly squares: number;
}

/** The sums over one weight. */
export function penaltySums(ws: FloatArray): PenaltySums {
  let absolute = 0;
  let squares = 0;
  for (let i = 0; i < ws.length; i++) {
    absolute += Math.abs(ws[i]);
    squares += ws[i] * ws[i];
  }
  return { absolute, squares };
}

/** Weights whose sums one job finds. */
const WEIGHTS_PER_JOB = 8;

/** {@link penaltySums} of each of `weights`. A sum is never cut: threads share the weights. */
export function penaltySumsOfAll(weights: readonly FloatArray[], execution: Execution): PenaltySums[] {
  return withPassing(
    () => doublesInScope(2 * weights.length),
    (sums) => {
      const runs = ranges(weights.length, WEIGHTS_PER_JOB).map(({ from, to }) => ({
        job: penaltySumsJob,
        reads: weights.slice(from, to),
        writes: [sums.subarray(2 * from, 2 * to)],
        numbers: [],
        tiles: to - from,
      }));
      for (const { from, to } of ranges(runs.length, MAX_JOBS)) runTiles(execution, ...runs.slice(from, to));
      return weights.map((_, i) => ({ absolute: sums[2 * i], squares: sums[2 * i + 1] }));
    },
  );
}

/** The sums of one weight, one after the other. */
export const penaltySumsJob: Job = {
  name: "penaltySums",
  prepare: (arrays) => (tile) => {
    const { absolute, squares } = penaltySums(arrays[tile]);
    const sums = arrays[arrays.length - 1];
    sums[2 * tile] = absolute;
    sums[2 * tile + 1] = squares;
  },
};

/** The factors of a penalty's gradient. */
export interface PenaltyFactors {
  /** Of the sign of the weight. */
  readonly l1: number;
  /** Of the weight. */
  readonly l2Twice: number;
}

/** A gradient, the weight that it is for, and the penalty on that. */
export interface Penalized {
  readonly gradient: Tensor;
  readonly weight: Tensor;
  readonly factors: PenaltyFactors;
}

/** Each gradient with that of the penalty added. */
export function penaltyGradients(terms: readonly Penalized[], execution: Execution): Tensor[] {
  const sums = terms.map(({ weight }) => empty(weight.shape, weight));
  const passes = terms.map(({ gradient, weight, factors: { l1, l2Twice } }, i): Pass => {
    const most = elementsPerTile(weight.size, execution);
    const run = {
      job: penaltyGradientJob,
      reads: [contiguous(gradient).data, contiguous(weight).data],
      writes: [sums[i].data],
      numbers: [most, l1, l2Twice],
      tiles: Math.ceil(weight.size / most),
    };
    const isSingle = [gradient, weight].every((x) => passRunsSimd(execution, x));
    return { run, simd: l1 === 0 && isSingle && weight.size >= TINY };
  });
  runPasses(execution, passes);
  return sums;
}

/** Some of the elements. */
export const penaltyGradientJob: Job = {
  name: "penaltyGradient",
  prepare:
    ([gs, ws, sum], [most, l1, l2Twice, simd]) =>
    (tile) => {
      const { begin, vectors, rest, to } = partOf(ws, tile, most, simd);
      if (vectors > 0) {
        const [gradient, w, sumAt] = [gs, ws, sum].map((data) => data.byteOffset + 4 * begin);
        runKernel(penaltyKernel, { vectors, gradient, w, sum: sumAt, factor: l2Twice });
      }
      for (let i = rest; i < to; i++) sum[i] = gs[i] + l1 * Math.sign(ws[i]) + l2Twice * ws[i];
    },
};
