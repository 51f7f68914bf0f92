/**
 * Dropout (Srivastava et al. 2014): in training, a random part of the inputs is set to zero.
 * Keras: `keras.layers.Dropout(rate, seed=None)`.
 *
 * Shapes: x, y, dx, dy are all [...], any shape.
 *
 * Forward in training, with u[i] uniform in [0, 1):
 *
 *            y[i]  = x[i] / (1 - rate)   where u[i] >= rate, and 0 elsewhere
 *
 * Forward in inference, and with rate 0:  y = x
 *
 * Backward:  dx[i] = dy[i] / (1 - rate)  where u[i] >= rate, and 0 elsewhere;  in inference dx = dy
 *
 * The mask is a function of the seed, the layer's path in the model, which of its applications it is, the training step and
 * the element's index: no state is kept, and a resumed training drops what an uninterrupted one would have. Keras draws
 * other numbers, from the same distribution.
 *
 * @module
 */
import { fnv1a32 } from "../arithmetic/random.js";
import { type DropoutStream, dropElements, type KeptBytes, keptBy, keptByStream } from "../kernels/dropout.js";
import { type Execution, serial } from "../kernels/execution.js";
import { type KerasConfig, readConfig } from "../serialization/config.js";
import { checkTensor } from "../serialization/tensors.js";
import type { Shape, SymbolicShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { expectGradient } from "./expect-gradient.js";
import {
  type CallContext,
  callPath,
  type Forward,
  Layer,
  type LayerOptions,
  type LayerPass,
  layerOptionsFromConfig,
  singleInput,
} from "./layer.js";

export type { DropoutStream, KeptBytes };

/** What backward needs from forward. */
export interface DropoutCache {
  /** The shape of input and output. */
  readonly shape: Shape;
  /** For every element in row-major order a byte: 1 where it was kept, 0 where it was dropped. */
  readonly kept: KeptBytes;
  /** The share that was dropped. */
  readonly rate: number;
  /** How it runs. @defaultValue one thread */
  readonly execution?: Execution;
}

function expectRate(rate: number): void {
  if (rate >= 0 && rate <= 1) return;
  throw new RangeError(`Dropout: \`rate\` must be between 0 and 1. Received rate=${rate}.`);
}

/**
 * Drops elements of `x`, in training.
 *
 * @param uniform - For every element the number in [0, 1) that decides, by its row-major index: a function, or a stream, whose
 *   numbers are drawn by all threads.
 * @throws TypeError when `x` is no tensor.
 * @throws RangeError when the rate is not within [0, 1].
 */
export function dropoutForward(
  x: Tensor,
  rate: number,
  uniform: ((index: number) => number) | DropoutStream,
  execution: Execution = serial,
): Forward<DropoutCache> {
  checkTensor("Dropout", "x", x);
  expectRate(rate);
  const kept =
    typeof uniform === "function" ? keptBy(uniform, x.size, rate) : keptByStream(uniform, x.size, rate, execution);
  const cache = { shape: x.shape, kept, rate, execution };
  return { y: dropoutBackward(x, cache), cache };
}

/**
 * The gradient for the input: dropout is linear, so it treats `dy` as it treated x.
 *
 * @throws TypeError when `dy` is no tensor.
 * @throws RangeError when it does not have the shape of the output.
 */
export function dropoutBackward(dy: Tensor, { shape, kept, rate, execution = serial }: DropoutCache): Tensor {
  expectGradient("Dropout", dy, shape);
  return dropElements(dy, kept, rate, execution);
}

/** Options of {@link Dropout}. */
export interface DropoutOptions extends LayerOptions {
  /** The share that is dropped. */
  readonly rate: number;
  /** A seed of the layer's own; by default that of the training. */
  readonly seed?: number | undefined;
}

/** The dropout layer of Keras. */
export class Dropout extends Layer {
  readonly className = "Dropout";
  /** The share that is dropped. */
  readonly rate: number;
  readonly #seed: number | undefined;

  /**
   * @throws TypeError when an option is none of {@link DropoutOptions}, or rate or seed is not a finite number.
   * @throws RangeError when the rate is not within [0, 1].
   */
  constructor(options: DropoutOptions) {
    super(options, ["rate", "seed"]);
    const read = readConfig("Dropout", { ...options });
    this.rate = read.number("rate");
    expectRate(this.rate);
    this.#seed = read.optionalNumber("seed");
  }

  /** Reads the layer from a Keras configuration. */
  static fromConfig(config: KerasConfig): Dropout {
    const read = readConfig("Dropout", config);
    read.refuse("noise_shape");
    return new Dropout({
      ...layerOptionsFromConfig("Dropout", config),
      rate: read.number("rate"),
      seed: read.optionalNumber("seed"),
    });
  }

  computeOutputShape(inputShapes: readonly SymbolicShape[]): SymbolicShape {
    return singleInput(this, inputShapes);
  }

  override get computesInJobs(): boolean {
    return true;
  }

  call([x]: readonly Tensor[], context: CallContext): LayerPass {
    const { training, execution, step, stepInMemory: epoch = Float64Array.of(step) } = context;
    if (!training || this.rate === 0) return { y: x, keeps: [], backward: (dy) => ({ dInputs: [dy], dWeights: {} }) };
    const stream = { seed: this.#seed ?? context.seed, purpose: fnv1a32(`dropout/${callPath(this, context)}`), epoch };
    const { y, cache } = dropoutForward(x, this.rate, stream, execution);
    return { y, keeps: [], backward: (dy) => ({ dInputs: [dropoutBackward(dy, cache)], dWeights: {} }) };
  }

  protected arguments(): KerasConfig {
    return { rate: this.rate, seed: this.#seed ?? null, noise_shape: null };
  }
}
