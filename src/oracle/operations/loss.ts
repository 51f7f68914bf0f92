/**
 * The two operations of a loss, made from its pair of functions and what is expected of them.
 *
 *     name            yTrue, yPred  ->  loss
 *     name-backward   yTrue, yPred  ->  dYPred
 *
 * @module
 */
import type { LossForward } from "../../losses/loss.js";
import type { KerasConfig } from "../../serialization/config.js";
import { dtypeOf, type Tensor, tensorOf } from "../../tensor/tensor.js";
import type { ArithmeticModel } from "../arithmetic-model.js";
import type { Expectation } from "../expectation.js";
import { operandOf } from "../operands.js";
import type { Operands, Operation } from "../operation.js";
import { widened } from "./expected.js";

/** What a loss is taken of, in float64, and how. */
export interface LossCall<Options> {
  readonly yTrue: Tensor;
  readonly yPred: Tensor;
  readonly options: Options;
}

/** A loss. */
export interface Loss<Options, Cache> {
  /** Of the forward operation. */
  readonly name: string;
  /** All arguments that are read on behalf of `operation`. */
  readonly complete: (args: KerasConfig, operation: string) => KerasConfig;
  /** Reads the options on behalf of `operation`. */
  readonly readOptions: (args: KerasConfig, operation: string) => Options;
  readonly forward: (yTrue: Tensor, yPred: Tensor, options: Options) => LossForward<Cache>;
  readonly backward: (cache: Cache) => Tensor;
  /** What is expected where the truth is `loss`. */
  readonly expectForward: (loss: Tensor, call: LossCall<Options>, model: ArithmeticModel) => Expectation;
  /** What is expected where the truth is `dYPred`. */
  readonly expectBackward: (dYPred: Tensor, call: LossCall<Options>, model: ArithmeticModel) => Expectation;
}

/** The operations `name` and `name-backward` of `loss`. */
export function lossOperations<Options, Cache>(loss: Loss<Options, Cache>): readonly Operation[] {
  const { name } = loss;
  const backwardName = `${name}-backward`;
  const callOf = (operation: string, operands: Operands, args: KerasConfig): LossCall<Options> => ({
    yTrue: operandOf(operation, operands, "yTrue"),
    yPred: operandOf(operation, operands, "yPred"),
    options: loss.readOptions(args, operation),
  });
  const forward = ({ yTrue, yPred, options }: LossCall<Options>): Tensor =>
    tensorOf([loss.forward(yTrue, yPred, options).loss], [], dtypeOf(yPred));
  const backward = ({ yTrue, yPred, options }: LossCall<Options>): Tensor =>
    loss.backward(loss.forward(yTrue, yPred, options).cache);
  return [
    {
      name,
      inputs: ["yTrue", "yPred"],
      optional: [],
      outputs: ["loss"],
      complete: (args) => loss.complete(args, name),
      run: (operands, args) => ({ loss: forward(callOf(name, operands, args)) }),
      expect(operands, args, model) {
        const call = callOf(name, widened(operands), args);
        return { loss: loss.expectForward(forward(call), call, model) };
      },
    },
    {
      name: backwardName,
      inputs: ["yTrue", "yPred"],
      optional: [],
      outputs: ["dYPred"],
      complete: (args) => loss.complete(args, backwardName),
      run: (operands, args) => ({ dYPred: backward(callOf(backwardName, operands, args)) }),
      expect(operands, args, model) {
        const call = callOf(backwardName, widened(operands), args);
        return { dYPred: loss.expectBackward(backward(call), call, model) };
      },
    },
  ];
}
