/**
 * Batch normalization (Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167).
 * Keras: `keras.layers.BatchNormalization`.
 *
 * Shapes, with M rows (for an image M = N*H*W) of C channels; an axis other than the last is moved there and back:
 *
 *     x, y, dx, dy                            [M, C]
 *     gamma, beta, movingMean, movingVariance [C]
 *
 * Forward in training:   mean     = 1/M sum x
 *                        variance = 1/M sum (x - mean)^2
 *                        xHat     = (x - mean) / sqrt(variance + epsilon)
 *                        y        = gamma xHat + beta
 *                        moving   = moving momentum + batch (1 - momentum)      for mean and variance
 *
 * Forward in inference:  the same y with movingMean and movingVariance for mean and variance
 *
 * Backward in training (mean and variance depend on x, hence three terms in dx):
 *
 *                        dBeta    = sum dy
 *                        dGamma   = sum dy xHat
 *                        dx       = gamma / sqrt(variance + epsilon) (dy - dBeta / M - xHat dGamma / M)
 *
 * Backward in inference: dx       = gamma / sqrt(variance + epsilon) dy                dBeta and dGamma as in training
 *
 * Notes on the numbers:
 * - The variance is the population one, divided by M, also for the moving one (PyTorch divides that by M - 1).
 * - It takes a second pass over x; E[x^2] - E[x]^2 cancels when |mean| is much larger than the deviation.
 * - Mean, variance and both sums of backward stay in float64; only tensors are rounded, once. With float32 accumulation all that is
 *   done to elements is rounded at every step.
 * - Where an addition or a ReLU follows, the graph may have it done in the same pass over memory (`models/units.ts`); and where a
 *   convolution of one pixel alone reads y, normalization may be left to that.
 * - momentum is Keras's: the share that is kept. PyTorch's is its complement.
 *
 * @module
 */
import { noughts, products, quotients, widened } from "../kernels/channel-numbers.js";
import { passRunsSimd } from "../kernels/element-tiles.js";
import { type Execution, NO_VALUES, serial } from "../kernels/execution.js";
import { moments } from "../kernels/moments.js";
import { type ChannelMap, type Epilogue, normalize } from "../kernels/normalize.js";
import {
  type BehindReLU,
  type GradientOptions,
  normalizationGradient,
  normalizationSums,
} from "../kernels/normalize-gradients.js";
import { roundedSums } from "../kernels/reduce.js";
import { sumTensors } from "../kernels/sum-tensors.js";
import { computeHere } from "../parallel/recording.js";
import type { KerasConfig } from "../serialization/config.js";
import { expectBooleans } from "../serialization/options.js";
import { checkTensor } from "../serialization/tensors.js";
import { doublesInScope } from "../tensor/arena.js";
import { formatShape, type SymbolicShape } from "../tensor/shape.js";
import { contiguous, empty, type Tensor } from "../tensor/tensor.js";
import { axisFromLast, axisToLast, resolveAxis } from "./axis.js";
import { expectGradient } from "./expect-gradient.js";
import {
  type BackwardOptions,
  type CallContext,
  type Finish,
  type Forward,
  knownDimension,
  Layer,
  type LayerGradients,
  type LayerPass,
  singleInput,
} from "./layer.js";
import {
  type BatchNormalizationOptions,
  type BatchNormalizationSettings,
  NORMALIZATION_OPTIONS,
  normalizationArguments,
  normalizationOptionsFromConfig,
  normalizationSettings,
  normalizationVariables,
} from "./normalization-options.js";
import type { Variable, VariableSpec } from "./variable.js";

/** The scale and offset of the output, [C] each; without them 1 and 0. */
export interface BatchNormalizationWeights {
  /** Scale, [C]. */
  readonly gamma?: Tensor | undefined;
  /** Offset, [C]. */
  readonly beta?: Tensor | undefined;
}

/** Mean and variance of every channel. */
export interface Statistics {
  /** [C]. */
  readonly mean: Float64Array;
  /** [C], the population variance. */
  readonly variance: Float64Array;
}

/** What backward needs from forward. xHat is left out: recomputing it is cheaper than keeping M*C floats. */
export interface BatchNormalizationCache {
  /** The input, [M, C]. */
  readonly x: Tensor;
  /** What y was made of x with, [C] each: mean, gamma / sqrt(variance + epsilon), and beta. */
  readonly map: ChannelMap;
  /** 1 / sqrt(variance + epsilon), [C]. */
  readonly rstd: Float64Array;
  /** Whether mean and variance are those of x, so that they have a share in dx. */
  readonly ofBatch: boolean;
  /** How it runs. */
  readonly execution: Execution;
}

/** Gradients of the loss; each has the shape of the tensor it is named after. */
export interface BatchNormalizationGradients {
  /** [M, C]. */
  readonly dx: Tensor;
  /** [C]. */
  readonly dGamma: Tensor;
  /** [C]. */
  readonly dBeta: Tensor;
}

