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
  readonly operation: Operation;
  readonly operands: Operands;
  readonly args: KerasConfig;
}

/** A result of a case that is wrong. */
export interface WrongCase extends OperationCase {
  readonly output: string;
  readonly received: Tensor;
  readonly expectation: Expectation;
}
