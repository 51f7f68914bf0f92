/**
 * Rescaling: brings pixels into the range that a network was trained on.
 * Keras: `keras.layers.Rescaling(scale, offset=0.0)`.
 *
 * Shapes: x, y, dx, dy are all [...], any shape.
 *
 * Forward:   y  = scale x + offset
 *
 * Backward:  dx = scale dy
 *
 * Notes on the numbers: scale and offset are float64 numbers (1/255 is not a float32); y is rounded once.
 *
 * @module
 */
import { type KerasConfig, readConfig } from "../serialization/config.js";
import type { SymbolicShape } from "../tensor/shape.js";
import { contiguous, empty, type Tensor } from "../tensor/tensor.js";
import {
  type CallContext,
  type Forward,
  Layer,
  type LayerOptions,
  type LayerPass,
  layerOptionsFromConfig,
  singleInput,
} from "./layer.js";

/** The map. */
export interface RescalingConfig {
  /** What x is multiplied by. */
  readonly scale: number;
  /** What is added then. @defaultValue 0 */
  readonly offset?: number;
}

/** What backward needs from forward. */
export interface RescalingCache {
  /** What x was multiplied by. */
  readonly scale: number;
}

/** Rescales every element of `x`. */
export function rescalingForward(x: Tensor, { scale, offset = 0 }: RescalingConfig): Forward<RescalingCache> {
  const y = empty(x.shape, x);
  const xs = contiguous(x).data;
  const ys = y.data;
  for (let i = 0; i < xs.length; i++) ys[i] = xs[i] * scale + offset;
  return { y, cache: { scale } };
}

/** The gradient for the input. */
export function rescalingBackward(dy: Tensor, { scale }: RescalingCache): Tensor {
  const dx = empty(dy.shape, dy);
  const dys = contiguous(dy).data;
  const dxs = dx.data;
  for (let i = 0; i < dys.length; i++) dxs[i] = dys[i] * scale;
  return dx;
}

/** Options of {@link Rescaling}. */
export interface RescalingOptions extends LayerOptions, RescalingConfig {}

/** The rescaling layer of Keras; scale and offset are numbers, the same for all channels. */
export class Rescaling extends Layer {
  readonly className = "Rescaling";
  /** The map. */
  readonly config: Required<RescalingConfig>;

  /** @throws TypeError when scale or offset is not a finite number. */
  constructor(options: RescalingOptions) {
    super(options);
    const read = readConfig("Rescaling", { ...options });
    this.config = { scale: read.number("scale"), offset: read.number("offset", 0) };
  }

  /** Reads the layer from a Keras configuration. */
  static fromConfig(config: KerasConfig): Rescaling {
    const read = readConfig("Rescaling", config);
    return new Rescaling({
      ...layerOptionsFromConfig("Rescaling", config),
      scale: read.number("scale"),
      offset: read.number("offset", 0),
    });
  }

  computeOutputShape(inputShapes: readonly SymbolicShape[]): SymbolicShape {
    return singleInput(this, inputShapes);
  }

  call([x]: readonly Tensor[], _context: CallContext): LayerPass {
    const { y, cache } = rescalingForward(x, this.config);
    return { y, backward: (dy) => ({ dInputs: [rescalingBackward(dy, cache)], dWeights: {} }) };
  }

  protected arguments(): KerasConfig {
    return { ...this.config };
  }
}