/** Mean and population variance of the columns of `x` [M, C], C last. @throws TypeError when `x` is no tensor. */
export function batchStatistics(x: Tensor, execution: Execution = serial): Statistics {
  checkTensor("batchStatistics", "x", x);
  x = contiguous(x);
  const channels = x.shape[x.dimension - 1];
  const { mean, squares } = moments(x, execution);
  return { mean, variance: quotients(squares, x.size / channels) };
}

/**
 * Normalizes the columns of `x` [M, C], C last, by `statistics`: those of the batch in training, the moving ones else.
 * `ofBatch` says which, for backward: mean and variance of the batch have a share in dx. `epsilon` is added to the variance.
 * What `epilogue` says is done to the result before it is stored, and not a part of the cache.
 *
 * @throws TypeError when the input or a weight is no tensor, the statistics are no arrays of float64 numbers, or `ofBatch` is
 *   no truth value.
 * @throws RangeError when epsilon is not a finite number of at least 0, or gamma, beta or the statistics do not have one value
 *   per channel.
 */
export function batchNormalizationForward(
  x: Tensor,
  { gamma, beta }: BatchNormalizationWeights,
  { mean, variance }: Statistics,
  { epsilon, ofBatch }: { epsilon: number; ofBatch: boolean },
  execution: Execution = serial,
  epilogue: Epilogue = {},
): Forward<BatchNormalizationCache> {
  checkTensor("BatchNormalization", "x", x);
  if (gamma !== undefined) checkTensor("BatchNormalization", "gamma", gamma);
  if (beta !== undefined) checkTensor("BatchNormalization", "beta", beta);
  const channels = x.shape[x.dimension - 1];
  expectBooleans("BatchNormalization", { ofBatch });
  if (!(Number.isFinite(epsilon) && epsilon >= 0)) {
    throw new RangeError(
      `BatchNormalization: \`epsilon\` must be a finite number of at least 0. Received epsilon=${epsilon}.`,
    );
  }
  for (const [name, values] of Object.entries({ mean, variance })) {
    if (values instanceof Float64Array) continue;
    throw new TypeError(`BatchNormalization: \`${name}\` must be a Float64Array. Received another value.`);
  }
  for (const [name, size] of [
    ["gamma", gamma?.size],
    ["beta", beta?.size],
    ["mean", mean.length],
    ["variance", variance.length],
  ] as const) {
    if (size !== undefined && size !== channels) {
      throw new RangeError(
        `BatchNormalization: \`${name}\` must have shape [${channels}] for an input of shape ${formatShape(x.shape)}. ` +
          `Received ${size} values.`,
      );
    }
  }
  const cache = cacheOf(x, { gamma, beta }, { mean, variance }, { epsilon, ofBatch }, execution);
  return { y: normalize(cache.x, cache.map, epilogue, execution), cache };
}

/** What backward needs of the normalization of `x`, and y can be made with. */
function cacheOf(
  x: Tensor,
  weights: BatchNormalizationWeights,
  statistics: Statistics,
  { epsilon, ofBatch }: { epsilon: number; ofBatch: boolean },
  execution: Execution,
): BatchNormalizationCache {
  return { x: contiguous(x), ...channelMapOf(weights, statistics, epsilon, doublesInScope), ofBatch, execution };
}

/** What y is made of x with, and 1 / sqrt(variance + epsilon), [C] each. */
function channelMapOf(
  { gamma, beta }: BatchNormalizationWeights,
  { mean, variance }: Statistics,
  epsilon: number,
  allocate: (length: number) => Float64Array,
): { readonly map: ChannelMap; readonly rstd: Float64Array } {
  const [gammas, betas] = [gamma && contiguous(gamma).data, beta && contiguous(beta).data];
  const [rstd, scale, offset] = [allocate(mean.length), allocate(mean.length), allocate(mean.length)];
  computeHere([mean, variance, gammas ?? NO_VALUES, betas ?? NO_VALUES], [rstd, scale, offset], () => {
    for (let c = 0; c < mean.length; c++) {
      rstd[c] = 1 / Math.sqrt(variance[c] + epsilon);
      scale[c] = gammas === undefined ? rstd[c] : gammas[c] * rstd[c];
      offset[c] = betas === undefined ? 0 : betas[c];
    }
  });
  return { map: { mean, scale, offset }, rstd };
}

/**
 * Gradients for `x`, gamma and beta, given `dy` [M, C] and the cache of the matching forward call. With `rectified`, a ReLU is
 * behind it, and `dy` the gradient for its output; with an `addend`, `dx` is its sum with that.
 *
 * @throws TypeError when `dy` is no tensor.
 * @throws RangeError when it does not have the shape of the output.
 */
