/**
 * Average pooling: the mean of what lies under a sliding window, for every channel by itself.
 * Keras: `keras.layers.AveragePooling2D(pool_size=(2, 2), strides=None, padding="valid")`.
 *
 * Shapes:
 *
 *     x, dx  [N, H, W, C]
 *     y, dy  [N, oH, oW, C]
 *
 * Forward, with strides s, and count(oh, ow) the number of elements of the image under the window:
 *
 *     y[n, oh, ow, c] = 1 / count(oh, ow) sum over kh, kw of  x[n, oh s - padTop + kh, ow s - padLeft + kw, c]
 *
 * Backward: every element has an equal share in the windows that see it.
 *
 *     dx[n, h, w, c]  = sum of  dy[n, oh, ow, c] / count(oh, ow)  over the windows (oh, ow) that see (h, w)
 *
 * Notes on the numbers:
 * - The border of SAME is not counted, as in TensorFlow: a window over a corner divides by what is really there.
 * - Both sums run in float64 in ascending order (kh, kw; oh, ow) and are rounded once.
 *
 * @module
 */
import { type Execution, serial } from "../kernels/execution.js";
import { poolMean, poolMeanGradient } from "../kernels/pool-mean.js";
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
export interface AveragePooling2DCache {
  /** The shape of the input, [N, H, W, C]. */
  readonly shape: Shape;
  /** Where the window goes. */
  readonly window: Window2D;
  /** How it runs. */
  readonly execution: Execution;
}

/**
 * The mean of `x` [N, H, W, C] under every window.
 *
 * @throws TypeError when `x` is no tensor.
 * @throws RangeError when `x` does not have 4 dimensions, or the window does not fit into the image.
 */
export function averagePooling2DForward(
  x: Tensor,
  config: Pooling2DConfig,
  execution: Execution = serial,
): Forward<AveragePooling2DCache> {
  const window = poolingWindow("AveragePooling2D", x, config);
  return { y: poolMean(x, window, execution), cache: { shape: x.shape, window, execution } };
}

/**
 * The gradient for the input.
 *
 * @throws TypeError when `dy` is no tensor.
 * @throws RangeError when it does not have the shape of the output.
 */
export function averagePooling2DBackward(dy: Tensor, { shape, window, execution }: AveragePooling2DCache): Tensor {
  expectGradient("AveragePooling2D", dy, pooledShape(shape, window));
  return poolMeanGradient(dy, shape, window, execution);
}

/** The average pooling layer of Keras. */
export class AveragePooling2D extends Pooling2D {
  readonly className = "AveragePooling2D";

  /** @throws TypeError when an option is none of {@link Pooling2DOptions}, or of another type; sizes are whole, at least 1. */
  constructor(options: Pooling2DOptions = {}) {
    super("AveragePooling2D", options);
  }

  /** Reads the layer from a Keras configuration. */
  static fromConfig(config: KerasConfig): AveragePooling2D {
    return new AveragePooling2D(poolingOptionsFromConfig("AveragePooling2D", config));
  }

  override get computesInJobs(): boolean {
    return true;
  }

  call([x]: readonly Tensor[], { execution }: CallContext): LayerPass {
    const { y, cache } = averagePooling2DForward(x, this.config, execution);
    return { y, keeps: [], backward: (dy) => ({ dInputs: [averagePooling2DBackward(dy, cache)], dWeights: {} }) };
  }
}
