/**
 * Operations of the oracle: everything that a backend may be asked to compute, forward and backward.
 *
 * An operation takes tensors by name (`x`, `kernel`, `dy`, ...) and Keras's arguments by their camelCase names, and says
 * what is expected of its results by name (`y`; `dx`, `dKernel`, `dBias`, ...).
 *
 * @module
 */
import { type KerasConfig, kindOf } from "../serialization/config.js";
import { checkTensor } from "../serialization/tensors.js";
import type { Tensor } from "../tensor/tensor.js";
import type { ArithmeticModel } from "./arithmetic-model.js";
import type { Expectation } from "./expectation.js";

/** Tensors by name. */
export type Operands = Readonly<Record<string, Tensor>>;

/** One operation. */
export interface Operation {
  /** Kebab-case; backward passes end in `-backward`: `conv2d`, `conv2d-backward`. */
  readonly name: string;
  /** Tensors that it needs. */
  readonly inputs: readonly string[];
  /** Tensors that it may have besides (`bias`, `gamma`). */
  readonly optional: readonly string[];
  /** What it gives. */
  readonly outputs: readonly string[];
  /**
   * All arguments that it reads, and no others: what `args` leaves out at its default, pairs as pairs.
   *
   * @throws RangeError, TypeError when arguments do not fit.
   */
  complete(args: KerasConfig): KerasConfig;
  /**
   * The reference itself, in the element type of its inputs.
   *
   * @throws RangeError, TypeError when operands or arguments do not fit.
   */
  run(operands: Operands, args: KerasConfig): Operands;
  /**
   * What a candidate of `model` may give for these operands, which are taken as exact.
   *
   * @throws RangeError, TypeError when operands or arguments do not fit.
   */
  expect(operands: Operands, args: KerasConfig, model: ArithmeticModel): Readonly<Record<string, Expectation>>;
}

/** @throws TypeError when the argument `operation` of the function `caller` is none, as the name of one is not. */
export function checkOperation(caller: string, operation: Operation): void {
  if (typeof operation?.expect === "function") return;
  throw new TypeError(
    `${caller}: \`operation\` must be one, as \`operationNamed\` gives. Received ${kindOf(operation)}.`,
  );
}

/**
 * @throws TypeError when a result in the argument `candidate` of the function `caller` is no tensor; RangeError when there is
 *   none, or one that `operation` does not have: nothing would be wrong with it.
 */
export function checkResults(caller: string, candidate: Operands, { name, outputs }: Operation): void {
  const given = Object.keys(candidate);
  if (given.length === 0 || !given.every((output) => outputs.includes(output))) {
    throw new RangeError(
      `${caller}: \`candidate\` must be results of ${name}: ${outputs.join(", ")}. Received ${given.join(", ") || "none"}.`,
    );
  }
  for (const output of given) checkTensor(caller, output, candidate[output]);
}
