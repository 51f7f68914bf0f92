/**
 * Mistakes in convolutions and dense layers.
 *
 * @module
 */
import type { KerasConfig } from "../../serialization/config.js";
import { contiguous, type Tensor, tensor } from "../../tensor/tensor.js";
import type { HonestSum } from "../honest-sums.js";
import type { Operands } from "../operation.js";
import {
  build,
  changing,
  changingAll,
  type Compute,
  forgetting,
  inArgs,
  inOperand,
  inResult,
  mapped,
  mirrored,
  type Mutant,
  mutantsOf,
  scaled,
  without,
} from "./mutant.js";
import { INPUT_ROUNDINGS, roundedTensor, toBfloat16, toFloat16, truncatedToFloat32 } from "./precision.js";
import { summingKernels } from "./sums.js";

type Mistakes = Readonly<Record<string, (reference: Compute) => Compute>>;

/** SAME padding, where it is odd, with the larger half first: as if everything were mirrored. */
export function otherSide(reference: Compute): Compute {
  const images = ["x", "dy", "y", "dx"];
  const mirror = (tensors: Operands): Operands =>
    Object.fromEntries(
      Object.entries(tensors).map(([name, x]) => {
        if (images.includes(name)) return [name, mirrored(x, 1, 2)];
        return [name, name.toLowerCase().endsWith("kernel") ? mirrored(x, 0, 1) : x];
      }),
    );
  return (operands, args) => {
    // a window of valid padding starts at the first pixel wherever padding goes
    if (args["padding"] !== "same") return reference(operands, args);
    return mirror(reference(mirror(operands), args));
  };
}

/** The numbers of `x`, images in NCHW order, taken for NHWC. */
function readAsChannelsFirst(x: Tensor): Tensor {
  const [batch, height, width, channels] = x.shape;
  const planes = tensor(contiguous(x).data, [batch, channels, height, width]);
  return build(x.shape, ([n, h, w, c]) => planes.get(n, c, h, w));
}

/** The numbers of a kernel in OHWI order, taken for HWIO. */
function readAsFiltersFirst(kernel: Tensor): Tensor {
  const [height, width, inputs, filters] = kernel.shape;
  const other = tensor(contiguous(kernel).data, [filters, height, width, inputs]);
  return build(kernel.shape, ([h, w, i, o]) => other.get(o, h, w, i));
}

function groupsOf(args: KerasConfig): number {
  return Number(args["groups"] ?? 1);
}

/** Channels in groups laid out with the group last instead of first. */
function interleaved(x: Tensor, args: KerasConfig): Tensor {
  const groups = groupsOf(args);
  const size = x.shape[3] / groups;
  return mapped(x, (_, [n, h, w, c]) => x.get(n, h, w, (c % groups) * size + Math.floor(c / groups)));
}

/** All groups read what the first one should. */
function firstGroup(x: Tensor, args: KerasConfig): Tensor {
  const size = x.shape[3] / groupsOf(args);
  return mapped(x, (_, [n, h, w, c]) => x.get(n, h, w, c % size));
}

const last =
  (x: Tensor, axis: number) =>
  (position: readonly number[]): boolean =>
    position[axis] === x.shape[axis] - 1;

/** The last of all products: the last channel under the last tap. */
function withoutLastProduct(kernel: Tensor): Tensor {
  return without(kernel, (position) => [0, 1, 2].every((axis) => last(kernel, axis)(position)));
}

function onlyIn(name: string, inputs: (operands: Operands) => Operands): (reference: Compute) => Compute {
  return (reference) => (operands, args) => {
    const results = reference(operands, args);
    return { ...results, [name]: reference(inputs(operands), args)[name] };
  };
}

/** Accumulation in a format narrower than float32, or with products and sums cut off. */
const NARROW_SUMS: Readonly<Record<string, HonestSum>> = {
  "accumulates in float16": (terms) => terms.reduce((sum, term) => toFloat16(sum + toFloat16(term)), 0),
  "accumulates in bfloat16": (terms) => terms.reduce((sum, term) => toBfloat16(sum + term), 0),
  "cuts off sums instead of rounding them": (terms) =>
    terms.reduce((sum, term) => truncatedToFloat32(sum + truncatedToFloat32(term)), 0),
};

function precision(operation: string): readonly Mutant[] {
  const roundings: Record<string, (reference: Compute) => Compute> = {};
  for (const [mistake, round] of Object.entries(INPUT_ROUNDINGS)) {
    roundings[mistake] = (reference) => (operands, args) =>
      reference(
        changingAll(operands, (x) => roundedTensor(x, round)),
        args,
      );
  }
  for (const [mistake, sum] of Object.entries(NARROW_SUMS)) {
    roundings[mistake] = () => summingKernels(sum)[operation];
  }
  return mutantsOf(operation, roundings);
}

