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
import type { Accumulate } from "../kernels/rounding.js";
import type { KerasConfig } from "../serialization/config.js";
import type { Shape } from "../tensor/shape.js";
import { contiguous, empty, type Tensor } from "../tensor/tensor.js";
import type { CallContext, Forward, LayerPass } from "./layer.js";
import {
  accumulators,
  forEachWindow,
  Pooling2D,
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
  /** How sums run. */
  readonly accumulate: Accumulate;
}

/**
 * The largest value of `x` [N, H, W, C] under every window.
 *
 * @throws RangeError when `x` does not have 4 dimensions, or the window does not fit into the image.
 */
export function maxPooling2DForward(
  x: Tensor,
  config: Pooling2DConfig,
  accumulate: Accumulate = "float64",
): Forward<MaxPooling2DCache> {
  const window = poolingWindow("MaxPooling2D", x, config);
  const { shape } = x;
  const channels = shape[3];
  const y = empty([shape[0], window.outputHeight, window.outputWidth, channels], x);
  const argmax = new Int32Array(y.size);
  const xs = contiguous(x).data;
  const ys = y.data;
  forEachWindow(shape, window, (output, inputs) => {
    for (let c = 0; c < channels; c++) {
      let from = inputs[0] + c;
      for (let k = 1; k < inputs.length; k++) {
        const value = xs[inputs[k] + c];
        const max = xs[from];
        if (value > max || (Number.isNaN(value) && !Number.isNaN(max))) from = inputs[k] + c;
      }
      ys[output + c] = xs[from];
      argmax[output + c] = from;
    }
  });
  return { y, cache: { shape, argmax, accumulate } };
}

/** The gradient for the input. */
export function maxPooling2DBackward(dy: Tensor, { shape, argmax, accumulate }: MaxPooling2DCache): Tensor {
  const dx = empty(shape, dy);
  const dys = contiguous(dy).data;
  const sums = accumulators(accumulate, dy, dx.size);
  for (let i = 0; i < dys.length; i++) sums[argmax[i]] += dys[i];
  dx.data.set(sums);
  return dx;
}

/** The max pooling layer of Keras. */
export class MaxPooling2D extends Pooling2D {
  readonly className = "MaxPooling2D";

  /** @throws TypeError when a size is not a whole number of at least 1. */
  constructor(options: Pooling2DOptions = {}) {
    super("MaxPooling2D", options);
  }

  /** Reads the layer from a Keras configuration. */
  static fromConfig(config: KerasConfig): MaxPooling2D {
    return new MaxPooling2D(poolingOptionsFromConfig("MaxPooling2D", config));
  }

  call([x]: readonly Tensor[], { execution }: CallContext): LayerPass {
    const { y, cache } = maxPooling2DForward(x, this.config, execution.accumulate);
    return { y, backward: (dy) => ({ dInputs: [maxPooling2DBackward(dy, cache)], dWeights: {} }) };
  }
}
