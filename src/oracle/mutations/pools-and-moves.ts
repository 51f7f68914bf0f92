/**
 * Mistakes in pools, and in operations that only move numbers.
 *
 * @module
 */
import type { KerasConfig } from "../../serialization/config.js";
import { contiguous, type Tensor, tensor, zeros } from "../../tensor/tensor.js";
import { operationNamed } from "../operations/table.js";
import { build, type Compute, forgetting, inArgs, inResult, mapped, type Mutant, mutantsOf, scaled } from "./mutant.js";
import { otherSide } from "./products.js";

/** Averages that divide by the size of the window where part of it is border. */
const countingBorders: (reference: Compute) => Compute = () => (operands, args) => {
  const { x } = operands;
  const ones = mapped(x, () => 1);
  const pooled = operationNamed("average-pooling2d").run({ x }, args)["y"];
  // a sum of n pixels over n, times n / size, is that sum over the size
  const seen = seenShares(ones, args);
  return { y: mapped(pooled, (value, position) => value * seen.get(...position)) };
};

/** The share of every window that is not border. */
function seenShares(ones: Tensor, args: KerasConfig): Tensor {
  const [height, width] = Array.isArray(args["poolSize"]) ? args["poolSize"].map(Number) : [1, 1];
  const kernel = tensor(new Float32Array(height * width * ones.shape[3]).fill(1), [height, width, ones.shape[3], 1]);
  const { y } = operationNamed("depthwise-conv2d").run({ x: ones, kernel }, { ...args, poolSize: undefined });
  return scaled(y, 1 / (height * width));
}

const countingBordersBackward: (reference: Compute) => Compute = (reference) => (operands, args) => {
  const seen = seenShares(
    mapped(operands["x"], () => 1),
    args,
  );
  return reference({ ...operands, dy: mapped(operands["dy"], (value, p) => value * seen.get(...p)) }, args);
};

/** Maxima that take the zeros of the border for pixels. */
const zeroBorders: (reference: Compute) => Compute = (reference) => (operands, args) => {
  const { y } = reference(operands, args);
  const seen = seenShares(
    mapped(operands["x"], () => 1),
    args,
  );
  return { y: mapped(y, (value, position) => (seen.get(...position) < 1 ? Math.max(value, 0) : value)) };
};

/** Gradients of maxima, computed with an order among equal elements: those of mirrored images, mirrored back. */
function lastOfTies(reference: Compute): Compute {
  const back = (x: Tensor): Tensor =>
    build(x.shape, ([n, h, w, c]) => x.get(n, x.shape[1] - 1 - h, x.shape[2] - 1 - w, c));
  return ({ x, dy }, args) => ({ dx: back(reference({ x: back(x), dy: back(dy) }, args)["dx"]) });
}

const swappedStrides = inArgs(({ strides }) => ({
  strides: Array.isArray(strides) ? strides.toReversed() : strides,
}));

const swappedWindow = inArgs(({ poolSize }) => ({
  poolSize: Array.isArray(poolSize) ? poolSize.toReversed() : poolSize,
}));

/** The numbers of `x` by columns. */
function columnsFirst(x: Tensor): Tensor {
  return tensor(contiguous(x.transpose(...x.shape.map((_, axis) => x.dimension - 1 - axis))).data, x.shape);
}

