/**
 * Leaky ReLU (Maas, Hannun and Ng 2013): a ReLU that lets a little of a negative input through.
 * Keras: `keras.layers.LeakyReLU(negative_slope=0.3)`; Keras 2 calls the slope `alpha`.
 *
 * Shapes: x, y, dx, dy are all [...], any shape.
 *
 * Forward:   y  = x where x > 0, negativeSlope x elsewhere
 *
 * Backward:  dx = dy where x > 0, negativeSlope dy elsewhere
 *
 * It is {@link ReLU} without its other two extensions, so the pair of functions is in `relu.ts`.
 *
 * @module
 */
import { type KerasConfig, readConfig } from "../serialization/config.js";
import type { SymbolicShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import {
  type CallContext,
  Layer,
  type LayerOptions,
  type LayerPass,
  layerOptionsFromConfig,
  singleInput,
} from "./layer.js";
import { RELU, reluBackward, reluForward } from "./relu.js";

/** Options of {@link LeakyReLU}. */
export interface LeakyReLUOptions extends LayerOptions {
  /** Slope below zero. @defaultValue 0.3 */
  readonly negativeSlope?: number;
}

/** The leaky ReLU layer of Keras. */
export class LeakyReLU extends Layer {
  readonly className = "LeakyReLU";
  /** Slope below zero. */
  readonly negativeSlope: number;

  /**
   * @throws TypeError when an option is none of {@link LeakyReLUOptions}, or the slope is not a finite number.
   * @throws RangeError when the slope is negative.
   */
  constructor(options: LeakyReLUOptions = {}) {
    super(options, ["negativeSlope"]);
    this.negativeSlope = readConfig("LeakyReLU", { ...options }).number("negativeSlope", 0.3);
    if (!(this.negativeSlope >= 0)) {
      throw new RangeError(`LeakyReLU: \`negativeSlope\` must be at least 0. Received ${this.negativeSlope}.`);
    }
  }

  /** Reads the layer from a Keras 3 (`negative_slope`) or Keras 2 (`alpha`) configuration. */
  static fromConfig(config: KerasConfig): LeakyReLU {
    const key = "alpha" in config ? "alpha" : "negative_slope";
    const negativeSlope = readConfig("LeakyReLU", config).number(key, 0.3);
    return new LeakyReLU({ ...layerOptionsFromConfig("LeakyReLU", config), negativeSlope });
  }

  computeOutputShape(inputShapes: readonly SymbolicShape[]): SymbolicShape {
    return singleInput(this, inputShapes);
  }

  override get computesInJobs(): boolean {
    return true;
  }

  call([x]: readonly Tensor[], { execution }: CallContext): LayerPass {
    const { y, cache } = reluForward(x, { ...RELU, negativeSlope: this.negativeSlope }, execution);
    return { y, keeps: [cache.x], backward: (dy) => ({ dInputs: [reluBackward(dy, cache)], dWeights: {} }) };
  }

  protected arguments(): KerasConfig {
    return { negative_slope: this.negativeSlope };
  }
}
