/**
 * `depthwise-conv2d` and `depthwise-conv2d-backward`: {@link depthwiseConv2DForward} and {@link depthwiseConv2DBackward}.
 *
 * Arguments: `strides`, `padding`, `dilationRate`, with Keras's defaults. The derivation of the bounds is in
 * `convolution.ts`; companions are the same convolutions of magnitudes.
 *
 * @module
 */
import { depthwiseConv2DBackward, depthwiseConv2DForward } from "../../layers/depthwise-conv2d.js";
import { readMoves } from "../../layers/window-shape.js";
import type { Operation } from "../operation.js";
import { kernelLayerOperations } from "./kernel-layer.js";

/** Convolution of every channel by itself, with its bias, and its gradients. */
export const depthwiseConv2dOperations: readonly Operation[] = kernelLayerOperations({
  name: "depthwise-conv2d",
  complete: (read) => ({ ...readMoves(read, "dilationRate") }),
  forward: (x, weights, read) => depthwiseConv2DForward(x, weights, readMoves(read, "dilationRate")),
  backward: depthwiseConv2DBackward,
  convolutionOf({ x, kernel, window }) {
    const channels = x.shape[3];
    return { window, batch: x.shape[0], channels, filters: channels * kernel.shape[3], groups: channels };
  },
});