/** All of them. */
export const POOL_AND_MOVE_MUTANTS: readonly Mutant[] = [
  ...mutantsOf("average-pooling2d", {
    "border counted": countingBorders,
    "SAME padding on the other side": otherSide,
    "strides of height and width swapped": swappedStrides,
    "window of height and width swapped": swappedWindow,
    "a sum": inResult("y", (y, _, { poolSize }) =>
      scaled(y, Array.isArray(poolSize) ? Number(poolSize[0]) * Number(poolSize[1]) : 1),
    ),
  }),
  ...mutantsOf("average-pooling2d-backward", {
    "border counted": countingBordersBackward,
    "SAME padding on the other side": otherSide,
    "not divided": inResult("dx", (dx, _, { poolSize }) =>
      scaled(dx, Array.isArray(poolSize) ? Number(poolSize[0]) * Number(poolSize[1]) : 1),
    ),
  }),
  ...mutantsOf("max-pooling2d", {
    "border taken for zeros": zeroBorders,
    "SAME padding on the other side": otherSide,
    "strides of height and width swapped": swappedStrides,
    "window of height and width swapped": swappedWindow,
  }),
  ...mutantsOf("max-pooling2d-backward", {
    "SAME padding on the other side": otherSide,
    "a mean where windows overlap": (reference) => (operands, args) => {
      const dx = reference(operands, args)["dx"];
      const ones = reference({ ...operands, dy: mapped(operands["dy"], () => 1) }, args)["dx"];
      return { dx: mapped(dx, (value, position) => value / Math.max(1, ones.get(...position))) };
    },
  }),
  ...mutantsOf(
    "max-pooling2d-backward",
    {
      "a tie goes to the last": (reference) => (operands, args) =>
        args["padding"] === "valid" && alignsMirrored(operands["x"], args)
          ? lastOfTies(reference)(operands, args)
          : reference(operands, args),
    },
    true,
  ),
  ...mutantsOf("global-average-pooling2d", {
    "divides by one less": inResult("y", (y, { x }) =>
      scaled(y, (x.shape[1] * x.shape[2]) / (x.shape[1] * x.shape[2] - 1)),
    ),
    "a sum": inResult("y", (y, { x }) => scaled(y, x.shape[1] * x.shape[2])),
  }),
  ...mutantsOf("global-average-pooling2d-backward", {
    "not divided": inResult("dx", (dx) => scaled(dx, dx.shape[1] * dx.shape[2])),
  }),
  ...mutantsOf("global-max-pooling2d", {
    "starts at 0": inResult("y", (y) => mapped(y, (value) => Math.max(value, 0))),
  }),
  ...mutantsOf("global-max-pooling2d-backward", {
    "dy to every pixel": inResult("dx", (dx, { dy }) => {
      const rows = tensor(contiguous(dy).data, [dx.shape[0], dx.shape[3]]);
      return mapped(dx, (_, [n, , , c]) => rows.get(n, c));
    }),
  }),
  ...mutantsOf("add", { "last input missing": inputsMissing }),
  ...mutantsOf("add-backward", { "dx1 missing": inResult("dx1", (dx) => zeros(dx.shape, dx)) }),
  ...mutantsOf("concatenate", { "inputs in reverse order": reversedInputs }),
  ...mutantsOf("concatenate-backward", {
    "dx1 reads from the start": inResult("dx1", (dx1, { dy }) => build(dx1.shape, (position) => dy.get(...position))),
  }),
  ...mutantsOf("rescaling", {
    "offset before scale": inArgs(({ scale, offset }) => ({ offset: Number(scale) * Number(offset) })),
    "offset missing": inArgs(() => ({ offset: 0 })),
  }),
  ...mutantsOf("rescaling-backward", { "scale missing": inArgs(() => ({ scale: 1 })) }),
  ...mutantsOf("zero-padding2d", {
    "top and bottom swapped": inArgs(({ padding }) =>
      Array.isArray(padding) ? { padding: [[padding[0][1], padding[0][0]], padding[1]] } : {},
    ),
    "height and width swapped": inArgs(({ padding }) =>
      Array.isArray(padding) ? { padding: padding.toReversed() } : {},
    ),
  }),
  ...mutantsOf("zero-padding2d-backward", {
    "cut at the start": inResult("dx", (dx, { dy }) => build(dx.shape, (position) => dy.get(...position))),
  }),
  ...mutantsOf("flatten", { "channels first": inResult("y", columnsFirst) }),
  ...mutantsOf("flatten-backward", { "channels first": inResult("dx", columnsFirst) }),
  ...mutantsOf("reshape", { "columns first": inResult("y", columnsFirst) }),
  ...mutantsOf("reshape-backward", { "columns first": inResult("dx", columnsFirst) }),
];

/** Whether windows from the far end are the windows from the near one. */
function alignsMirrored(x: Tensor, { poolSize, strides }: KerasConfig): boolean {
  const rests = [0, 1].map((axis) =>
    Array.isArray(poolSize) && Array.isArray(strides) ? (x.shape[axis + 1] - poolSize[axis]) % strides[axis] : 1,
  );
  return rests.every((rest) => rest === 0);
}

function inputsMissing(reference: Compute): Compute {
  return (operands, args) => forgetting(`x${Object.keys(operands).length - 1}`)(reference)(operands, args);
}

function reversedInputs(reference: Compute): Compute {
  return (operands, args) => {
    const inputs = Object.values(operands).toReversed();
    return reference(Object.fromEntries(inputs.map((x, i) => [`x${i}`, x])), args);
  };
}