export function batchNormalizationBackward(
  dy: Tensor,
  { x, map, rstd, ofBatch, execution }: BatchNormalizationCache,
  { rectified, positive, addend }: GradientOptions = {},
): BatchNormalizationGradients {
  expectGradient("BatchNormalization", dy, x.shape);
  const channels = rstd.length;
  const rows = x.size / channels;
  // first the two reductions
  const { dySum, dyDot } = normalizationSums(dy, x, map, { rectified, positive }, execution);
  const dyXHat = products(dyDot, rstd);
  // then dx = scale (dy - shift - (x - mean) slope); both last terms are the share of mean and variance in the loss
  const shift = ofBatch ? quotients(dySum, rows) : noughts(channels);
  const slope = ofBatch ? products(quotients(dyXHat, rows), rstd) : noughts(channels);
  const dx = normalizationGradient(dy, x, { ...map, shift, slope }, { rectified, positive, addend }, execution);
  return { dx, dGamma: roundedSums(dyXHat, x), dBeta: roundedSums(dySum, x) };
}

/** What is known before anything is normalized: the arguments of {@link batchNormalizationForward}, and what else changes. */
interface Normalization {
  /** The axis of the channels; in `x` it has become the last. */
  readonly axis: number;
  readonly x: Tensor;
  readonly weights: BatchNormalizationWeights;
  readonly statistics: Statistics;
  readonly options: { readonly epsilon: number; readonly ofBatch: boolean };
  /** New values of the moving statistics. */
  readonly updates: ReadonlyMap<Variable, Tensor>;
}

/** The batch normalization layer of Keras. With `trainable` false it stays in inference mode, as there. */
export class BatchNormalization extends Layer {
  readonly className = "BatchNormalization";
  readonly #settings: BatchNormalizationSettings;

  /**
   * @throws TypeError when an option is none of {@link BatchNormalizationOptions}, or of another type.
   * @throws RangeError when epsilon is not positive, momentum is not within [0, 1], or a factor of a regularizer is
   *   negative or not finite.
   */
  constructor(options: BatchNormalizationOptions = {}) {
    super(options, NORMALIZATION_OPTIONS);
    this.#settings = normalizationSettings(options);
  }

  /** Reads the layer from a Keras configuration; Keras 2 writes the axis as a list of one. */
  static fromConfig(config: KerasConfig): BatchNormalization {
    return new BatchNormalization(normalizationOptionsFromConfig(config));
  }

