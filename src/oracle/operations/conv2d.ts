/**
 * `conv2d` and `conv2d-backward`: {@link conv2DForward} and {@link conv2DBackward}.
 *
 * Arguments: `strides`, `padding`, `dilationRate`, `groups`, with Keras's defaults. The derivation of the bounds is in
 * `convolution.ts`; companions are the same convolutions of magnitudes.
 *
 * @module
 */
import { conv2DBackward, conv2DForward } from "../../layers/conv2d.js";
import { readMoves } from "../../layers/window-shape.js";
import type { Operation } from "../operation.js";
import { kernelLayerOperations } from "./kernel-layer.js";

/** Convolution with its bias, and its gradients. */
export const conv2dOperations: readonly Operation[] = kernelLayerOperations({
  name: "conv2d",
  forward: (x, weights, read) =>
    conv2DForward(x, weights, { ...readMoves(read, "dilationRate"), groups: read.integer("groups", 1, 1) }),
  backward: conv2DBackward,
  convolutionOf: ({ x, kernel, window, groups }) => ({
    window,
    batch: x.shape[0],
    channels: x.shape[3],
    filters: kernel.shape[3],
    groups,
  }),
});
