/**
 * Global average pooling (Lin, Chen and Yan 2013): the mean of every channel over the whole image.
 * Keras: `keras.layers.GlobalAveragePooling2D(keepdims=False)`.
 *
 * Shapes:
 *
 *     x, dx  [N, H, W, C]
 *     y, dy  [N, C], with keepdims [N, 1, 1, C]
 *
 * Forward:   y[n, c]        = 1 / (H W) sum over h, w of  x[n, h, w, c]
 *
 * Backward:  dx[n, h, w, c] = dy[n, c] / (H W)
 *
 * Notes on the numbers: the sum runs in float64, h and then w ascending, and the quotient is rounded once.
 *
 * @module
 */
import { type Execution, serial } from "../kernels/execution.js";
import { imageMeans, imageMeansGradient } from "../kernels/pool-images.js";
import type { KerasConfig } from "../serialization/config.js";
import type { Shape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { expectGradient } from "./expect-gradient.js";
import {
  expectImages,
  GlobalPooling2D,
  type GlobalPooling2DOptions,
  globalPoolingOptionsFromConfig,
  globalPoolingShape,
} from "./global-pooling2d.js";
import type { CallContext, Forward, LayerPass } from "./layer.js";

/** What backward needs from forward. */
export interface GlobalAveragePooling2DCache {
  /** The shape of the input, [N, H, W, C]. */
  readonly shape: Shape;
  /** The shape of the output, [N, C] or [N, 1, 1, C]. */
  readonly outputShape: Shape;
  /** How it runs. */
  readonly execution: Execution;
}

/**
 * The mean of every channel of `x` [N, H, W, C], as [N, C]; with `keepdims` as [N, 1, 1, C].
 *
 * @throws TypeError when `x` is no tensor.
 * @throws RangeError when `x` does not have 4 dimensions, or has no pixels.
 */
export function globalAveragePooling2DForward(
  x: Tensor,
  keepdims = false,
  execution: Execution = serial,
): Forward<GlobalAveragePooling2DCache> {
  expectImages("GlobalAveragePooling2D", x);
  const { shape } = x;
  const outputShape = globalPoolingShape(shape, keepdims);
  return { y: imageMeans(x, outputShape, execution), cache: { shape, outputShape, execution } };
}

/**
 * The gradient for the input.
 *
 * @throws TypeError when `dy` is no tensor.
 * @throws RangeError when it does not have the shape of the output.
 */
export function globalAveragePooling2DBackward(
  dy: Tensor,
  { shape, outputShape, execution }: GlobalAveragePooling2DCache,
): Tensor {
  expectGradient("GlobalAveragePooling2D", dy, outputShape);
  return imageMeansGradient(dy, shape, execution);
}

/** The global average pooling layer of Keras. */
export class GlobalAveragePooling2D extends GlobalPooling2D {
  readonly className = "GlobalAveragePooling2D";

  /** @throws TypeError when an option is none of {@link GlobalPooling2DOptions}, or of another type. */
  constructor(options: GlobalPooling2DOptions = {}) {
    super("GlobalAveragePooling2D", options);
  }

  /** Reads the layer from a Keras configuration. */
  static fromConfig(config: KerasConfig): GlobalAveragePooling2D {
    return new GlobalAveragePooling2D(globalPoolingOptionsFromConfig("GlobalAveragePooling2D", config));
  }

  override get computesInJobs(): boolean {
    return true;
  }

  call([x]: readonly Tensor[], { execution }: CallContext): LayerPass {
    const { y, cache } = globalAveragePooling2DForward(x, this.keepdims, execution);
    return { y, keeps: [], backward: (dy) => ({ dInputs: [globalAveragePooling2DBackward(dy, cache)], dWeights: {} }) };
  }
}
