/**
 * Operations that move the numbers of one tensor and change none: `zero-padding2d` (argument `padding`), `flatten` and
 * `reshape` (argument `targetShape`), with their backward passes. All numbers are copies: the bound is 0.
 *
 * @module
 */
import { flattenBackward, flattenForward } from "../../layers/flatten.js";
import { reshapeBackward, reshapeForward } from "../../layers/reshape.js";
import { ZeroPadding2D, zeroPadding2DBackward, zeroPadding2DForward } from "../../layers/zero-padding2d.js";
import { readConfig } from "../../serialization/config.js";
import { expectCopies } from "../copies.js";
import type { Operation } from "../operation.js";
import { type SingleInputLayer, singleInputOperations } from "./single-input.js";

/** The operations of a layer that moves the numbers of x. */
function moves<Cache>(layer: Pick<SingleInputLayer<Cache>, "name" | "forward" | "backward">): readonly Operation[] {
  return singleInputOperations<Cache>({
    ...layer,
    expectForward: (x, run, model) => expectCopies(run(x).y, model),
    expectBackward: (dy, cache, model) => expectCopies(layer.backward(dy, cache), model),
  });
}

/** Rows and columns of zeros around images, and their removal. */
export const zeroPadding2dOperations: readonly Operation[] = moves({
  name: "zero-padding2d",
  forward: (x, args) => zeroPadding2DForward(x, ZeroPadding2D.fromConfig(args).padding),
  backward: zeroPadding2DBackward,
});

/** Every example as one row, and back. */
export const flattenOperations: readonly Operation[] = moves({
  name: "flatten",
  forward: (x) => flattenForward(x),
  backward: flattenBackward,
});

/** Every example under another shape, and back. */
export const reshapeOperations: readonly Operation[] = moves({
  name: "reshape",
  forward: (x, args) => reshapeForward(x, readConfig("reshape", args).integers("targetShape")),
  backward: reshapeBackward,
});
