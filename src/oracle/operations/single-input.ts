/**
 * The two operations of a layer without weights that takes one tensor, made from its pair of functions and what is
 * expected of them.
 *
 *     name            x      ->  y
 *     name-backward   x, dy  ->  dx
 *
 * @module
 */
import type { Forward } from "../../layers/layer.js";
import type { KerasConfig } from "../../serialization/config.js";
import type { Tensor } from "../../tensor/tensor.js";
import type { ArithmeticModel } from "../arithmetic-model.js";
import type { Expectation } from "../expectation.js";
import { cotangentOf, operandOf } from "../operands.js";
import type { Operands, Operation } from "../operation.js";

/** A layer that maps x to y. */
export interface SingleInputLayer<Cache> {
  /** Of the forward operation. */
  readonly name: string;
  /** All arguments that are read on behalf of `operation`. */
  readonly complete: (args: KerasConfig, operation: string) => KerasConfig;
  /** The forward function, with the arguments that it reads on behalf of `operation`. */
  readonly forward: (x: Tensor, args: KerasConfig, operation: string) => Forward<Cache>;
  readonly backward: (dy: Tensor, cache: Cache) => Tensor;
  /** What is expected of y; `run` is the forward function with its arguments. */
  readonly expectForward: (x: Tensor, run: (x: Tensor) => Forward<Cache>, model: ArithmeticModel) => Expectation;
  /** What is expected of dx. */
  readonly expectBackward: (dy: Tensor, cache: Cache, model: ArithmeticModel) => Expectation;
}

/** The operations `name` and `name-backward` of `layer`. */
export function singleInputOperations<Cache>(layer: SingleInputLayer<Cache>): readonly Operation[] {
  const { name } = layer;
  const backwardName = `${name}-backward`;
  /** The cache of the forward call, and dy. */
  const beforeBackward = (operands: Operands, args: KerasConfig): { readonly cache: Cache; readonly dy: Tensor } => {
    const { y, cache } = layer.forward(operandOf(backwardName, operands, "x"), args, backwardName);
    return { cache, dy: cotangentOf(backwardName, operands, y.shape) };
  };
  return [
    {
      name,
      inputs: ["x"],
      optional: [],
      outputs: ["y"],
      complete: (args) => layer.complete(args, name),
      run: (operands, args) => ({ y: layer.forward(operandOf(name, operands, "x"), args, name).y }),
      expect(operands, args, model) {
        const x = operandOf(name, operands, "x");
        return { y: layer.expectForward(x, (input) => layer.forward(input, args, name), model) };
      },
    },
    {
      name: backwardName,
      inputs: ["x", "dy"],
      optional: [],
      outputs: ["dx"],
      complete: (args) => layer.complete(args, backwardName),
      run(operands, args) {
        const { cache, dy } = beforeBackward(operands, args);
        return { dx: layer.backward(dy, cache) };
      },
      expect(operands, args, model) {
        const { cache, dy } = beforeBackward(operands, args);
        return { dx: layer.expectBackward(dy, cache, model) };
      },
    },
  ];
}
