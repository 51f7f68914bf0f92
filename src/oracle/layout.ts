/**
 * Layouts: what a wrong shape looks like.
 *
 * @module
 */
import { formatShape, type Shape, shapesAgree, sizeOf } from "../tensor/shape.js";
import { contiguous, type Tensor } from "../tensor/tensor.js";

/** What a tensor of another shape than expected may be. */
export interface Layout {
  /** In words. */
  readonly description: string;
  /** For every expected axis the axis of the tensor that it is, where there is one answer. */
  readonly axes?: readonly number[];
}

/** Layouts with names: for every axis of ours, theirs. */
const NAMED: readonly { readonly axes: readonly number[]; readonly name: string }[] = [
  { axes: [0, 2, 3, 1], name: "NCHW, where NHWC is expected" },
  { axes: [2, 3, 1, 0], name: "OIHW, where HWIO is expected" },
  { axes: [1, 2, 3, 0], name: "OHWI, where HWIO is expected" },
  { axes: [1, 0], name: "the transpose" },
];

/** What a tensor of shape `received` may be, where `expected` differs from it. */
export function layoutOf(expected: Shape, received: Shape): Layout {
  const fits = permutations(received.length).filter((axes) => {
    const shape = axes.map((axis) => received[axis]);
    return shapesAgree(expected, shape);
  });
  const named = NAMED.find(({ axes }) => fits.some((candidate) => shapesAgree(axes, candidate)));
  if (named !== undefined) return { description: `it looks like ${named.name}`, axes: named.axes };
  if (fits.length === 1) return { description: "its axes are in another order", axes: fits[0] };
  if (fits.length > 1) return { description: "its axes may be in another order" };
  const withoutOnes = (shape: Shape): Shape => shape.filter((size) => size !== 1);
  if (shapesAgree(withoutOnes(expected), withoutOnes(received))) {
    return { description: "it differs in dimensions of 1 only" };
  }
  const [wanted, came] = [sizeOf(expected), sizeOf(received)];
  if (wanted === came) return { description: `it has the same ${wanted} elements in another shape` };
  return { description: `${formatShape(expected)} has ${wanted} elements, ${formatShape(received)} has ${came}` };
}

/** `x` with its axes in the expected order. */
export function readAs(x: Tensor, axes: readonly number[]): Tensor {
  return contiguous(x.transpose(...axes));
}

function permutations(length: number): readonly (readonly number[])[] {
  if (length === 0) return [[]];
  // beyond the ranks that layers have there are too many
  if (length > 5) return [];
  return permutations(length - 1).flatMap((rest) =>
    Array.from({ length }, (_, at) => [...rest.slice(0, at), length - 1, ...rest.slice(at)]),
  );
}
