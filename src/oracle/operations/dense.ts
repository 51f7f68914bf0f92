/**
 * `dense` and `dense-backward`: {@link denseForward} and {@link denseBackward}; no arguments.
 *
 * With rows x [M, K] a fully connected layer is the convolution of M images of one pixel with a kernel [1, 1, K, U], and its
 * bounds are those of `convolution.ts`: K terms and the bias for y, U for dx, M for dKernel and dBias.
 *
 * @module
 */
import { window2D } from "../../kernels/window.js";
import { denseBackward, denseForward } from "../../layers/dense.js";
import { sizeOf } from "../../tensor/shape.js";
import type { Operation } from "../operation.js";
import { kernelLayerOperations } from "./kernel-layer.js";

/** The product of rows with a kernel, and the bias; and its gradients. */
export const denseOperations: readonly Operation[] = kernelLayerOperations({
  name: "dense",
  complete: () => ({}),
  forward: (x, weights) => denseForward(x, weights),
  backward: denseBackward,
  convolutionOf({ shape, kernel }) {
    const [channels, filters] = kernel.shape;
    const window = window2D([1, 1], [1, 1], [1, 1], "valid", [1, 1]);
    return { window, batch: sizeOf(shape.slice(0, -1)), channels, filters, groups: 1 };
  },
});
