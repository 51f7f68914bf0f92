/**
 * Cases: an operation with its operands, and what a candidate gets wrong of it.
 *
 * @module
 */
import type { KerasConfig } from "../serialization/config.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Expectation } from "./expectation.js";
import type { Operands, Operation } from "./operation.js";

/** An operation on operands. */
export interface OperationCase {
  /** What is computed. */
  readonly operation: Operation;
  /** Of what. */
  readonly operands: Operands;
  /** With which of Keras's arguments, in camelCase. */
  readonly args: KerasConfig;
}

/** A result of a case that is wrong. */
export interface WrongCase extends OperationCase {
  /** The result's name. */
  readonly output: string;
  /** What came. */
  readonly received: Tensor;
  /** What was expected. */
  readonly expectation: Expectation;
}
