/**
 * Laws of convolutions and depthwise convolutions.
 *
 * @module
 */
import fc from "fast-check";
import { window2D } from "../../kernels/window.js";
import type { Conv2DConfig } from "../../layers/conv2d.js";
import type { ConvolutionMoves } from "../../layers/window-shape.js";
import { convolutions } from "../convolutions.js";
import { depthwiseConvolutions } from "../depthwise-convolutions.js";
import { dropped, expectSame, generated } from "./algebra.js";
import {
  type BilinearCase,
  bilinearGradientLaws,
  bilinearLaws,
  channelOrderLaw,
  type KernelForward,
  type KernelImplementation,
  outputOrderLaw,
} from "./bilinear.js";
import { type Law, lawOf } from "./law.js";

/** A convolution: x [N, H, W, C], kernel [kH, kW, C / groups, F]. */
export type ConvolutionImplementation = KernelImplementation<Required<Conv2DConfig>>;
/** A depthwise convolution: x [N, H, W, C], kernel [kH, kW, C, M]. */
export type DepthwiseImplementation = KernelImplementation<Required<ConvolutionMoves>>;

const whole = convolutions({ regime: "integers" });
const ordinary = convolutions();
const ungrouped = convolutions({ regime: "integers", maxGroups: 1 });
const depthwiseWhole = depthwiseConvolutions({ regime: "integers" });
const depthwiseOrdinary = depthwiseConvolutions();

/** A "valid" window over an image without its first rows gives the output without its first row. */
function translationLaw<Config extends Required<ConvolutionMoves>>(
  valid: fc.Arbitrary<BilinearCase<Config>>,
): Law<KernelForward<Config>> {
  return lawOf("moves with the image", valid, async (mine, { x, kernel, config }) => {
    const y = await mine.forward(x, kernel, undefined, config);
    for (const axis of [1, 2]) {
      if (y.shape[axis] < 2) continue;
      const moved = await mine.forward(dropped(x, axis, config.strides[axis - 1]), kernel, undefined, config);
      expectSame(`y of an image moved along axis ${axis}`, moved, dropped(y, axis, 1));
    }
  });
}

/**
 * A kernel of zeros with a single 1 picks one channel of the image, moved: zeros where the window hangs over the border.
 * It says where every tap reads, and so where padding goes. Products with 0 and 1 are exact, for any finite numbers.
 */
function singleTapLaw<Config extends Required<ConvolutionMoves>>(
  cases: fc.Arbitrary<BilinearCase<Config>>,
  sourceOf: (
    channel: number,
    output: number,
    example: BilinearCase<Config>,
  ) => { readonly entry: readonly number[]; readonly output: number; readonly input: number },
): Law<KernelForward<Config>> {
  const tapped = fc.tuple(cases, fc.nat(99), fc.nat(99), fc.nat(99), fc.nat(99));
  return lawOf("moves one channel by a kernel of a single 1", tapped, async (mine, [example, a, b, c, d]) => {
    const { x, kernel, config } = example;
    const [kernelHeight, kernelWidth, channels, outputs] = kernel.shape;
    const [kh, kw] = [a % kernelHeight, b % kernelWidth];
    const { entry, output, input } = sourceOf(c % channels, d % outputs, example);
    const size = [x.shape[1], x.shape[2]] as const;
    const window = window2D(size, [kernelHeight, kernelWidth], config.strides, config.padding, config.dilationRate);
    const single = generated(kernel.shape, kernel, (...at) => (String(at) === String([kh, kw, ...entry]) ? 1 : 0));
    const expected = generated(example.dy.shape, x, (n, oh, ow, f) => {
      const row = oh * window.strideHeight + kh * window.dilationHeight - window.padTop;
      const column = ow * window.strideWidth + kw * window.dilationWidth - window.padLeft;
      const isInside = row >= 0 && row < size[0] && column >= 0 && column < size[1];
      return f === output && isInside ? x.get(n, row, column, input) : 0;
    });
    expectSame(
      `y of a 1 at [${[kh, kw, ...entry].join(", ")}]`,
      await mine.forward(x, single, undefined, config),
      expected,
    );
  });
}

/** Laws of a convolution's forward pass. */
export const convolutionLaws: readonly Law<KernelForward<Required<Conv2DConfig>>>[] = [
  ...bilinearLaws(whole, ordinary),
  outputOrderLaw(ungrouped),
  channelOrderLaw(ungrouped, 2),
  translationLaw(convolutions({ regime: "integers", padding: "valid" })),
  // entry [c, f] of a tap carries channel c of f's group to output f; groups follow one another in channels and outputs
  singleTapLaw(ordinary, (channel, output, { kernel: { shape }, config }) => ({
    entry: [channel, output],
    output,
    input: Math.floor(output / (shape[3] / config.groups)) * shape[2] + channel,
  })),
];

/** Laws of a convolution's gradients. */
export const convolutionGradientLaws: readonly Law<ConvolutionImplementation>[] = bilinearGradientLaws(whole);

/** Laws of a depthwise convolution's forward pass. */
export const depthwiseLaws: readonly Law<KernelForward<Required<ConvolutionMoves>>>[] = [
  ...bilinearLaws(depthwiseWhole, depthwiseOrdinary),
  translationLaw(depthwiseConvolutions({ regime: "integers", padding: "valid" })),
  // entry [c, m] of a tap carries channel c to output c M + m
  singleTapLaw(depthwiseOrdinary, (channel, m, { kernel }) => ({
    entry: [channel, m],
    output: channel * kernel.shape[3] + m,
    input: channel,
  })),
];

/** Laws of a depthwise convolution's gradients. */
export const depthwiseGradientLaws: readonly Law<DepthwiseImplementation>[] = bilinearGradientLaws(depthwiseWhole);