const convolution: Mistakes = {
  "SAME padding on the other side": otherSide,
  "kernel flipped": inOperand("kernel", (kernel) => mirrored(kernel, 0, 1)),
  "kernel read as OHWI": inOperand("kernel", readAsFiltersFirst),
  "input read as NCHW": inOperand("x", readAsChannelsFirst),
  "dilation of height and width swapped": inArgs(({ dilationRate }) => ({
    dilationRate: Array.isArray(dilationRate) ? dilationRate.toReversed() : dilationRate,
  })),
  "dilation ignored": inArgs(() => ({ dilationRate: [1, 1] })),
  "first tap dropped": inOperand("kernel", (kernel) => without(kernel, ([h, w]) => h === 0 && w === 0)),
};

const forward: Mistakes = {
  "bias missing": forgetting("bias"),
  "bias of the neighbouring filter": inOperand("bias", (bias) =>
    mapped(bias, (_, [i]) => bias.get((i + 1) % bias.size)),
  ),
};

/** In backward passes dy would have another shape. */
const imageForward: Mistakes = {
  "strides of height and width swapped": inArgs(({ strides }) => ({
    strides: Array.isArray(strides) ? strides.toReversed() : strides,
  })),
};

const backward: Mistakes = {
  "dKernel without the last image": onlyIn("dKernel", (operands) =>
    changing(operands, "dy", (dy) => without(dy, last(dy, 0))),
  ),
  "dBias is a mean": inResult("dBias", (dBias, { dy }) => scaled(dBias, dBias.size / dy.size)),
  "dBias without the last image": onlyIn("dBias", (operands) =>
    changing(operands, "dy", (dy) => without(dy, last(dy, 0))),
  ),
  "dKernel divided by the batch": inResult("dKernel", (dKernel, { x }) => scaled(dKernel, 1 / x.shape[0])),
};

const imageBackward: Mistakes = {
  "dx without flipping the kernel": onlyIn("dx", (operands) =>
    changing(operands, "kernel", (kernel) => mirrored(kernel, 0, 1)),
  ),
  "dx without the last filter": onlyIn("dx", (operands) => changing(operands, "dy", (dy) => without(dy, last(dy, 3)))),
  "dKernel flipped": inResult("dKernel", (dKernel) => mirrored(dKernel, 0, 1)),
};

/** A kernel [K, U] read as [U, K]. */
function readTransposed(kernel: Tensor): Tensor {
  const [inputs, units] = kernel.shape;
  const other = tensor(contiguous(kernel).data, [units, inputs]);
  return build(kernel.shape, ([i, o]) => other.get(o, i));
}

/** A change of signs of zeros is none. */
const negativeZeros: Mistakes = {
  "zeros are -0": (reference) => (operands, args) =>
    changingAll(reference(operands, args), (x) => mapped(x, (value) => (value === 0 ? -0 : value))),
};

/** All of them. */
export const PRODUCT_MUTANTS: readonly Mutant[] = [
  ...mutantsOf("conv2d", {
    ...convolution,
    ...imageForward,
    ...forward,
    "outputs of groups interleaved": inResult("y", (y, _, args) => interleaved(y, args)),
    "groups ignored: all read the first channels": inOperand("x", firstGroup),
    "last channel dropped": inOperand("x", (x) => without(x, last(x, 3))),
    "last product dropped": inOperand("kernel", withoutLastProduct),
  }),
  ...precision("conv2d"),
  ...mutantsOf("conv2d", negativeZeros, true),
  ...mutantsOf("conv2d-backward", {
    ...convolution,
    ...backward,
    ...imageBackward,
    "channels of groups interleaved": inResult("dx", (dx, _, args) => interleaved(dx, args)),
  }),
  ...precision("conv2d-backward"),
  ...mutantsOf("depthwise-conv2d", {
    ...convolution,
    ...imageForward,
    ...forward,
    "depth multiplier before channels": inResult("y", (y, { kernel }) => interleaved(y, { groups: kernel.shape[2] })),
    "last product dropped": inOperand("kernel", withoutLastProduct),
  }),
  ...precision("depthwise-conv2d"),
  ...mutantsOf("depthwise-conv2d-backward", { ...convolution, ...backward, ...imageBackward }),
  ...mutantsOf("dense", {
    ...forward,
    "kernel read transposed": inOperand("kernel", readTransposed),
    "last input dropped": inOperand("x", (x) => without(x, last(x, 1))),
  }),
  ...precision("dense"),
  ...mutantsOf("dense-backward", {
    ...backward,
    "kernel read transposed": inOperand("kernel", readTransposed),
    "dKernel written transposed": inResult("dKernel", readTransposed),
    "dx without the last unit": onlyIn("dx", (operands) => changing(operands, "dy", (dy) => without(dy, last(dy, 1)))),
  }),
  ...precision("dense-backward"),
];
