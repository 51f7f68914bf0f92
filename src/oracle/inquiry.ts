/**
 * Inquiries: what may have gone wrong with one tensor of a trace.
 *
 * @module
 */
import type { Tensor } from "../tensor/tensor.js";
import type { ArithmeticModel } from "./arithmetic-model.js";
import type { Expectation } from "./expectation.js";
import type { OperationCase } from "./operation-case.js";
import type { NotJudged } from "./reading.js";

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

/** A mistake that leads to another tensor; undefined where it has no influence on it. */
export interface TensorSuspect {
  readonly name: string;
  readonly result: () => Tensor | undefined;
}
