/**
 * Kernels whose numbers are taken for another layout: that of PyTorch, or rows for columns.
 *
 * The numbers stay as they lie in memory, HWIO, and are read as if they lay in another order. (OHWI is among the mutants.)
 *
 * @module
 */
import { contiguous, type Tensor, tensor } from "../../tensor/tensor.js";
import { build, inOperand, type Mutant, mutantsOf } from "../mutations/mutant.js";

/** The axes of a kernel: height, width, input channels, and output channels or a depth multiplier. */
const HWIO = "HWIO";

/** OIHW is PyTorch's, IOHW that of its transposed convolutions, and of depthwise ones. */
const LAYOUTS = ["OIHW", "IOHW", "HWOI", "WHIO"];

/** The numbers of `kernel`, in the order `layout`, taken for HWIO. */
function readAs(kernel: Tensor, layout: string): Tensor {
  const axes = Array.from(layout, (letter) => HWIO.indexOf(letter));
  const other = tensor(
    contiguous(kernel).data,
    axes.map((axis) => kernel.shape[axis]),
  );
  return build(kernel.shape, (position) => other.get(...axes.map((axis) => position[axis])));
}

/** Every layout, wherever a kernel of images is read. */
export const LAYOUT_MISTAKES: readonly Mutant[] = ["conv2d", "depthwise-conv2d"].flatMap((forward) =>
  [forward, `${forward}-backward`].flatMap((operation) =>
    mutantsOf(
      operation,
      Object.fromEntries(
        LAYOUTS.map((layout) => [`kernel read as ${layout}`, inOperand("kernel", (kernel) => readAs(kernel, layout))]),
      ),
    ),
  ),
);
