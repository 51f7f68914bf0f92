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
import type { KerasConfig } from "../serialization/config.js";
import { contiguous, empty, type Tensor } from "../tensor/tensor.js";
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
}

/**
 * The largest value of every channel of `x` [N, H, W, C], as [N, C]; with `keepdims` as [N, 1, 1, C].
 *
 * @throws TypeError when `x` is no tensor.
 * @throws RangeError when `x` does not have 4 dimensions, or has no pixels.
 */
export function globalMaxPooling2DForward(x: Tensor, keepdims = false): Forward<GlobalMaxPooling2DCache> {
  expectImages("GlobalMaxPooling2D", x);
  x = contiguous(x);
  const [batch, height, width, channels] = x.shape;
  const pixels = height * width;
  const y = empty(globalPoolingShape(x.shape, keepdims), x);
  const xs = x.data;
  const ys = y.data;
  for (let n = 0; n < batch; n++) {
    for (let c = 0; c < channels; c++) {
      let max = Number.NEGATIVE_INFINITY;
      for (let pixel = 0; pixel < pixels; pixel++) max = Math.max(max, xs[(n * pixels + pixel) * channels + c]);
      ys[n * channels + c] = max;
    }
  }
  return { y, cache: { x, y } };
}

/**
 * The gradient for the input.
 *
 * @throws TypeError when `dy` is no tensor.
 * @throws RangeError when it does not have the shape of the output.
 */
export function globalMaxPooling2DBackward(dy: Tensor, { x, y }: GlobalMaxPooling2DCache): Tensor {
  expectGradient("GlobalMaxPooling2D", dy, y.shape);
  const [batch, height, width, channels] = x.shape;
  const pixels = height * width;
  const dx = empty(x.shape, x);
  const dys = contiguous(dy).data;
  const xs = x.data;
  const ys = y.data;
  const dxs = dx.data;
  for (let n = 0; n < batch; n++) {
    for (let c = 0; c < channels; c++) {
      const at = n * channels + c;
      let count = 0;
      for (let pixel = 0; pixel < pixels; pixel++) count += Number(xs[(n * pixels + pixel) * channels + c] === ys[at]);
      const elsewhere = count === 0 ? Number.NaN : 0;
      for (let pixel = 0; pixel < pixels; pixel++) {
        const i = (n * pixels + pixel) * channels + c;
        dxs[i] = xs[i] === ys[at] ? dys[at] / count : elsewhere;
      }
    }
  }
  return dx;
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

  call([x]: readonly Tensor[], _context: CallContext): LayerPass {
    const { y, cache } = globalMaxPooling2DForward(x, this.keepdims);
    return { y, backward: (dy) => ({ dInputs: [globalMaxPooling2DBackward(dy, cache)], dWeights: {} }) };
  }
}
