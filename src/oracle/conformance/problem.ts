/**
 * Problems: what to ask of one operation. A problem samples a geometry, all numbers of which can be made smaller, and
 * says which operands and arguments belong to it.
 *
 * @module
 */
import type { KerasConfig } from "../../serialization/config.js";
import type { Shape } from "../../tensor/shape.js";
import type { Place } from "../data-sets.js";
import type { Draw } from "../draw.js";

/** Sizes, which shrink towards 1, and everything else. */
export interface Geometry {
  readonly sizes: Readonly<Record<string, number>>;
  readonly choices: Readonly<Record<string, string | number | boolean>>;
}

/**
 * What numbers an operand may hold: any, none below zero (variances), rows of probabilities, rows with a single 1, or
 * class numbers below `classes`.
 */
export type Content = "any" | "positive" | "probabilities" | "one-hot" | "labels";

/** One operand of a problem. */
export interface Part {
  readonly name: string;
  /** Its shape, or the result of the forward operation that it is shaped like. */
  readonly shape: Shape | "like y";
  /** @defaultValue "any" */
  readonly content?: Content;
  /** What it is to the sums. @defaultValue "first" */
  readonly role?: Place["role"];
  /** The axis along which its elements belong to different products of a sum. @defaultValue its elements one by one */
  readonly axis?: number;
  /** How many class numbers there are, for labels. */
  readonly classes?: number;
}

/** What to ask of an operation, forward and backward. */
export interface Problem {
  sample(draw: Draw): Geometry;
  args(geometry: Geometry): KerasConfig;
  /** How many products or elements the longest sum has. */
  terms(geometry: Geometry): number;
  parts(geometry: Geometry, backward: boolean): readonly Part[];
}
