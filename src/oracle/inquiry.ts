/**
 * Inquiries: what may have gone wrong with one tensor of a trace.
 *
 * @module
 */
import type { Tensor } from "../tensor/tensor.js";
import type { ArithmeticModel } from "./arithmetic-model.js";
import type { Expectation } from "./expectation.js";
import type { LayerGradientExpectation } from "./layer-expectations.js";
import type { OperationCase } from "./operation-case.js";
import type { NotJudged } from "./reading.js";
import type { TensorSuspect, Unseen } from "./unseen.js";

/** What may have gone wrong with one tensor. */
export interface Inquiry {
  /** Mistakes, and the tensor that each leads to. */
  readonly suspects: () => readonly TensorSuspect[];
  /** What is expected of the tensor if the arithmetic is another one. */
  readonly reconsider: (model: ArithmeticModel) => Expectation | NotJudged | undefined;
  /** The tensor as a result of one operation, if it is that. */
  readonly asCase: () => ResultCase | undefined;
}

/** One result of a case. */
export type ResultCase = OperationCase & { readonly output: string };

/** What a verdict on a tensor of a trace needs besides the expectation. */
export interface About {
  readonly key: string;
  readonly layers: readonly string[];
  readonly className: string;
  /** What of its input the element at an index is made of. */
  readonly region?: (index: readonly number[]) => string | undefined;
  /** What else the difference may be, for a broken tensor. */
  readonly explain?: (x: Tensor) => string | undefined;
  /** What may have gone wrong, for the first that is broken. */
  readonly inquiry?: Inquiry | undefined;
  /** How it was made, for those who read it where the trace does not have it. */
  readonly unseen?: Unseen | undefined;
}

/** The gradients of one application of a layer. */
export interface Gradients {
  readonly gradients: LayerGradientExpectation | NotJudged;
  /** What may have gone wrong with the one of the given name; undefined where it is not judged. */
  readonly inquire: (output: string) => Inquiry | undefined;
}

/** A tensor that the trace does not have, made by the last of `layers`. */
export function asUnseen(layers: readonly string[], inquiry: Inquiry | undefined): Unseen {
  return { layers, suspects: () => inquiry?.suspects() ?? [] };
}
