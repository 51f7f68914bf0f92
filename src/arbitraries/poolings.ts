/**
 * Poolings: windows with valid geometry, images, and a derivative to send back; for maxima and for means.
 *
 * They shrink batch, image, channels, window, strides and padding, then values.
 *
 * @module
 */
import fc from "fast-check";
import type { Pooling2DConfig } from "../layers/pooling2d.js";
import type { DType } from "../tensor/dtype.js";
import type { Tensor } from "../tensor/tensor.js";
import { casesOf, distinctOrSquare, distinctSizes, type Sizes, squareSizes } from "./cases.js";
import { checkOptions, OF_WINDOWS, REGIME, regimeOf } from "./options.js";
import type { Regime, RegimeName } from "./regimes.js";
import {
  leastWindowSize,
  movesOf,
  type SlidingSizes,
  squareWindowSizes,
  type WindowOptions,
  windowOf,
  type WindowSizes,
  windowSizes,
} from "./window-cases.js";

/** A pooling, the image under it, and a derivative to send back through it. */
export interface PoolingCase {
  /** Keras's arguments. */
  readonly config: Required<Pooling2DConfig>;
  /** [N, H, W, C]. */
  readonly x: Tensor;
  /** [N, oH, oW, C]. */
  readonly dy: Tensor;
}

/** Options of {@link poolings}. */
export interface PoolingOptions extends WindowOptions {
  /** The greatest batch, height, width and channels. @defaultValue 7 */
  readonly maxDim?: number;
  /** @defaultValue "float32" */
  readonly dtype?: DType;
  /** The regime of the image; `"distinct"` has no ties. @defaultValue "normal" */
  readonly regime?: RegimeName | Regime;
  /** The regime of `dy`. @defaultValue that of the image, "normal" for "distinct" */
  readonly dyRegime?: RegimeName | Regime;
}

type Dimensions = Sizes<"batch" | "height" | "width" | "channels">;
type PoolingSizes = Dimensions & SlidingSizes;

/**
 * Poolings over images: dimensions are pairwise distinct, or image and window are square.
 *
 * @throws TypeError, RangeError when an option has no meaning.
 */
export function poolings(options: PoolingOptions = {}): fc.Arbitrary<PoolingCase> {
  checkOptions("poolings", options, { ...OF_WINDOWS, dyRegime: REGIME });
  const { maxDim = 7, dtype = "float32", regime = "normal" } = options;
  const dyRegime = options.dyRegime ?? (regime === "distinct" ? "normal" : regime);
  const together = (dims: fc.Arbitrary<Dimensions>, windows: fc.Arbitrary<SlidingSizes>) =>
    fc.tuple(dims, windows).map(([dims, window]) => ({ ...dims, ...window }));
  const fits = (sizes: WindowSizes): boolean => windowOf(sizes) !== undefined;
  return casesOf<PoolingSizes, PoolingCase>({
    sizes: distinctOrSquare(
      options,
      () => together(distinctSizes(["batch", "height", "width", "channels"], maxDim), windowSizes(options, 1)),
      () => together(squareSizes(["batch", "channels"], maxDim), squareWindowSizes(options, 1)),
      fits,
    ),
    fits,
    least: (name) => leastWindowSize(name, options),
    plan(sizes) {
      const { batch, height, width, channels, windowHeight, windowWidth } = sizes;
      const window = windowOf(sizes);
      if (window === undefined) throw new Error("internal: poolings: the window does not fit.");
      const { strides, padding } = movesOf(sizes);
      return {
        tensors: {
          x: { shape: [batch, height, width, channels], dtype, regime: regimeOf(regime) },
          dy: {
            shape: [batch, window.outputHeight, window.outputWidth, channels],
            dtype,
            regime: regimeOf(dyRegime),
          },
        },
        build: ({ x, dy }) => ({ config: { poolSize: [windowHeight, windowWidth], strides, padding }, x, dy }),
      };
    },
  });
}
