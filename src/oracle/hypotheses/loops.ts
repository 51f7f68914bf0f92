/**
 * Loops over products that end early, begin late, or run in blocks without what is left over.
 *
 * A product of matrices adds up K terms: for convolutions taps times channels, for their kernels' gradients images times
 * pixels. A term is left out by a 0 in one of its factors.
 *
 * @module
 */
import { sizeOf } from "../../tensor/shape.js";
import type { Tensor } from "../../tensor/tensor.js";
import { changing, type Compute, type Mutant, mutantsOf, without } from "../mutations/mutant.js";

/** The factor of a product whose `axes`, row-major, are the loop. */
interface Loop {
  readonly operation: string;
  readonly output: string;
  readonly factor: string;
  readonly axes: readonly number[];
}

const LOOPS: readonly Loop[] = [
  { operation: "conv2d", output: "y", factor: "kernel", axes: [0, 1, 2] },
  { operation: "depthwise-conv2d", output: "y", factor: "kernel", axes: [0, 1] },
  { operation: "dense", output: "y", factor: "kernel", axes: [0] },
  { operation: "conv2d-backward", output: "dx", factor: "kernel", axes: [0, 1, 3] },
  { operation: "conv2d-backward", output: "dKernel", factor: "dy", axes: [0, 1, 2] },
  { operation: "depthwise-conv2d-backward", output: "dKernel", factor: "dy", axes: [0, 1, 2] },
  { operation: "dense-backward", output: "dx", factor: "kernel", axes: [1] },
  { operation: "dense-backward", output: "dKernel", factor: "dy", axes: [0] },
];

/** Sizes of blocks: of SIMD lanes, tiles and groups of threads. */
const BLOCKS = [4, 8, 16, 32];

/** `x` with 0 where the loop over `axes` is at a step that `leaves` says, of as many steps as there are. */
function leaving(x: Tensor, axes: readonly number[], leaves: (step: number, steps: number) => boolean): Tensor {
  const steps = sizeOf(axes.map((axis) => x.shape[axis]));
  return without(x, (position) => {
    const step = axes.reduce((count, axis) => count * x.shape[axis] + position[axis], 0);
    return leaves(step, steps);
  });
}

function short({ output, factor, axes }: Loop, leaves: (step: number, steps: number) => boolean) {
  return (reference: Compute): Compute =>
    (operands, args) => {
      const results = reference(operands, args);
      const cut = changing(operands, factor, (x) => leaving(x, axes, leaves));
      return { ...results, [output]: reference(cut, args)[output] };
    };
}

/** Every loop, shortened in every way. */
export const LOOP_MISTAKES: readonly Mutant[] = LOOPS.flatMap((loop) =>
  mutantsOf(loop.operation, {
    [`\`${loop.output}\`: first term of the loop missing`]: short(loop, (step) => step === 0),
    [`\`${loop.output}\`: last term of the loop missing`]: short(loop, (step, steps) => step === steps - 1),
    ...Object.fromEntries(
      BLOCKS.flatMap((block) => [
        [
          `\`${loop.output}\`: rest of the loop beyond blocks of ${block} missing`,
          short(loop, (step, steps) => step >= steps - (steps % block)),
        ],
        [
          `\`${loop.output}\`: last block of ${block} of the loop missing`,
          short(loop, (step, steps) => step >= (Math.ceil(steps / block) - 1) * block),
        ],
      ]),
    ),
  }),
);
