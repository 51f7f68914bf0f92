/**
 * Mistakes that any operation may make: right numbers in the wrong places, or all of them with the wrong factor.
 *
 * @module
 */
import { shapesAgree, sizeOf } from "../../tensor/shape.js";
import { contiguous, type Tensor, tensor } from "../../tensor/tensor.js";
import { type Compute, inOperand, inResult, mapped, scaled } from "../mutations/mutant.js";
import { INPUT_ROUNDINGS, roundedTensor, truncatedToFloat32 } from "../mutations/precision.js";
import type { Operands, Operation } from "../operation.js";

type Mistakes = Record<string, (reference: Compute) => Compute>;

/** Axes of images along which numbers move. */
const AXES: readonly (readonly [name: string, fromEnd: number])[] = [
  ["row", 3],
  ["column", 2],
  ["channel", 1],
];

/** `x` moved by `step` along the axis that is `fromEnd` from the last one; 0 where nothing comes from. */
function shifted(x: Tensor, fromEnd: number, step: 1 | -1): Tensor {
  const moving = x.dimension - fromEnd;
  if (moving < 1) return x;
  return mapped(x, (_, position) => {
    const from = position[moving] - step;
    if (from < 0 || from >= x.shape[moving]) return 0;
    return x.get(...position.map((at, axis) => (axis === moving ? from : at)));
  });
}

function shifts(name: string, change: typeof inOperand, verb: string): Mistakes {
  return Object.fromEntries(
    AXES.flatMap(([axis, fromEnd]) => [
      [`\`${name}\` ${verb} one ${axis} too far on`, change(name, (x: Tensor) => shifted(x, fromEnd, 1))],
      [`\`${name}\` ${verb} one ${axis} too far back`, change(name, (x: Tensor) => shifted(x, fromEnd, -1))],
    ]),
  );
}

/** `x` with its last axes in memory before the others: NCHW, or columns first. */
function channelsFirst(x: Tensor): Tensor {
  if (x.dimension < 2) return x;
  const axes = x.dimension === 2 ? [1, 0] : [0, x.dimension - 1, ...x.shape.keys()].slice(0, 2);
  const rest = [...x.shape.keys()].filter((axis) => !axes.includes(axis));
  return tensor(contiguous(x.transpose(...axes, ...rest)).data, x.shape);
}

/** Height and width, or rows and columns, exchanged. Only where they are equal: otherwise the shape is another. */
function transposed(x: Tensor): Tensor {
  const [from, to] = x.dimension === 4 ? [1, 2] : [0, 1];
  if (x.dimension < 2) return x;
  return contiguous(
    x.transpose(...[...x.shape.keys()].map((axis) => (axis === from ? to : axis === to ? from : axis))),
  );
}

/** Mistakes in reading the inputs of `operation`. */
export function operandMistakes({ inputs, optional }: Operation): Mistakes {
  const factors = inputs.filter((name) => !optional.includes(name));
  const rounding =
    (names: readonly string[], round: (value: number) => number) =>
    (reference: Compute): Compute =>
    (operands, args) =>
      reference({ ...operands, ...roundedOnes(operands, names, round) }, args);
  // a bias or gamma, which is not multiplied in the same unit, is taken as it is
  const roundings = Object.entries(INPUT_ROUNDINGS).flatMap(([mistake, round]) => [
    [mistake, rounding(factors, round)] as const,
    ...factors.map((name) => [mistake.replace("inputs", `\`${name}\``), rounding([name], round)] as const),
  ]);
  const images = inputs.filter((name) => name === "x" || name === "dy");
  return {
    ...Object.fromEntries(roundings),
    ...Object.assign({}, ...images.map((name) => shifts(name, inOperand, "read"))),
  };
}

function roundedOnes(operands: Operands, names: readonly string[], round: (value: number) => number): Operands {
  return Object.fromEntries(
    names.flatMap((name) => (operands[name] === undefined ? [] : [[name, roundedTensor(operands[name], round)]])),
  );
}

/** Mistakes in writing the results of `operation`. */
export function resultMistakes({ outputs }: Operation): Mistakes {
  const mistakes: Mistakes = {};
  for (const [i, first] of outputs.entries()) {
    for (const second of outputs.slice(i + 1))
      mistakes[`\`${first}\` and \`${second}\` swapped`] = swapped(first, second);
  }
  for (const name of outputs) {
    Object.assign(mistakes, {
      [`\`${name}\` negated`]: inResult(name, (x) => scaled(x, -1)),
      ...factors(name),
      [`\`${name}\` transposed`]: inResult(name, transposed),
      [`\`${name}\` written with channels first`]: inResult(name, channelsFirst),
      ...shifts(name, inResult, "written"),
      [`\`${name}\` cut off instead of rounded`]: inResult(name, (x) => roundedTensor(x, truncatedToFloat32)),
    });
  }
  return mistakes;
}

function swapped(first: string, second: string): (reference: Compute) => Compute {
  return (reference) => (operands, args) => {
    const results = reference(operands, args);
    const [a, b] = [results[first], results[second]];
    if (a === undefined || b === undefined || !shapesAgree(a.shape, b.shape)) return results;
    return { ...results, [first]: b, [second]: a };
  };
}

/** Sums for means and means for sums. */
function factors(name: string): Mistakes {
  const batch = (operands: Operands): number => Object.values(operands)[0].shape[0];
  const rows = (operands: Operands): number => {
    const { shape } = operands["dy"] ?? Object.values(operands)[0];
    return sizeOf(shape.slice(0, -1));
  };
  return {
    [`\`${name}\` multiplied by the batch size`]: inResult(name, (x, operands) => scaled(x, batch(operands))),
    [`\`${name}\` divided by the batch size`]: inResult(name, (x, operands) => scaled(x, 1 / batch(operands))),
    [`\`${name}\` multiplied by the number of rows: a sum for a mean`]: inResult(name, (x, operands) =>
      scaled(x, rows(operands)),
    ),
    [`\`${name}\` divided by the number of rows: a mean for a sum`]: inResult(name, (x, operands) =>
      scaled(x, 1 / rows(operands)),
    ),
    [`\`${name}\` doubled`]: inResult(name, (x) => scaled(x, 2)),
    [`\`${name}\` halved`]: inResult(name, (x) => scaled(x, 0.5)),
  };
}
