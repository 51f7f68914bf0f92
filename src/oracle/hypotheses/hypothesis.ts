/**
 * Hypotheses: mistakes that a candidate may have made, each as the reference with that mistake.
 *
 * They are the mutants that the conformance kit is watched with (`mutations/`), those that need not be tried there because
 * they are gross, and such as any operation may have in its results. The simplest come first.
 *
 * @module
 */
import { type Compute, type Mutant, mutantsOf } from "../mutations/mutant.js";
import { MUTANTS } from "../mutations/mutants.js";
import type { Operands, Operation } from "../operation.js";
import { FORMULA_MISTAKES } from "./formulas.js";
import { LAYOUT_MISTAKES } from "./layouts.js";
import { LOOP_MISTAKES } from "./loops.js";
import { operandMistakes, resultMistakes } from "./moved-numbers.js";

/** One mistake. */
export interface Hypothesis {
  /** In a few words. */
  readonly name: string;
  /** What a candidate computes that makes it. */
  readonly run: Compute;
}

/** Products beyond which mistakes in the order of single additions are not tried: their kernels are miniatures. */
const MOST_PRODUCTS = 2 ** 22;

/** Those mutants. */
const MINIATURE = /^accumulates in |^cuts off sums /;

/** All mistakes that `operation` may have made of `operands`. */
export function hypothesesOf(operation: Operation, operands: Operands): readonly Hypothesis[] {
  const own = (list: readonly Mutant[]): readonly Mutant[] =>
    list.filter((mutant) => mutant.operation === operation.name && !mutant.control);
  const { x, kernel } = operands;
  const isLarge =
    x !== undefined && kernel !== undefined && x.size * kernel.size > MOST_PRODUCTS * x.shape[x.dimension - 1];
  const mutants = [
    ...own(MUTANTS).filter(({ mistake }) => !isLarge || !MINIATURE.test(mistake)),
    ...own(FORMULA_MISTAKES),
    ...own(LAYOUT_MISTAKES),
    ...own(LOOP_MISTAKES),
    ...mutantsOf(operation.name, operandMistakes(operation)),
    ...mutantsOf(operation.name, resultMistakes(operation)),
  ];
  return mutants.map(({ mistake, compute }) => ({ name: mistake, run: compute }));
}
