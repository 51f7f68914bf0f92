/**
 * What kernels expect of their arguments. Layers have checked the shapes that users gave, so a mismatch of those is a broken
 * invariant; element types they leave to kernels.
 *
 * @module
 */
import { checkTensor } from "../serialization/tensors.js";
import type { DType } from "../tensor/dtype.js";
import { formatShape, type Shape, shapesAgree } from "../tensor/shape.js";
import { dtypeOf, type Tensor } from "../tensor/tensor.js";

/**
 * @throws TypeError when `x` is no tensor.
 * @throws Error when it does not have `shape`.
 */
export function expectShape(kernel: string, name: string, x: Tensor, shape: Shape): void {
  checkTensor(kernel, name, x);
  if (!shapesAgree(x.shape, shape)) {
    throw new Error(
      `internal: ${kernel}: \`${name}\` must have shape ${formatShape(shape)}. ` +
        `Received ${name}.shape=${formatShape(x.shape)}.`,
    );
  }
}

/**
 * @throws TypeError when `x` is no tensor.
 * @throws Error when it does not have `rank` dimensions.
 */
export function expectRank(kernel: string, name: string, x: Tensor, rank: number): void {
  checkTensor(kernel, name, x);
  if (x.dimension !== rank) {
    throw new Error(
      `internal: ${kernel}: \`${name}\` must have ${rank} dimensions. Received ${name}.shape=${formatShape(x.shape)}.`,
    );
  }
}

/** @throws TypeError when the tensors do not all have one element type; `cast` gives them one. */
export function expectSameType(kernel: string, ...tensors: (Tensor | undefined)[]): void {
  let first: DType | undefined;
  for (const x of tensors) {
    if (x === undefined) continue;
    first ??= dtypeOf(x);
    if (dtypeOf(x) === first) continue;
    const types = tensors.filter((each) => each !== undefined).map(dtypeOf);
    throw new TypeError(`${kernel}: all tensors must have one element type. Received ${types.join(", ")}.`);
  }
}
