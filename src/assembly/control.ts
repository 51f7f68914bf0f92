/**
 * Control: loops, branches, calls. WebAssembly has structured control only, so these nest as their source does.
 *
 * @module
 */
import {
  type Body,
  codeOf,
  type NamedFunction,
  type Operand,
  operand,
  type Signature,
  type Statement,
  type Value,
  type ValueType,
} from "./code.js";

const BLOCK = 0x02;
const LOOP = 0x03;
const IF = 0x04;
const ELSE = 0x05;
const END = 0x0b;
const BR_IF = 0x0d;
/** The type of a block that leaves nothing on the stack. */
const EMPTY = 0x40;

/**
 * `loop`: runs `body`, and again as long as `condition` is not 0 behind it. {@link leaveWhen} in the body, and not within
 * another loop or `when` there, goes on behind the loop.
 */
export function doWhile(body: Body, condition: Value<"i32">): Statement {
  const loop = [LOOP, EMPTY, codeOf(body), condition.code, BR_IF, 0, END];
  return { type: "none", code: [BLOCK, EMPTY, ...loop, END] };
}

/** `br_if` out of the loop around it, where `condition` is not 0. */
export function leaveWhen(condition: Value<"i32">): Statement {
  return { type: "none", code: [condition.code, BR_IF, 1] };
}

/** Runs `body` as long as `condition` is not 0 before it. */
export function whileLoop(condition: Value<"i32">, body: Body): Statement {
  // the condition is tested once before the loop and then at its end, so that a turn takes one branch
  const skip = [condition.code, 0x45, BR_IF, 0]; // 0x45: i32.eqz
  return { type: "none", code: [BLOCK, EMPTY, ...skip, doWhile(body, condition).code, END] };
}

/** `if`: runs `then` where `condition` is not 0, else `otherwise`. */
export function when(condition: Value<"i32">, then: Body, otherwise?: Body): Statement {
  const alternative = otherwise === undefined ? [] : [ELSE, codeOf(otherwise)];
  return { type: "none", code: [condition.code, IF, EMPTY, codeOf(then), ...alternative, END] };
}

/** `select`: `yes` where `condition` is not 0, else `no`; both are computed. */
export function select<T extends "i32" | "f32" | "f64">(
  type: T,
  yes: Operand<T>,
  no: Operand<T>,
  condition: Value<"i32">,
): Value<T> {
  return { type, code: [operand(type, yes), operand(type, no), condition.code, 0x1b] };
}

/** `call` of a function without a result; the module must contain `callee`. */
export function call<P extends Signature>(
  callee: NamedFunction<P>,
  values: { readonly [K in keyof P]: Operand<P[K]> },
): Statement {
  const inOrder = Object.entries(callee.signature).flatMap(([key, type]) => operand(type, values[key]));
  return { type: "none", code: [...inOrder, 0x10, callee] };
}

/** `return` with a value. */
export function returns(value: Value<ValueType>): Statement {
  return { type: "none", code: [value.code, 0x0f] };
}

/** `drop`: computes a value and forgets it. */
export function drop(value: Value<ValueType>): Statement {
  return { type: "none", code: [value.code, 0x1a] };
}
