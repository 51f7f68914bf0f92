/**
 * What the forward functions of layers with a kernel expect of their arguments.
 *
 * @module
 */
import { checkTensor } from "../serialization/tensors.js";
import type { Tensor } from "../tensor/tensor.js";

/** @throws TypeError when the input or a weight is no tensor. */
export function expectOperands(
  className: string,
  x: Tensor,
  { kernel, bias }: { readonly kernel: Tensor; readonly bias?: Tensor | undefined },
): void {
  checkTensor(className, "x", x);
  checkTensor(className, "kernel", kernel);
  if (bias !== undefined) checkTensor(className, "bias", bias);
}
