/**
 * What every backward function expects of `dy`.
 *
 * @module
 */
import { checkTensor } from "../serialization/tensors.js";
import { formatShape, type Shape, shapesAgree } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";

/**
 * @throws TypeError when `dy` is no tensor.
 * @throws RangeError when it does not have the `shape` of the output.
 */
export function expectGradient(className: string, dy: Tensor, shape: Shape): void {
  checkTensor(className, "dy", dy);
  if (shapesAgree(dy.shape, shape)) return;
  throw new RangeError(
    `${className}: \`dy\` must have the shape ${formatShape(shape)} of the output. ` +
      `Received dy.shape=${formatShape(dy.shape)}.`,
  );
}
