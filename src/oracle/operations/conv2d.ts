/**
 * `conv2d` and `conv2d-backward`: {@link conv2DForward} and {@link conv2DBackward}.
 *
 * Arguments: `strides`, `padding`, `dilationRate`, `groups`, with Keras's defaults. The derivation of the bounds is in
 * `convolution.ts`; companions are the same convolutions of magnitudes.
 *
 * @module
 */
import { conv2DBackward, conv2DForward } from "../../layers/conv2d.js";
import { type ConvolutionMoves, readMoves } from "../../layers/window-shape.js";
import type { ConfigReader } from "../../serialization/config.js";
import type { Operation } from "../operation.js";
import { kernelLayerOperations } from "./kernel-layer.js";

function readArguments(read: ConfigReader): Required<ConvolutionMoves> & { readonly groups: number } {
  return { ...readMoves(read, "dilationRate"), groups: read.integer("groups", 1, 1) };
}

/** Convolution with its bias, and its gradients. */
export const conv2dOperations: readonly Operation[] = kernelLayerOperations({
  name: "conv2d",
  complete: (read) => ({ ...readArguments(read) }),
  forward: (x, weights, read) => conv2DForward(x, weights, readArguments(read)),
  backward: conv2DBackward,
  convolutionOf: ({ x, kernel, window, groups }) => ({
    window,
    batch: x.shape[0],
    channels: x.shape[3],
    filters: kernel.shape[3],
    groups,
  }),
});
