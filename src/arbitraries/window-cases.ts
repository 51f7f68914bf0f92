/**
 * What the arbitraries of convolutions and poolings share: sizes of a window and how it moves, as whole numbers.
 *
 * @module
 */
import fc from "fast-check";
import { type Padding, type Window2D, window2D } from "../kernels/window.js";
import { anySizes, areDistinct, type DistinctOptions, distinctSizes, type Sizes, sizesBetween } from "./cases.js";

/** The sizes of a window over an image; `same` is 1 or 0. */
export type WindowSizes = Sizes<
  | "height"
  | "width"
  | "windowHeight"
  | "windowWidth"
  | "strideHeight"
  | "strideWidth"
  | "dilationHeight"
  | "dilationWidth"
  | "same"
>;

/** Options of the arbitraries of windows. */
export interface WindowOptions extends DistinctOptions {
  /** The greatest height and width of the window. @defaultValue 4 */
  readonly maxWindow?: number;
  /** @defaultValue 3 */
  readonly maxStrides?: number;
  /** With `"valid"` or `"same"` every window is such a one. @defaultValue drawn */
  readonly padding?: Padding;
}

/** The sizes of a window by itself. */
export type SlidingSizes = Omit<WindowSizes, "height" | "width">;

/** Windows of distinct height and width; images are drawn by the caller, beside the other dimensions. */
export function windowSizes(options: WindowOptions, maxDilation: number): fc.Arbitrary<SlidingSizes> {
  const { maxWindow = 4, maxStrides = 3 } = options;
  const size =
    maxWindow > 1
      ? distinctSizes(["windowHeight", "windowWidth"], maxWindow)
      : anySizes(["windowHeight", "windowWidth"], 1, 1);
  return fc
    .tuple(
      size,
      anySizes(["strideHeight", "strideWidth"], 1, maxStrides),
      anySizes(["dilationHeight", "dilationWidth"], 1, maxDilation),
      paddings(options),
    )
    .map(([window, strides, dilation, same]) => ({ ...window, ...strides, ...dilation, same }));
}

/** Square windows that move as far down as to the right. */
export function squareWindowSizes(options: WindowOptions, maxDilation: number): fc.Arbitrary<SlidingSizes> {
  const { maxWindow = 4, maxStrides = 3 } = options;
  return fc
    .tuple(
      sizesBetween({ window: [1, maxWindow], strides: [1, maxStrides], dilation: [1, maxDilation] }),
      paddings(options),
    )
    .map(([{ window, strides, dilation }, same]) => ({
      windowHeight: window,
      windowWidth: window,
      strideHeight: strides,
      strideWidth: strides,
      dilationHeight: dilation,
      dilationWidth: dilation,
      same,
    }));
}

function paddings({ padding }: WindowOptions): fc.Arbitrary<number> {
  return padding === undefined ? fc.nat(1) : fc.constant(padding === "same" ? 1 : 0);
}

/** Whether the dimensions of a kernel are pairwise distinct, as far as windows of more than one tap are asked for. */
export function kernelIsDistinct(kernel: readonly number[], { maxWindow = 4 }: WindowOptions): boolean {
  return maxWindow === 1 || areDistinct(kernel);
}

/** The least sizes. Zeros around the image shrink to none, unless that is what was asked for. */
export function leastWindowSize(name: string, { padding }: WindowOptions): number {
  return name === "same" && padding !== "same" ? 0 : 1;
}

/** Strides, padding and dilation of a window. */
export function movesOf(sizes: SlidingSizes): {
  readonly strides: readonly [number, number];
  readonly padding: Padding;
  readonly dilationRate: readonly [number, number];
} {
  return {
    strides: [sizes.strideHeight, sizes.strideWidth],
    padding: sizes.same === 1 ? "same" : "valid",
    dilationRate: [sizes.dilationHeight, sizes.dilationWidth],
  };
}

/** The geometry; undefined where the window does not fit into the image, or has strides and dilation, as Keras forbids. */
export function windowOf(sizes: WindowSizes): Window2D | undefined {
  const { height, width, windowHeight, windowWidth } = sizes;
  const { strides, padding, dilationRate } = movesOf(sizes);
  if (Math.max(...strides) > 1 && Math.max(...dilationRate) > 1) return undefined;
  const reach = [(windowHeight - 1) * dilationRate[0] + 1, (windowWidth - 1) * dilationRate[1] + 1];
  if (padding === "valid" && (reach[0] > height || reach[1] > width)) return undefined;
  return window2D([height, width], [windowHeight, windowWidth], strides, padding, dilationRate);
}
