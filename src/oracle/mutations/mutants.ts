/**
 * All mutants.
 *
 * @module
 */
import { ACTIVATION_MUTANTS } from "./activations.js";
import { LOSS_AND_STEP_MUTANTS } from "./losses-and-steps.js";
import type { Mutant } from "./mutant.js";
import { NORMALIZATION_MUTANTS } from "./normalization.js";
import { POOL_AND_MOVE_MUTANTS } from "./pools-and-moves.js";
import { PRODUCT_MUTANTS } from "./products.js";

/** Every known mistake, and the controls. */
export const MUTANTS: readonly Mutant[] = [
  ...PRODUCT_MUTANTS,
  ...POOL_AND_MOVE_MUTANTS,
  ...ACTIVATION_MUTANTS,
  ...NORMALIZATION_MUTANTS,
  ...LOSS_AND_STEP_MUTANTS,
];
