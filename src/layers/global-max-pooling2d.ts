/**
 * Global max pooling: the largest value of every channel over the whole image.
 * Keras: `keras.layers.GlobalMaxPooling2D(keepdims=False)`.
 *
 * Shapes:
 *
 *     x, dx  [N, H, W, C]
 *     y, dy  [N, C], with keepdims [N, 1, 1, C]
 *
 * Forward:   y[n, c]        = max over h, w of  x[n, h, w, c]
 *
 * Backward, with count(n, c) the number of pixels that hold the maximum:
 *
 *            dx[n, h, w, c] = dy[n, c] / count(n, c)  where x[n, h, w, c] = y[n, c], and 0 elsewhere
 *
 * Notes on the numbers:
 * - Equal maxima share the gradient equally, as in TensorFlow's `reduce_max`. ({@link MaxPooling2D} gives all of it to the
 *   first one, as TensorFlow does there.)
 * - NaN wins over every number; no pixel equals it, so the whole channel's gradient is 0 / 0 = NaN.
 *
 * @module
 */
import { type Execution, serial } from "../kernels/execution.js";
import { imageGreatest, imageGreatestGradient } from "../kernels/image-greatest.js";
import type { KerasConfig } from "../serialization/config.js";
import { contiguous, type Tensor } from "../tensor/tensor.js";
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
export interface GlobalMaxPooling2DCache {
  /** The input, [N, H, W, C]. */
  readonly x: Tensor;
  /** The output; its elements in order are those of [N, C]. */
  readonly y: Tensor;
  /** How it runs. @defaultValue one thread */
  readonly execution?: Execution;
}

/**
 * The largest value of every channel of `x` [N, H, W, C], as [N, C]; with `keepdims` as [N, 1, 1, C].
 *
 * @throws TypeError when `x` is no tensor.
 * @throws RangeError when `x` does not have 4 dimensions, or has no pixels.
 */
export function globalMaxPooling2DForward(
  x: Tensor,
  keepdims = false,
  execution: Execution = serial,
): Forward<GlobalMaxPooling2DCache> {
  expectImages("GlobalMaxPooling2D", x);
  x = contiguous(x);
  const y = imageGreatest(x, globalPoolingShape(x.shape, keepdims), execution);
  return { y, cache: { x, y, execution } };
}

/**
 * The gradient for the input.
 *
 * @throws TypeError when `dy` is no tensor.
 * @throws RangeError when it does not have the shape of the output.
 */
export function globalMaxPooling2DBackward(dy: Tensor, { x, y, execution = serial }: GlobalMaxPooling2DCache): Tensor {
  expectGradient("GlobalMaxPooling2D", dy, y.shape);
  return imageGreatestGradient(dy, x, y, execution);
}

/** The global max pooling layer of Keras. */
export class GlobalMaxPooling2D extends GlobalPooling2D {
  readonly className = "GlobalMaxPooling2D";

  /** @throws TypeError when an option is none of {@link GlobalPooling2DOptions}, or of another type. */
  constructor(options: GlobalPooling2DOptions = {}) {
    super("GlobalMaxPooling2D", options);
  }

  /** Reads the layer from a Keras configuration. */
  static fromConfig(config: KerasConfig): GlobalMaxPooling2D {
    return new GlobalMaxPooling2D(globalPoolingOptionsFromConfig("GlobalMaxPooling2D", config));
  }

  override get computesInJobs(): boolean {
    return true;
  }

  call([x]: readonly Tensor[], { execution }: CallContext): LayerPass {
    const { y, cache } = globalMaxPooling2DForward(x, this.keepdims, execution);
    return { y, backward: (dy) => ({ dInputs: [globalMaxPooling2DBackward(dy, cache)], dWeights: {} }) };
  }
}
