/**
 * ReLU: the rectified linear unit, with Keras's three extensions.
 * Keras: `keras.layers.ReLU(max_value=None, negative_slope=0.0, threshold=0.0)`, `keras.activations.relu`, `relu6`.
 *
 * Shapes: x, y, dx, dy are all [...], any shape.
 *
 * Forward:   y = min(x, maxValue)               where x > threshold
 *            y = negativeSlope (x - threshold)  elsewhere
 *
 * Backward:  dx = dy                            where threshold < x < maxValue
 *            dx = 0                             where x > threshold and x > maxValue
 *            dx = negativeSlope dy              where x < threshold
 *
 * Notes on the numbers:
 * - At the kinks the gradient is whatever the TensorFlow operation gives that Keras picks: at the threshold 0, but
 *   negativeSlope dy for the leaky ReLU (threshold 0, no maxValue); at maxValue dy, but 0 for ReLU6 (threshold 0).
 * - Where the slope is 0, y and dx are +0, but y is NaN where x is: a ReLU that hides NaN hides the layer that made it.
 *
 * @module
 */
import { type Execution, serial } from "../kernels/execution.js";
import { RELU, rectify, rectifyGradient } from "../kernels/rectify.js";
import { type KerasConfig, readConfig } from "../serialization/config.js";
import { checkTensor } from "../serialization/tensors.js";
import type { SymbolicShape } from "../tensor/shape.js";
import { contiguous, type Tensor } from "../tensor/tensor.js";
import { expectGradient } from "./expect-gradient.js";
import {
  type CallContext,
  type Finish,
  type Forward,
  Layer,
  type LayerOptions,
  type LayerPass,
  layerOptionsFromConfig,
  singleInput,
} from "./layer.js";

/** The shape of the function. */
export interface ReLUConfig {
  /** Where it saturates. @defaultValue Infinity */
  readonly maxValue: number;
  /** Slope below the threshold. @defaultValue 0 */
  readonly negativeSlope: number;
  /** Where the unit begins to pass its input. @defaultValue 0 */
  readonly threshold: number;
}

export { RELU };

/** min(max(x, 0), 6). */
export const RELU6: ReLUConfig = { ...RELU, maxValue: 6 };

/** Whether `config` is that of max(x, 0). */
function isPlain({ maxValue, negativeSlope, threshold }: ReLUConfig): boolean {
  return maxValue === RELU.maxValue && negativeSlope === 0 && threshold === 0;
}

/** What backward needs from forward. */
export interface ReLUCache {
  /** The input; or, for max(x, 0), the output, which is positive where the input is, and which other layers keep too. */
  readonly x: Tensor;
  /** The shape of the function. */
  readonly config: ReLUConfig;
  /** How it runs. @defaultValue one thread */
  readonly execution?: Execution;
}

/** `options` with the defaults put in; Keras's `max_value=None` is there as null. */
function withDefaults(options: Partial<ReLUConfig>): ReLUConfig {
  return {
    maxValue: options.maxValue ?? RELU.maxValue,
    negativeSlope: options.negativeSlope ?? RELU.negativeSlope,
    threshold: options.threshold ?? RELU.threshold,
  };
}

/** Rectifies `x` element by element; what `options` leaves out is as in max(x, 0). @throws TypeError when `x` is no tensor. */
export function reluForward(
  x: Tensor,
  options: Partial<ReLUConfig> = RELU,
  execution: Execution = serial,
): Forward<ReLUCache> {
  checkTensor("ReLU", "x", x);
  const config = withDefaults(options);
  x = contiguous(x);
  const y = rectify(x, config, execution);
  return { y, cache: { x: isPlain(config) ? y : x, config, execution } };
}

/**
 * The gradient for the input.
 *
 * @throws TypeError when `dy` is no tensor.
 * @throws RangeError when it does not have the shape of the output.
 */
export function reluBackward(dy: Tensor, { x, config, execution = serial }: ReLUCache): Tensor {
  expectGradient("ReLU", dy, x.shape);
  const { maxValue, negativeSlope, threshold } = config;
  const isPlainLeaky = threshold === 0 && maxValue === Number.POSITIVE_INFINITY;
  const slopes = {
    below: negativeSlope,
    atThreshold: isPlainLeaky ? negativeSlope : 0,
    atMax: threshold === 0 && maxValue === 6 ? 0 : 1,
  };
  return rectifyGradient(dy, x, config, slopes, execution);
}

/** Options of {@link ReLU}. */
export interface ReLUOptions extends LayerOptions, Partial<ReLUConfig> {}

/** The ReLU layer of Keras. */
export class ReLU extends Layer {
  readonly className = "ReLU";
  /** The shape of the function. */
  readonly config: ReLUConfig;

  /**
   * @throws TypeError when an option is none of {@link ReLUOptions}, or an argument is not a finite number; Infinity is a
   *   `maxValue` that is never reached.
   * @throws RangeError when an argument is negative.
   */
  constructor(options: ReLUOptions = {}) {
    super(options, ["maxValue", "negativeSlope", "threshold"]);
    const { maxValue, ...finite } = { ...options };
    const read = readConfig("ReLU", { ...finite, ...(maxValue !== RELU.maxValue && { maxValue }) });
    this.config = {
      maxValue: read.optionalNumber("maxValue") ?? RELU.maxValue,
      negativeSlope: read.number("negativeSlope", RELU.negativeSlope),
      threshold: read.number("threshold", RELU.threshold),
    };
    for (const argument of ["maxValue", "negativeSlope", "threshold"] as const) {
      if (!(this.config[argument] >= 0)) {
        throw new RangeError(`ReLU: \`${argument}\` must be at least 0. Received ${this.config[argument]}.`);
      }
    }
  }

  /** Reads the layer from a Keras configuration. */
  static fromConfig(config: KerasConfig): ReLU {
    const read = readConfig("ReLU", config);
    return new ReLU({
      ...layerOptionsFromConfig("ReLU", config),
      maxValue: read.optionalNumber("max_value") ?? RELU.maxValue,
      negativeSlope: read.number("negative_slope", 0),
      threshold: read.number("threshold", 0),
    });
  }

  computeOutputShape(inputShapes: readonly SymbolicShape[]): SymbolicShape {
    return singleInput(this, inputShapes);
  }

  override get finish(): Finish | undefined {
    return isPlain(this.config) ? "rectify" : undefined;
  }

  override get computesInJobs(): boolean {
    return true;
  }

  call([x]: readonly Tensor[], { execution }: CallContext): LayerPass {
    const { y, cache } = reluForward(x, this.config, execution);
    return { y, keeps: [cache.x], backward: (dy) => ({ dInputs: [reluBackward(dy, cache)], dWeights: {} }) };
  }

  protected arguments(): KerasConfig {
    const { maxValue, negativeSlope, threshold } = this.config;
    return {
      max_value: maxValue === RELU.maxValue ? null : maxValue,
      negative_slope: negativeSlope,
      threshold,
    };
  }
}
