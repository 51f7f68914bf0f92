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
import type { Tensor } from "../../tensor/tensor.js";
import { expectCopies } from "../copies.js";
import { cotangentOf, operandOf } from "../operands.js";
import type { Operands, Operation } from "../operation.js";

/** A move of the numbers of x, and its way back. */
type Move = (x: Tensor, args: KerasConfig) => { readonly y: Tensor; readonly backward: (dy: Tensor) => Tensor };

function pair(name: string, move: Move): readonly [forward: Operation, backward: Operation] {
  const backwardName = `${name}-backward`;
  const forward = (operands: Operands, args: KerasConfig): Tensor => move(operandOf(name, operands, "x"), args).y;
  const backward = (operands: Operands, args: KerasConfig): Tensor => {
    const moved = move(operandOf(backwardName, operands, "x"), args);
    return moved.backward(cotangentOf(backwardName, operands, moved.y.shape));
  };
  return [
    {
      name,
      inputs: ["x"],
      optional: [],
      outputs: ["y"],
      run: (operands, args) => ({ y: forward(operands, args) }),
      expect: (operands, args, model) => ({ y: expectCopies(forward(operands, args), model) }),
    },
    {
      name: backwardName,
      inputs: ["x", "dy"],
      optional: [],
      outputs: ["dx"],
      run: (operands, args) => ({ dx: backward(operands, args) }),
      expect: (operands, args, model) => ({ dx: expectCopies(backward(operands, args), model) }),
    },
  ];
}

/** Rows and columns of zeros around images, and their removal. */
export const zeroPadding2dOperations: readonly [Operation, Operation] = pair("zero-padding2d", (x, args) => {
  const { y, cache } = zeroPadding2DForward(x, ZeroPadding2D.fromConfig(args).padding);
  return { y, backward: (dy) => zeroPadding2DBackward(dy, cache) };
});

/** Every example as one row, and back. */
export const flattenOperations: readonly [Operation, Operation] = pair("flatten", (x) => {
  const { y, cache } = flattenForward(x);
  return { y, backward: (dy) => flattenBackward(dy, cache) };
});

/** Every example under another shape, and back. */
export const reshapeOperations: readonly [Operation, Operation] = pair("reshape", (x, args) => {
  const { y, cache } = reshapeForward(x, readConfig("reshape", args).integers("targetShape"));
  return { y, backward: (dy) => reshapeBackward(dy, cache) };
});
