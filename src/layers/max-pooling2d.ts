/**
 * Max pooling: the largest value under a sliding window, for every channel by itself.
 * Keras: `keras.layers.MaxPooling2D(pool_size=(2, 2), strides=None, padding="valid")`.
 *
 * Shapes:
 *
 *     x, dx  [N, H, W, C]
 *     y, dy  [N, oH, oW, C]
 *
 * Forward, with strides s:
 *
 *     y[n, oh, ow, c] = max over kh, kw of  x[n, oh s - padTop + kh, ow s - padLeft + kw, c]
 *
 * Backward: every maximum passes its dy to the element that it came from.
 *
 *     dx[n, h, w, c]  = sum of  dy[n, oh, ow, c]  over the windows (oh, ow) that chose x[n, h, w, c]
 *
 * Notes on the numbers:
 * - Of equal values the first one in the window is chosen, kh and kw ascending, as TensorFlow does on a CPU.
 * - The border of SAME is no zero: it takes no part, so a maximum may be negative.
 * - NaN wins over every number. (TensorFlow passes over it: a layer that hides NaN hides the layer that made it.)
 * - Where windows overlap, dx is a sum in float64 with oh and ow ascending, rounded once.
 *
 * @module
 */
import { type Execution, serial } from "../kernels/execution.js";
import { greatestAlone, poolGreatest, poolGreatestGradient } from "../kernels/pool-greatest.js";
import type { Window2D } from "../kernels/window.js";
import type { KerasConfig } from "../serialization/config.js";
import type { Shape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { expectGradient } from "./expect-gradient.js";
import type { CallContext, Forward, LayerPass } from "./layer.js";
import {
  Pooling2D,
  pooledShape,
  type Pooling2DConfig,
  type Pooling2DOptions,
  poolingOptionsFromConfig,
  poolingWindow,
} from "./pooling2d.js";

/** What backward needs from forward. */
export interface MaxPooling2DCache {
  /** The shape of the input, [N, H, W, C]. */
  readonly shape: Shape;
  /** For every element of y, in row-major order, the offset of the element of x that it came from. */
  readonly argmax: Int32Array;
  /** Where the window goes. */
  readonly window: Window2D;
  /** How it runs. */
  readonly execution: Execution;
}

/**
 * The largest value of `x` [N, H, W, C] under every window.
 *
 * @throws TypeError when `x` is no tensor.
 * @throws RangeError when `x` does not have 4 dimensions, or the window does not fit into the image.
 */
export function maxPooling2DForward(
  x: Tensor,
  config: Pooling2DConfig,
  execution: Execution = serial,
): Forward<MaxPooling2DCache> {
  const window = poolingWindow("MaxPooling2D", x, config);
  const { y, argmax } = poolGreatest(x, window, execution);
  return { y, cache: { shape: x.shape, argmax, window, execution } };
}

/**
 * The gradient for the input.
 *
 * @throws TypeError when `dy` is no tensor.
 * @throws RangeError when it does not have the shape of the output.
 */
export function maxPooling2DBackward(dy: Tensor, { shape, argmax, window, execution }: MaxPooling2DCache): Tensor {
  expectGradient("MaxPooling2D", dy, pooledShape(shape, window));
  return poolGreatestGradient(dy, argmax, shape, window, execution);
}

/** The max pooling layer of Keras. */
export class MaxPooling2D extends Pooling2D {
  readonly className = "MaxPooling2D";

  /** @throws TypeError when an option is none of {@link Pooling2DOptions}, or of another type; sizes are whole, at least 1. */
  constructor(options: Pooling2DOptions = {}) {
    super("MaxPooling2D", options);
  }

  /** Reads the layer from a Keras configuration. */
  static fromConfig(config: KerasConfig): MaxPooling2D {
    return new MaxPooling2D(poolingOptionsFromConfig("MaxPooling2D", config));
  }

  override get computesInJobs(): boolean {
    return true;
  }

  call([x]: readonly Tensor[], { execution, release }: CallContext): LayerPass {
    if (release !== undefined) {
      const backward = (): never => {
        throw new Error("internal: MaxPooling2D: where elements came from has not been kept; there is no way back.");
      };
      return { y: greatestAlone(x, poolingWindow(this.className, x, this.config), execution), keeps: [], backward };
    }
    const { y, cache } = maxPooling2DForward(x, this.config, execution);
    return { y, keeps: [], backward: (dy) => ({ dInputs: [maxPooling2DBackward(dy, cache)], dWeights: {} }) };
  }
}