  computeOutputShape(inputShapes: readonly SymbolicShape[]): SymbolicShape {
    const shape = singleInput(this, inputShapes);
    knownDimension(this, shape, resolveAxis("BatchNormalization", this.#settings.axis, shape));
    return shape;
  }

  protected override weightSpecs([input]: readonly SymbolicShape[]): readonly VariableSpec[] {
    const shape = [knownDimension(this, input, resolveAxis("BatchNormalization", this.#settings.axis, input))];
    return normalizationVariables(this.#settings, shape);
  }

  /** With other axes than the last, channels are moved there first. */
  override get computesInJobs(): boolean {
    return this.finish === "normalize";
  }

  call(inputs: readonly Tensor[], context: CallContext): LayerPass {
    return this.callFinished(inputs, context, {});
  }

  override get firstFinishes(): readonly Finish[] {
    return ["add", "rectify"];
  }

  /** Behind an image's convolution the channels are the last axis, -1 or 3. */
  override get finish(): Finish | undefined {
    return this.#settings.axis === -1 || this.#settings.axis === 3 ? "normalize" : undefined;
  }

  override channelMap({ pending, execution: { constants } }: CallContext): ChannelMap {
    const make = (): ChannelMap => {
      const { gamma, beta, moving_mean: movingMean, moving_variance: movingVariance } = this.values(pending);
      // kept from step to step, and so not in a step's memory
      const allocate = (length: number): Float64Array => new Float64Array(length);
      const [mean, variance] = [movingMean, movingVariance].map(({ data }) => widened(data, allocate));
      return channelMapOf({ gamma, beta }, { mean, variance }, this.#settings.epsilon, allocate).map;
    };
    return constants?.channelMap(this, make) ?? make();
  }

  /** Normalizes, and in the same pass over memory adds and rectifies. */
  override callFinished(
    [input]: readonly Tensor[],
    context: CallContext,
    { addend, rectify = false, inPlace }: Epilogue,
  ): LayerPass {
    const { execution } = context;
    const { axis, x, weights, statistics, options, updates } = this.#begin(input, context);
    const epilogue = { addend: addend && axisToLast(addend, axis), rectify, inPlace };
    const { y, cache } = batchNormalizationForward(x, weights, statistics, options, execution, epilogue);
    /** The gradients given that of what comes before the ReLU; or, `behind` it, that of its output. */
    const backward = (dy: Tensor, other: Tensor | undefined, behind?: BehindReLU): LayerGradients => {
      const { dInputs, ...rest } = this.#gradients(dy, cache, axis, { ...behind, addend: other });
      return { ...rest, dInputs: addend === undefined ? dInputs : [...dInputs, axisFromLast(dy, axis)] };
    };
    /** The gradient of what comes before the ReLU, from the terms of that of what comes behind it. */
    const beforeReLU = (terms: readonly Tensor[]): Tensor => {
      const sum = { start: terms.length === 1 ? -0 : 0, positive: y };
      return sumTensors(
        terms.map((dy) => axisToLast(dy, axis)),
        sum,
        execution,
      );
    };
    return {
      y: axisFromLast(y, axis),
      updates,
      keeps: rectify ? [input, y] : [input],
      backward: (dy, { addend: other } = {}) => {
        if (rectify && addend !== undefined) return backward(beforeReLU([dy]), other);
        return backward(axisToLast(dy, axis), other, { rectified: rectify, positive: y });
      },
      ...(rectify && {
        backwardOfTerms: (terms: readonly Tensor[], { addend: other }: BackwardOptions = {}) =>
          backward(beforeReLU(terms), other),
      }),
    };
  }

  /**
   * Finds out by what numbers to normalize, and leaves that to the reader. The way back through a ReLU then has no output to
   * read, which only kernels with float32 sums can do without at no cost: where there is a way back, others do not leave it.
   */
  override callAhead([input]: readonly Tensor[], context: CallContext, rectify: boolean): LayerPass {
    const { training, execution, release } = context;
    const costsNothing = release !== undefined || execution.accumulate === "float32";
    if (!costsNothing || !passRunsSimd(execution, input, input.shape.at(-1))) {
      return this.callFinished([input], context, { rectify });
    }
    const begin = () => {
      const { axis, x, weights, statistics, options, updates } = this.#begin(input, context);
      return { axis, updates, cache: cacheOf(x, weights, statistics, options, execution) };
    };
    // moving statistics are known, and the map with a packed copy may have been kept: the rest is for the way back alone
    const begun = training && this.trainable ? begin() : undefined;
    return {
      y: input,
      prologue: { map: begun?.cache.map ?? this.channelMap(context), rectify },
      ...(begun && { updates: begun.updates }),
      keeps: [input],
      backward: (dy, { addend } = {}) => {
        const { axis, cache } = begun ?? begin();
        return this.#gradients(axisToLast(dy, axis), cache, axis, { rectified: rectify, addend });
      },
    };
  }

  /** What a call normalizes, by what, and what it changes. */
  #begin(input: Tensor, { training, execution, pending }: CallContext): Normalization {
    const { gamma, beta, moving_mean: movingMean, moving_variance: movingVariance } = this.values(pending);
    const axis = resolveAxis("BatchNormalization", this.#settings.axis, input.shape);
    const x = axisToLast(input, axis);
    const ofBatch = training && this.trainable;
    const statistics = ofBatch
      ? batchStatistics(x, execution)
      : { mean: widened(movingMean.data, doublesInScope), variance: widened(movingVariance.data, doublesInScope) };
    const updates = new Map<Variable, Tensor>();
    if (ofBatch) {
      updates.set(this.weight("moving_mean"), this.#move(movingMean, statistics.mean));
      updates.set(this.weight("moving_variance"), this.#move(movingVariance, statistics.variance));
    }
    return {
      ...{ axis, x, weights: { gamma, beta }, statistics, updates },
      options: { epsilon: this.#settings.epsilon, ofBatch },
    };
  }

  /** {@link batchNormalizationBackward} for `dy` with its channels last, as the gradients of the layer. */
  #gradients(
    dy: Tensor,
    cache: BatchNormalizationCache,
    axis: number,
    { addend, ...behind }: GradientOptions,
  ): LayerGradients {
    const options = { ...behind, addend: addend && axisToLast(addend, axis) };
    const { dx, dGamma, dBeta } = batchNormalizationBackward(dy, cache, options);
    return {
      isSum: addend !== undefined,
      dInputs: [axisFromLast(dx, axis)],
      dWeights: { ...(this.#settings.scale && { gamma: dGamma }), ...(this.#settings.center && { beta: dBeta }) },
    };
  }

  /** The moving value after a step. */
  #move(moving: Tensor, batch: Float64Array): Tensor {
    const kept = this.#settings.momentum;
    const next = empty(moving.shape, moving);
    computeHere([moving.data, batch], [next.data], () => {
      for (let c = 0; c < batch.length; c++) next.data[c] = moving.data[c] * kept + batch[c] * (1 - kept);
    });
    return next;
  }

  protected arguments(): KerasConfig {
    return normalizationArguments(this.#settings);
  }
}
