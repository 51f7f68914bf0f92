/**
 * Operations that move the numbers of one tensor and change none: `zero-padding2d` (argument `padding`), `flatten` and
 * `reshape` (argument `targetShape`), with their backward passes. All numbers are copies: the bound is 0.
 *
 * @module
 */
import { flattenBackward, flattenForward } from "../../layers/flatten.js";
import { reshapeBackward, reshapeForward } from "../../layers/reshape.js";
import { ZeroPadding2D, zeroPadding2DBackward, zeroPadding2DForward } from "../../layers/zero-padding2d.js";
import { type KerasConfig, readConfig } from "../../serialization/config.js";
import { expectCopies } from "../copies.js";
import type { Operation } from "../operation.js";
import { type SingleInputLayer, singleInputOperations } from "./single-input.js";

/** The operations of a layer that moves the numbers of x. */
function moves<Cache>(
  layer: Pick<SingleInputLayer<Cache>, "name" | "complete" | "forward" | "backward">,
): readonly Operation[] {
  return singleInputOperations<Cache>({
    ...layer,
    expectForward: (x, run, model) => expectCopies(run(x).y, model),
    expectBackward: (dy, cache, model) => expectCopies(layer.backward(dy, cache), model),
  });
}

/** Rows and columns of zeros around images, and their removal. */
export const zeroPadding2dOperations: readonly Operation[] = moves({
  name: "zero-padding2d",
  complete: (args) => ({ padding: ZeroPadding2D.fromConfig(args).padding }),
  forward: (x, args) => zeroPadding2DForward(x, ZeroPadding2D.fromConfig(args).padding),
  backward: zeroPadding2DBackward,
});

/** Every example as one row, and back. */
export const flattenOperations: readonly Operation[] = moves({
  name: "flatten",
  complete: () => ({}),
  forward: (x) => flattenForward(x),
  backward: flattenBackward,
});

function readTarget(args: KerasConfig): readonly number[] {
  return readConfig("reshape", args).integers("targetShape");
}

/** Every example under another shape, and back. */
export const reshapeOperations: readonly Operation[] = moves({
  name: "reshape",
  complete: (args) => ({ targetShape: readTarget(args) }),
  forward: (x, args) => reshapeForward(x, readTarget(args)),
  backward: reshapeBackward,
});
