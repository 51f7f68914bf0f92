/**
 * Depthwise convolutions: configurations with valid geometry, and the tensors that fit, forward and backward.
 *
 * They shrink as convolutions do: batch, image, channels, multiplier, window, strides, dilation, padding, bias; then values.
 *
 * @module
 */
import fc from "fast-check";
import type { ConvolutionMoves } from "../layers/window-shape.js";
import type { DType } from "../tensor/dtype.js";
import type { Tensor } from "../tensor/tensor.js";
import { anySizes, casesOf, distinctOrSquare, distinctSizes, type Sizes, squareSizes } from "./cases.js";
import { checkOptions, OF_WINDOWS, regimeOf, wholeNumber } from "./options.js";
import type { Regime, RegimeName } from "./regimes.js";
import {
  kernelIsDistinct,
  leastWindowSize,
  movesOf,
  type SlidingSizes,
  squareWindowSizes,
  type WindowOptions,
  windowOf,
  type WindowSizes,
  windowSizes,
} from "./window-cases.js";

/** A depthwise convolution, its operands, and a derivative to send back through it. */
export interface DepthwiseConvolutionCase {
  /** Keras's arguments. */
  readonly config: Required<ConvolutionMoves>;
  /** [N, H, W, C]. */
  readonly x: Tensor;
  /** [kH, kW, C, M]. */
  readonly kernel: Tensor;
  /** [C M], or none. */
  readonly bias?: Tensor;
  /** [N, oH, oW, C M]. */
  readonly dy: Tensor;
}

/** Options of {@link depthwiseConvolutions}. */
export interface DepthwiseConvolutionOptions extends WindowOptions {
  /** The greatest batch, height, width, channels and multiplier. @defaultValue 6 */
  readonly maxDim?: number;
  /** @defaultValue 2 */
  readonly maxDilation?: number;
  /** @defaultValue "float32" */
  readonly dtype?: DType;
  /** The regime of every tensor. @defaultValue "normal" */
  readonly regime?: RegimeName | Regime;
}

type Dimensions = Sizes<"batch" | "height" | "width" | "channels" | "multiplier">;
type DepthwiseSizes = Dimensions & SlidingSizes & Sizes<"bias">;

/**
 * Depthwise convolutions over images. The dimensions of image and kernel are pairwise distinct, or both are square.
 *
 * @throws TypeError, RangeError when an option has no meaning.
 */
export function depthwiseConvolutions(
  options: DepthwiseConvolutionOptions = {},
): fc.Arbitrary<DepthwiseConvolutionCase> {
  checkOptions("depthwiseConvolutions", options, { ...OF_WINDOWS, maxDilation: wholeNumber(1) });
  const { maxDim = 6, maxDilation = 2, dtype = "float32" } = options;
  const regime = regimeOf(options.regime ?? "normal");
  const together = (dims: fc.Arbitrary<Dimensions>, windows: fc.Arbitrary<SlidingSizes>) =>
    fc.tuple(dims, windows, anySizes(["bias"], 0, 1)).map(([dims, window, bias]) => ({ ...dims, ...window, ...bias }));
  const fits = (sizes: WindowSizes): boolean => windowOf(sizes) !== undefined;
  return casesOf<DepthwiseSizes, DepthwiseConvolutionCase>({
    sizes: distinctOrSquare(
      options,
      () =>
        together(
          distinctSizes(["batch", "height", "width", "channels", "multiplier"], maxDim),
          windowSizes(options, maxDilation),
        ).filter(({ windowHeight, windowWidth, channels, multiplier }) =>
          kernelIsDistinct([windowHeight, windowWidth, channels, multiplier], options),
        ),
      () => together(squareSizes(["batch", "channels", "multiplier"], maxDim), squareWindowSizes(options, maxDilation)),
      fits,
    ),
    fits,
    least: (name) => (name === "bias" ? 0 : leastWindowSize(name, options)),
    plan(sizes) {
      const { batch, height, width, channels, multiplier, windowHeight, windowWidth } = sizes;
      const window = windowOf(sizes);
      if (window === undefined) throw new Error("internal: depthwiseConvolutions: the window does not fit.");
      const of = (...shape: number[]) => ({ shape, dtype, regime });
      const tensors = {
        x: of(batch, height, width, channels),
        kernel: of(windowHeight, windowWidth, channels, multiplier),
        dy: of(batch, window.outputHeight, window.outputWidth, channels * multiplier),
        ...(sizes.bias === 1 ? { bias: of(channels * multiplier) } : {}),
      };
      return {
        tensors,
        build: ({ x, kernel, dy, bias }) => ({
          config: movesOf(sizes),
          x,
          kernel,
          dy,
          ...(bias === undefined ? {} : { bias }),
        }),
      };
    },
  });
}
