/**
 * Problems with a window that slides over images: convolutions and pools.
 *
 * Backward passes have sums of two kinds, over filters (dx) and over positions (dKernel); each case aims its data at one.
 *
 * @module
 */
import type { KerasConfig } from "../../serialization/config.js";
import type { Draw } from "../draw.js";
import { isKnown, KNOWN_CONVOLUTIONS, KNOWN_POOLS, knownImage, type KnownWindow, knownWindow } from "./known-sizes.js";
import type { Geometry, Part, Problem } from "./problem.js";

type Sizes = Geometry["sizes"];

/** A window over an image. */
interface WindowKind {
  readonly dilates: boolean;
  readonly mostTaps: number;
  readonly known: readonly KnownWindow[];
}

const CONVOLVES: WindowKind = { dilates: true, mostTaps: 4, known: KNOWN_CONVOLUTIONS };
const POOLS: WindowKind = { dilates: false, mostTaps: 3, known: KNOWN_POOLS };

/** A well-known window, or one whose sizes all differ. */
function sampleWindow(draw: Draw, kind: WindowKind): Geometry {
  const sizes = isKnown(draw) ? knownWindow(draw, kind.known) : distinctWindow(draw, kind);
  return {
    sizes,
    choices: { padding: draw.choice(["same", "valid"]), bias: !draw.once(3), aim: draw.choice(["dx", "dKernel"]) },
  };
}

/** All sizes of window and image different. Strides and dilations come in every combination. */
function distinctWindow(draw: Draw, { dilates, mostTaps }: WindowKind): Sizes {
  const dilated = dilates && draw.once(3);
  // the narrowest ranges first; a dilated window of 4 taps reaches over 7 pixels
  const [kernelHeight, kernelWidth, batch, channels, filters, height, width] = draw.distinct(
    [1, mostTaps],
    [1, mostTaps],
    [1, 3],
    [2, 7],
    [2, 8],
    [dilated ? 7 : 5, 10],
    [dilated ? 7 : 5, 10],
  );
  const [strideHeight, strideWidth] = dilated ? [1, 1] : draw.choice([[1, 1], draw.distinct([1, 3], [1, 3]), [2, 2]]);
  const [dilationHeight, dilationWidth] = dilated ? draw.distinct([1, 2], [1, 2]) : [1, 1];
  return {
    batch,
    height,
    width,
    channels,
    filters,
    kernelHeight,
    kernelWidth,
    strideHeight,
    strideWidth,
    dilationHeight,
    dilationWidth,
  };
}

function moves({ sizes, choices }: Geometry): KerasConfig {
  return { strides: [sizes["strideHeight"], sizes["strideWidth"]], padding: choices["padding"] };
}

function image({ batch, height, width, channels }: Sizes): readonly number[] {
  return [batch, height, width, channels];
}

/** Operands of a convolution whose kernel has the shape [kH, kW, inC, outC] and sums over channels. */
function convolutionParts(geometry: Geometry, kernel: readonly number[], biases: number, backward: boolean): Part[] {
  const { sizes, choices } = geometry;
  const x = image(sizes);
  if (!backward) {
    const bias: Part = { name: "bias", shape: [biases], role: "addend" };
    return [
      { name: "x", shape: x, axis: 3 },
      { name: "kernel", shape: kernel, role: "second", axis: 2 },
      ...(choices["bias"] === true ? [bias] : []),
    ];
  }
  if (choices["aim"] === "dx") {
    return [
      { name: "x", shape: x, axis: 3 },
      { name: "kernel", shape: kernel, role: "second", axis: 3 },
      { name: "dy", shape: "like y", axis: 3 },
    ];
  }
  return [
    { name: "x", shape: x, axis: 0 },
    { name: "kernel", shape: kernel, role: "second", axis: 2 },
    { name: "dy", shape: "like y", role: "second", axis: 0 },
  ];
}

/** The longest of the three sums. */
function convolutionTerms({ sizes }: Geometry): number {
  const taps = sizes["kernelHeight"] * sizes["kernelWidth"];
  const positions = sizes["batch"] * sizes["height"] * sizes["width"];
  return Math.max(taps * sizes["channels"], taps * sizes["filters"], positions);
}

