/**
 * Convolutions: configurations with valid geometry, and the tensors that fit, forward and backward.
 *
 * They shrink to one pixel and a kernel of one tap: first batch, image, channels, filters, window, strides, dilation,
 * groups and padding ("same" to "valid", bias to none), then values.
 *
 * @module
 */
import fc from "fast-check";
import type { Conv2DConfig } from "../layers/conv2d.js";
import type { DType } from "../tensor/dtype.js";
import type { Tensor } from "../tensor/tensor.js";
import { anySizes, areDistinct, casesOf, distinctOrSquare, distinctSizes, type Sizes, squareSizes } from "./cases.js";
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

/** A convolution, its operands, and a derivative to send back through it. */
export interface ConvolutionCase {
  /** Keras's arguments. */
  readonly config: Required<Conv2DConfig>;
  /** [N, H, W, C]. */
  readonly x: Tensor;
  /** [kH, kW, C / groups, F]. */
  readonly kernel: Tensor;
  /** [F], or none. */
  readonly bias?: Tensor;
  /** [N, oH, oW, F]. */
  readonly dy: Tensor;
}

/** Options of {@link convolutions}. */
export interface ConvolutionOptions extends WindowOptions {
  /** The greatest batch, height, width, channels and filters of a group. @defaultValue 7 */
  readonly maxDim?: number;
  /** @defaultValue 2 */
  readonly maxDilation?: number;
  /** @defaultValue 2 */
  readonly maxGroups?: number;
  /** @defaultValue "float32" */
  readonly dtype?: DType;
  /** The regime of every tensor. @defaultValue "normal" */
  readonly regime?: RegimeName | Regime;
}

type Dimensions = Sizes<"batch" | "height" | "width" | "channels" | "filters">;
type ConvolutionSizes = Dimensions & SlidingSizes & Sizes<"groups" | "bias">;

/**
 * Convolutions over images: the dimensions of image and kernel are pairwise distinct, or both are square.
 *
 * @throws TypeError, RangeError when an option has no meaning.
 */
export function convolutions(options: ConvolutionOptions = {}): fc.Arbitrary<ConvolutionCase> {
  checkOptions("convolutions", options, { ...OF_WINDOWS, maxDilation: wholeNumber(1), maxGroups: wholeNumber(1) });
  const { maxDim = 7, maxDilation = 2, maxGroups = 2, dtype = "float32" } = options;
  const regime = regimeOf(options.regime ?? "normal");
  const together = (dims: fc.Arbitrary<Dimensions>, windows: fc.Arbitrary<SlidingSizes>) =>
    fc
      .tuple(dims, windows, anySizes(["groups"], 1, maxGroups), anySizes(["bias"], 0, 1))
      .map(([dims, window, groups, bias]) => ({ ...dims, ...window, ...groups, ...bias }));
  const fits = (sizes: WindowSizes): boolean => windowOf(sizes) !== undefined;
  return casesOf<ConvolutionSizes, ConvolutionCase>({
    sizes: distinctOrSquare(
      options,
      () =>
        together(
          distinctSizes(["batch", "height", "width", "channels", "filters"], maxDim),
          windowSizes(options, maxDilation),
        ).filter(
          ({ batch, height, width, channels, filters, groups, windowHeight, windowWidth }) =>
            areDistinct([batch, height, width, channels * groups]) &&
            kernelIsDistinct([windowHeight, windowWidth, channels, filters * groups], options),
        ),
      () => together(squareSizes(["batch", "channels", "filters"], maxDim), squareWindowSizes(options, maxDilation)),
      fits,
    ),
    fits,
    least: (name) => (name === "bias" ? 0 : leastWindowSize(name, options)),
    plan(sizes) {
      const { batch, height, width, channels, filters, groups, windowHeight, windowWidth } = sizes;
      const window = windowOf(sizes);
      if (window === undefined) throw new Error("internal: convolutions: the window does not fit.");
      const outputs = filters * groups;
      const of = (...shape: number[]) => ({ shape, dtype, regime });
      const tensors = {
        x: of(batch, height, width, channels * groups),
        kernel: of(windowHeight, windowWidth, channels, outputs),
        dy: of(batch, window.outputHeight, window.outputWidth, outputs),
        ...(sizes.bias === 1 ? { bias: of(outputs) } : {}),
      };
      return { tensors, build: ({ x, kernel, dy, bias }) => convolution(sizes, { x, kernel, dy }, bias) };
    },
  });
}

function convolution(
  sizes: ConvolutionSizes,
  tensors: Pick<ConvolutionCase, "x" | "kernel" | "dy">,
  bias: Tensor | undefined,
): ConvolutionCase {
  const config = { ...movesOf(sizes), groups: sizes.groups };
  return { config, ...tensors, ...(bias === undefined ? {} : { bias }) };
}
