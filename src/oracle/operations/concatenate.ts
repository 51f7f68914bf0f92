/**
 * `concatenate` and `concatenate-backward`: {@link concatenateForward} of `x0`, `x1`, ... Argument: `axis`, -1 by default.
 *
 * All numbers are copies: the bound is 0.
 *
 * @module
 */
import { type ConcatenateCache, concatenateBackward, concatenateForward } from "../../layers/concatenate.js";
import type { Forward } from "../../layers/layer.js";
import { type KerasConfig, readConfig } from "../../serialization/config.js";
import type { Tensor } from "../../tensor/tensor.js";
import { expectCopies } from "../copies.js";
import { cotangentOf, listNames, MOST_INPUTS, operandList } from "../operands.js";
import type { Operands, Operation } from "../operation.js";

const INPUTS = listNames("x", MOST_INPUTS);

function readAxis(name: string, args: KerasConfig): number {
  return readConfig(name, args).integer("axis", Number.MIN_SAFE_INTEGER, -1);
}

function forward(name: string, operands: Operands, args: KerasConfig): Forward<ConcatenateCache> {
  return concatenateForward(operandList(name, operands), readAxis(name, args));
}

/** Tensors, joined along an axis. */
export const concatenateOperation: Operation = {
  name: "concatenate",
  inputs: INPUTS.slice(0, 1),
  optional: INPUTS.slice(1),
  outputs: ["y"],
  complete: (args) => ({ axis: readAxis("concatenate", args) }),
  run: (operands, args) => ({ y: forward("concatenate", operands, args).y }),
  expect: (operands, args, model) => ({ y: expectCopies(forward("concatenate", operands, args).y, model) }),
};

function backward(operands: Operands, args: KerasConfig): readonly Tensor[] {
  const { y, cache } = forward("concatenate-backward", operands, args);
  return concatenateBackward(cotangentOf("concatenate-backward", operands, y.shape), cache);
}

/** Its gradients `dx0`, `dx1`, ...; of the inputs only the shapes are read. */
export const concatenateBackwardOperation: Operation = {
  name: "concatenate-backward",
  inputs: ["x0", "dy"],
  optional: INPUTS.slice(1),
  outputs: listNames("dx", MOST_INPUTS),
  complete: (args) => ({ axis: readAxis("concatenate-backward", args) }),
  run: (operands, args) => Object.fromEntries(backward(operands, args).map((dx, i) => [`dx${i}`, dx])),
  expect: (operands, args, model) =>
    Object.fromEntries(backward(operands, args).map((dx, i) => [`dx${i}`, expectCopies(dx, model)])),
};