/** `conv2d`. Groups divide channels and filters: sizes are per group. */
export const CONV2D: Problem = {
  sample(draw) {
    const window = sampleWindow(draw, CONVOLVES);
    const groups = draw.once(3) ? draw.integer(2, 3) : 1;
    if (groups === 1) return { ...window, sizes: { ...window.sizes, groups } };
    const [channels, filters] = draw.distinct([1, 3], [1, 3]);
    return { ...window, sizes: { ...window.sizes, groups, channels, filters } };
  },
  args: (geometry) => ({
    ...moves(geometry),
    dilationRate: [geometry.sizes["dilationHeight"], geometry.sizes["dilationWidth"]],
    groups: geometry.sizes["groups"],
  }),
  terms: convolutionTerms,
  parts(geometry, backward) {
    const { groups, channels, filters, kernelHeight, kernelWidth } = geometry.sizes;
    const whole = { ...geometry, sizes: { ...geometry.sizes, channels: channels * groups } };
    return convolutionParts(whole, [kernelHeight, kernelWidth, channels, filters * groups], filters * groups, backward);
  },
};

/** `depthwise-conv2d`: `filters` is the depth multiplier. */
export const DEPTHWISE_CONV2D: Problem = {
  sample(draw) {
    const window = sampleWindow(draw, CONVOLVES);
    return { ...window, sizes: { ...window.sizes, filters: draw.integer(1, 3) } };
  },
  args: (geometry) => ({
    ...moves(geometry),
    dilationRate: [geometry.sizes["dilationHeight"], geometry.sizes["dilationWidth"]],
  }),
  terms: convolutionTerms,
  parts(geometry, backward) {
    const { channels, filters, kernelHeight, kernelWidth } = geometry.sizes;
    return convolutionParts(geometry, [kernelHeight, kernelWidth, channels, filters], channels * filters, backward);
  },
};

/** `average-pooling2d` and `max-pooling2d`. */
export const POOLING2D: Problem = {
  sample: (draw) => sampleWindow(draw, POOLS),
  args: (geometry) => ({
    ...moves(geometry),
    poolSize: [geometry.sizes["kernelHeight"], geometry.sizes["kernelWidth"]],
  }),
  terms: ({ sizes }) => sizes["kernelHeight"] * sizes["kernelWidth"],
  parts: ({ sizes }, backward) => [
    { name: "x", shape: image(sizes) },
    ...(backward ? [{ name: "dy", shape: "like y" } as const] : []),
  ],
};

/** `global-average-pooling2d` and `global-max-pooling2d`. */
export const GLOBAL_POOLING2D: Problem = {
  sample(draw) {
    const [height, width, channels, batch] = draw.distinct([2, 9], [2, 9], [1, 7], [1, 4]);
    const sizes = isKnown(draw) ? knownImage(draw, 1) : { batch, height, width, channels };
    return { sizes, choices: { keepdims: draw.choice([true, false]) } };
  },
  args: ({ choices }) => ({ keepdims: choices["keepdims"] }),
  terms: ({ sizes }) => sizes["height"] * sizes["width"],
  parts: ({ sizes }, backward) => [
    { name: "x", shape: image(sizes) },
    ...(backward ? [{ name: "dy", shape: "like y" } as const] : []),
  ],
};

/** `zero-padding2d`. */
export const ZERO_PADDING2D: Problem = {
  sample(draw) {
    const [height, width, channels, batch] = draw.distinct([2, 6], [2, 6], [1, 7], [1, 4]);
    const [top, bottom, left, right] = draw.distinct([0, 5], [0, 5], [0, 5], [0, 5]);
    return { sizes: { batch, height, width, channels }, choices: { top, bottom, left, right } };
  },
  args: ({ choices: { top, bottom, left, right } }) => ({
    padding: [
      [top, bottom],
      [left, right],
    ],
  }),
  terms: () => 1,
  parts: ({ sizes }, backward) => [
    { name: "x", shape: image(sizes) },
    ...(backward ? [{ name: "dy", shape: "like y" } as const] : []),
  ],
};
