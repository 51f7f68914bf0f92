/**
 * Mutants: the reference with one mistake. Who watches the oracle? These do: the conformance kit must find every one, and
 * pass the controls, which differ from the reference without being wrong.
 *
 * @module
 */
import type { KerasConfig } from "../../serialization/config.js";
import { type Shape, sizeOf } from "../../tensor/shape.js";
import { contiguous, type Tensor, tensor } from "../../tensor/tensor.js";
import type { Backend, BackendOperation, PlainResult } from "../conformance/backend.js";
import { positionOf } from "../judgement.js";
import type { Operands } from "../operation.js";
import { operationNamed } from "../operations/table.js";

/** How an operation is computed. */
export type Compute = (operands: Operands, args: KerasConfig) => Operands;

/** One mistake, planted in one operation. */
export interface Mutant {
  /** The operation's name. */
  readonly operation: string;
  /** What is wrong, or for a control different. */
  readonly mistake: string;
  /** Whether it is right all the same. */
  readonly control: boolean;
  /** The operation with it. */
  readonly compute: Compute;
}

/** Mutants of `operation`: makes each from the reference's own computation. */
export function mutantsOf(
  operation: string,
  mistakes: Readonly<Record<string, (reference: Compute) => Compute>>,
  control = false,
): readonly Mutant[] {
  const reference: Compute = (operands, args) => operationNamed(operation).run(operands, args);
  return Object.entries(mistakes).map(([mistake, plant]) => ({
    operation,
    mistake,
    control,
    compute: plant(reference),
  }));
}

/** `compute` as an operation of a backend. */
export function asBackendOperation(compute: Compute): BackendOperation {
  return (operands, args) => {
    const tensors = Object.fromEntries(
      Object.entries(operands).map(([name, { data, shape }]) => [name, tensor(data, shape)]),
    );
    const results: Record<string, PlainResult> = {};
    for (const [name, x] of Object.entries(compute(tensors, args))) {
      results[name] = { data: contiguous(x).data, shape: [...x.shape] };
    }
    return results;
  };
}

/** A backend of one mutant. */
export function mutantBackend({ operation, mistake, compute }: Mutant): Backend {
  return { name: mistake, operations: { [operation]: asBackendOperation(compute) } };
}

/** A tensor of `shape` whose element at `position` is `element(position)`. */
export function build(shape: Shape, element: (position: readonly number[]) => number): Tensor {
  return tensor(
    Float32Array.from({ length: sizeOf(shape) }, (_, at) => element(positionOf(at, shape))),
    shape,
  );
}

/** `x` with every element `value` at `position` replaced. */
export function mapped(x: Tensor, element: (value: number, position: readonly number[]) => number): Tensor {
  return build(x.shape, (position) => element(x.get(...position), position));
}

/** `x` with the elements at which `where` holds set to 0. */
export function without(x: Tensor, where: (position: readonly number[]) => boolean): Tensor {
  return mapped(x, (value, position) => (where(position) ? 0 : value));
}

/** `x` mirrored along `axes`. */
export function mirrored(x: Tensor, ...axes: readonly number[]): Tensor {
  return mapped(x, (_, position) =>
    x.get(...position.map((at, axis) => (axes.includes(axis) ? x.shape[axis] - 1 - at : at))),
  );
}

/** `operands` with `name` replaced by what `change` makes of it, where it is given. */
export function changing(operands: Operands, name: string, change: (x: Tensor) => Tensor): Operands {
  return operands[name] === undefined ? operands : { ...operands, [name]: change(operands[name]) };
}

/** All of `operands` changed. */
export function changingAll(operands: Operands, change: (x: Tensor) => Tensor): Operands {
  return Object.fromEntries(Object.entries(operands).map(([name, x]) => [name, change(x)]));
}

/** A mistake in the operand `name`. */
export function inOperand(
  name: string,
  change: (x: Tensor, args: KerasConfig) => Tensor,
): (reference: Compute) => Compute {
  return (reference) => (operands, args) =>
    reference(
      changing(operands, name, (x) => change(x, args)),
      args,
    );
}

/** A mistake in the result `name`. */
export function inResult(
  name: string,
  change: (result: Tensor, operands: Operands, args: KerasConfig) => Tensor,
): (reference: Compute) => Compute {
  return (reference) => (operands, args) => changing(reference(operands, args), name, (x) => change(x, operands, args));
}

/** A mistake in the arguments. Where no operand fits them any more, it is not made: the kit must judge, not catch. */
export function inArgs(change: (args: KerasConfig) => KerasConfig): (reference: Compute) => Compute {
  return (reference) => (operands, args) => {
    try {
      return reference(operands, { ...args, ...change(args) });
    } catch (error) {
      if (error instanceof RangeError) return reference(operands, args);
      throw error;
    }
  };
}

/** An operand that is forgotten. */
export function forgetting(name: string): (reference: Compute) => Compute {
  return (reference) => (operands, args) => {
    const { [name]: _forgotten, ...others } = operands;
    return reference(others, args);
  };
}

/** `x` times `factor`. */
export function scaled(x: Tensor, factor: number): Tensor {
  return mapped(x, (value) => value * factor);
}
