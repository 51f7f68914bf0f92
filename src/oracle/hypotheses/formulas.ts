/**
 * Mistakes in formulas and arguments that are too gross for the watch over the oracle, but common.
 *
 * @module
 */
import type { KerasConfig } from "../../serialization/config.js";
import { type Compute, inArgs, inOperand, mapped, type Mutant, mutantsOf, scaled } from "../mutations/mutant.js";
import { operationNamed } from "../operations/table.js";

type Mistakes = Readonly<Record<string, (reference: Compute) => Compute>>;

/** Values that libraries have by default. */
const EPSILONS: Mistakes = Object.fromEntries(
  ["1e-3", "1e-4", "1e-6", "1e-8"].map((epsilon) => [
    `epsilon is ${epsilon}`,
    inArgs(() => ({ epsilon: Number(epsilon) })),
  ]),
);

/** Only the output of `other`, an operation on the same operands, for the output of ours. */
const as =
  (other: string, args: (given: KerasConfig) => KerasConfig = (given) => given) =>
  (reference: Compute): Compute =>
  (operands, given) => ({ ...reference(operands, given), ...operationNamed(other).run(operands, args(given)) });

const WINDOWS = ["conv2d", "depthwise-conv2d", "average-pooling2d", "max-pooling2d"];

/** Mistakes in one line of a formula, by operation. */
export const FORMULA_MISTAKES: readonly Mutant[] = [
  ...mutantsOf("batch-normalization", EPSILONS),
  ...mutantsOf("batch-normalization-training", {
    ...EPSILONS,
    "moving statistics instead of the batch's": as("batch-normalization"),
  }),
  ...mutantsOf("batch-normalization-backward", {
    ...EPSILONS,
    "statistics of the batch": as("batch-normalization-training-backward"),
  }),
  ...mutantsOf("batch-normalization-training-backward", EPSILONS),
  ...WINDOWS.flatMap((operation) =>
    mutantsOf(operation, {
      "strides ignored": inArgs(() => ({ strides: [1, 1] })),
      "padding is valid": inArgs(() => ({ padding: "valid" })),
      "padding is same": inArgs(() => ({ padding: "same" })),
    }),
  ),
  ...["conv2d", "depthwise-conv2d", "dense"].flatMap((operation) =>
    mutantsOf(operation, { "bias twice": inOperand("bias", (bias) => scaled(bias, 2)) }),
  ),
  ...["softmax", "softmax-backward"].flatMap((operation) =>
    mutantsOf(operation, Object.fromEntries([0, 1, 2].map((axis) => [`axis is ${axis}`, inArgs(() => ({ axis }))]))),
  ),
  ...mutantsOf("relu", {
    "nothing is rectified":
      () =>
      ({ x }) => ({ y: x }),
    "slope 0.01 for what is negative": inArgs(() => ({ negativeSlope: 0.01 })),
  }),
  ...mutantsOf("add", {
    "a mean": (reference) => (operands, args) => {
      const { y } = reference(operands, args);
      return { y: mapped(y, (value) => value / Object.keys(operands).length) };
    },
  }),
];
